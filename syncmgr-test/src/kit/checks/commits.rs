//! The check of commits to a store that fails or is slow.

use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;

use super::super::checker::Checker;
use super::super::injection::{Fault, InjectionPoint, Moment};
use super::super::process::SessionPlan;
use super::super::result::CheckResult;
use super::super::script::{CustomScript, FaultScript};
use super::super::violation::{ScriptResult, Violation};

pub(super) fn commits(checker: &Checker<'_>) -> CheckResult {
    let before = |point: &InjectionPoint| matches!(point.moment, Moment::BeforeCommit(_));
    let points: Vec<_> = checker.commits().into_iter().filter(before).collect();
    checker.play_both(
        vec![CustomScript::new("every write takes a second", check_slow_store)],
        FaultScript::all(points, Fault::Refuse, check_failed_commit),
    )
}

fn check_slow_store(checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    let ran = fixture.run_process(async |process| {
        process.store.slow_down(Duration::from_secs(1));
        process.session(SessionPlan::default()).await
    });
    checker.compare(&fixture, &ran, "a slow store")
}

fn check_failed_commit(script: &FaultScript, checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    let (ran, again) = fixture.run_process(async |process| {
        (process.session(script.plan()).await, process.session(SessionPlan::default()).await)
    });
    let item = script.injection.point.call.item().filter(|_| fixture.log.was_injected());
    if let Some(item) = item.filter(|item| ran.outcome(item.id) == Some(Outcome::Succeeded)) {
        let headline = format!("a commit of {item} failed, but the item ends: succeeded");
        return Err(Violation::new(headline, "return the error of `commit` with `?`").with_log(&fixture.log));
    }
    checker.compare(&fixture, &again, "a failed commit")
}
