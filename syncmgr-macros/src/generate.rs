//! From meaning to tokens. Nothing can be wrong any more.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::LitInt;

use crate::validate::{Declaration, Handler, Limits};

/// The impl of the trait, and one of the type's own with `HANDLER`.
pub(crate) fn generate(declaration: &Declaration, handler: &Handler) -> TokenStream {
    let Handler { generics, ty, .. } = handler;
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let krate = &declaration.krate;
    let implementation = implementation(declaration, handler);
    let info = info(declaration);
    let aside = &handler.aside;
    let aside = (!aside.is_empty()).then(|| {
        quote! {
            #[allow(dead_code)]
            impl #impl_generics #ty #where_clause { #(#aside)* }
        }
    });
    quote! {
        #implementation

        impl #impl_generics #ty #where_clause {
            /// What `#[sync_handler]` was told: id, name, flags and limits of this handler.
            pub const HANDLER: #krate::HandlerInfo = #info;
        }

        #aside
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
    let limits = limits(declaration);
    quote!(#krate::HandlerInfo::new(#krate::HandlerId::from_u128(#id), #name) #flags #limits)
}

fn flags(declaration: &Declaration) -> Option<TokenStream> {
    let krate = &declaration.krate;
    let mut flags = declaration.flags.iter().map(|flag| {
        let flag = format_ident!("{}", flag.to_uppercase());
        quote!(#krate::HandlerFlags::#flag)
    });
    let first = flags.next()?;
    Some(quote!(.with_flags(#first #(.union(#flags))*)))
}

fn limits(declaration: &Declaration) -> Option<TokenStream> {
    let krate = &declaration.krate;
    let Limits { items, soft_grace, hard_grace } = &declaration.limits;
    let items = items.map(|items| {
        let items = LitInt::new(&items.to_string(), Span::call_site());
        quote!(.with_items(#items))
    });
    let soft_grace = soft_grace.map(duration).map(|grace| quote!(.with_soft_grace(#grace)));
    let hard_grace = hard_grace.map(duration).map(|grace| quote!(.with_hard_grace(#grace)));
    let given = quote!(#items #soft_grace #hard_grace);
    (!given.is_empty()).then(|| quote!(.with_limits(#krate::Limits::DEFAULT #given)))
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
