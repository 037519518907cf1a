//! The checks of interrupted calls: skip, stop, resume, kill, panics.

use std::time::Duration;

use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::decision::verdict::Outcome;

use super::super::checker::{Checker, check_no_panic};
use super::super::events::Event;
use super::super::fixture::Fixture;
use super::super::injection::{Call, Fault, Injection, InjectionPoint, ItemLabel};
use super::super::process::{Process, SessionPlan, SessionResult};
use super::super::result::CheckResult;
use super::super::script::FaultScript;
use super::super::violation::{ScriptResult, Violation};

pub(super) const NOT_CANCELLABLE: &str = "the handler does not declare CANCELLABLE";

const CANCEL_HELP: &str = "return the errors of `progress` and `check` with `?`; long waits need `cancelled()` or the cancellation \
                           token. If one call processes all items, leave the skipped one out and continue";

pub(super) fn skip(checker: &Checker<'_>) -> CheckResult {
    if !is_cancellable(checker) {
        return CheckResult::Skipped(NOT_CANCELLABLE.into());
    }
    let own =
        |point: InjectionPoint| point.call.item().cloned().map(|item| Injection { point, fault: Fault::Skip(item) });
    let mut injections: Vec<_> =
        checker.awaits(|call| matches!(call, Call::Item(_))).into_iter().filter_map(own).collect();
    if injections.is_empty() {
        // No item has a call of its own: the handler processes all items in one call.
        let any = |point: InjectionPoint| {
            let items = checker.baseline.items.iter().map(ItemLabel::from);
            items.map(move |item| Injection { point: point.clone(), fault: Fault::Skip(item) })
        };
        injections = checker.awaits(|call| *call == Call::Synchronize).into_iter().flat_map(any).collect();
    }
    checker.play(FaultScript::each(injections.into_iter(), check_skip))
}

pub(super) fn stop(checker: &Checker<'_>) -> CheckResult {
    if !is_cancellable(checker) {
        return CheckResult::Skipped(NOT_CANCELLABLE.into());
    }
    checker.play(FaultScript::all(checker.awaits(|_| true), Fault::Stop, check_stop))
}

pub(super) fn resume(checker: &Checker<'_>) -> CheckResult {
    let stops = FaultScript::all(checker.injection_points(), Fault::Stop, check_resume);
    // A task that is never polled again would block the item that awaits it.
    let drops = checker.injection_points().into_iter().filter(|point| !matches!(point.call, Call::Task(_))).collect();
    let drops = FaultScript::all(drops, Fault::Drop, check_resume);
    checker.play(FaultScript::or_single_item([stops, drops].concat(), checker))
}

pub(super) fn kill(checker: &Checker<'_>) -> CheckResult {
    let scripts = FaultScript::all(checker.injection_points(), Fault::Kill, check_kill);
    checker.play(FaultScript::or_single_item(scripts, checker))
}

pub(super) fn panics(checker: &Checker<'_>) -> CheckResult {
    checker.play(FaultScript::all(checker.awaits(|_| true), Fault::Panic, check_panic))
}

pub(super) fn is_cancellable(checker: &Checker<'_>) -> bool {
    checker.baseline.info.capabilities().contains(Capabilities::CANCELLABLE)
}

fn check_skip(script: &FaultScript, checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    let (ran, took) = fixture.run_process(async |process| {
        let ran = process.session(script.plan()).await;
        let took = process.manager.stop_latencies().max().unwrap_or_default();
        (ran, took.max(process.monitor.blocking_time_after_injection()))
    });
    let Some(item) = script.injection.item().filter(|_| fixture.log.was_injected()) else { return Ok(()) };
    check_no_panic(&fixture)?;
    let violation = |headline: String| Violation::new(headline, CANCEL_HELP).with_log(&fixture.log);
    match ran.outcome(item.id) {
        Some(Outcome::Skipped) => check_not_done(checker, &fixture, item)
            .map_err(|found| violation(format!("{item} was skipped before it began, but {found}")))?,
        Some(Outcome::Succeeded) => checker.compare_data(&fixture, "a skip").map_err(|found| {
            violation(format!("{item} was skipped and ends: succeeded, but its work is incomplete"))
                .with_details_of(found)
        })?,
        Some(outcome) if checker.baseline.allows(item.id, Some(outcome)) => {}
        Some(outcome) => return Err(violation(format!("{item} was skipped and ends: {outcome}"))),
        None => return Err(violation(format!("{item} was skipped, and the session does not end"))),
    }
    check_in_time(checker, took).map_err(|late| violation(format!("{item} was skipped and ended {late}")))?;
    check_others(checker, &fixture, &ran, item, "was skipped")
}

/// Checks that no work was done for an item that was skipped before it began.
fn check_not_done(checker: &Checker<'_>, fixture: &Fixture, item: &ItemLabel) -> Result<(), &'static str> {
    let began = fixture.log.find(|event| match event {
        Event::Injected(_) => Some(false),
        Event::Called(Call::Item(begun)) | Event::StatusReported(begun, _) | Event::ProgressReported(begun)
            if begun == item =>
        {
            Some(true)
        }
        _ => None,
    });
    let is_done = checker.shows_data() && fixture.end_state(checker.handler()) == checker.baseline.end;
    if began == Some(false) && is_done { Err("its work was done") } else { Ok(()) }
}

/// Checks that the other items have their usual outcomes, and that the data they write when run alone are complete.
pub(super) fn check_others(
    checker: &Checker<'_>,
    fixture: &Fixture,
    ran: &SessionResult,
    item: &ItemLabel,
    what: &str,
) -> ScriptResult {
    let help = "share no state between items that the end of one item can damage";
    let violation = |other: &ItemLabel, found: String| {
        let headline = format!("{item} {what}, and item {other} {found}");
        Violation::new(headline, help).with_log(&fixture.log).with_item(other)
    };
    let end = fixture.end_state(checker.handler());
    let own = checker.data_per_item().get(&item.id);
    for other in checker.baseline.items.iter().filter(|other| other.id() != item.id) {
        let (ended, label) = (ran.outcome(other.id()), ItemLabel::from(other));
        if !checker.baseline.allows(other.id(), ended) {
            let ended = ended.map_or_else(|| "does not end".into(), |outcome| format!("ends: {outcome}"));
            return Err(violation(&label, ended));
        }
        let data = checker
            .data_per_item()
            .get(&other.id())
            .filter(|_| checker.baseline.outcome(other.id()) == Outcome::Succeeded);
        let lacks = data.and_then(|data| end.lacks(data, own));
        if let Some(lacks) = lacks {
            return Err(violation(&label, format!("ends: succeeded, but lacks {lacks}")));
        }
    }
    Ok(())
}

/// Checks that the duration is below the handler's hard grace, after which a call is abandoned.
fn check_in_time(checker: &Checker<'_>, took: Duration) -> Result<(), String> {
    let limit = checker.baseline.info.limits().hard_grace();
    match took < limit {
        true => Ok(()),
        false => Err(format!(
            "only after {} ms, when it was abandoned; its hard grace is {} ms",
            took.as_millis(),
            limit.as_millis()
        )),
    }
}

fn check_stop(script: &FaultScript, checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    let stopped = fixture.run_process(async |process| {
        let (ran, took) = (process.session(script.plan()).await, time_since_injection(process));
        StoppedRun { ran, took, still_running: process.shut_down().await.0 }
    });
    stopped.check(checker, &fixture, "a stop")
}

/// A run into which a fault was injected that stops it.
pub(super) struct StoppedRun {
    pub(super) ran: SessionResult,
    /// The time from the injection to the end of the session.
    pub(super) took: Duration,
    /// The calls that could not be stopped.
    pub(super) still_running: Vec<String>,
}

impl StoppedRun {
    /// Checks that everything has ended in time and nothing failed. `after` names the fault.
    pub(super) fn check(&self, checker: &Checker<'_>, fixture: &Fixture, after: &str) -> ScriptResult {
        if !fixture.log.was_injected() {
            return Ok(());
        }
        check_no_panic(fixture)?;
        let violation = |headline: String| Violation::new(headline, CANCEL_HELP).with_log(&fixture.log);
        let SessionResult::Ended(report, _) = &self.ran else {
            return Err(violation(format!("after {after}, the session does not end")));
        };
        check_in_time(checker, self.took)
            .map_err(|late| violation(format!("after {after}, the session ended {late}")))?;
        if let Some(call) = self.still_running.first() {
            return Err(violation(call.clone()));
        }
        let succeeds = |item| checker.baseline.outcome(item) == Outcome::Succeeded;
        let failed = report.items().find(|item| item.outcome == Outcome::Failed && succeeds(item.item.id()));
        failed.map_or(Ok(()), |item| {
            let item = ItemLabel::from(item.item);
            Err(violation(format!("after {after}, {item} ends: failed")).with_item(&item))
        })
    }
}

/// Returns the time since the injection: the longer of virtual and real time, because virtual time does not advance during
/// blocking work.
pub(super) fn time_since_injection(process: &Process) -> Duration {
    let injected = process.log.time_of(|event| matches!(event, Event::Injected(_)));
    let took = injected.map_or(Duration::ZERO, |injected| process.log.now().saturating_sub(injected));
    took.max(process.monitor.blocking_time_after_injection())
}

fn check_resume(script: &FaultScript, checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    let again = fixture.run_process(async |process| {
        process.session(script.plan()).await;
        process.pause().await;
        process.session(SessionPlan::default()).await
    });
    checker.compare(&fixture, &again, "a stop")
}

fn check_kill(script: &FaultScript, checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    fixture.run_process(async |process| drop(process.session(script.plan()).await));
    let again = fixture.run_process(async |process| process.session(SessionPlan::default()).await);
    checker.compare(&fixture, &again, "a kill")
}

fn check_panic(script: &FaultScript, checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    let (ran, again) = fixture.run_process(async |process| {
        let ran = process.session(script.plan()).await;
        process.pause().await;
        (ran, process.session(SessionPlan::default()).await)
    });
    if let Some(item) = script.injection.point.call.item().filter(|_| fixture.log.was_injected()) {
        check_others(checker, &fixture, &ran, item, "panicked")?;
    }
    checker.compare(&fixture, &again, "a panic")
}
