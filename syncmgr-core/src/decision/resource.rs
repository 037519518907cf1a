//! What failures leave behind of a resource that items claim.

use std::time::SystemTime;

use super::hold::Hold;
use super::retry::{self, Advance, Ask};
use super::verdict::{Outcome, Verdict};
use crate::error::FailureClass;
use crate::retry::{RetryPolicy, RetryState, Setback};
use crate::time::{later, round_up};

/// From so many failures in a row on, a resource is held. Fewer may be the items' own fault.
const HELD_FROM: u32 = 3;

/// What an attempt at an item leaves behind of a resource it claimed, of which there was `before`.
///
/// What the peer asks for holds the resource at once, and until the latest time it gave. Failures that may pass hold it from
/// the third in a row: first for the [initial](RetryPolicy::initial) wait, then growing. Those of attempts that were under
/// way when the hold began tell nothing new and change nothing. There is no budget: a held resource is tried again at its
/// time, as long as items that claim it are.
///
/// A success ends everything but what the peer asked for, which a success that was under way does not take back. Who forces
/// an item [clears](retry::clear) its resources first.
pub fn after(
    policy: &RetryPolicy,
    before: Option<&RetryState>,
    verdict: Verdict,
    now: SystemTime,
    chance: u64,
) -> Option<RetryState> {
    let held = before.copied().filter(|state| may_run(state, Ask::Automatic, now).is_err());
    let asked = held.filter(|state| state.setback == Setback::NotBefore);
    match (verdict.outcome, verdict.class.unwrap_or(FailureClass::Transient)) {
        (Outcome::Succeeded, _) => asked,
        (Outcome::Failed, FailureClass::NotBefore(at)) => {
            let counted = retry::counted(before, Advance::Nothing, now);
            let state = retry::not_before(policy, counted, at, now);
            Some(RetryState { until: state.until.max(asked.and_then(|asked| asked.until)), ..state })
        }
        (Outcome::Failed, FailureClass::Transient) => held.or_else(|| Some(failed(policy, before, now, chance))),
        _ => before.copied(),
    }
}

/// Whether an item that claims the resource may run now.
///
/// # Errors
/// Why not.
pub fn may_run(state: &RetryState, ask: Ask, now: SystemTime) -> Result<(), Hold> {
    retry::may_run(state, ask, now)
}

fn failed(policy: &RetryPolicy, before: Option<&RetryState>, now: SystemTime, chance: u64) -> RetryState {
    let counted = retry::counted(before, Advance::Nothing, now);
    let failures = counted.failures.saturating_add(1);
    let wait = (failures >= HELD_FROM).then(|| retry::delay(policy, failures - HELD_FROM + 1, chance));
    let until = wait.map(|wait| round_up(later(now, wait)));
    RetryState { setback: Setback::Backoff, failures, until, ..counted }
}

#[cfg(test)]
mod tests;
