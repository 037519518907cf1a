//! Validates the impl block.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident};
use syn::{Attribute, GenericParam, Generics, Ident, ItemImpl, Path, Type};

use super::method::{Destination, check};
use crate::contract;
use crate::mistakes::Mistakes;
use crate::parse::{Block, Member, Method, Other};
use crate::suggest;

/// The checked impl block of a handler, with its members sorted.
pub(crate) struct Handler {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) inner_attributes: Vec<Attribute>,
    pub(crate) generics: Generics,
    pub(crate) path: Path,
    pub(crate) ty: Type,
    /// The members of the impl of the trait.
    pub(crate) members: Vec<TokenStream>,
    /// The members that do not belong to the trait; they go into an inherent impl.
    pub(crate) separate: Vec<TokenStream>,
    pub(crate) has_info: bool,
    /// `true` if an `#[async_trait]` above has already expanded.
    pub(crate) is_rewritten: bool,
}

/// Checks an impl block. `None` if the block does not belong to a handler, which is also reported as a mistake.
pub(crate) fn handler(block: Block, mistakes: &mut Mistakes) -> Option<Handler> {
    let path = trait_path(&block, mistakes)?;
    let is_rewritten = block.members.iter().any(is_rewritten);
    if is_rewritten {
        mistakes.at_attribute("remove the `#[async_trait]` above: `#[sync_handler]` adds it");
    }
    check_modifiers(&block.head, mistakes);
    check_synchronize_method(&block, &path, mistakes);
    let mut handler = Handler {
        attributes: attributes(block.head.attrs, mistakes),
        inner_attributes: block.inner,
        generics: block.head.generics,
        path,
        ty: *block.head.self_ty,
        members: Vec::new(),
        separate: Vec::new(),
        has_info: false,
        is_rewritten,
    };
    for member in block.members {
        handler.sort(member, mistakes);
    }
    Some(handler)
}

impl Handler {
    fn sort(&mut self, member: Member, mistakes: &mut Mistakes) {
        match member {
            Member::Method(method) if self.is_rewritten => self.keep(&method),
            Member::Method(mut method) => match check(&mut method, mistakes) {
                Destination::Trait => self.keep(&method),
                Destination::Inherent => self.separate.push(method.to_token_stream()),
            },
            Member::Const(other) => {
                report_misplaced(&other, mistakes);
                self.separate.push(other.into_token_stream());
            }
            Member::Type(other) => report_misplaced(&other, mistakes),
            Member::Opaque(tokens) => self.members.push(tokens),
        }
    }

    fn keep(&mut self, method: &Method) {
        self.has_info |= method.signature.ident == "info";
        self.members.push(method.to_token_stream());
    }
}

fn report_misplaced(other: &Other, mistakes: &mut Mistakes) {
    let keyword = &other.keyword;
    mistakes.at(keyword, format!("`SyncHandler` has no `{keyword}`: this belongs in a separate `impl` of the type"));
}

/// Returns the path of the trait, with a misspelled last segment corrected.
fn trait_path(block: &Block, mistakes: &mut Mistakes) -> Option<Path> {
    let Some((path, _)) = &block.head.trait_ else {
        mistakes.at(&block.head.self_ty, "this impl names no trait: write `impl SyncHandler for ..`");
        let meant = methods(block).any(|name| contract::method(name).is_some());
        return meant.then(|| format_ident!("SyncHandler").into());
    };
    let mut path = path.clone();
    let last = &mut path.segments.last_mut()?.ident;
    if last != "SyncHandler" {
        let guess = suggest::nearest(&last.to_string(), &["SyncHandler"]);
        let advice = if guess.is_some() { "\ndid you mean `SyncHandler`?" } else { "" };
        let belongs = "`#[sync_handler]` belongs on `impl SyncHandler for ..`";
        mistakes.at(&*last, format!("{belongs}, not on an impl of `{last}`{advice}"));
        guess?;
        *last = Ident::new("SyncHandler", last.span());
    }
    Some(path)
}

fn check_modifiers(head: &ItemImpl, mistakes: &mut Mistakes) {
    if let Some(token) = head.modifiers.polarity {
        mistakes.at(token, "a handler implements `SyncHandler`: remove `!`");
    }
    if let Some(token) = head.unsafety {
        mistakes.at(token, "`SyncHandler` is not an unsafe trait: remove `unsafe`");
    }
}

/// Removes attributes that would repeat the work of this macro.
fn attributes(attributes: Vec<Attribute>, mistakes: &mut Mistakes) -> Vec<Attribute> {
    let mut kept = Vec::new();
    for attribute in attributes {
        let name = attribute.path().segments.last().map(|last| last.ident.to_string());
        match name.as_deref() {
            Some("async_trait") => mistakes.at(&attribute, "remove this: `#[sync_handler]` adds it"),
            Some("sync_handler") => mistakes.at(&attribute, "`#[sync_handler]` is given twice"),
            _ => kept.push(attribute),
        }
    }
    kept
}

/// Returns `true` if this method has the lifetime that `async_trait` adds.
fn is_rewritten(member: &Member) -> bool {
    let Member::Method(method) = member else { return false };
    method.signature.generics.params.iter().any(
        |parameter| matches!(parameter, GenericParam::Lifetime(lifetime) if lifetime.lifetime.ident == "async_trait"),
    )
}

/// Reports an impl with neither `synchronize` nor `synchronize_item`. A misspelled method counts, and so does a macro
/// call, which may expand to a method.
fn check_synchronize_method(block: &Block, path: &Path, mistakes: &mut Mistakes) {
    let known = contract::methods();
    let meant = |name: &Ident| suggest::nearest(&name.to_string(), &known);
    let written = methods(block).any(|name| matches!(meant(name), Some("synchronize" | "synchronize_item")));
    if written || block.members.iter().any(|member| matches!(member, Member::Opaque(_))) {
        return;
    }
    let (item, run) = (contract::signature("synchronize_item"), contract::signature("synchronize"));
    let advice = format!("write `{item}`, called for each item,\nor `{run}`, called once per run");
    mistakes.at(path, format!("neither `synchronize_item` nor `synchronize` is implemented\n{advice}"));
}

fn methods(block: &Block) -> impl Iterator<Item = &Ident> {
    block.members.iter().filter_map(|member| match member {
        Member::Method(method) => Some(&method.signature.ident),
        _ => None,
    })
}
