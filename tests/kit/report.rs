//! What the kit says of a broken promise, to the letter.

use syncmgr_test::Check;

use super::world::kit;
use super::zoo::saving::commits_first;

#[test]
fn a_broken_promise_is_told_as_a_compiler_would() {
    let judgement = kit(commits_first).judgement();
    let found: Vec<_> = judgement.breaches().map(|(check, _)| check).collect();
    assert_eq!(found, [Check::Resume, Check::Kill], "{judgement}");
    let told = judgement.to_string();
    let (_, kill) = told.split_once("error[kill]").unwrap();
    insta::assert_snapshot!(format!("error[kill]{kill}"), @r"
    error[kill]: after a kill the data are not what an undisturbed run leaves
      --> script: kill after commit 1 of synchronize_item of `atlas`, alone
       |
       | missing: atlas/0
       | what happened, in seconds:
       |      0.000  session 1 begins
       |      0.000  synchronize_item of `atlas` is called
       |      0.000  `atlas` reads what was saved
       |      0.010  `atlas` commits
       |      0.010  ** kill after commit 1 of synchronize_item of `atlas` **
       |      0.010  session 2 begins
       |      0.010  synchronize_item of `atlas` is called
       |      0.010  `atlas` reads what was saved
       |      0.020  `atlas` commits
       |      0.020  synchronize_item of `atlas` returns Ok
       |      0.040  `atlas` ends: succeeded
       |      0.040  the session is closed
       |
       = contract: a commit covers what was awaited before it, so a killed run is completed by the next (`Saved::commit`)
       = help: write the data first, whole or not at all, and commit after it; what is only half there must be done again
       = rerun: SYNCMGR_SCRIPT='kill after commit 1 of synchronize_item of `atlas`, alone' cargo test kit::report::a_broken_promise_is_told_as_a_compiler_would -- --exact
    ");
}

#[test]
fn kept_promises_and_checks_that_do_not_apply_are_a_line_each() {
    let told = syncmgr_test::Kit::new(|| super::asked::Plain).judgement().to_string();
    insta::assert_snapshot!(told, @r"
    Plain: 18 kept, 0 broken, 6 skipped
         kept undisturbed (1 played)
         kept description (1 played)
         kept listing (1 played)
      skipped choice: the handler lists fewer than two items
         kept statuses (2 played)
         kept skip (2 played)
         kept stop (2 played)
         kept resume (4 played, by how items end alone: there are no data and no checkpoints)
         kept kill (2 played, by a handler whose memory outlives its program: see `Provider::handler`)
         kept again (2 played, by how items end alone: there are no data and no checkpoints)
      skipped repeat: the handler does not promise IDEMPOTENT
      skipped resumable: the handler does not promise RESUMABLE
      skipped failures: the peer of this world cannot fail on purpose; see `Provider::fail`
         kept commits (1 played)
         kept panics (2 played, by how items end alone: there are no data and no checkpoints)
         kept silence (2 played)
      skipped attention: the handler asks for nobody's attention
         kept release (3 played)
         kept late (3 played)
         kept tasks (3 played)
         kept hosts (6 played)
         kept cookie (4 played)
         kept blocking (3 played)
      skipped upgrade: no states of earlier releases are kept; see `Kit::states`
    ");
}
