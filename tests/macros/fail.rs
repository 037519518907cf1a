//! Runs `#[sync_handler]` on handlers with mistakes and checks the exact compiler output.

#[test]
fn only_the_reported_mistakes_reach_the_author() {
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}
