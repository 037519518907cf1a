//! Parses the impl block. Bodies pass through unparsed, so that the compiler reports mistakes in them.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Error, Ident, ItemImpl, Result, Signature, Token, Visibility};

/// An impl block.
pub(crate) struct Block {
    /// Everything before the braces.
    pub(crate) head: ItemImpl,
    /// `#![..]` at the start of the braces.
    pub(crate) inner: Vec<Attribute>,
    /// The items in the braces.
    pub(crate) members: Vec<Member>,
}

/// An item in the braces.
pub(crate) enum Member {
    Method(Box<Method>),
    Const(Other),
    Type(Other),
    /// A macro call, which may expand to anything.
    Opaque(TokenStream),
}

/// A method.
pub(crate) struct Method {
    /// Attributes, visibility, `default`.
    prefix: TokenStream,
    pub(crate) signature: Signature,
    pub(crate) body: TokenTree,
}

/// A constant or a type.
pub(crate) struct Other {
    /// `const` or `type`.
    pub(crate) keyword: Ident,
    tokens: TokenStream,
}

/// Reads an impl block.
///
/// # Errors
/// Fails on any other item.
pub(crate) fn block(item: TokenStream) -> Result<Block> {
    if let Some(token) = first_word(item.clone())
        && !["impl", "unsafe", "default"].contains(&token.to_string().as_str())
    {
        let message = format!("`#[sync_handler]` belongs on `impl SyncHandler for ..`, not on this `{token}`");
        return Err(Error::new_spanned(token, message));
    }
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    let content = match tokens.pop() {
        Some(TokenTree::Group(braces)) if braces.delimiter() == Delimiter::Brace => braces.stream(),
        last => {
            tokens.extend(last);
            TokenStream::new()
        }
    };
    let head = syn::parse2(quote!(#(#tokens)* {}))?;
    let (inner, members) = content_of_braces.parse2(content)?;
    Ok(Block { head, inner, members })
}

/// Returns the first token after attributes and visibility.
fn first_word(item: TokenStream) -> Option<TokenTree> {
    let parser = |input: ParseStream| {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let word = input.parse()?;
        input.parse::<TokenStream>()?;
        Ok(word)
    };
    parser.parse2(item).ok()
}

fn content_of_braces(input: ParseStream) -> Result<(Vec<Attribute>, Vec<Member>)> {
    let inner = input.call(Attribute::parse_inner)?;
    let mut members = Vec::new();
    while !input.is_empty() {
        members.push(input.parse()?);
    }
    Ok((inner, members))
}

impl Parse for Member {
    fn parse(input: ParseStream) -> Result<Self> {
        let mut prefix = TokenStream::new();
        prefix.extend(input.call(Attribute::parse_outer)?.into_iter().map(ToTokens::into_token_stream));
        input.parse::<Visibility>()?.to_tokens(&mut prefix);
        input.parse::<Option<Token![default]>>()?.to_tokens(&mut prefix);

        if input.fork().parse::<Signature>().is_ok() {
            return Ok(Self::Method(Box::new(Method { prefix, signature: input.parse()?, body: input.parse()? })));
        }
        if input.peek(Token![const]) || input.peek(Token![type]) {
            let is_const = input.peek(Token![const]);
            let keyword = input.fork().call(Ident::parse_any)?;
            let other = Other { keyword, tokens: item(prefix, input, is_semicolon)? };
            return Ok(if is_const { Self::Const(other) } else { Self::Type(other) });
        }
        item(prefix, input, |token| is_semicolon(token) || is_block(token)).map(Self::Opaque)
    }
}

/// Reads up to and including the token that ends the item.
fn item(mut tokens: TokenStream, input: ParseStream, ends: fn(&TokenTree) -> bool) -> Result<TokenStream> {
    loop {
        let token = input.parse()?;
        let ended = ends(&token);
        tokens.extend([token]);
        if ended || input.is_empty() {
            return Ok(tokens);
        }
    }
}

fn is_semicolon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';')
}

fn is_block(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

impl ToTokens for Method {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.prefix.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

impl ToTokens for Other {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.tokens.to_tokens(tokens);
    }
}
