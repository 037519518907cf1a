//! What a host grants one handler: how many items at once, and how long anything may take.

use std::time::Duration;

/// How many items of a handler run at once, how long a cancelled item may take, and how long a call may go on.
///
/// A call that misses its deadline is told through its token, dropped after the soft grace, and has failed, whatever it
/// returns meanwhile.
///
/// ```
/// # use std::time::Duration;
/// # use syncmgr_core::info::{Limits, WhenStalled};
/// const SLOW_SERVER: Limits = Limits::DEFAULT
///     .with_items(2)
///     .with_soft_grace(Duration::from_secs(1))
///     .with_stall_after(Duration::from_secs(3600))
///     .with_stall_policy(WhenStalled::Report);
/// assert_eq!(SLOW_SERVER.prepare_deadline(), Duration::from_secs(300)); // as in the defaults
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "`with_` methods return the changed value"]
pub struct Limits {
    items: usize,
    soft_grace: Duration,
    hard_grace: Duration,
    initialize: Duration,
    listing: Duration,
    prepare: Duration,
    stall: Duration,
    when_stalled: WhenStalled,
}

/// What happens to an item that reports no progress for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenStalled {
    /// It is reported in the log and cancelled: it ends *failed*, transient.
    Cancel,
    /// It is reported in the log and goes on.
    Report,
}

impl Limits {
    /// 8 items at once; 100 ms until a cancelled item's future is dropped, 5 s until it counts as abandoned; 10 s for
    /// `initialize`, 60 s for `items`, 5 minutes for `prepare` and `show_error`; 10 minutes without progress.
    pub const DEFAULT: Self = Self {
        items: 8,
        soft_grace: Duration::from_millis(100),
        hard_grace: Duration::from_secs(5),
        initialize: Duration::from_secs(10),
        listing: Duration::from_secs(60),
        prepare: Duration::from_secs(300),
        stall: Duration::from_secs(600),
        when_stalled: WhenStalled::Cancel,
    };

    /// At most this many items of the handler run at once. Registration refuses 0.
    pub const fn with_items(mut self, items: usize) -> Self {
        self.items = items;
        self
    }

    /// How long a cancelled item may go on before its future is dropped at its next await.
    pub const fn with_soft_grace(mut self, grace: Duration) -> Self {
        self.soft_grace = grace;
        self
    }

    /// How long a cancelled item may take in all, work it must not interrupt and blocking work included; after that
    /// it ends *abandoned*. Never shorter than the soft grace.
    pub const fn with_hard_grace(mut self, grace: Duration) -> Self {
        self.hard_grace = grace;
        self
    }

    /// How long `initialize` may take.
    pub const fn with_initialize_deadline(mut self, deadline: Duration) -> Self {
        self.initialize = deadline;
        self
    }

    /// How long `items` may take.
    pub const fn with_items_deadline(mut self, deadline: Duration) -> Self {
        self.listing = deadline;
        self
    }

    /// How long `prepare`, and `show_error`, may take. The time does not run while the handler has the user's attention
    /// or waits for it.
    pub const fn with_prepare_deadline(mut self, deadline: Duration) -> Self {
        self.prepare = deadline;
        self
    }

    /// How long an item may go on without reporting progress until it counts as stalled; noticed at most a quarter of
    /// this later. A `synchronize` in which nothing at all happens for so long is stalled too.
    pub const fn with_stall_after(mut self, quiet: Duration) -> Self {
        self.stall = quiet;
        self
    }

    /// What happens then.
    pub const fn with_stall_policy(mut self, policy: WhenStalled) -> Self {
        self.when_stalled = policy;
        self
    }

    /// How many items may run at once.
    pub const fn items(self) -> usize {
        self.items
    }

    /// The soft grace.
    pub const fn soft_grace(self) -> Duration {
        self.soft_grace
    }

    /// The hard grace, at least as long as the soft one.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use syncmgr_core::info::Limits;
    /// let limits = Limits::DEFAULT.with_soft_grace(Duration::from_secs(20));
    /// assert_eq!(limits.hard_grace(), Duration::from_secs(20)); // 5 s would be shorter than the soft one
    /// ```
    pub fn hard_grace(self) -> Duration {
        self.hard_grace.max(self.soft_grace)
    }

    /// How long `initialize` may take.
    pub const fn initialize_deadline(self) -> Duration {
        self.initialize
    }

    /// How long `items` may take.
    pub const fn items_deadline(self) -> Duration {
        self.listing
    }

    /// How long `prepare` and `show_error` may take.
    pub const fn prepare_deadline(self) -> Duration {
        self.prepare
    }

    /// How long an item may go on without progress.
    pub const fn stall_after(self) -> Duration {
        self.stall
    }

    /// Whether some call would have no time at all.
    pub const fn any_is_zero(self) -> bool {
        self.initialize.is_zero() || self.listing.is_zero() || self.prepare.is_zero() || self.stall.is_zero()
    }

    /// What happens to an item that stalls.
    pub const fn stall_policy(self) -> WhenStalled {
        self.when_stalled
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
