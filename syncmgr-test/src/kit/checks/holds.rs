//! The check that the handler does no work for items that are held.

use std::time::Duration;

use syncmgr_core::environment::Network;
use syncmgr_core::error::{FailureClass, RetryAt};
use syncmgr_core::item::SyncItem;
use tokio::time::sleep;

use super::super::checker::Checker;
use super::super::fixture::{Fixture, Time};
use super::super::held::HeldTime;
use super::super::injection::{Call, Fault, ItemLabel};
use super::super::process::SessionPlan;
use super::super::result::CheckResult;
use super::super::script::{CustomScript, FaultScript};
use super::super::violation::{ScriptResult, Violation};

const HOLD_HELP: &str = "do the work of an item only in its own call: the host begins the call when nothing holds the item. A loop over all \
                         items, a background task, or work on the next items in advance bypasses a pause, a missing network, a claim that \
                         is in use, and a wait that the peer has asked for";

const AN_HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) fn holds(checker: &Checker<'_>) -> CheckResult {
    if !checker.baseline.has_item_calls() {
        return CheckResult::Skipped("the handler processes all items in one call, which cannot be held".into());
    }
    if checker.baseline.items.len() < 2 {
        return CheckResult::Skipped("the handler lists fewer than two items".into());
    }
    // The calls before `synchronize` prepare all items, also those that are held later.
    let runs_items = |call: &Call| matches!(call, Call::Synchronize | Call::Item(_) | Call::Task(_));
    let pauses = FaultScript::all(checker.awaits(runs_items), Fault::Pause, check_pause);
    checker.play_both(environment_scripts(checker), pauses)
}

fn environment_scripts(checker: &Checker<'_>) -> Vec<CustomScript> {
    let mut scripts = Vec::new();
    if checker.baseline.time == Time::Virtual {
        scripts.push(CustomScript::new("run all items, then an hour without a network", check_offline));
    }
    if checker.fixture().provider().accesses().is_some() {
        scripts.push(CustomScript::new("the peer asks the first item to wait", check_wait));
    }
    scripts
}

/// Returns a violation by this work.
fn violation(work: &str, although: &str, fixture: &Fixture) -> Violation {
    Violation::new(format!("{work}, although {although}"), HOLD_HELP).with_log(&fixture.log)
}

fn check_pause(script: &FaultScript, checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    let ran = fixture.run_process(async |process| process.session(script.plan()).await);
    let Some(held) = HeldTime::of(&fixture.log) else { return Ok(()) };
    for item in held.waiting(&checker.baseline.items) {
        if let Some(work) = held.work_on(&item).or_else(|| held.change_of(&item, checker.data_per_item())) {
            let although = "the session is paused and the item has not begun";
            return Err(violation(&work, although, &fixture).with_item(&item));
        }
    }
    checker.compare(&fixture, &ran, "a pause")
}

/// Checks that nothing happens while no session runs and the network is down.
fn check_offline(checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    fixture.run_process(async |process| {
        process.session(SessionPlan::default()).await;
        process.log.action("the network is down");
        process.system.environment.set_network(Network::Offline);
        process.monitor.hold_begins();
        sleep(AN_HOUR).await;
        process.monitor.hold_ends();
    });
    let work = HeldTime::of(&fixture.log).and_then(|held| held.work_without_call());
    let although = "no session runs and the network is down";
    work.map_or(Ok(()), |work| Err(violation(&work, although, &fixture)))
}

/// Checks that items that need a claim of the first item do not begin once the peer has asked that item to wait.
fn check_wait(checker: &Checker<'_>) -> ScriptResult {
    let (Some(first), mut fixture) = (checker.baseline.items.first(), checker.fixture()) else { return Ok(()) };
    let class = FailureClass::NotBefore(RetryAt::After(AN_HOUR));
    fixture.provider().accesses().into_iter().for_each(|accesses| accesses.fail(first.name(), 1, class));
    fixture.log.action(format!("the peer will ask {} to wait", ItemLabel::from(first)));
    fixture.run_process(async |process| drop(process.session(SessionPlan::default()).await));
    let Some(held) = HeldTime::after_wait(&fixture.log) else { return Ok(()) };
    let shares_claim = |item: &SyncItem| {
        !checker.baseline.info.claims().is_empty() || item.claims().iter().any(|claim| first.claims().contains(claim))
    };
    let items: Vec<_> = checker.baseline.items.iter().filter(|item| shares_claim(item)).cloned().collect();
    for item in held.waiting(&items) {
        if let Some(work) = held.work_on(&item) {
            let although = "the peer has asked to wait and the item has not begun";
            return Err(violation(&work, although, &fixture).with_item(&item));
        }
    }
    Ok(())
}
