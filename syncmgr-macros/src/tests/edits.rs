//! Half-written code, as an editor sends it at every keystroke.

use proc_macro2::{TokenStream, TokenTree};

use super::{ID, tokens};
use crate::expand::expand;

const ATTRIBUTE: &str = r#"
    name = "Pages", flags(hidden, always_list), capabilities(resumable, real_time), claims("a"), requires(mains),
    when_condition_ends = stop, importance = high, settle(quiet = "1s", max_wait = "1min"), schedule = "x",
    limits(items = 4, soft_grace = "1s", stall = "0s", when_stalled = report), state_version = 2,
    retry(initial = "1s", factor = 2, cap = "1h", jitter = 10, budget = 10, partial_budget = 50), crate = a::b"#;

const ITEM: &str = "
    /// Pages.
    impl<T: Store> sync::SyncHandler for Pages<T> where T: Send {
        async fn items(&self) -> SyncResult<Items> { self.list().await }
        fn set_item_status(&self, run: &RunContext, subject: Subject, status: Status) {}
        fn migrate(&self, item: ItemId, from: u32, state: Value) {}
        fn item_object(&self, subject: Subject, interface: Uuid) -> Option<ItemObject> { None }
        async fn synchronize_item(&self, item: &'_ mut ItemContext) -> Result<(), (A, B)> { Ok(()) }
        const WIDTH: u8 = 80;
    }";

#[test]
fn a_removed_or_doubled_token_does_not_panic() {
    let attribute = format!("{ID}, {ATTRIBUTE}");
    for edited in edits(tokens(&attribute)) {
        expand(edited, tokens(ITEM));
    }
    for edited in edits(tokens(ITEM)) {
        expand(tokens(&attribute), edited);
    }
}

#[test]
fn empty_input_is_reported_as_a_mistake() {
    let (tokens, mistakes) = expand(TokenStream::new(), TokenStream::new());
    assert!(tokens.is_empty());
    assert!(!mistakes.is_empty());
}

/// Returns three copies of the stream for each of its tokens: one that ends before the token, one without it, and one with it
/// doubled. Does the same for the tokens inside groups.
fn edits(stream: TokenStream) -> Vec<TokenStream> {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut edits = Vec::new();
    for at in 0..trees.len() {
        let with = |middle: Vec<TokenTree>| {
            let (before, after) = (trees[..at].iter().cloned(), trees[at + 1..].iter().cloned());
            before.chain(middle).chain(after).collect::<TokenStream>()
        };
        edits.push(trees[..at].iter().cloned().collect());
        edits.push(with(Vec::new()));
        edits.push(with(vec![trees[at].clone(), trees[at].clone()]));
        if let TokenTree::Group(group) = &trees[at] {
            edits.extend(
                self::edits(group.stream())
                    .into_iter()
                    .map(|inner| with(vec![proc_macro2::Group::new(group.delimiter(), inner).into()])),
            );
        }
    }
    edits
}
