//! The impl block: is it a handler's, and does it hold what a handler's holds?

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident};
use syn::{Attribute, GenericParam, Generics, Ident, ItemImpl, Path, Type};

use super::method::{Place, check};
use crate::contract;
use crate::mistakes::Mistakes;
use crate::parse::{Block, Member, Method, Other};
use crate::suggest;

/// A handler's impl, checked and sorted.
pub(crate) struct Handler {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) inner_attributes: Vec<Attribute>,
    pub(crate) generics: Generics,
    pub(crate) path: Path,
    pub(crate) ty: Type,
    /// What goes into the impl of the trait.
    pub(crate) members: Vec<TokenStream>,
    /// What does not belong there and goes into an impl of the type's own.
    pub(crate) aside: Vec<TokenStream>,
    pub(crate) has_info: bool,
    /// Whether an `#[async_trait]` above has already been at work.
    pub(crate) is_rewritten: bool,
}

/// Checks an impl block. `None` if it is no handler's, which is reported too.
pub(crate) fn handler(block: Block, mistakes: &mut Mistakes) -> Option<Handler> {
    let path = trait_path(&block, mistakes)?;
    let is_rewritten = block.members.iter().any(is_rewritten);
    if is_rewritten {
        mistakes.at_attribute("remove the `#[async_trait]` above: `#[sync_handler]` brings it along");
    }
    modifiers(&block.head, mistakes);
    synchronizes(&block, &path, mistakes);
    let mut handler = Handler {
        attributes: attributes(block.head.attrs, mistakes),
        inner_attributes: block.inner,
        generics: block.head.generics,
        path,
        ty: *block.head.self_ty,
        members: Vec::new(),
        aside: Vec::new(),
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
                Place::Trait => self.keep(&method),
                Place::Aside => self.aside.push(method.to_token_stream()),
            },
            Member::Const(other) => {
                misplaced(&other, mistakes);
                self.aside.push(other.into_token_stream());
            }
            Member::Type(other) => misplaced(&other, mistakes),
            Member::Opaque(tokens) => self.members.push(tokens),
        }
    }

    fn keep(&mut self, method: &Method) {
        self.has_info |= method.signature.ident == "info";
        self.members.push(method.to_token_stream());
    }
}

fn misplaced(other: &Other, mistakes: &mut Mistakes) {
    let keyword = &other.keyword;
    mistakes.at(keyword, format!("`SyncHandler` has no `{keyword}`: this belongs in an `impl` of the type's own"));
}

/// The path of the trait, its last word mended if misspelled.
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

fn modifiers(head: &ItemImpl, mistakes: &mut Mistakes) {
    if let Some(token) = head.modifiers.polarity {
        mistakes.at(token, "a handler is what implements `SyncHandler`: remove `!`");
    }
    if let Some(token) = head.unsafety {
        mistakes.at(token, "`SyncHandler` asks for nothing unsafe: remove `unsafe`");
    }
}

/// Takes out attributes that would do our work a second time.
fn attributes(attributes: Vec<Attribute>, mistakes: &mut Mistakes) -> Vec<Attribute> {
    let mut kept = Vec::new();
    for attribute in attributes {
        let name = attribute.path().segments.last().map(|last| last.ident.to_string());
        match name.as_deref() {
            Some("async_trait") => mistakes.at(&attribute, "remove this: `#[sync_handler]` brings it along"),
            Some("sync_handler") => mistakes.at(&attribute, "`#[sync_handler]` is given twice"),
            _ => kept.push(attribute),
        }
    }
    kept
}

/// Whether `async_trait` left its lifetime in this method.
fn is_rewritten(member: &Member) -> bool {
    let Member::Method(method) = member else { return false };
    method.signature.generics.params.iter().any(
        |parameter| matches!(parameter, GenericParam::Lifetime(lifetime) if lifetime.lifetime.ident == "async_trait"),
    )
}

/// One of two methods must be there; a misspelled one was meant, and a macro call may bring it.
fn synchronizes(block: &Block, path: &Path, mistakes: &mut Mistakes) {
    let known = contract::methods();
    let meant = |name: &Ident| suggest::nearest(&name.to_string(), &known);
    let written = methods(block).any(|name| matches!(meant(name), Some("synchronize" | "synchronize_item")));
    if written || block.members.iter().any(|member| matches!(member, Member::Opaque(_))) {
        return;
    }
    let (item, run) = (contract::signature("synchronize_item"), contract::signature("synchronize"));
    let advice = format!("write `{item}`, called for each item,\nor `{run}`, called once a run");
    mistakes.at(path, format!("nothing is synchronized here\n{advice}"));
}

fn methods(block: &Block) -> impl Iterator<Item = &Ident> {
    block.members.iter().filter_map(|member| match member {
        Member::Method(method) => Some(&method.signature.ident),
        _ => None,
    })
}
