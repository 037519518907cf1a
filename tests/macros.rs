//! `#[sync_handler]` as an author meets it: what compiles, and what is said about what does not.

#[test]
fn handlers_without_mistakes_compile_and_run() {
    trybuild::TestCases::new().pass("tests/macros/pass/*.rs");
}

#[test]
fn mistakes_are_told_in_the_authors_words_and_nothing_else_is() {
    trybuild::TestCases::new().compile_fail("tests/macros/fail/*.rs");
}
