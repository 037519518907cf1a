//! The expected signatures of the methods of `SyncHandler`.

use syn::{Ident, Signature};

/// Every method, in the order of the trait.
const SIGNATURES: [&str; 12] = [
    "fn info(&self) -> HandlerInfo",
    "async fn initialize(&self, run: &RunContext) -> SyncResult<Participation>",
    "async fn items(&self) -> SyncResult<Items>",
    "async fn prepare(&self, run: &PrepareContext) -> SyncResult",
    "async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult",
    "async fn synchronize_item(&self, item: &ItemContext) -> SyncResult",
    "fn set_item_status(&self, run: &RunContext, subject: Subject, status: Status)",
    "async fn show_properties(&self, run: &RunContext, subject: Subject) -> SyncResult<PropertiesOutcome>",
    "async fn show_error(&self, run: &RunContext, error: ErrorId) -> SyncResult<Resolution>",
    "fn changes(&self) -> Option<BoxStream<'static, LocalChange>>",
    "fn migrate(&self, item: ItemId, from: u32, state: serde_json::Value) -> SyncResult<serde_json::Value>",
    "fn item_object(&self, subject: Subject, interface: Uuid) -> Option<ItemObject>",
];

/// A method of the contract.
pub(crate) struct Expected {
    /// The signature as in the documentation.
    pub(crate) text: &'static str,
    /// The parsed signature.
    pub(crate) signature: Signature,
}

/// Returns the method of this name.
pub(crate) fn method(name: &Ident) -> Option<Expected> {
    let text = SIGNATURES.into_iter().find(|text| name == method_name(text))?;
    let signature = syn::parse_str(text).expect("the signatures of the contract are Rust");
    Some(Expected { text, signature })
}

/// Returns the names of all methods.
pub(crate) fn methods() -> [&'static str; SIGNATURES.len()] {
    SIGNATURES.map(method_name)
}

/// Returns the signature of a method as text, for messages.
pub(crate) fn signature(name: &str) -> &'static str {
    SIGNATURES.into_iter().find(|text| method_name(text) == name).unwrap_or_default()
}

/// Returns `true` if a signature uses a type of this name. Such a name is not an alias.
pub(crate) fn is_type(name: &Ident) -> bool {
    SIGNATURES
        .iter()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
        .any(|word| word.starts_with(char::is_uppercase) && name == word)
}

/// Returns the name in a signature: `items` in `async fn items(&self)`.
fn method_name(text: &'static str) -> &'static str {
    let after = text.split_once("fn ").map_or("", |(_, after)| after);
    after.split_once('(').map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::format_ident;

    #[test]
    fn every_signature_parses_and_is_found_by_its_name() {
        for name in methods() {
            let expected = method(&format_ident!("{name}")).expect("the contract has the method");
            assert_eq!(expected.signature.ident, name);
            assert_eq!(expected.text, signature(name));
        }
    }

    #[test]
    fn types_of_the_contract_are_known_and_keywords_are_not() {
        assert!(is_type(&format_ident!("ItemContext")));
        assert!(!is_type(&format_ident!("run")));
        assert!(!is_type(&format_ident!("Context")));
    }
}
