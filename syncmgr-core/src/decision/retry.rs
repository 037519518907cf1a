//! What an attempt leaves behind of an item, and when the item runs again.
//!
//! | | first wait | grows by | longest wait | by chance | gives up |
//! |---|---|---|---|---|---|
//! | [`RetryPolicy::DEFAULT`] | 30 s | 2 | 1 h | 0 to 10 % more, each wait | after 10 failures in a row that got no further, or 50 since the last success: the item needs attention |
//! | Android sync | 30 s | 2 | 1 h | 0 to 10 % more, the first wait only | never |
//! | WorkManager | 30 s, at least 10 s | 2, or the same again | 5 h | | never |
//! | Airbyte | 10 s | 3 | 270 s | | after 5 failures in a row, 10 in all, or 20 that got further |
//! | Temporal | 1 s | 2 | 100 s | | never |
//!
//! With the defaults, the waits are 30 s, 1, 2, 4, 8, 16 and 32 min and twice 1 h: an item that gets no further needs
//! attention some 3 hours after its first failure. What a peer asks for is outside of this: it is neither counted as a
//! failure in a row nor bounded by the longest wait.
//!
//! A state ends by itself only after a backoff or at the time a peer gave. All others end when somebody asks for the item.

use std::time::{Duration, SystemTime};

use super::hold::Hold;
use super::verdict::{Outcome, Verdict};
use crate::error::{FailureClass, RetryAt};
use crate::retry::{RetryPolicy, RetryState, Setback};
use crate::time::{later, round_down, round_up};

/// Whether an attempt got the item further: whether something of it was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Advance {
    /// It did not.
    Nothing,
    /// It did.
    Moved,
}

/// Who wants an item to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Ask {
    /// Nobody in person: a schedule, the network, a retry that came due.
    Automatic,
    /// Somebody asked for it.
    ByHand,
    /// Somebody insists, whatever the peer asked for.
    Forced,
}

/// What gives a held item another chance before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Clearing {
    /// The network is back.
    Reconnect,
    /// Somebody asked for it.
    Manual,
    /// Somebody insists, whatever the peer asked for.
    Force,
}

/// What an attempt leaves behind of an item of which there was `before`.
///
/// `chance` is any number; waits differ by it. Who asked before the time [clears](clear) first and hands the rest in here,
/// so that asking often makes no wait longer. Times in the result are whole milliseconds, as they are stored; a time the
/// peer gave is rounded up.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use syncmgr_core::{decision::{retry::{Advance, after}, verdict::Verdict}, error::FailureClass, retry::RetryPolicy};
/// let now = SystemTime::UNIX_EPOCH;
/// let verdict = Verdict::failed(FailureClass::Transient);
/// let state = after(&RetryPolicy::DEFAULT, None, verdict, Advance::Nothing, now, 0).expect("it failed");
/// assert_eq!(state.until, Some(now + Duration::from_secs(30)));
/// ```
pub fn after(
    policy: &RetryPolicy,
    before: Option<&RetryState>,
    verdict: Verdict,
    advance: Advance,
    now: SystemTime,
    chance: u64,
) -> Option<RetryState> {
    match verdict.outcome {
        Outcome::Succeeded => None,
        Outcome::Skipped | Outcome::Stopped => before.copied(),
        Outcome::NeedsUser => Some(resting(carried(before, now), Setback::NeedsUser)),
        Outcome::Failed => {
            let counted = counted(before, advance, now);
            Some(match verdict.class.unwrap_or(FailureClass::Transient) {
                FailureClass::Transient => backoff(policy, counted, advance, now, chance),
                FailureClass::NotBefore(at) => not_before(policy, counted, at, now),
                FailureClass::Permanent => resting(counted, Setback::Permanent),
                FailureClass::Gone => resting(counted, Setback::Gone),
                FailureClass::UnreadableState => resting(counted, Setback::UnreadableState),
            })
        }
    }
}

/// How long to wait after so many failures in a row.
///
/// What `chance` adds never makes it shorter, and may exceed the cap by the policy's jitter.
pub fn delay(policy: &RetryPolicy, failures: u32, chance: u64) -> Duration {
    let growth = u128::from(policy.factor.max(1)).saturating_pow(failures.saturating_sub(1));
    let wait = policy.initial.as_nanos().saturating_mul(growth).min(policy.cap.as_nanos());
    let most_added = wait.saturating_mul(policy.jitter.into()) / 100;
    from_nanos(wait.saturating_add(u128::from(chance) % most_added.saturating_add(1)))
}

/// What is left once the item was given another chance: a backoff is over, and what the peer asked for yields to force
/// only.
///
/// All else stays, so that it can be told, and [does not hold](may_run) somebody who asks. Where nothing is left, nothing
/// makes the item run: that is up to whoever clears.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use syncmgr_core::{decision::retry::{Clearing, clear}, retry::{RetryState, Setback}};
/// let until = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60));
/// let asked = RetryState::new(Setback::NotBefore, SystemTime::UNIX_EPOCH, until);
/// assert_eq!(clear(Some(asked), Clearing::Manual), Some(asked)); // what a peer asks for outlives a click
/// assert_eq!(clear(Some(asked), Clearing::Force), None);
/// ```
pub fn clear(state: Option<RetryState>, by: Clearing) -> Option<RetryState> {
    state.filter(|state| match state.setback {
        Setback::Backoff => false,
        Setback::NotBefore => by != Clearing::Force,
        _ => true,
    })
}

/// Whether an item of which this is left may run now.
///
/// A backoff does not outlive a clock that was set back to before it began, as nobody knows how long it would last.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use syncmgr_core::{decision::retry::{Ask, may_run}, retry::{RetryState, Setback}};
/// let now = SystemTime::UNIX_EPOCH;
/// let state = RetryState::new(Setback::Backoff, now, Some(now + Duration::from_secs(30)));
/// assert!(may_run(&state, Ask::Automatic, now).is_err());
/// assert!(may_run(&state, Ask::ByHand, now).is_ok()); // somebody asked for it
/// ```
///
/// # Errors
/// Why not.
pub fn may_run(state: &RetryState, ask: Ask, now: SystemTime) -> Result<(), Hold> {
    let Some(hold) = state.hold() else { return Ok(()) };
    let holds = match (&hold, ask) {
        (_, Ask::Forced) => false,
        (Hold::NotBefore { until }, _) => now < *until,
        (_, Ask::ByHand) => false,
        (Hold::BackingOff { until, .. }, Ask::Automatic) => state.since <= now && now < *until,
        (_, Ask::Automatic) => true,
    };
    if holds { Err(hold) } else { Ok(()) }
}

/// What there was, and nothing where nothing was. The first failure is never in the future: a backoff would not hold.
pub(super) fn carried(before: Option<&RetryState>, now: SystemTime) -> RetryState {
    let now = round_down(now);
    let before = before.copied().unwrap_or_else(|| RetryState::new(Setback::Backoff, now, None));
    RetryState { since: before.since.min(now), ..before }
}

/// What there was, and one more failure; those in a row start over where the item got further.
pub(super) fn counted(before: Option<&RetryState>, advance: Advance, now: SystemTime) -> RetryState {
    let carried = carried(before, now);
    let failures = if advance == Advance::Moved { 0 } else { carried.failures };
    carried.with_failures(failures, carried.total.saturating_add(1))
}

/// The time the peer gave. One that has passed would be no wait at all.
pub(super) fn not_before(policy: &RetryPolicy, counted: RetryState, at: RetryAt, now: SystemTime) -> RetryState {
    let asked = match at {
        RetryAt::After(wait) => later(now, wait),
        RetryAt::At(time) => later(now, time.duration_since(now).unwrap_or_default()),
    };
    let until = if asked > now { asked } else { later(now, policy.initial) };
    RetryState { setback: Setback::NotBefore, until: Some(round_up(until)), ..counted }
}

fn backoff(policy: &RetryPolicy, counted: RetryState, advance: Advance, now: SystemTime, chance: u64) -> RetryState {
    let failures = counted.failures.saturating_add(1);
    let counted = RetryState { failures, ..counted };
    let in_vain = advance == Advance::Nothing && failures >= policy.budget;
    if in_vain || counted.total >= policy.partial_budget {
        return resting(counted, Setback::NeedsAttention);
    }
    let until = later(now, delay(policy, failures, chance));
    RetryState { setback: Setback::Backoff, until: Some(round_up(until)), ..counted }
}

/// It does not run by itself.
fn resting(counted: RetryState, setback: Setback) -> RetryState {
    RetryState { setback, until: None, ..counted }
}

fn from_nanos(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let below = u32::try_from(nanos % SECOND).unwrap_or_default();
    u64::try_from(nanos / SECOND).map_or(Duration::MAX, |seconds| Duration::new(seconds, below))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
