//! The exact text of reports.

use syncmgr_test::Check;

use super::faulty::checkpoints::commits_before_writing;
use super::peer::kit;

#[test]
fn a_violation_is_printed_like_a_compiler_error() {
    let report = kit(commits_before_writing).report();
    let found: Vec<_> = report.violations().map(|(check, _)| check).collect();
    assert_eq!(found, [Check::Resume, Check::Kill], "{report}");
    let text = report.to_string();
    let (_, kill) = text.split_once("error[kill]").unwrap();
    insta::assert_snapshot!(format!("error[kill]{kill}"), @r"
    error[kill]: after a kill, the data differ from those of a run without faults
      --> script: kill after commit 1 of synchronize_item of `atlas`, this item only
       |
       | missing: atlas/0
       | events, with the time in seconds:
       |      0.000  session 1 begins
       |      0.000  synchronize_item of `atlas` is called
       |      0.000  `atlas` reads its checkpoint
       |      0.010  `atlas` commits
       |      0.010  ** kill after commit 1 of synchronize_item of `atlas` **
       |      0.010  session 2 begins
       |      0.010  synchronize_item of `atlas` is called
       |      0.010  `atlas` reads its checkpoint
       |      0.020  `atlas` commits
       |      0.020  synchronize_item of `atlas` returns Ok
       |      0.040  `atlas` ends: succeeded
       |      0.040  the session is closed
       |
       = contract: a commit covers only work that was awaited before it, so the run after a kill completes the work (`Saved::commit`)
       = help: write the data first, atomically, and commit afterwards; rewrite data that were only half written
       = rerun: SYNCMGR_SCRIPT='kill after commit 1 of synchronize_item of `atlas`, this item only' cargo test kit::report::a_violation_is_printed_like_a_compiler_error -- --exact
    ");
}

#[test]
fn passed_and_skipped_checks_are_printed_on_one_line_each() {
    let text = syncmgr_test::Kit::new(|| super::options::Minimal).report().to_string();
    insta::assert_snapshot!(text, @r"
    Minimal: 20 passed, 0 failed, 11 skipped
       passed baseline (1 played)
       passed description (1 played)
       passed listing (1 played)
      skipped selection: the handler lists fewer than two items
       passed statuses (2 played)
       passed skip (2 played)
       passed stop (2 played)
       passed resume (4 played, only outcomes compared: no data and no checkpoints)
       passed kill (2 played, the handler's memory survives kills: see `Provider::handler`)
       passed second_run (2 played, only outcomes compared: no data and no checkpoints)
      skipped idempotent: the handler does not declare IDEMPOTENT
      skipped resumable: the handler does not declare RESUMABLE
      skipped changes: the provider cannot change items; see `Provider::change`
      skipped interrupted_changes: the provider cannot change items; see `Provider::change`
      skipped lost_updates: the provider cannot change items; see `Provider::change`
      skipped local_changes: the handler has no stream of local changes
      skipped failures: the provider cannot inject failures; see `Provider::accesses` and `Provider::inject_failure`
       passed commits (1 played)
      skipped holds: the handler lists fewer than two items
       passed conditions (2 played)
       passed endings (1 played)
       passed panics (2 played, only outcomes compared: no data and no checkpoints)
       passed unattended (2 played)
      skipped attention: the handler never requests the user's attention
       passed release (3 played)
       passed late_use (3 played)
       passed tasks (3 played)
       passed hosts (6 played)
       passed cookie (4 played)
       passed blocking (3 played)
      skipped upgrade: no states of earlier releases are stored; see `Kit::states`
    ");
}
