//! The checks of selections and statuses.

use std::collections::BTreeMap;

use syncmgr_core::item::SyncItem;
use syncmgr_core::status::Status;

use super::super::checker::{Checker, spread};
use super::super::events::{Event, EventLog};
use super::super::fixture::Fixture;
use super::super::injection::ItemLabel;
use super::super::process::{SessionPlan, SessionResult};
use super::super::result::CheckResult;
use super::super::script::CustomScript;
use super::super::violation::{ScriptResult, Violation};

pub(super) fn selection(checker: &Checker<'_>) -> CheckResult {
    if checker.baseline.items.len() < 2 {
        return CheckResult::Skipped("the handler lists fewer than two items".into());
    }
    checker.play(vec![
        CustomScript::new("run the last item alone", check_last_alone),
        CustomScript::new("run each item alone, in reverse order", check_each_alone),
    ])
}

const INDEPENDENT_HELP: &str =
    "process only the items in the selection of the run, and make no item depend on the work of another";

fn check_last_alone(checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    let Some((last, others)) = checker.baseline.items.split_last() else { return Ok(()) };
    let ran = fixture.run_process(async |process| process.session(SessionPlan::single_item(last.id())).await);
    check_outcome(checker, &ran, last, &fixture.log)?;
    check_reports(&fixture.log)?;
    let touches = |event: &Event| match event {
        Event::Committed(item, _) | Event::StatusReported(item, _) => {
            others.iter().find(|other| other.id() == item.id).map(ItemLabel::from)
        }
        _ => None,
    };
    if let Some(other) = fixture.log.find(touches) {
        let headline = format!("only {} was selected, but {other} is processed", ItemLabel::from(last));
        return Err(Violation::new(headline, INDEPENDENT_HELP).with_log(&fixture.log));
    }
    check_data(checker, &fixture, last)
}

/// Fails if two different items each write the data of all items when run alone. One item may do so, because it may be the only
/// item with data.
fn check_data(checker: &Checker<'_>, fixture: &Fixture, last: &SyncItem) -> ScriptResult {
    let is_complete =
        |fixture: &Fixture| checker.shows_data() && fixture.end_state(checker.handler()) == checker.baseline.end;
    let Some(first) = checker.baseline.items.first().filter(|_| is_complete(fixture)) else { return Ok(()) };
    let mut other = checker.fixture();
    other.run_process(async |process| drop(process.session(SessionPlan::single_item(first.id())).await));
    match is_complete(&other) {
        true => {
            let headline = format!("only {} was selected, but the data are those of all items", ItemLabel::from(last));
            Err(Violation::new(headline, INDEPENDENT_HELP).with_log(&fixture.log))
        }
        false => Ok(()),
    }
}

fn check_each_alone(checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    let (max, all) = (checker.max_scripts(), checker.baseline.items.len());
    for item in spread(checker.baseline.items.iter().rev().collect(), max) {
        let ran = fixture.run_process(async |process| process.session(SessionPlan::single_item(item.id())).await);
        check_outcome(checker, &ran, item, &fixture.log)?;
    }
    if all > max {
        fixture.run_process(async |process| drop(process.session(SessionPlan::default()).await));
    }
    checker.compare_data(&fixture, "running each item alone")
}

/// Checks that an item has the same outcome alone as in a run of all items.
fn check_outcome(checker: &Checker<'_>, ran: &SessionResult, item: &SyncItem, log: &EventLog) -> ScriptResult {
    let (ended, wanted) = (ran.outcome(item.id()), checker.baseline.outcome(item.id()));
    if checker.baseline.allows(item.id(), ended) {
        return Ok(());
    }
    let item = ItemLabel::from(item);
    let ended = ended.map_or_else(|| "does not end".into(), |outcome| format!("ends: {outcome}"));
    let headline = format!("run alone, {item} {ended}; run with the others it ends: {wanted}");
    Err(Violation::new(headline, INDEPENDENT_HELP).with_log(log).with_item(&item))
}

pub(super) fn statuses(checker: &Checker<'_>) -> CheckResult {
    checker.play(vec![
        CustomScript::new("run all items", |checker| check_statuses(checker, 1)),
        CustomScript::new("run all items twice", |checker| check_statuses(checker, 2)),
    ])
}

fn check_statuses(checker: &Checker<'_>, times: usize) -> ScriptResult {
    let mut fixture = checker.fixture();
    fixture.run_process(async |process| {
        for _ in 0..times {
            process.session(SessionPlan::default()).await;
        }
    });
    check_reports(&fixture.log)
}

const REPORT_HELP: &str = "report only selected items, and report nothing on an item after its terminal status";

/// Checks that the contract allows every report.
fn check_reports(log: &EventLog) -> ScriptResult {
    if let Some(refused) = log.find(|event| match event {
        Event::ReportRefused(text) => Some(text.clone()),
        _ => None,
    }) {
        return Err(Violation::new(format!("a report was refused: {refused}"), REPORT_HELP).with_log(log));
    }
    let mut ended: BTreeMap<ItemLabel, Status> = BTreeMap::new();
    let violation =
        |item: &ItemLabel, headline: String| Err(Violation::new(headline, REPORT_HELP).with_log(log).with_item(item));
    for (_, event) in log.events() {
        match event {
            Event::Action(_) => ended.clear(),
            Event::StatusReported(item, status) if ended.contains_key(&item) => {
                return violation(&item, format!("{item} reports {status:?} after its terminal status"));
            }
            Event::StatusReported(item, status) if status.is_terminal() => drop(ended.insert(item, status)),
            Event::Ended(item, outcome) if ended.get(&item).is_some_and(|status| *status != outcome.status()) => {
                return violation(
                    &item,
                    format!("{item} reports a terminal status that differs from its outcome: {outcome}"),
                );
            }
            _ => {}
        }
    }
    Ok(())
}
