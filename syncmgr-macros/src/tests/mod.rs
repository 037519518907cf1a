//! Tests of the attribute from tokens to tokens, without a compiler.

mod automatic;
mod edits;
mod golden;
mod mistakes;
mod retry;

use proc_macro2::TokenStream;

use crate::expand::expand;

const ID: &str = r#"id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59""#;

/// Returns a valid attribute with `more`.
fn attribute(more: &str) -> String {
    format!(r#"{ID}, name = "Offline Web Pages", {more}"#)
}

/// Returns a valid impl with `more`.
fn handler(more: &str) -> String {
    format!(
        "impl SyncHandler for OfflinePages {{
            async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {{ Ok(()) }}
            {more}
        }}"
    )
}

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("the text of the test is valid tokens")
}

/// Returns the formatted expansion.
fn expansion(attribute: &str, item: &str) -> String {
    let (expansion, _) = expand(tokens(attribute), tokens(item));
    prettyplease::unparse(&syn::parse2(expansion).expect("the expansion is Rust"))
}

/// Returns the source text and the message of every mistake.
fn mistakes(attribute: &str, item: &str) -> Vec<(String, String)> {
    let (_, mistakes) = expand(tokens(attribute), tokens(item));
    let source = |error: &syn::Error| error.span().source_text().unwrap_or_default();
    mistakes.iter().map(|error| (source(error), error.to_string())).collect()
}

/// Asserts that each of these entries has exactly this mistake at this source text.
fn assert_mistakes(expected: &[(&str, &str, &str)]) {
    for (entry, source, wrong) in expected {
        assert_eq!(mistakes(&attribute(entry), &handler("")), [((*source).to_owned(), (*wrong).to_owned())], "{entry}");
    }
}

/// Asserts that none of these entries has a mistake.
fn assert_accepted(entries: &[&str]) {
    for entry in entries {
        assert_eq!(mistakes(&attribute(entry), &handler("")), [], "{entry}");
    }
}
