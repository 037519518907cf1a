//! The checks of automatic runs whose conditions end, and of the time before the machine goes down.

use std::time::Duration;

use syncmgr_core::trigger::Trigger;

use super::super::checker::{Checker, check_no_panic};
use super::super::events::Event;
use super::super::fixture::{Fixture, Time};
use super::super::held::HeldTime;
use super::super::injection::Fault;
use super::super::process::{ENDING_MARGIN, Process, SessionPlan, SessionResult};
use super::super::result::CheckResult;
use super::super::script::{CustomScript, FaultScript};
use super::super::violation::{ScriptResult, Violation};
use super::interruption::{NOT_CANCELLABLE, StoppedRun, is_cancellable, time_since_injection};

const CONTINUES_HELP: &str = "treat the end of a condition like any other cancellation: return, and leave the rest to the host, which runs \
                              it once the condition is met again";

const BUDGET_HELP: &str = "ask `RunContext::time_left` before work that cannot be interrupted, and leave out what does not fit: wait for \
                           the cancellation, or return. Keep uninterrupted work short";

/// The number of moments at which the time before the end is over.
const MOMENTS: u32 = 16;

pub(super) fn conditions(checker: &Checker<'_>) -> CheckResult {
    if !is_cancellable(checker) {
        return CheckResult::Skipped(NOT_CANCELLABLE.into());
    }
    checker.play(FaultScript::all(checker.awaits(|_| true), Fault::EndCondition, check_condition_end))
}

fn check_condition_end(script: &FaultScript, checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    let plan = SessionPlan { trigger: Some(Trigger::Scheduled), ..script.plan() };
    let stopped = fixture.run_process(async |process| {
        let (ran, took) = (process.session(plan).await, time_since_injection(process));
        if process.log.was_injected() {
            wait_without_calls(process).await;
        }
        StoppedRun { ran, took, still_running: process.shut_down().await.0 }
    });
    stopped.check(checker, &fixture, "the end of a condition")?;
    check_no_work(&fixture, "a condition of the run has ended", CONTINUES_HELP)
}

pub(super) fn endings(checker: &Checker<'_>) -> CheckResult {
    if !is_cancellable(checker) {
        return CheckResult::Skipped(NOT_CANCELLABLE.into());
    }
    if checker.baseline.time == Time::Real {
        return CheckResult::Skipped("in real time, the end of the work depends on the speed of the machine".into());
    }
    let whole = duration_of_run(checker);
    let mut times: Vec<_> = (0..MOMENTS).map(|moment| whole * moment / MOMENTS).collect();
    times.dedup();
    checker.play(times.into_iter().map(sleep_script).collect())
}

/// Returns the duration of a run before an end that is not announced.
fn duration_of_run(checker: &Checker<'_>) -> Duration {
    checker.fixture().run_process(async |process| {
        let began = process.log.now();
        process.session(ending_plan()).await;
        process.log.now().saturating_sub(began)
    })
}

/// Returns a script in which all work is stopped after this time.
fn sleep_script(work: Duration) -> CustomScript {
    let sleeps_after = work + ENDING_MARGIN;
    let name = format!("the machine sleeps after {:.3} s", sleeps_after.as_secs_f64());
    CustomScript::new(name, move |checker| check_ending(checker, sleeps_after))
}

fn ending_plan() -> SessionPlan {
    SessionPlan { trigger: Some(Trigger::PendingDisconnect), ..SessionPlan::default() }
}

fn check_ending(checker: &Checker<'_>, sleeps_after: Duration) -> ScriptResult {
    let mut fixture = checker.fixture();
    let (ran, took) = fixture.run_process(async |process| {
        let (began, plan) = (process.log.now(), SessionPlan { sleep_after: Some(sleeps_after), ..ending_plan() });
        let ran = process.session(plan).await;
        let took = process.log.now().saturating_sub(began);
        wait_without_calls(process).await;
        (ran, took)
    });
    check_no_panic(&fixture)?;
    let violation = |found: String| {
        let headline = format!("the machine sleeps after {} ms, and {found}", sleeps_after.as_millis());
        Err(Violation::new(headline, BUDGET_HELP).with_log(&fixture.log))
    };
    match ran {
        SessionResult::Ended(..) if took <= sleeps_after => {
            check_no_work(&fixture, "the work before the machine sleeps is over", BUDGET_HELP)
        }
        SessionResult::Ended(..) => violation(format!("the run ends only after {} ms", took.as_millis())),
        _ => violation("the run does not end".into()),
    }
}

/// Waits while the host calls nothing, and notes what the handler does.
async fn wait_without_calls(process: &Process) {
    process.monitor.hold_begins();
    process.wait_long().await;
    process.monitor.hold_ends();
}

/// Checks that the handler did nothing by itself after its run.
fn check_no_work(fixture: &Fixture, although: &str, help: &str) -> ScriptResult {
    let late_use = || {
        fixture.log.find(|event| match event {
            Event::LateUse(text) => Some(text.clone()),
            _ => None,
        })
    };
    let work = HeldTime::of(&fixture.log).and_then(|held| held.work_without_call()).or_else(late_use);
    work.map_or(Ok(()), |work| Err(Violation::new(format!("{work}, although {although}"), help).with_log(&fixture.log)))
}
