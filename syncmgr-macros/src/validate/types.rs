//! Compares types by their names.
//!
//! An unknown name may be an alias of the right type, so only a certain mismatch is reported. The compiler finds the
//! rest.

use syn::{GenericArgument, Ident, Path, PathArguments, Type, TypePath};

use crate::contract;

/// Names of the prelude.
const PRELUDE: [&str; 16] = [
    "Box", "Result", "String", "Vec", "bool", "str", "u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64",
    "isize",
];

/// Modules with an `Error` type of their own.
const FOREIGN: [&str; 3] = ["io", "fmt", "serde_json"];

/// Returns the innermost mismatch as the expected and the given type.
pub(crate) fn mismatch<'a>(expected: &'a Type, given: &'a Type) -> Option<(&'a Type, &'a Type)> {
    let here = Some((expected, given));
    match (expected, ungrouped(given)) {
        (Type::Reference(expected), Type::Reference(given)) if given.mutability.is_none() => {
            mismatch(&expected.elem, &given.elem)
        }
        (Type::Path(expected), Type::Path(given)) if is_named_alike(expected, given) => {
            mismatch_of_arguments(&expected.path, &given.path, here)
        }
        (_, Type::Path(_)) => here.filter(|_| is_well_known(given)),
        (_, Type::Reference(_) | Type::Tuple(_)) => here,
        _ => None,
    }
}

fn mismatch_of_arguments<'a>(
    expected: &'a Path,
    given: &'a Path,
    here: Option<(&'a Type, &'a Type)>,
) -> Option<(&'a Type, &'a Type)> {
    let given_arguments = arguments(given);
    if given_arguments.get(1).is_some_and(|error| is_foreign_error(error)) {
        return here;
    }
    match (arguments(expected).first(), given_arguments.first()) {
        (Some(expected), Some(given)) => mismatch(expected, given),
        (Some(_), None) => here.filter(|_| !is_named(given, "Result")),
        (None, Some(argument)) => here.filter(|_| is_well_known(argument)),
        (None, None) => None,
    }
}

/// Removes the groups that macros and parentheses add.
fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        _ => ty,
    }
}

/// Returns `true` if the names are the same. Any `Result` may be a `SyncResult`.
fn is_named_alike(expected: &TypePath, given: &TypePath) -> bool {
    let result = is_named(&expected.path, "SyncResult") && is_named(&given.path, "Result");
    result || last(&expected.path) == last(&given.path)
}

/// Returns `true` if the type has a well-known name. Such a name is not an alias.
fn is_well_known(ty: &Type) -> bool {
    match ungrouped(ty) {
        Type::Path(ty) => {
            last(&ty.path).is_some_and(|name| contract::is_type(name) || PRELUDE.iter().any(|it| name == it))
        }
        Type::Reference(_) => true,
        _ => false,
    }
}

/// Returns `true` if this error is certainly not the `anyhow::Error` of `SyncResult`.
fn is_foreign_error(ty: &Type) -> bool {
    let is_foreign = match ungrouped(ty) {
        Type::Path(ty) => {
            let module = ty.path.segments.iter().rev().nth(1);
            module.is_some_and(|module| FOREIGN.iter().any(|it| module.ident == it))
        }
        Type::Tuple(_) => true,
        _ => false,
    };
    is_foreign || is_well_known(ty)
}

fn is_named(path: &Path, name: &str) -> bool {
    last(path).is_some_and(|last| last == name)
}

fn last(path: &Path) -> Option<&Ident> {
    path.segments.last().map(|segment| &segment.ident)
}

fn arguments(path: &Path) -> Vec<&Type> {
    let Some(PathArguments::AngleBracketed(arguments)) = path.segments.last().map(|segment| &segment.arguments) else {
        return Vec::new();
    };
    arguments
        .args
        .iter()
        .filter_map(|argument| if let GenericArgument::Type(ty) = argument { Some(ty) } else { None })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::ToTokens;

    fn expected_type(expected: &str, given: &str) -> Option<String> {
        let parse = |text| syn::parse_str::<Type>(text).expect("the text is a type");
        let (expected, given) = (parse(expected), parse(given));
        mismatch(&expected, &given).map(|(expected, _)| expected.to_token_stream().to_string().replace(' ', ""))
    }

    #[test]
    fn the_right_type_fits_under_any_path() {
        for (expected, given) in [
            ("&ItemContext", "&syncmgr::ItemContext"),
            ("&ItemContext", "&'_ ItemContext"),
            ("SyncResult", "Result<()>"),
            ("SyncResult", "SyncResult<()>"),
            ("SyncResult<Items>", "anyhow::Result<Items>"),
            ("SyncResult<Items>", "Result<Items, anyhow::Error>"),
            ("Option<ItemObject>", "std::option::Option<syncmgr::item::ItemObject>"),
            ("serde_json::Value", "Value"),
            ("serde_json::Value", "::syncmgr::serde_json::Value"),
            ("SyncResult<serde_json::Value>", "SyncResult<Value>"),
            ("SyncResult<serde_json::Value>", "anyhow::Result<syncmgr::serde_json::Value>"),
        ] {
            assert_eq!(expected_type(expected, given), None, "{given}");
        }
    }

    #[test]
    fn an_unknown_name_is_left_to_the_compiler() {
        for (expected, given) in [
            ("&ItemContext", "Context"),
            ("&ItemContext", "&Context"),
            ("Subject", "What"),
            ("SyncResult<Items>", "Result"),
            ("SyncResult<Items>", "Listing"),
            ("serde_json::Value", "Json"),
            ("u32", "Version"),
            ("SyncResult", "Result<(), Error>"),
            ("SyncResult", "impl Future<Output = SyncResult>"),
        ] {
            assert_eq!(expected_type(expected, given), None, "{given}");
        }
    }

    #[test]
    fn a_certain_mismatch_is_reported_at_its_innermost_type() {
        for (expected, given, belongs) in [
            ("&ItemContext", "ItemContext", "&ItemContext"),
            ("&ItemContext", "&mut ItemContext", "&ItemContext"),
            ("&ItemContext", "&RunContext", "ItemContext"),
            ("Subject", "&Subject", "Subject"),
            ("Subject", "Status", "Subject"),
            ("SyncResult<Items>", "SyncResult", "SyncResult<Items>"),
            ("SyncResult<Items>", "Items", "SyncResult<Items>"),
            ("SyncResult<Items>", "SyncResult<()>", "Items"),
            ("SyncResult<Items>", "SyncResult<Vec<SyncItem>>", "Items"),
            ("SyncResult", "SyncResult<Items>", "SyncResult"),
            ("SyncResult", "SyncResult<&str>", "SyncResult"),
            ("SyncResult", "Result<(), ()>", "SyncResult"),
            ("SyncResult", "Result<(), String>", "SyncResult"),
            ("SyncResult", "Result<(), std::io::Error>", "SyncResult"),
            ("SyncResult", "Result<(), Box<dyn Error>>", "SyncResult"),
            ("SyncResult", "Result<(), serde_json::Error>", "SyncResult"),
            ("Option<ItemObject>", "ItemObject", "Option<ItemObject>"),
            ("serde_json::Value", "&Value", "serde_json::Value"),
            ("serde_json::Value", "String", "serde_json::Value"),
            ("SyncResult<serde_json::Value>", "Value", "SyncResult<serde_json::Value>"),
            ("SyncResult<serde_json::Value>", "SyncResult", "SyncResult<serde_json::Value>"),
            ("SyncResult<serde_json::Value>", "SyncResult<String>", "serde_json::Value"),
            ("u32", "u64", "u32"),
        ] {
            assert_eq!(expected_type(expected, given).as_deref(), Some(belongs), "{given}");
        }
    }
}
