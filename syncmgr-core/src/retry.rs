//! Retry policy and state, as plain data.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::decision::hold::Hold;

/// The wait after transient failures, and the number of failures after which retries stop.
///
/// The wait after the first failure is [`initial`](Self::initial). Later waits grow by [`factor`](Self::factor) up to
/// [`cap`](Self::cap). Up to [`jitter`](Self::jitter) percent are then added at random, the same for all failures of an attempt.
///
/// Items of one handler that are due at about the same time run together. An item waits for the others for at most a tenth of
/// its own wait.
///
/// [`decision::retry`](crate::decision::retry) compares the defaults with those of other systems.
///
/// In a settings file, durations are written as `"30s"` or `"5 min"`, and what is left out has its default. Zero waits, factors
/// and budgets are refused there.
///
/// ```
/// # use std::time::Duration;
/// # use syncmgr_core::{decision::retry::delay, retry::RetryPolicy};
/// let policy = RetryPolicy::DEFAULT.with_initial(Duration::from_secs(5)).with_jitter(0);
/// let waits: Vec<_> = (1..=4).map(|failures| delay(&policy, failures, 0).as_secs()).collect();
/// assert_eq!(waits, [5, 10, 20, 40]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[must_use = "`with_` methods return the changed value"]
pub struct RetryPolicy {
    /// The wait after the first failure. The default is 30 s.
    #[serde(with = "crate::setting::positive_duration")]
    pub initial: Duration,
    /// The factor between a wait and the next. The default is 2; 0 counts as 1.
    #[serde(deserialize_with = "crate::setting::positive")]
    pub factor: u32,
    /// The longest wait. The default is 1 h. The cap does not limit a time that the peer asks for.
    #[serde(with = "crate::setting::positive_duration")]
    pub cap: Duration,
    /// The maximum random addition to a wait, in percent. The default is 10.
    pub jitter: u32,
    /// The number of failures in a row without progress after which the item needs attention. The default is 10.
    #[serde(deserialize_with = "crate::setting::positive")]
    pub budget: u32,
    /// The number of failures since the last success after which the item needs attention, even with progress. The
    /// default is 50.
    #[serde(deserialize_with = "crate::setting::positive")]
    pub partial_budget: u32,
}

impl RetryPolicy {
    /// The default policy.
    pub const DEFAULT: Self = Self {
        initial: Duration::from_secs(30),
        factor: 2,
        cap: Duration::from_secs(60 * 60),
        jitter: 10,
        budget: 10,
        partial_budget: 50,
    };

    /// Sets the wait after the first failure.
    pub const fn with_initial(self, initial: Duration) -> Self {
        Self { initial, ..self }
    }

    /// Sets the factor between a wait and the next.
    pub const fn with_factor(self, factor: u32) -> Self {
        Self { factor, ..self }
    }

    /// Sets the longest wait.
    pub const fn with_cap(self, cap: Duration) -> Self {
        Self { cap, ..self }
    }

    /// Sets the maximum random addition to a wait, in percent.
    pub const fn with_jitter(self, percent: u32) -> Self {
        Self { jitter: percent, ..self }
    }

    /// Sets the numbers of failures after which the item needs attention: without progress, and in total.
    pub const fn with_budget(self, budget: u32, partial_budget: u32) -> Self {
        Self { budget, partial_budget, ..self }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The retry state of an item or a resource after a failure. A success removes it.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use syncmgr_core::{decision::hold::Hold, retry::{RetryState, RetryStatus}};
/// let failed = SystemTime::UNIX_EPOCH;
/// let until = failed + Duration::from_secs(30);
/// let state = RetryState::new(RetryStatus::Backoff, failed, Some(until)).with_failures(1, 1);
/// assert_eq!(state.hold(), Some(Hold::BackingOff { until, failures: 1 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RetryState {
    /// The retry status.
    pub status: RetryStatus,
    /// The number of transient failures in a row since the last progress.
    pub failures: u32,
    /// The number of failures since the last success.
    pub total: u32,
    /// The time of the first of these failures. Stored as milliseconds since 1970.
    #[serde(with = "crate::time")]
    pub since: SystemTime,
    /// The time before which no automatic run starts. `None` if the status only ends on request, or for a resource with
    /// too few failures to be held. Stored as milliseconds since 1970.
    #[serde(default, with = "crate::time::option")]
    pub until: Option<SystemTime>,
}

impl RetryState {
    /// Creates a state with this status and no failures. `since` is the time of the first failure.
    pub const fn new(status: RetryStatus, since: SystemTime, until: Option<SystemTime>) -> Self {
        Self { status, failures: 0, total: 0, since, until }
    }

    /// Sets the number of failures in a row, and the number since the last success.
    pub const fn with_failures(self, failures: u32, total: u32) -> Self {
        Self { failures, total, ..self }
    }

    /// Returns the hold on automatic runs, if any.
    ///
    /// The hold may already have ended: [`may_run`](crate::decision::retry::may_run) decides that for a given time.
    pub fn hold(&self) -> Option<Hold> {
        Some(match self.status {
            RetryStatus::Interrupted if self.until.is_none() => Hold::NeedsAttention { failures: self.total },
            RetryStatus::Backoff | RetryStatus::Interrupted => {
                Hold::BackingOff { until: self.until?, failures: self.failures }
            }
            RetryStatus::NotBefore => Hold::NotBefore { until: self.until? },
            RetryStatus::Asks => return None,
            RetryStatus::NeedsUser => Hold::NeedsUser,
            RetryStatus::NeedsAttention => Hold::NeedsAttention { failures: self.total },
            RetryStatus::Permanent => Hold::Permanent,
            RetryStatus::Gone => Hold::Gone,
            RetryStatus::UnreadableState => Hold::UnreadableState,
        })
    }
}

/// The reason why an item that did not succeed is not run again immediately.
///
/// ```
/// # use syncmgr_core::retry::RetryStatus;
/// assert_eq!(serde_json::to_value(RetryStatus::NotBefore)?, "not_before"); // the stored name
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RetryStatus {
    /// The item may succeed later; the host retries after a wait.
    Backoff,
    /// The process ended while the item ran. That counts as a failure; the host retries after a wait, and runs the item alone. A
    /// state without a time has used up the retry budget, and becomes [`NeedsAttention`](Self::NeedsAttention) when the handler
    /// is registered.
    Interrupted,
    /// The peer asked the host to wait until a given time.
    NotBefore,
    /// A question about a part of the item is open. The item runs as if it had succeeded.
    Asks,
    /// The item waits for a decision, or for the user to be present.
    NeedsUser,
    /// The item failed as often as the retry policy allows.
    NeedsAttention,
    /// The item fails until the user or the application changes something.
    Permanent,
    /// The item no longer exists at the peer.
    Gone,
    /// The item's saved state cannot be read.
    UnreadableState,
}

impl RetryStatus {
    /// All values, in order of severity.
    pub const ALL: [Self; 9] = [
        Self::Backoff,
        Self::Interrupted,
        Self::NotBefore,
        Self::Asks,
        Self::NeedsUser,
        Self::NeedsAttention,
        Self::Permanent,
        Self::Gone,
        Self::UnreadableState,
    ];

    /// Returns `true` if this status ends at a known time, without a request.
    ///
    /// ```
    /// # use syncmgr_core::retry::RetryStatus;
    /// assert!(RetryStatus::Backoff.is_timed() && !RetryStatus::NeedsUser.is_timed());
    /// ```
    pub const fn is_timed(self) -> bool {
        matches!(self, Self::Backoff | Self::Interrupted | Self::NotBefore)
    }
}
