//! The retry after a failure of the peer.

use std::time::Duration;

use syncmgr_core::error::{FailureClass, RetryAt};
use syncmgr_core::retry::RetryPolicy;
use tokio::time::sleep;

use super::super::super::checker::Checker;
use super::super::super::events::Event;
use super::super::super::fixture::Time;
use super::super::super::injection::Call;
use super::super::super::process::{Process, SessionPlan};
use super::super::super::violation::{ScriptResult, Violation};
use super::{CLASS_HELP, PeerFailure, Problem, RETRY_AFTER, RETURN_HELP};

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
const A_SECOND: Duration = Duration::from_secs(1);

impl PeerFailure {
    /// Plays the script again, up to the retry that the class promises.
    pub(super) fn check_retry(&self, checker: &Checker<'_>, class: Option<FailureClass>) -> ScriptResult {
        match checker.baseline.time {
            Time::Virtual => self.check_retry_in_time(checker, class),
            Time::Real => self.check_run_after_a_day(checker),
        }
    }

    /// Runs all items in a process that starts a day later, because in real time the retry takes too long.
    fn check_run_after_a_day(&self, checker: &Checker<'_>) -> ScriptResult {
        let mut fixture = checker.fixture();
        self.inject(&fixture);
        fixture.run_process(async |process| drop(process.session(SessionPlan::default()).await));
        fixture.advance(A_DAY);
        let ran = fixture.run_process(async |process| process.session(SessionPlan::default()).await);
        checker.compare(&fixture, &ran, "a failure of the peer")
    }

    /// Waits for the retry that the class promises.
    fn check_retry_in_time(&self, checker: &Checker<'_>, class: Option<FailureClass>) -> ScriptResult {
        let mut fixture = checker.fixture();
        self.inject(&fixture);
        let (waited, ran) = fixture.run_process(async |process| {
            process.session(SessionPlan::default()).await;
            let waited = self.wait(process, class).await;
            (waited, process.session(SessionPlan::default()).await)
        });
        let violation =
            |(headline, help): Problem| Violation::new(headline, help).with_log(&fixture.log).with_item(&self.name());
        waited.map_err(violation)?;
        checker.compare(&fixture, &ran, "a failure of the peer")
    }

    /// Checks the time of the retry.
    async fn wait(&self, process: &Process, class: Option<FailureClass>) -> Result<(), Problem> {
        if class.is_none() {
            // If the whole handler fails, no retry is promised; after this wait the peer accepts requests again.
            sleep(2 * RETRY_AFTER).await;
        }
        let Some((earliest, latest)) =
            class.and_then(|class| expected_retry(class, process.info().retry().unwrap_or_default()))
        else {
            return Ok(());
        };
        let failed =
            |event: &Event| matches!(event, Event::Returned(Call::Item(item), Err(_)) if item.id == self.item.id());
        let since = process.log.time_of(failed).unwrap_or_default();
        let until = |wait: Duration| (since + wait).saturating_sub(process.log.now());
        let early = until(earliest.saturating_sub(A_SECOND));
        sleep(early).await;
        if !early.is_zero() && runs(process) > 1 {
            let help = if matches!(self.class, FailureClass::Transient) { RETURN_HELP } else { CLASS_HELP };
            return Err((format!("{} was retried before the promised time", self.name()), help));
        }
        let Some(latest) = latest else { return Ok(()) };
        sleep(until(latest) + 2 * A_SECOND).await;
        match runs(process) {
            0 | 1 => Err((format!("{} was not retried when it was due", self.name()), CLASS_HELP)),
            _ => Ok(()),
        }
    }
}

/// Returns the number of runs: the script starts one, and the manager the others.
fn runs(process: &Process) -> usize {
    process.log.count(|event| matches!(event, Event::Called(Call::Initialize)))
}

/// Returns the earliest and, if a retry is promised, the latest time of the retry after the failure.
fn expected_retry(class: FailureClass, policy: RetryPolicy) -> Option<(Duration, Option<Duration>)> {
    let jittered = |wait: Duration| wait + wait * policy.jitter / 100;
    match class {
        FailureClass::Transient if policy.budget <= 1 => Some((A_DAY, None)),
        FailureClass::Transient => Some((policy.initial, Some(jittered(policy.initial)))),
        FailureClass::NotBefore(RetryAt::After(wait)) => Some((wait, Some(jittered(wait)))),
        FailureClass::NotBefore(_) => None,
        _ => Some((A_DAY, None)),
    }
}
