//! The check of the handler's own stream of local changes.

use syncmgr_core::item::SyncItem;
use syncmgr_core::local_change::LocalChange;

use super::super::change::{Change, ItemChange};
use super::super::checker::{Checker, check_no_panic};
use super::super::events::{Event, EventLog};
use super::super::fixture::{Fixture, Time};
use super::super::injection::ItemLabel;
use super::super::process::{Process, SessionPlan};
use super::super::result::CheckResult;
use super::super::script::CustomScript;
use super::super::violation::{ScriptResult, Violation};

const ECHO_HELP: &str =
    "leave out the handler's own writes: mark them, or compare what has changed with the checkpoint";

const MISSED_HELP: &str =
    "report every kind of change, deletions too; if a change may have been missed, report `LocalChange::Unknown`";

/// The number of pauses after which a change that was not reported is missed.
const PAUSES: usize = 200;

pub(super) fn local_changes(checker: &Checker<'_>) -> CheckResult {
    let fixture = checker.fixture();
    if fixture.provider().clone().handler().changes().is_none() {
        return CheckResult::Skipped("the handler has no stream of local changes".into());
    }
    let mut scripts = Vec::new();
    if checker.baseline.time == Time::Virtual {
        scripts.push(CustomScript::new("run all items, then an hour without a change", check_no_echo));
    }
    let on_each = |change| checker.sample_items().into_iter().map(move |item| (item.clone(), change));
    let changes = [Change::LocalUpdate, Change::LocalDelete].into_iter().flat_map(on_each);
    scripts.extend(changes.map(|(item, change)| change_script(ItemChange { item, change })));
    checker.play(scripts)
}

fn change_script(change: ItemChange) -> CustomScript {
    let name = format!("{change} after a run");
    CustomScript::new(name, move |checker| check_reported(checker, &change))
}

/// Checks that the writes of a run start no other run.
fn check_no_echo(checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    fixture.run_process(async |process| {
        process.session(SessionPlan::default()).await;
        process.wait_long().await;
    });
    check_no_panic(&fixture)?;
    let events = fixture.log.events();
    let mut later = events.iter().map(|(_, event)| event).skip_while(|event| **event != Event::Closed);
    let is_again = later.any(|event| matches!(event, Event::Called(_)));
    let headline =
        "the handler runs again although nothing has changed: its stream reports what its own run has written";
    if is_again { Err(violation(headline.into(), ECHO_HELP, &fixture)) } else { Ok(()) }
}

/// Checks that the stream reports a change of the user.
fn check_reported(checker: &Checker<'_>, change: &ItemChange) -> ScriptResult {
    let mut fixture = checker.fixture();
    let (provider, log) = (fixture.provider().clone(), fixture.log.clone());
    let reported = fixture.run_process(async |process| {
        process.session(SessionPlan::default()).await;
        log.action(change.to_string());
        let before = reports(&log).len();
        provider.change(&change.item, change.change)?;
        Some(is_reported(process, &change.item, before).await)
    });
    check_no_panic(&fixture)?;
    if reported == Some(false) {
        let headline = format!("{change}, and the stream of local changes does not report it");
        return Err(violation(headline, MISSED_HELP, &fixture).with_item(&ItemLabel::from(&change.item)));
    }
    Ok(())
}

/// Waits until the stream has reported a change of the item after `before` others.
async fn is_reported(process: &Process, item: &SyncItem, before: usize) -> bool {
    for _ in 0..PAUSES {
        let reports = reports(&process.log);
        if reports[before..].iter().any(|change| [LocalChange::Item(item.id()), LocalChange::Unknown].contains(change))
        {
            return true;
        }
        process.pause().await;
    }
    false
}

fn reports(log: &EventLog) -> Vec<LocalChange> {
    let events = log.events().into_iter();
    events.filter_map(|(_, event)| if let Event::LocalChange(change) = event { Some(change) } else { None }).collect()
}

fn violation(headline: String, help: &str, fixture: &Fixture) -> Violation {
    Violation::new(headline, help).with_log(&fixture.log)
}
