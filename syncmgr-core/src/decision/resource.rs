//! The retry state of a resource that items claim.

use std::time::SystemTime;

use super::hold::Hold;
use super::retry::{self, AttemptProgress, RequestedBy};
use super::verdict::{Outcome, Verdict};
use crate::error::FailureClass;
use crate::retry::{RetryPolicy, RetryState, RetryStatus};
use crate::time::{later, round_up};

/// The number of failures in a row at which a resource is held. Fewer may be the fault of single items.
const HELD_FROM: u32 = 3;

/// Returns the new retry state of a claimed resource after an attempt at an item. `before` is its old state.
///
/// A not-before time holds the resource immediately, until the latest such time. Transient failures hold it from the third in a
/// row: first for the [initial](RetryPolicy::initial) wait, then for longer waits. Failures of attempts that were already
/// running when the hold began change nothing. There is no budget: the resource is retried as long as its items are retried.
///
/// A success clears everything but a not-before time that has not passed. For a forced request, the caller has to
/// [clear](retry::clear) the resource first.
pub fn after(
    policy: &RetryPolicy,
    before: Option<&RetryState>,
    verdict: Verdict,
    now: SystemTime,
    chance: u64,
) -> Option<RetryState> {
    let held = before.copied().filter(|state| may_run(state, RequestedBy::Automatic, now).is_err());
    let not_before = held.filter(|state| state.status == RetryStatus::NotBefore);
    match (verdict.outcome, verdict.class.unwrap_or(FailureClass::Transient)) {
        (Outcome::Succeeded, _) => not_before,
        (Outcome::Failed, FailureClass::NotBefore(at)) => {
            let counted = retry::add_failure(before, AttemptProgress::None, now);
            let state = retry::not_before(policy, counted, at, now);
            Some(RetryState { until: state.until.max(not_before.and_then(|not_before| not_before.until)), ..state })
        }
        (Outcome::Failed, FailureClass::Transient) => held.or_else(|| Some(after_failure(policy, before, now, chance))),
        _ => before.copied(),
    }
}

/// Checks if an item that claims the resource may run now.
///
/// # Errors
/// The hold if the item may not run.
pub fn may_run(state: &RetryState, requested_by: RequestedBy, now: SystemTime) -> Result<(), Hold> {
    retry::may_run(state, requested_by, now)
}

fn after_failure(policy: &RetryPolicy, before: Option<&RetryState>, now: SystemTime, chance: u64) -> RetryState {
    let counted = retry::add_failure(before, AttemptProgress::None, now);
    let failures = counted.failures.saturating_add(1);
    let wait = (failures >= HELD_FROM).then(|| retry::delay(policy, failures - HELD_FROM + 1, chance));
    let until = wait.map(|wait| round_up(later(now, wait)));
    RetryState { status: RetryStatus::Backoff, failures, until, ..counted }
}

#[cfg(test)]
mod tests;
