//! What the author got wrong, collected so that all of it is reported at once.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::Error;

/// The mistakes found so far, in the order they were found.
pub(crate) struct Mistakes {
    attribute: Span,
    errors: Vec<Error>,
}

impl Mistakes {
    /// No mistakes yet. `item` is what the attribute is on.
    pub(crate) fn none(item: &TokenStream) -> Self {
        // With the hygiene of the author's code, the compiler does not add that the error comes from a macro.
        let authors = item.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span());
        Self { attribute: authors.located_at(Span::call_site()), errors: Vec::new() }
    }

    /// Reports a mistake at these tokens.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.errors.push(Error::new_spanned(tokens, message));
    }

    /// Reports a mistake at this place.
    pub(crate) fn spanning(&mut self, span: Span, message: impl Display) {
        self.errors.push(Error::new(span, message));
    }

    /// Reports a mistake at the attribute as a whole.
    pub(crate) fn at_attribute(&mut self, message: impl Display) {
        self.spanning(self.attribute, message);
    }

    /// Takes over what a parser reported.
    pub(crate) fn push(&mut self, error: Error) {
        self.errors.push(error);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.errors.len()
    }

    /// All of them, as errors.
    pub(crate) fn into_errors(self) -> Vec<Error> {
        self.errors
    }
}
