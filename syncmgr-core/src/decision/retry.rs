//! The retry state of an item, and the time of its next attempt.
//!
//! | | first wait | factor | longest wait | jitter | gives up |
//! |---|---|---|---|---|---|
//! | [`RetryPolicy::DEFAULT`] | 30 s | 2 | 1 h | 0 to 10 % more, each wait | after 10 failures in a row without progress, or 50 since the last success: the item needs attention |
//! | Android sync | 30 s | 2 | 1 h | 0 to 10 % more, the first wait only | never |
//! | WorkManager | 30 s, at least 10 s | 2, or constant | 5 h | | never |
//! | Airbyte | 10 s | 3 | 270 s | | after 5 failures in a row, 10 in all, or 20 with progress |
//! | Temporal | 1 s | 2 | 100 s | | never |
//!
//! With the defaults, the waits are 30 s, 1, 2, 4, 8, 16 and 32 min and twice 1 h: an item without progress needs attention some
//! 3 hours after its first failure. A not-before time of the peer does not follow these rules: it does not count as a failure in
//! a row, and it may be later than the longest wait.
//!
//! Only a backoff and a not-before time end at a known time. All other states end with a request for the item.

use std::time::{Duration, SystemTime};

use super::hold::Hold;
use super::verdict::{Outcome, Verdict};
use crate::error::{FailureClass, RetryAt};
use crate::retry::{RetryPolicy, RetryState, RetryStatus};
use crate::time::{later, round_down, round_up};

/// The progress of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptProgress {
    /// The attempt committed nothing.
    None,
    /// The attempt committed progress.
    Committed,
}

/// The origin of a request to run an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RequestedBy {
    /// Automatic: a schedule, the network, or a due retry.
    Automatic,
    /// The user or the application requested it.
    User,
    /// The user or the application forces it, whatever the peer asked for.
    UserForced,
}

impl RequestedBy {
    /// Returns the event that a request of this origin is for a retry state. `None` if it is automatic, and clears nothing.
    pub const fn clears(self) -> Option<ClearedBy> {
        match self {
            Self::Automatic => None,
            Self::User => Some(ClearedBy::User),
            Self::UserForced => Some(ClearedBy::UserForced),
        }
    }
}

/// An event that clears the retry state of an item before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ClearedBy {
    /// The network is back.
    Reconnect,
    /// The user or the application requested the item.
    User,
    /// The user or the application forces the item, whatever the peer asked for.
    UserForced,
}

/// Returns the new retry state of an item after an attempt. `before` is its old state.
///
/// `chance` is a random number, used as jitter. A request before the end of a wait has to [clear] the old state first and
/// pass the cleared state as `before`, so that frequent requests do not make the wait longer. Times in the returned state are whole
/// milliseconds, as in every store; a not-before time is rounded up.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use syncmgr_core::{decision::{retry::{AttemptProgress, after}, verdict::Verdict}, error::FailureClass, retry::RetryPolicy};
/// let now = SystemTime::UNIX_EPOCH;
/// let verdict = Verdict::failed(FailureClass::Transient);
/// let state = after(&RetryPolicy::DEFAULT, None, verdict, AttemptProgress::None, now, 0).expect("a failure is recorded");
/// assert_eq!(state.until, Some(now + Duration::from_secs(30)));
/// ```
pub fn after(
    policy: &RetryPolicy,
    before: Option<&RetryState>,
    verdict: Verdict,
    progress: AttemptProgress,
    now: SystemTime,
    chance: u64,
) -> Option<RetryState> {
    match verdict.outcome {
        Outcome::Succeeded => None,
        Outcome::NeedsUser if verdict.is_partial => Some(RetryState::new(RetryStatus::Asks, round_down(now), None)),
        Outcome::Skipped | Outcome::Stopped => before.copied(),
        Outcome::NeedsUser => Some(untimed(state_or_empty(before, now), RetryStatus::NeedsUser)),
        Outcome::Failed => {
            let counted = add_failure(before, progress, now);
            Some(match verdict.class.unwrap_or(FailureClass::Transient) {
                FailureClass::Transient => backoff(policy, counted, progress, now, chance),
                FailureClass::NotBefore(at) => not_before(policy, counted, at, now),
                FailureClass::Permanent => untimed(counted, RetryStatus::Permanent),
                FailureClass::Gone => untimed(counted, RetryStatus::Gone),
                FailureClass::UnreadableState => untimed(counted, RetryStatus::UnreadableState),
            })
        }
    }
}

/// Returns the state that is stored before an item runs that may have ended its process: the state after another interruption.
///
/// An interruption is a transient failure without progress. The end of the attempt replaces this state, so it only counts if the
/// process ends before. A state without a time has used up the retry budget: the item needs attention.
///
/// ```
/// # use std::time::SystemTime;
/// # use syncmgr_core::{decision::retry::interrupted, retry::{RetryPolicy, RetryStatus}};
/// let state = interrupted(&RetryPolicy::DEFAULT, None, SystemTime::UNIX_EPOCH, 0);
/// assert_eq!((state.status, state.failures), (RetryStatus::Interrupted, 1));
/// let last = interrupted(&RetryPolicy::DEFAULT.with_budget(1, 50), None, SystemTime::UNIX_EPOCH, 0);
/// assert_eq!((last.status, last.until), (RetryStatus::Interrupted, None));
/// ```
pub fn interrupted(policy: &RetryPolicy, before: Option<&RetryState>, now: SystemTime, chance: u64) -> RetryState {
    let counted = add_failure(before, AttemptProgress::None, now);
    let state = backoff(policy, counted, AttemptProgress::None, now, chance);
    RetryState { status: RetryStatus::Interrupted, ..state }
}

/// Returns the wait after this number of failures in a row.
///
/// `chance` selects the jitter, which only makes the wait longer. The result may exceed the cap by the jitter.
pub fn delay(policy: &RetryPolicy, failures: u32, chance: u64) -> Duration {
    let growth = u128::from(policy.factor.max(1)).saturating_pow(failures.saturating_sub(1));
    let wait = policy.initial.as_nanos().saturating_mul(growth).min(policy.cap.as_nanos());
    let most_added = wait.saturating_mul(policy.jitter.into()) / 100;
    from_nanos(wait.saturating_add(u128::from(chance) % most_added.saturating_add(1)))
}

/// Clears the retry state of an item and returns the new state: a backoff always ends, a not-before time only with
/// [`ClearedBy::UserForced`].
///
/// Every other state stays, so that it can be shown; it [does not hold](may_run) a requested item. This function does not
/// start the item.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use syncmgr_core::{decision::retry::{ClearedBy, clear}, retry::{RetryState, RetryStatus}};
/// let until = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60));
/// let asked = RetryState::new(RetryStatus::NotBefore, SystemTime::UNIX_EPOCH, until);
/// assert_eq!(clear(Some(asked), ClearedBy::User), Some(asked)); // a manual request does not clear it
/// assert_eq!(clear(Some(asked), ClearedBy::UserForced), None);
/// ```
pub fn clear(state: Option<RetryState>, by: ClearedBy) -> Option<RetryState> {
    state.filter(|state| match state.status {
        RetryStatus::Backoff => false,
        // The network does not explain the end of the process.
        RetryStatus::Interrupted => by == ClearedBy::Reconnect,
        RetryStatus::NotBefore => by != ClearedBy::UserForced,
        _ => true,
    })
}

/// Checks if an item with this retry state may run now.
///
/// A backoff that began in the future does not hold the item: the clock was set back, so the remaining wait is unknown.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use syncmgr_core::{decision::retry::{RequestedBy, may_run}, retry::{RetryState, RetryStatus}};
/// let now = SystemTime::UNIX_EPOCH;
/// let state = RetryState::new(RetryStatus::Backoff, now, Some(now + Duration::from_secs(30)));
/// assert!(may_run(&state, RequestedBy::Automatic, now).is_err());
/// assert!(may_run(&state, RequestedBy::User, now).is_ok()); // it was requested
/// ```
///
/// # Errors
/// The reason if the item may not run.
pub fn may_run(state: &RetryState, requested_by: RequestedBy, now: SystemTime) -> Result<(), Hold> {
    let Some(hold) = state.hold() else { return Ok(()) };
    let holds = match (&hold, requested_by) {
        (_, RequestedBy::UserForced) => false,
        (Hold::NotBefore { until }, _) => now < *until,
        (_, RequestedBy::User) => false,
        (Hold::BackingOff { until, .. }, RequestedBy::Automatic) => state.since <= now && now < *until,
        (_, RequestedBy::Automatic) => true,
    };
    if holds { Err(hold) } else { Ok(()) }
}

/// Returns the old state, or an empty one. Its start is never in the future, because such a backoff would not hold the item.
pub(super) fn state_or_empty(before: Option<&RetryState>, now: SystemTime) -> RetryState {
    let now = round_down(now);
    let before = before.copied().unwrap_or_else(|| RetryState::new(RetryStatus::Backoff, now, None));
    RetryState { since: before.since.min(now), ..before }
}

/// Returns the old state with one more failure. Progress resets the number of failures in a row.
pub(super) fn add_failure(before: Option<&RetryState>, progress: AttemptProgress, now: SystemTime) -> RetryState {
    let state = state_or_empty(before, now);
    let failures = if progress == AttemptProgress::Committed { 0 } else { state.failures };
    state.with_failures(failures, state.total.saturating_add(1))
}

/// Returns the state for a not-before time. A time that has passed is replaced by the initial wait.
pub(super) fn not_before(policy: &RetryPolicy, counted: RetryState, at: RetryAt, now: SystemTime) -> RetryState {
    let requested = match at {
        RetryAt::After(wait) => later(now, wait),
        RetryAt::At(time) => later(now, time.duration_since(now).unwrap_or_default()),
    };
    let until = if requested > now { requested } else { later(now, policy.initial) };
    RetryState { status: RetryStatus::NotBefore, until: Some(round_up(until)), ..counted }
}

fn backoff(
    policy: &RetryPolicy,
    counted: RetryState,
    progress: AttemptProgress,
    now: SystemTime,
    chance: u64,
) -> RetryState {
    let failures = counted.failures.saturating_add(1);
    let counted = RetryState { failures, ..counted };
    let exhausted = progress == AttemptProgress::None && failures >= policy.budget;
    if exhausted || counted.total >= policy.partial_budget {
        return untimed(counted, RetryStatus::NeedsAttention);
    }
    let until = later(now, delay(policy, failures, chance));
    RetryState { status: RetryStatus::Backoff, until: Some(round_up(until)), ..counted }
}

/// Returns a state without a time: the item runs again only if it is requested.
fn untimed(counted: RetryState, status: RetryStatus) -> RetryState {
    RetryState { status, until: None, ..counted }
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
