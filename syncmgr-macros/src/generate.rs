//! Generates tokens from a checked declaration. Generation never fails.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::LitInt;

use crate::validate::{Declaration, Handler, Limits, Retry};

/// Generates the impl of the trait, and an inherent impl with `HANDLER`.
pub(crate) fn generate(declaration: &Declaration, handler: &Handler) -> TokenStream {
    let Handler { generics, ty, .. } = handler;
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let krate = &declaration.krate;
    let implementation = implementation(declaration, handler);
    let info = info(declaration);
    let separate = &handler.separate;
    let separate = (!separate.is_empty()).then(|| {
        quote! {
            #[allow(dead_code)]
            impl #impl_generics #ty #where_clause { #(#separate)* }
        }
    });
    quote! {
        #implementation

        impl #impl_generics #ty #where_clause {
            /// The info declared with `#[sync_handler]`.
            pub const HANDLER: #krate::HandlerInfo = #info;
        }

        #separate
    }
}

fn implementation(declaration: &Declaration, handler: &Handler) -> TokenStream {
    let Handler { attributes, inner_attributes, generics, path, ty, members, .. } = handler;
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let krate = &declaration.krate;
    let async_trait = (!handler.is_rewritten).then(|| quote!(#[#krate::__private::async_trait]));
    let info = (!handler.has_info).then(|| {
        quote! {
            fn info(&self) -> #krate::HandlerInfo {
                Self::HANDLER
            }
        }
    });
    quote! {
        #async_trait
        #(#attributes)*
        impl #impl_generics #path for #ty #where_clause {
            #(#inner_attributes)*
            #info
            #(#members)*
        }
    }
}

fn info(declaration: &Declaration) -> TokenStream {
    let Declaration { krate, id, name, .. } = declaration;
    let id = LitInt::new(&format!("0x{}", id.to_string().replace('-', "_")), Span::call_site());
    let flags = flags(declaration);
    let capabilities = capabilities(declaration);
    let requirements = requirements(declaration);
    let policy = choice(declaration, "with_condition_policy", "ConditionPolicy", declaration.condition_policy);
    let importance = choice(declaration, "with_importance", "Importance", declaration.importance);
    let settle = settle(declaration);
    let limits = limits(declaration);
    let version = declaration.state_version.map(|version| {
        let version = number(version);
        quote!(.with_state_version(#version))
    });
    let retry = retry(declaration);
    let new = quote!(#krate::HandlerInfo::new(#krate::HandlerId::from_u128(#id), #name));
    quote!(#new #flags #capabilities #(#requirements)* #policy #importance #settle #limits #version #retry)
}

fn flags(declaration: &Declaration) -> Option<TokenStream> {
    let krate = &declaration.krate;
    let flags = union(&quote!(#krate::handler::HandlerFlags), &declaration.flags)?;
    Some(quote!(.with_flags(#flags)))
}

fn capabilities(declaration: &Declaration) -> Option<TokenStream> {
    let krate = &declaration.krate;
    let ty = quote!(#krate::handler::Capabilities);
    let capabilities = union(&ty, declaration.capabilities.as_ref()?).unwrap_or_else(|| quote!(#ty::empty()));
    Some(quote!(.with_capabilities(#capabilities)))
}

/// Generates a call for each requirement.
fn requirements(declaration: &Declaration) -> impl Iterator<Item = TokenStream> {
    let krate = &declaration.krate;
    declaration.requirements.iter().map(move |requirement| {
        let requirement = format_ident!("{}", camel_case(requirement));
        quote!(.requires(#krate::handler::Requirement::#requirement))
    })
}

/// Generates the call that passes this variant of an enum.
fn choice(declaration: &Declaration, method: &str, ty: &str, variant: Option<&str>) -> Option<TokenStream> {
    let krate = &declaration.krate;
    let (method, ty, variant) = (format_ident!("{method}"), format_ident!("{ty}"), camel_case(variant?));
    let variant = format_ident!("{variant}");
    Some(quote!(.#method(#krate::handler::#ty::#variant)))
}

fn settle(declaration: &Declaration) -> Option<TokenStream> {
    let krate = &declaration.krate;
    let settle = &declaration.settle;
    let times: Vec<_> = setters([("with_quiet", settle.quiet), ("with_max_wait", settle.max_wait)]).collect();
    (!times.is_empty()).then(|| quote!(.with_settle(#krate::changes::Settle::DEFAULT #(#times)*)))
}

/// Returns `idle_user` as `IdleUser`.
fn camel_case(words: &str) -> String {
    let capitalized = |word: &str| word[..1].to_uppercase() + &word[1..];
    words.split('_').map(capitalized).collect()
}

/// Generates the union of the constants of `ty` that these words name; `None` for an empty list.
fn union(ty: &TokenStream, words: &[&str]) -> Option<TokenStream> {
    let mut constants = words.iter().map(|word| {
        let constant = format_ident!("{}", word.to_uppercase());
        quote!(#ty::#constant)
    });
    let first = constants.next()?;
    Some(quote!(#first #(.union(#constants))*))
}

fn limits(declaration: &Declaration) -> Option<TokenStream> {
    let krate = &declaration.krate;
    let limits = &declaration.limits;
    let items = limits.items.map(|items| {
        let items = number(items);
        quote!(.with_items(#items))
    });
    let times = times(limits);
    let policy = choice(declaration, "with_stall_policy", "StallPolicy", limits.when_stalled);
    let given = quote!(#items #(#times)* #policy);
    (!given.is_empty()).then(|| quote!(.with_limits(#krate::Limits::DEFAULT #given)))
}

fn times(limits: &Limits) -> impl Iterator<Item = TokenStream> {
    let times = [
        ("with_soft_grace", limits.soft_grace),
        ("with_hard_grace", limits.hard_grace),
        ("with_initialize_deadline", limits.initialize),
        ("with_items_deadline", limits.list),
        ("with_prepare_deadline", limits.prepare),
        ("with_stall_after", limits.stall),
    ];
    setters(times)
}

fn retry(declaration: &Declaration) -> Option<TokenStream> {
    let krate = &declaration.krate;
    let default = quote!(#krate::RetryPolicy::DEFAULT);
    let retry = declaration.retry.as_ref()?;
    let times = setters([("with_initial", retry.initial), ("with_cap", retry.cap)]);
    let factor = retry.factor.map(number).map(|factor| quote!(.with_factor(#factor)));
    let jitter = retry.jitter.map(number).map(|percent| quote!(.with_jitter(#percent)));
    let budget = budget(retry, &default);
    Some(quote!(.with_retry(#default #(#times)* #factor #jitter #budget)))
}

/// Generates the call that sets both budgets. A missing budget gets its default.
fn budget(retry: &Retry, default: &TokenStream) -> Option<TokenStream> {
    if retry.budget.is_none() && retry.partial_budget.is_none() {
        return None;
    }
    let budget = retry.budget.map(number).map_or_else(|| quote!(#default.budget), |it| quote!(#it));
    let partial = retry.partial_budget.map(number).map_or_else(|| quote!(#default.partial_budget), |it| quote!(#it));
    Some(quote!(.with_budget(#budget, #partial)))
}

/// Generates a call of the method for each given time.
fn setters<const N: usize>(times: [(&'static str, Option<Duration>); N]) -> impl Iterator<Item = TokenStream> {
    times.into_iter().filter_map(|(method, time)| {
        let (method, time) = (format_ident!("{method}"), duration(time?));
        Some(quote!(.#method(#time)))
    })
}

fn number(number: u32) -> LitInt {
    LitInt::new(&number.to_string(), Span::call_site())
}

fn duration(duration: Duration) -> TokenStream {
    let (unit, number) = match duration.subsec_millis() {
        0 => ("from_secs", duration.as_secs().to_string()),
        _ => ("from_millis", duration.as_millis().to_string()),
    };
    let unit = format_ident!("{unit}");
    let number = LitInt::new(&number, Span::call_site());
    quote!(::core::time::Duration::#unit(#number))
}
