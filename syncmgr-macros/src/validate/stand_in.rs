//! Adds a missing return type and a matching value, so that the compiler adds no error of its own.

use proc_macro2::TokenTree;
use syn::{GenericArgument, PathArguments, Type, parse_quote};

use super::method::plain;

/// Returns the return type in names that the author has in scope, by reusing the spelling of the arguments.
pub(crate) fn in_authors_spelling(output: &Type, expected: &[&Type], given: &[&Type]) -> Type {
    let mut output = output.clone();
    let Type::Path(path) = &mut output else { return output };
    let last = path.path.segments.last_mut();
    let Some(PathArguments::AngleBracketed(arguments)) = last.map(|last| &mut last.arguments) else { return output };
    for argument in &mut arguments.args {
        let GenericArgument::Type(argument) = argument else { continue };
        let same = expected.iter().zip(given).find(|(expected, _)| plain(expected) == plain(argument));
        if let Some((_, given)) = same {
            *argument = Type::clone(given);
        }
    }
    output
}

/// Makes a body without a final expression valid for any return type.
pub(crate) fn with_a_value(body: &TokenTree) -> TokenTree {
    let TokenTree::Group(braces) = body else { return body.clone() };
    let statements = braces.stream();
    match statements.clone().into_iter().last() {
        Some(TokenTree::Punct(punct)) if punct.as_char() == ';' => {}
        Some(_) => return body.clone(),
        None => {}
    }
    parse_quote!({ #statements #[allow(unreachable_code)] { ::core::unreachable!() } })
}
