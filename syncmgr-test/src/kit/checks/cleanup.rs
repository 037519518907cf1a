//! The checks after the end of a run: release, late use, tasks.

use super::super::checker::Checker;
use super::super::events::{Event, EventLog};
use super::super::fixture::Time;
use super::super::injection::Fault;
use super::super::process::{Process, SessionPlan};
use super::super::result::CheckResult;
use super::super::script::{CustomScript, FaultScript};
use super::super::violation::{ScriptResult, Violation};

pub(super) fn release(checker: &Checker<'_>) -> CheckResult {
    let complete = CustomScript::new("run all items", |checker| check_released(checker, SessionPlan::default()));
    let interrupted = FaultScript::all(checker.awaits(|_| true), Fault::Drop, |script, checker| {
        check_released(checker, script.plan())
    });
    checker.play_both(vec![complete], interrupted)
}

/// Checks that the session releases all kept values and pooled resources.
fn check_released(checker: &Checker<'_>, plan: SessionPlan) -> ScriptResult {
    let mut fixture = checker.fixture();
    let provider = fixture.provider().clone();
    let before = provider.resources_in_use();
    let after = fixture.run_process(async |process| {
        process.session(plan).await;
        provider.resources_in_use()
    });
    let violation = |headline: String, help: &str| Err(Violation::new(headline, help).with_log(&fixture.log));
    let held = fixture.log.find(|event| match event {
        Event::KeptValuesHeld(count) => Some(*count),
        _ => None,
    });
    if let Some(count) = held {
        let values = if count == 1 { "a value" } else { "values" };
        let help = "call `kept` in every call, and store no clone of its value in the handler";
        return violation(format!("the handler still holds {values} that the run kept"), help);
    }
    match after > before {
        true => violation(
            format!("resources of the handler's pool are still in use after the session: {}", after - before),
            "release resources in a `Drop` guard, not at the end of the call: a call may be dropped at any await",
        ),
        false => Ok(()),
    }
}

pub(super) fn late_use(checker: &Checker<'_>) -> CheckResult {
    let complete =
        CustomScript::new("run all items and wait", |checker| check_late_use(checker, SessionPlan::default()));
    let interrupted = FaultScript::all(checker.awaits(|_| true), Fault::Stop, |script, checker| {
        check_late_use(checker, script.plan())
    });
    checker.play_both(vec![complete], interrupted)
}

fn check_late_use(checker: &Checker<'_>, plan: SessionPlan) -> ScriptResult {
    let mut fixture = checker.fixture();
    fixture.run_process(async |process| {
        process.session(plan).await;
        process.wait_long().await;
    });
    let late = fixture.log.find(|event| match event {
        Event::LateUse(text) => Some(text.clone()),
        _ => None,
    });
    late.map_or(Ok(()), |text| {
        let help = "await everything that uses a context before the call returns: `ItemContext::spawn`, `blocking` and `concurrently` do";
        Err(Violation::new(text, help).with_log(&fixture.log))
    })
}

pub(super) fn tasks(checker: &Checker<'_>) -> CheckResult {
    let complete =
        CustomScript::new("run all items and shut down", |checker| check_tasks(checker, SessionPlan::default()));
    let interrupted =
        FaultScript::all(checker.awaits(|_| true), Fault::Stop, |script, checker| check_tasks(checker, script.plan()));
    checker.play_both(vec![complete], interrupted)
}

fn check_tasks(checker: &Checker<'_>, plan: SessionPlan) -> ScriptResult {
    let mut fixture = checker.fixture();
    let left = fixture.run_process(async |process| count_tasks_after(process, plan).await);
    if left == 0 {
        return Ok(());
    }
    let log: &EventLog = &fixture.log;
    log.record(Event::TasksRunning(left));
    let help = "start work with `ItemContext::spawn`, for which the item waits, instead of `tokio::spawn`";
    let tasks = if left == 1 { "a task still runs" } else { "tasks still run" };
    Err(Violation::new(format!("{tasks} after shutdown"), help).with_log(log))
}

/// Returns the number of tasks that still run after shutdown. In real time, returns the increase during one session, because a
/// library may have a fixed number of background tasks.
async fn count_tasks_after(process: &Process, plan: SessionPlan) -> usize {
    let before = match process.time {
        Time::Virtual => 0,
        Time::Real => {
            process.session(SessionPlan::default()).await;
            process.tasks().await
        }
    };
    process.session(plan).await;
    let after = match process.time {
        Time::Virtual => process.shut_down().await.1,
        Time::Real => process.tasks().await,
    };
    after.saturating_sub(before)
}
