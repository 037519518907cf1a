//! The limits of one handler: concurrency, grace periods and deadlines.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The concurrency limit, grace periods and deadlines of a handler.
///
/// A call that misses its deadline is cancelled through its token and dropped after the soft grace. The call fails even if
/// it returns a result during the grace.
///
/// A settings file has the keys of `limits(..)` in `#[sync_handler]`: `items`, `soft_grace`, `hard_grace`, `initialize`, `list`,
/// `prepare`, `stall` and `when_stalled`. Durations are written as `"30s"` or `"5 min"`, what is left out has its default, and zero
/// is refused as at registration.
///
/// ```
/// # use std::time::Duration;
/// # use syncmgr_core::info::{Limits, StallPolicy};
/// const SLOW_SERVER: Limits = Limits::DEFAULT
///     .with_items(2)
///     .with_soft_grace(Duration::from_secs(1))
///     .with_stall_after(Duration::from_secs(3600))
///     .with_stall_policy(StallPolicy::Report);
/// assert_eq!(SLOW_SERVER.prepare_deadline(), Duration::from_secs(300)); // the default
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use = "`with_` methods return the changed value"]
pub struct Limits {
    #[serde(deserialize_with = "crate::setting::positive")]
    items: usize,
    #[serde(with = "crate::setting::duration")]
    soft_grace: Duration,
    #[serde(with = "crate::setting::duration")]
    hard_grace: Duration,
    #[serde(with = "crate::setting::positive_duration")]
    initialize: Duration,
    #[serde(rename = "list", with = "crate::setting::positive_duration")]
    listing: Duration,
    #[serde(with = "crate::setting::positive_duration")]
    prepare: Duration,
    #[serde(with = "crate::setting::positive_duration")]
    stall: Duration,
    when_stalled: StallPolicy,
}

/// The reaction to an item that makes no progress for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StallPolicy {
    /// The host logs the stall and cancels the item, which ends *failed* with a transient error.
    Cancel,
    /// The host logs the stall and the item continues.
    Report,
}

impl Limits {
    /// The default limits: 8 concurrent items; a soft grace of 100 ms and a hard grace of 5 s; deadlines of 10 s for
    /// `initialize`, 60 s for `items`, and 5 minutes each for `prepare` and `show_error`; a stall after 10 minutes.
    pub const DEFAULT: Self = Self {
        items: 8,
        soft_grace: Duration::from_millis(100),
        hard_grace: Duration::from_secs(5),
        initialize: Duration::from_secs(10),
        listing: Duration::from_secs(60),
        prepare: Duration::from_secs(300),
        stall: Duration::from_secs(600),
        when_stalled: StallPolicy::Cancel,
    };

    /// Sets the maximum number of items that run at the same time. Registration refuses 0.
    pub const fn with_items(mut self, items: usize) -> Self {
        self.items = items;
        self
    }

    /// Sets the time for which a cancelled item may continue. Then the item's future is dropped at its next await.
    pub const fn with_soft_grace(mut self, grace: Duration) -> Self {
        self.soft_grace = grace;
        self
    }

    /// Sets the total time that a cancelled item may take, including uninterrupted sections and blocking work. Then the
    /// item ends *abandoned*. A hard grace below the soft grace counts as the soft grace.
    pub const fn with_hard_grace(mut self, grace: Duration) -> Self {
        self.hard_grace = grace;
        self
    }

    /// Sets the deadline for `initialize`.
    pub const fn with_initialize_deadline(mut self, deadline: Duration) -> Self {
        self.initialize = deadline;
        self
    }

    /// Sets the deadline for `items`.
    pub const fn with_items_deadline(mut self, deadline: Duration) -> Self {
        self.listing = deadline;
        self
    }

    /// Sets the deadline for `prepare` and for `show_error`. The time does not run while the handler holds the user's
    /// attention or waits for it.
    pub const fn with_prepare_deadline(mut self, deadline: Duration) -> Self {
        self.prepare = deadline;
        self
    }

    /// Sets the time without progress after which an item counts as stalled. The host detects the stall at most a quarter
    /// of this time later. The `synchronize` of a handler that runs its items itself is stalled if it reports nothing for
    /// this time.
    pub const fn with_stall_after(mut self, quiet: Duration) -> Self {
        self.stall = quiet;
        self
    }

    /// Sets the reaction to a stall.
    pub const fn with_stall_policy(mut self, policy: StallPolicy) -> Self {
        self.when_stalled = policy;
        self
    }

    /// Returns the maximum number of items that run at the same time.
    pub const fn items(self) -> usize {
        self.items
    }

    /// Returns the soft grace.
    pub const fn soft_grace(self) -> Duration {
        self.soft_grace
    }

    /// Returns the hard grace. It is at least as long as the soft grace.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use syncmgr_core::info::Limits;
    /// let limits = Limits::DEFAULT.with_soft_grace(Duration::from_secs(20));
    /// assert_eq!(limits.hard_grace(), Duration::from_secs(20)); // 5 s is shorter than the soft grace
    /// ```
    pub fn hard_grace(self) -> Duration {
        self.hard_grace.max(self.soft_grace)
    }

    /// Returns the deadline for `initialize`.
    pub const fn initialize_deadline(self) -> Duration {
        self.initialize
    }

    /// Returns the deadline for `items`.
    pub const fn items_deadline(self) -> Duration {
        self.listing
    }

    /// Returns the deadline for `prepare` and for `show_error`.
    pub const fn prepare_deadline(self) -> Duration {
        self.prepare
    }

    /// Returns the time without progress after which an item counts as stalled.
    pub const fn stall_after(self) -> Duration {
        self.stall
    }

    /// Returns `true` if a deadline or the stall time is zero.
    pub const fn any_is_zero(self) -> bool {
        self.initialize.is_zero() || self.listing.is_zero() || self.prepare.is_zero() || self.stall.is_zero()
    }

    /// Returns the reaction to a stall.
    pub const fn stall_policy(self) -> StallPolicy {
        self.when_stalled
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
