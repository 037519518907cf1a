//! The options and results of the kit.

use std::collections::BTreeSet;
use std::process::Command;

use syncmgr_test::{Check, CheckResult};

use super::correct::Correct;
use super::peer::{FakePeer, kit};

/// The sources of the faulty handlers.
const FAULTY: [&str; 11] = [
    include_str!("faulty/cancellation.rs"),
    include_str!("faulty/changes.rs"),
    include_str!("faulty/checkpoints.rs"),
    include_str!("faulty/cleanup.rs"),
    include_str!("faulty/conditions.rs"),
    include_str!("faulty/failures.rs"),
    include_str!("faulty/holds.rs"),
    include_str!("faulty/hosts.rs"),
    include_str!("faulty/local_changes.rs"),
    include_str!("faulty/reporting.rs"),
    include_str!("faulty/user.rs"),
];

#[test]
fn every_check_has_a_faulty_handler_that_fails_it() {
    let mentioned: BTreeSet<&str> = FAULTY.iter().flat_map(|file| file.split("Check::").skip(1)).collect();
    let is_caught = |check: &Check| mentioned.iter().any(|rest| rest.starts_with(&format!("{check:?}")));
    let missing: Vec<_> = Check::ALL.into_iter().filter(|check| !is_caught(check)).collect();
    assert!(missing.is_empty(), "no faulty handler fails {missing:?}");
}

#[test]
fn checks_have_unique_names_promises_and_rules() {
    let names: BTreeSet<_> = Check::ALL.iter().map(|check| check.name()).collect();
    assert_eq!(names.len(), Check::ALL.len());
    assert!(Check::ALL.iter().all(|check| !check.promise().is_empty() && !check.rules().is_empty()));
}

#[test]
fn an_excluded_check_is_skipped_with_the_given_reason() {
    let kit = kit(Correct).without(Check::Kill, "it is slow here");
    assert!(matches!(kit.check(Check::Kill), CheckResult::Skipped(reason) if reason == "it is slow here"));
}

#[test]
fn a_check_that_does_not_apply_has_a_reason_in_its_result() {
    let reason = |kit: &syncmgr_test::Kit, check| match kit.check(check) {
        CheckResult::Skipped(reason) => reason,
        result => panic!("{result:?}"),
    };
    let minimal = syncmgr_test::Kit::new(|| Minimal);
    assert_eq!(
        reason(&minimal, Check::Failures),
        "the provider cannot inject failures; see `Provider::accesses` and `Provider::inject_failure`"
    );
    assert_eq!(reason(&minimal, Check::Idempotent), "the handler does not declare IDEMPOTENT");
    assert_eq!(reason(&minimal, Check::Resumable), "the handler does not declare RESUMABLE");
    assert_eq!(reason(&minimal, Check::Selection), "the handler lists fewer than two items");
    assert_eq!(reason(&minimal, Check::Attention), "the handler never requests the user's attention");
}

/// The smallest possible handler.
pub(crate) struct Minimal;

#[syncmgr::sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a02", name = "Minimal")]
impl syncmgr::SyncHandler for Minimal {
    async fn synchronize_item(&self, _: &syncmgr::ItemContext) -> syncmgr::SyncResult {
        Ok(())
    }
}

#[test]
fn scripts_over_the_maximum_are_omitted_and_counted() {
    let passed = |kit: syncmgr_test::Kit| match kit.check(Check::Kill) {
        CheckResult::Passed(passed) => passed,
        result => panic!("{result:?}"),
    };
    let (all, few) = (passed(kit(Correct)), passed(kit(Correct).max_scripts(5)));
    assert_eq!((all.omitted, few.scripts, few.omitted), (0, 5, all.scripts - 5));
}

#[test]
fn a_handler_with_many_items_gets_fewer_scripts() {
    let CheckResult::Passed(passed) = syncmgr_test::Kit::new(|| ManyItems).check(Check::Skip) else {
        panic!("the handler is correct")
    };
    assert_eq!((passed.scripts, passed.omitted), (20, 980));
}

/// A handler with a thousand items.
struct ManyItems;

#[syncmgr::sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a04", name = "Many items")]
impl syncmgr::SyncHandler for ManyItems {
    async fn items(&self) -> syncmgr::SyncResult<syncmgr::Items> {
        Ok((0..1000).map(|number| syncmgr::SyncItem::named(format!("item {number}"))).collect())
    }

    async fn synchronize_item(&self, item: &syncmgr::ItemContext) -> syncmgr::SyncResult {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        Ok(item.progress(1, 1)?)
    }
}

#[test]
fn a_result_that_compares_only_outcomes_has_a_remark() {
    let remark = |check| match syncmgr_test::Kit::new(|| Minimal).check(check) {
        CheckResult::Passed(passed) => passed.remark,
        result => panic!("{result:?}"),
    };
    assert_eq!(remark(Check::Resume), Some("only outcomes compared: no data and no checkpoints"));
    let memory = "the handler's memory survives kills: see `Provider::handler`";
    assert_eq!(remark(Check::Kill), Some(memory));
    assert_eq!(remark(Check::Skip), None);
}

#[test]
fn conformance_tests_generates_a_test_for_each_check() {
    let output = Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = Check::ALL.map(|check| format!("kit::correct::one_test_for_each_check::{check}: test"));
    let missing: Vec<_> = names.iter().filter(|name| !listed.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
#[should_panic(expected = "no check has a script called `no such script`")]
fn an_unknown_script_makes_the_report_panic() {
    // `only` has the effect of the variable `SYNCMGR_SCRIPT`.
    syncmgr_test::Kit::new(|| Minimal).only("no such script").assert_conforms();
}

#[test]
fn an_expected_outcome_of_an_unknown_item_is_a_violation() {
    let kit = syncmgr_test::Kit::new(|| Minimal).expecting("typo", syncmgr::Outcome::Failed);
    let found = super::peer::violation(&kit, Check::Baseline);
    assert_eq!(found.headline(), "the kit expects an outcome of `typo`, but no item has this name");
}

#[test]
fn the_other_checks_are_skipped_if_the_baseline_check_hangs() {
    let timeout = std::time::Duration::from_millis(200);
    let report = kit(super::faulty::failures::deadlocked).script_timeout(timeout).report();
    assert_eq!(report.violations().count(), 1, "{report}");
}

#[test]
fn a_selected_script_is_the_only_one_played() {
    let script = "kill after commit 1 of synchronize_item of `atlas`";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kit::correct::one_test_for_each_check::kill", "--nocapture"])
        .env("SYNCMGR_SCRIPT", script)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && stdout.contains("passed kill (1 played)"), "{stdout}");
}

#[test]
fn two_reports_on_one_handler_are_equal() {
    let report = || format!("{}", kit(super::faulty::checkpoints::commits_before_writing).report());
    assert_eq!(report(), report());
}

#[test]
fn a_closure_can_create_the_handler() {
    assert!(kit(|peer: std::sync::Arc<FakePeer>| Correct(peer)).report().is_passed());
}
