//! Checks that run the work again: second run, idempotent, resumable.

use std::time::Duration;

use syncmgr_core::capabilities::Capabilities;

use super::super::checker::Checker;
use super::super::events::{Event, EventLog};
use super::super::fixture::Fixture;
use super::super::injection::{Call, Fault, InjectionPoint, ItemLabel, Moment};
use super::super::process::{SessionPlan, SessionResult};
use super::super::result::CheckResult;
use super::super::script::{CustomScript, FaultScript};
use super::super::violation::{ScriptResult, Violation};

const UNCHANGED_HELP: &str = "compare before you write, and do not write data that are already there; if the data contain a time, \
                              exclude it from `Provider::data`";

pub(super) fn second_run(checker: &Checker<'_>) -> CheckResult {
    checker.play(vec![
        CustomScript::new("run all items twice", |checker| {
            check_second_run(checker, |fixture, plan| {
                fixture.run_process(async |process| {
                    process.session(plan.clone()).await;
                    process.session(plan).await
                })
            })
        }),
        CustomScript::new("run all items twice, in two processes", |checker| {
            check_second_run(checker, |fixture, plan| {
                fixture.run_process(async |process| drop(process.session(plan.clone()).await));
                fixture.run_process(async |process| process.session(plan).await)
            })
        }),
    ])
}

fn check_second_run(checker: &Checker<'_>, run: impl Fn(&mut Fixture, SessionPlan) -> SessionResult) -> ScriptResult {
    let mut fixture = checker.fixture();
    let ran = run(&mut fixture, SessionPlan::default());
    checker.compare(&fixture, &ran, "a complete run").map_err(|violation| violation.with_help(UNCHANGED_HELP))
}

pub(super) fn idempotent(checker: &Checker<'_>) -> CheckResult {
    if !checker.baseline.info.capabilities().contains(Capabilities::IDEMPOTENT) {
        return CheckResult::Skipped("the handler does not declare IDEMPOTENT".into());
    }
    if !checker.shows_data() {
        return CheckResult::Skipped("there are no data to compare; see `Provider::data`".into());
    }
    checker.play(vec![CustomScript::new("run all items, lose the store, run all items", |checker| {
        let mut fixture = checker.fixture();
        fixture.run_process(async |process| drop(process.session(SessionPlan::default()).await));
        fixture.lose_the_store();
        let ran = fixture.run_process(async |process| process.session(SessionPlan::default()).await);
        checker.compare(&fixture, &ran, "starting over without the store")
    })])
}

pub(super) fn resumable(checker: &Checker<'_>) -> CheckResult {
    if !checker.baseline.info.capabilities().contains(Capabilities::RESUMABLE) {
        return CheckResult::Skipped("the handler does not declare RESUMABLE".into());
    }
    if checker.baseline.counts.commits.is_empty() {
        let violation = Violation::new("the handler declares RESUMABLE but commits nothing", RESUME_HELP);
        return CheckResult::Failed(violation.in_script("run all items"));
    }
    let last = |point: &InjectionPoint| checker.baseline.counts.commits.get(&point.call).copied().unwrap_or_default();
    // After its last commit an item may have no observable work left.
    let observable =
        |point: &InjectionPoint| matches!(point.moment, Moment::AfterCommit(number) if number < last(point));
    checker.play(FaultScript::all(
        checker.commits().into_iter().filter(observable).collect(),
        Fault::Kill,
        check_continues,
    ))
}

const RESUME_HELP: &str =
    "commit as the work progresses, and continue from the state that `ItemContext::saved` returns";

fn check_continues(script: &FaultScript, checker: &Checker<'_>) -> ScriptResult {
    let call = &script.injection.point.call;
    let Some(item) = call.item() else { return Ok(()) };
    let mut fixture = checker.fixture();
    fixture.run_process(async |process| drop(process.session(script.plan()).await));
    let (waits, took) = fixture.run_process(async |process| {
        process.session(SessionPlan::default()).await;
        (process.monitor.counts().waits.get(call).copied().unwrap_or_default(), last_duration(&process.log, item))
    });
    let baseline =
        (checker.baseline.counts.waits.get(call).copied().unwrap_or_default(), checker.baseline.duration(item.id));
    let does_less = waits < baseline.0 || took < baseline.1;
    if does_less || baseline.0 == 0 || !fixture.log.was_injected() {
        return Ok(());
    }
    let headline = format!("{item} had committed before it was killed, but starts over");
    let waited =
        format!("the call awaits {waits} times after the kill, and {} times in a run from the start", baseline.0);
    Err(Violation::new(headline, RESUME_HELP).with_details([waited]).with_log(&fixture.log))
}

/// Returns the duration of the item's last call.
fn last_duration(log: &EventLog, item: &ItemLabel) -> Duration {
    let of_item = |call: &Call| call.item() == Some(item);
    let events = log.events();
    let last =
        |wanted: &dyn Fn(&Event) -> bool| events.iter().rev().find(|(_, event)| wanted(event)).map(|(time, _)| *time);
    let began = last(&|event| matches!(event, Event::Called(call) if of_item(call)));
    let ended = last(&|event| matches!(event, Event::Returned(call, _) if of_item(call)));
    ended.zip(began).map_or(Duration::ZERO, |(ended, began)| ended.saturating_sub(began))
}
