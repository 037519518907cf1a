//! The check that no call blocks its thread, measured in real time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::checker::{Checker, spread};
use super::super::fixture::Fixture;
use super::super::injection::{Call, Fault};
use super::super::process::SessionPlan;
use super::super::result::CheckResult;
use super::super::script::{CustomScript, FaultScript};
use super::super::violation::{ScriptResult, Violation};

/// The number of repetitions in which a poll must be slow to fail the check, because the machine may delay a single poll.
const REPETITIONS: usize = 3;

/// The maximum number of awaits at which a call is dropped.
const MAX_DROPS: usize = 12;

pub(super) fn blocking(checker: &Checker<'_>) -> CheckResult {
    let complete = CustomScript::new("run all items twice", |checker| {
        check_polls(checker, |fixture| {
            fixture.run_process(async |process| {
                process.session(SessionPlan::default()).await;
                process.session(SessionPlan::default()).await;
                process.monitor.slow_polls(checker.kit.poll_limit)
            })
        })
    });
    let points = checker.awaits(|call| matches!(call, Call::Item(_) | Call::Prepare | Call::Synchronize));
    let dropped = FaultScript::all(spread(points, MAX_DROPS), Fault::Drop, |script, checker| {
        check_polls(checker, |fixture| {
            fixture.run_process(async |process| {
                process.session(script.plan()).await;
                process.monitor.slow_polls(checker.kit.poll_limit)
            })
        })
    });
    checker.play_both(vec![complete], dropped)
}

/// The durations of slow polls and drops, by call and await.
type SlowPolls = BTreeMap<(Call, u32), Duration>;

/// Fails if the same poll is slow in every repetition.
fn check_polls(checker: &Checker<'_>, play: impl Fn(&mut Fixture) -> SlowPolls) -> ScriptResult {
    let mut slow: Option<SlowPolls> = None;
    for _ in 0..REPETITIONS {
        let now = play(&mut checker.fixture());
        let again = match slow.take() {
            None => now,
            Some(before) => now.into_iter().filter(|(poll, _)| before.contains_key(poll)).collect(),
        };
        if again.is_empty() {
            return Ok(());
        }
        slow = Some(again);
    }
    let Some(((call, wait), took)) = slow.into_iter().flatten().max_by_key(|(_, took)| *took) else { return Ok(()) };
    let headline = format!("{call} blocks its thread for {} ms before its await {wait}", took.as_millis());
    let help = "move blocking work into `ItemContext::blocking`, and await instead of sleeping";
    Err(Violation::new(headline, help))
}
