//! What an author may ask of the kit.

use std::collections::BTreeSet;
use std::process::Command;

use syncmgr_test::{Check, Ruling};

use super::right::Right;
use super::world::{World, kit};

/// The files of the zoo.
const ZOO: [&str; 7] = [
    include_str!("zoo/asking.rs"),
    include_str!("zoo/cancelling.rs"),
    include_str!("zoo/failing.rs"),
    include_str!("zoo/hosted.rs"),
    include_str!("zoo/leaving.rs"),
    include_str!("zoo/saving.rs"),
    include_str!("zoo/telling.rs"),
];

#[test]
fn every_check_has_a_wrong_handler_that_proves_it_can_fail() {
    let caught: BTreeSet<&str> = ZOO.iter().flat_map(|file| file.split("Check::").skip(1)).collect();
    let is_caught = |check: &Check| caught.iter().any(|rest| rest.starts_with(&format!("{check:?}")));
    let missing: Vec<_> = Check::ALL.into_iter().filter(|check| !is_caught(check)).collect();
    assert!(missing.is_empty(), "nothing in the zoo is caught by {missing:?}");
}

#[test]
fn checks_have_names_of_their_own_and_say_what_is_promised_where() {
    let names: BTreeSet<_> = Check::ALL.iter().map(|check| check.name()).collect();
    assert_eq!(names.len(), Check::ALL.len());
    assert!(Check::ALL.iter().all(|check| !check.promise().is_empty() && !check.rules().is_empty()));
}

#[test]
fn a_check_that_is_left_out_says_why() {
    let kit = kit(Right).without(Check::Kill, "it is slow here");
    assert!(matches!(kit.check(Check::Kill), Ruling::Skipped(reason) if reason == "it is slow here"));
}

#[test]
fn a_check_that_does_not_apply_says_why() {
    let reason = |kit: &syncmgr_test::Kit, check| match kit.check(check) {
        Ruling::Skipped(reason) => reason,
        ruling => panic!("{ruling:?}"),
    };
    let plain = syncmgr_test::Kit::new(|| Plain);
    assert_eq!(reason(&plain, Check::Failures), "the peer of this world cannot fail on purpose; see `Provider::fail`");
    assert_eq!(reason(&plain, Check::Repeat), "the handler does not promise IDEMPOTENT");
    assert_eq!(reason(&plain, Check::Resumable), "the handler does not promise RESUMABLE");
    assert_eq!(reason(&plain, Check::Choice), "the handler lists fewer than two items");
    assert_eq!(reason(&plain, Check::Attention), "the handler asks for nobody's attention");
    assert_eq!(reason(&plain, Check::Release), "the handler keeps nothing for its runs");
    assert_eq!(reason(&plain, Check::Panics), "there is nothing in the handler to try it on");
}

/// The smallest handler there is.
pub(crate) struct Plain;

#[syncmgr::sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a02", name = "Plain")]
impl syncmgr::SyncHandler for Plain {
    async fn synchronize_item(&self, _: &syncmgr::ItemContext) -> syncmgr::SyncResult {
        Ok(())
    }
}

#[test]
fn of_many_scripts_so_many_are_played_as_were_asked_for_and_the_rest_is_counted() {
    let all = match kit(Right).check(Check::Kill) {
        Ruling::Kept { scripts, left_out: 0 } => scripts,
        ruling => panic!("{ruling:?}"),
    };
    let few = kit(Right).at_most(5).check(Check::Kill);
    assert!(matches!(few, Ruling::Kept { scripts: 5, left_out } if left_out == all - 5), "{few:?} of {all}");
}

#[test]
fn a_script_that_is_asked_for_is_played_alone() {
    let script = "kill after commit 1 of synchronize_item of `atlas`";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kit::right::one_test_for_each_check::kill", "--nocapture"])
        .env("SYNCMGR_SCRIPT", script)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("kept kill (1 played)"), "{said}");
}

#[test]
fn two_judgements_of_a_handler_are_the_same() {
    let judged = || format!("{}", kit(super::zoo::saving::commits_first).judgement());
    assert_eq!(judged(), judged());
}

#[test]
fn a_kit_is_made_of_a_world_or_given() {
    assert!(kit(|world: std::sync::Arc<World>| Right(world)).judgement().is_kept());
}
