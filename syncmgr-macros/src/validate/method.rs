//! Validates a method against the signature of the contract.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{FnArg, Receiver, ReceiverKind, ReturnType, Safety, Signature, Token, Type, parse_quote};

use super::stand_in::{in_authors_spelling, with_a_value};
use super::types::mismatch;
use crate::contract::{self, Expected};
use crate::mistakes::Mistakes;
use crate::parse::Method;
use crate::suggest;

/// The impl that a method goes into.
pub(crate) enum Destination {
    /// The impl of the trait.
    Trait,
    /// An inherent impl, so that the compiler adds no error of its own.
    Inherent,
}

/// Checks a method. A missing `async` or return type is reported and added, so that the method still fits the trait.
pub(crate) fn check(method: &mut Method, mistakes: &mut Mistakes) -> Destination {
    let signature = &mut method.signature;
    let Some(expected) = contract::method(&signature.ident) else {
        mistakes.at(&signature.ident, unknown(&signature.ident.to_string()));
        return Destination::Inherent;
    };
    let mut report = Report { expected: &expected, mistakes };
    report.add_missing_async(signature);
    let corrected = report.mistakes.count();
    report.check_qualifiers(signature);
    report.check_receiver(signature);
    report.check_arguments(signature);
    report.check_return_type(signature);
    let fits = report.mistakes.count() == corrected;
    report.add_missing_return_type(method);
    if fits { Destination::Trait } else { Destination::Inherent }
}

fn unknown(name: &str) -> String {
    let methods = contract::methods();
    let unknown = suggest::unknown("method", name, &methods);
    if suggest::nearest(name, &methods).is_some() {
        return unknown;
    }
    format!("{unknown}\nhelpers belong in a separate `impl` of the type")
}

/// Reports mistakes with the expected signature.
struct Report<'a> {
    expected: &'a Expected,
    mistakes: &'a mut Mistakes,
}

impl Report<'_> {
    fn at(&mut self, tokens: impl ToTokens, what: impl AsRef<str>) {
        let message = self.message(what);
        self.mistakes.at(tokens, message);
    }

    fn at_span(&mut self, span: Span, what: impl AsRef<str>) {
        let message = self.message(what);
        self.mistakes.at_span(span, message);
    }

    fn message(&self, what: impl AsRef<str>) -> String {
        format!("expected `{}`\n{}", self.expected.text, what.as_ref())
    }

    fn add_missing_async(&mut self, signature: &mut Signature) {
        if self.expected.signature.asyncness.is_some() && signature.asyncness.is_none() {
            self.at(signature.fn_token, "`async` is missing");
            signature.asyncness = Some(Token![async](signature.fn_token.span));
        }
    }

    fn check_qualifiers(&mut self, signature: &Signature) {
        if self.expected.signature.asyncness.is_none() {
            self.report_if_present(&signature.asyncness, "this method is not async: remove `async`");
        }
        self.report_if_present(&signature.constness, "remove `const`");
        self.report_if_present(&signature.abi, "remove `extern`");
        if let Safety::Unsafe(token) = signature.safety {
            self.at(token, "remove `unsafe`");
        }
        let parameters = Some(&signature.generics).filter(|generics| !generics.params.is_empty());
        let no_generics = "hosts call a handler as `dyn SyncHandler`, so its methods have no generics";
        self.report_if_present(&parameters, no_generics);
        self.report_if_present(&signature.generics.where_clause, no_generics);
    }

    fn report_if_present(&mut self, tokens: &Option<impl ToTokens>, what: &str) {
        if let Some(tokens) = tokens {
            self.at(tokens, what);
        }
    }

    fn check_receiver(&mut self, signature: &Signature) {
        match signature.receiver() {
            Some(receiver) if is_shared(receiver) => {}
            Some(receiver) => {
                let why =
                    "one handler serves several calls at the same time; store the data of a run with `run.keep(..)`";
                self.at(receiver, format!("`&self` belongs here: {why}"));
            }
            None => {
                let why = "the host calls this method on a handler";
                self.at_span(signature.paren_token.span.open(), format!("`&self` is missing: {why}"));
            }
        }
    }

    fn check_arguments(&mut self, signature: &Signature) {
        let (expected, given) = (arguments(&self.expected.signature), arguments(signature));
        if given.len() < expected.len() {
            self.at_span(signature.paren_token.span.close(), "an argument is missing");
        } else if let Some(surplus) = given.get(expected.len()) {
            self.at(surplus, "this argument is one too many");
        } else {
            for (expected, given) in expected.into_iter().zip(given) {
                self.check_types(expected, given);
            }
        }
    }

    fn check_return_type(&mut self, signature: &Signature) {
        match (&self.expected.signature.output, &signature.output) {
            (ReturnType::Default, ReturnType::Type(_, given)) if !is_unit(given) => {
                self.at(given, "this method returns nothing");
            }
            (ReturnType::Type(_, expected), ReturnType::Type(_, given)) => self.check_types(expected, given),
            _ => {}
        }
    }

    fn check_types(&mut self, expected: &Type, given: &Type) {
        if let Some((expected, given)) = mismatch(expected, given) {
            self.at(given, format!("`{}` belongs here", plain(expected)));
        }
    }

    fn add_missing_return_type(&mut self, method: &mut Method) {
        let (ReturnType::Type(_, expected), ReturnType::Default) =
            (&self.expected.signature.output, &method.signature.output)
        else {
            return;
        };
        let after = method.signature.paren_token.span.close();
        self.at_span(after, format!("the return type is missing: `-> {}`", plain(expected)));
        let output = in_authors_spelling(expected, &arguments(&self.expected.signature), &arguments(&method.signature));
        method.signature.output = parse_quote!(-> #output);
        method.body = with_a_value(&method.body);
    }
}

fn arguments(signature: &Signature) -> Vec<&Type> {
    let types = signature.inputs.iter().filter_map(|argument| match argument {
        FnArg::Typed(typed) => Some(&*typed.ty),
        FnArg::Receiver(_) => None,
    });
    types.collect()
}

fn is_shared(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, mutability) => mutability.is_none(),
        ReceiverKind::Typed(_, ty) => {
            matches!(&**ty, Type::Reference(reference) if reference.mutability.is_none())
        }
        _ => false,
    }
}

/// Formats a type of the contract; none contains a space.
pub(crate) fn plain(ty: &Type) -> String {
    ty.to_token_stream().to_string().replace(' ', "")
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}
