//! `#[sync_handler]` on handlers with mistakes: what their author reads, and that nothing else is said.

#[test]
fn mistakes_are_told_in_the_authors_words_and_nothing_else_is() {
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}
