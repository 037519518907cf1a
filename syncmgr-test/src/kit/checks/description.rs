//! The checks of the handler's info and listing.

use std::collections::BTreeSet;
use std::sync::Arc;

use syncmgr_core::handler::SyncHandler;
use syncmgr_core::item::SyncItem;

use super::super::checker::Checker;
use super::super::injection::ItemLabel;
use super::super::result::CheckResult;
use super::super::script::CustomScript;
use super::super::violation::{ScriptResult, Violation};

pub(super) fn baseline(checker: &Checker<'_>) -> CheckResult {
    checker.play(vec![CustomScript::new("run all items", |_| Ok(()))])
}

pub(super) fn description(checker: &Checker<'_>) -> CheckResult {
    checker.play(vec![CustomScript::new("ask for the info three times", check_info)])
}

pub(super) fn listing(checker: &Checker<'_>) -> CheckResult {
    checker.play(vec![CustomScript::new("list the items four times, in two processes", check_listing)])
}

fn check_info(checker: &Checker<'_>) -> ScriptResult {
    let fixture = checker.fixture();
    let (first, second) = (fixture.provider().clone().handler(), fixture.provider().clone().handler());
    let infos = [first.info(), first.info(), second.info()].map(|info| format!("{info:?}"));
    if infos[0] != infos[1] || infos[0] != infos[2] {
        let help = "build the info from constants and from the arguments of the constructor only";
        return Err(Violation::new("the handler returns different info each time", help).with_details(infos));
    }
    match first.info().name().trim().is_empty() {
        true => Err(Violation::new("the handler has no name", "give the handler a name that users recognize")),
        false => Ok(()),
    }
}

fn check_listing(checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    let mut listings = Vec::new();
    for _ in 0..2 {
        listings.extend(fixture.run_process(async |process| {
            [list(&process.recording_handler).await, list(&process.recording_handler).await]
        }));
    }
    let first = &listings[0];
    let mut known = BTreeSet::new();
    for item in first {
        if item.id().is_nil() {
            return Err(Violation::new(format!("{} has the nil id", ItemLabel::from(item)), STABLE_ID_HELP));
        }
        if !known.insert(item.id()) {
            return Err(Violation::new(format!("the id of {} occurs twice", ItemLabel::from(item)), STABLE_ID_HELP));
        }
    }
    let lines =
        |items: &[SyncItem]| items.iter().map(|item| format!("{} {}", item.id(), item.name())).collect::<BTreeSet<_>>();
    for other in &listings[1..] {
        let (was, is) = (lines(first), lines(other));
        let differs = was.symmetric_difference(&is).take(4).map(|line| format!("in one listing only: {line}"));
        if was != is {
            return Err(Violation::new(
                "a second listing returns different items, although nothing changed",
                STABLE_ID_HELP,
            )
            .with_details(differs));
        }
    }
    Ok(())
}

const STABLE_ID_HELP: &str =
    "derive ids from the item's name at its peer, with `SyncItem::named` or `ItemId::from_name`";

async fn list(handler: &Arc<dyn SyncHandler>) -> Vec<SyncItem> {
    handler.items().await.map(|items| items.iter().cloned().collect()).unwrap_or_default()
}
