//! Collects all of the author's mistakes before they are reported.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::Error;

/// The mistakes so far, in the order in which they were found.
pub(crate) struct Mistakes {
    attribute: Span,
    errors: Vec<Error>,
}

impl Mistakes {
    /// Creates an empty list. `item` is the item below the attribute.
    pub(crate) fn none(item: &TokenStream) -> Self {
        // With the hygiene of the author's code, the compiler does not add a note that the error comes from a macro.
        let authors = item.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span());
        Self { attribute: authors.located_at(Span::call_site()), errors: Vec::new() }
    }

    /// Reports a mistake at these tokens.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.errors.push(Error::new_spanned(tokens, message));
    }

    /// Reports a mistake at this span.
    pub(crate) fn at_span(&mut self, span: Span, message: impl Display) {
        self.errors.push(Error::new(span, message));
    }

    /// Reports a mistake at the attribute as a whole.
    pub(crate) fn at_attribute(&mut self, message: impl Display) {
        self.at_span(self.attribute, message);
    }

    /// Adds an error of a parser.
    pub(crate) fn push(&mut self, error: Error) {
        self.errors.push(error);
    }

    /// Returns the number of mistakes.
    pub(crate) fn count(&self) -> usize {
        self.errors.len()
    }

    /// Returns all mistakes as errors.
    pub(crate) fn into_errors(self) -> Vec<Error> {
        self.errors
    }
}
