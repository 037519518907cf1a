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
    let kept = |kit: syncmgr_test::Kit| match kit.check(Check::Kill) {
        Ruling::Kept(kept) => kept,
        ruling => panic!("{ruling:?}"),
    };
    let (all, few) = (kept(kit(Right)), kept(kit(Right).at_most(5)));
    assert_eq!((all.left_out, few.scripts, few.left_out), (0, 5, all.scripts - 5));
}

#[test]
fn of_a_handler_with_many_items_fewer_scripts_are_played() {
    let Ruling::Kept(kept) = syncmgr_test::Kit::new(|| Many).check(Check::Skip) else { panic!("it is right") };
    assert_eq!((kept.scripts, kept.left_out), (20, 980));
}

/// A thousand items.
struct Many;

#[syncmgr::sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a04", name = "Many")]
impl syncmgr::SyncHandler for Many {
    async fn items(&self) -> syncmgr::SyncResult<syncmgr::Items> {
        Ok((0..1000).map(|number| syncmgr::SyncItem::named(format!("item {number}"))).collect())
    }

    async fn synchronize_item(&self, item: &syncmgr::ItemContext) -> syncmgr::SyncResult {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        Ok(item.progress(1, 1)?)
    }
}

#[test]
fn where_there_is_nothing_to_compare_but_outcomes_the_ruling_says_so() {
    let remark = |check| match syncmgr_test::Kit::new(|| Plain).check(check) {
        Ruling::Kept(kept) => kept.remark,
        ruling => panic!("{ruling:?}"),
    };
    assert_eq!(remark(Check::Resume), Some("by how items end alone: there are no data and no checkpoints"));
    let memory = "by a handler whose memory outlives its program: see `Provider::handler`";
    assert_eq!(remark(Check::Kill), Some(memory));
    assert_eq!(remark(Check::Skip), None);
}

#[test]
fn there_is_a_test_for_each_check() {
    let output = Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = Check::ALL.map(|check| format!("kit::right::one_test_for_each_check::{check}: test"));
    let missing: Vec<_> = names.iter().filter(|name| !listed.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
#[should_panic(expected = "no check has a script called `no such script`")]
fn a_script_that_no_check_has_is_not_passed() {
    // As the variable would.
    syncmgr_test::Kit::new(|| Plain).only("no such script").judge();
}

#[test]
fn a_name_that_no_item_has_is_not_expected_of_in_silence() {
    let kit = syncmgr_test::Kit::new(|| Plain).expecting("typo", syncmgr::Outcome::Failed);
    let found = super::world::breach(&kit, Check::Undisturbed);
    assert_eq!(found.headline(), "the kit is told to expect something of `typo`, which no item is called");
}

#[test]
fn after_a_handler_that_blocks_its_thread_undisturbed_nothing_else_is_tried() {
    let patience = std::time::Duration::from_millis(200);
    let judgement = kit(super::zoo::failing::deadlocked).patience(patience).judgement();
    assert_eq!(judgement.breaches().count(), 1, "{judgement}");
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
