//! When a failed item runs again: rules and state as data.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::decision::hold::Hold;

/// How long to wait after failures that may pass, and when to stop trying.
///
/// The wait after the first failure is [`initial`](Self::initial), grows by [`factor`](Self::factor) up to
/// [`cap`](Self::cap), and up to [`jitter`](Self::jitter) percent are added to it, never taken away. The defaults stand
/// beside those of others in [`decision::retry`](crate::decision::retry).
///
/// ```
/// # use std::time::Duration;
/// # use syncmgr_core::{decision::retry::delay, retry::RetryPolicy};
/// let policy = RetryPolicy::DEFAULT.with_initial(Duration::from_secs(5)).with_jitter(0);
/// let waits: Vec<_> = (1..=4).map(|failures| delay(&policy, failures, 0).as_secs()).collect();
/// assert_eq!(waits, [5, 10, 20, 40]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[must_use = "`with_` methods return the changed value"]
pub struct RetryPolicy {
    /// The wait after the first failure; 30 s unless said otherwise.
    pub initial: Duration,
    /// How much longer the next wait is than the one before; 2 unless said otherwise, 0 counts as 1.
    pub factor: u32,
    /// The longest wait; 1 h unless said otherwise. What a peer asks for is not bounded by it.
    pub cap: Duration,
    /// How many percent are added to a wait at most, by chance; 10 unless said otherwise.
    pub jitter: u32,
    /// After so many failures in a row, none of which had got further, the item needs attention; 10 unless said otherwise.
    pub budget: u32,
    /// After so many failures since the last success, even if they got further; 50 unless said otherwise.
    pub partial_budget: u32,
}

impl RetryPolicy {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        initial: Duration::from_secs(30),
        factor: 2,
        cap: Duration::from_secs(60 * 60),
        jitter: 10,
        budget: 10,
        partial_budget: 50,
    };

    /// With this wait after the first failure.
    pub const fn with_initial(self, initial: Duration) -> Self {
        Self { initial, ..self }
    }

    /// With each wait so much longer than the one before.
    pub const fn with_factor(self, factor: u32) -> Self {
        Self { factor, ..self }
    }

    /// With this longest wait.
    pub const fn with_cap(self, cap: Duration) -> Self {
        Self { cap, ..self }
    }

    /// With up to so many percent added to each wait.
    pub const fn with_jitter(self, percent: u32) -> Self {
        Self { jitter: percent, ..self }
    }

    /// Trying so often without getting further, and so often at all.
    pub const fn with_budget(self, budget: u32, partial_budget: u32) -> Self {
        Self { budget, partial_budget, ..self }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What failures have left behind of an item or a resource. A success leaves none.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use syncmgr_core::{decision::hold::Hold, retry::{RetryState, Setback}};
/// let failed = SystemTime::UNIX_EPOCH;
/// let until = failed + Duration::from_secs(30);
/// let state = RetryState::new(Setback::Backoff, failed, Some(until)).with_failures(1, 1);
/// assert_eq!(state.hold(), Some(Hold::BackingOff { until, failures: 1 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RetryState {
    /// What stands in the way.
    pub setback: Setback,
    /// Failures in a row that may pass, since the item last got further.
    pub failures: u32,
    /// Failures since the last success, whether or not the item got further.
    pub total: u32,
    /// When the first of them was. Stored as milliseconds since 1970.
    #[serde(with = "crate::time")]
    pub since: SystemTime,
    /// It does not run by itself before this. `None` where no time was set: what only somebody who asks can end, and a
    /// resource that has failed too seldom to be held. Stored as milliseconds since 1970.
    #[serde(default, with = "crate::time::option")]
    pub until: Option<SystemTime>,
}

impl RetryState {
    /// This stands in the way since `since`, and nothing was counted yet.
    pub const fn new(setback: Setback, since: SystemTime, until: Option<SystemTime>) -> Self {
        Self { setback, failures: 0, total: 0, since, until }
    }

    /// With so many failures in a row, and so many since the last success.
    pub const fn with_failures(self, failures: u32, total: u32) -> Self {
        Self { failures, total, ..self }
    }

    /// Why it does not run by itself; `None` where this holds nothing back.
    ///
    /// Whether it still does at some time is [`may_run`](crate::decision::retry::may_run)'s to say.
    pub fn hold(&self) -> Option<Hold> {
        Some(match self.setback {
            Setback::Backoff => Hold::BackingOff { until: self.until?, failures: self.failures },
            Setback::NotBefore => Hold::NotBefore { until: self.until? },
            Setback::NeedsUser => Hold::NeedsUser,
            Setback::NeedsAttention => Hold::NeedsAttention { failures: self.total },
            Setback::Permanent => Hold::Permanent,
            Setback::Gone => Hold::Gone,
            Setback::UnreadableState => Hold::UnreadableState,
        })
    }
}

/// What stands in the way of an item that did not succeed.
///
/// ```
/// # use syncmgr_core::retry::Setback;
/// assert_eq!(serde_json::to_value(Setback::NotBefore)?, "not_before"); // what a store calls it
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Setback {
    /// It may work next time; the host waits a while.
    Backoff,
    /// The peer asked to be left alone until a time.
    NotBefore,
    /// It waits for a decision or for somebody to be there.
    NeedsUser,
    /// It was tried as often as the budget allows.
    NeedsAttention,
    /// It will not work until somebody changes something.
    Permanent,
    /// It no longer exists at the peer.
    Gone,
    /// Its state can no longer be read.
    UnreadableState,
}

impl Setback {
    /// Every setback, in the order of severity.
    pub const ALL: [Self; 7] = [
        Self::Backoff,
        Self::NotBefore,
        Self::NeedsUser,
        Self::NeedsAttention,
        Self::Permanent,
        Self::Gone,
        Self::UnreadableState,
    ];
}
