//! The attribute: parse, validate, generate.

use proc_macro2::TokenStream;
use syn::Error;

use crate::mistakes::Mistakes;
use crate::{generate, parse, validate};

/// Expands the attribute. The result contains the author's item even if there are mistakes.
pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> (TokenStream, Vec<Error>) {
    let mut mistakes = Mistakes::none(&item);
    let declaration = validate::declaration(attribute, &mut mistakes);
    let handler = match parse::block(item.clone()) {
        Ok(block) => validate::handler(block, &mut mistakes),
        Err(error) => {
            mistakes.push(error);
            None
        }
    };
    let tokens = handler.map_or(item, |handler| generate::generate(&declaration, &handler));
    (tokens, mistakes.into_errors())
}
