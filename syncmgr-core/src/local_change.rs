//! Changes on this machine that a handler has to synchronize, such as files that were written.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::ItemId;

/// A change on this machine, as the handler's sources report it.
///
/// It says only that something may have changed, and not how: a file that is saved atomically looks like a deletion and a
/// creation for a moment. The run finds out by looking.
///
/// ```
/// # use syncmgr_core::{id::ItemId, local_change::LocalChange};
/// let saved = LocalChange::Item(ItemId::from_name("Documents"));
/// assert_ne!(saved, LocalChange::Unknown);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LocalChange {
    /// This item may have changed. It runs, if it is listed and chosen.
    Item(ItemId),
    /// Any item may have changed, for example because a source has lost events. All chosen items of the handler run: a full
    /// look.
    Unknown,
}

/// The times after which local changes start a run. A run starts once a handler's items were quiet for the quiet time, or at the
/// maximum wait after the first change, whichever is earlier.
///
/// A settings file has the keys `quiet` and `max_wait`, with durations such as `"500ms"`. What is left out has its default, and
/// zero is refused as at registration.
///
/// ```
/// # use std::time::Duration;
/// # use syncmgr_core::local_change::Settle;
/// const LARGE_FILES: Settle = Settle::DEFAULT.with_quiet(Duration::from_secs(5)).with_max_wait(Duration::from_secs(60));
/// assert_eq!(Settle::DEFAULT.quiet(), Duration::from_millis(500));
/// assert_eq!(LARGE_FILES.max_wait(), Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use = "`with_` methods return the changed value"]
pub struct Settle {
    #[serde(with = "crate::setting::positive_duration")]
    quiet: Duration,
    #[serde(with = "crate::setting::positive_duration")]
    max_wait: Duration,
}

impl Settle {
    /// The default times: quiet for 500 ms, and a maximum wait of 10 s.
    pub const DEFAULT: Self = Self { quiet: Duration::from_millis(500), max_wait: Duration::from_secs(10) };

    /// Sets the time without a change after which a run starts. Registration refuses zero.
    pub const fn with_quiet(mut self, quiet: Duration) -> Self {
        self.quiet = quiet;
        self
    }

    /// Sets the time from the first change to the start of a run while changes go on, such as those of a file that is written
    /// without pause. Registration refuses zero. A maximum wait below the quiet time counts as the quiet time.
    pub const fn with_max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// Returns the quiet time.
    pub const fn quiet(self) -> Duration {
        self.quiet
    }

    /// Returns the maximum wait. It is at least as long as the quiet time.
    pub fn max_wait(self) -> Duration {
        self.max_wait.max(self.quiet)
    }

    /// Returns `true` if one of the times is zero.
    pub const fn any_is_zero(self) -> bool {
        self.quiet.is_zero() || self.max_wait.is_zero()
    }
}

impl Default for Settle {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maximum_wait_below_the_quiet_time_counts_as_the_quiet_time() {
        let settle = Settle::DEFAULT.with_quiet(Duration::from_secs(60));
        assert_eq!(settle.max_wait(), Duration::from_secs(60));
    }

    #[test]
    fn settle_times_are_read_from_settings_as_people_write_them() {
        let settle: Settle = toml::from_str("quiet = \"2s\"").unwrap();
        assert_eq!(settle, Settle::DEFAULT.with_quiet(Duration::from_secs(2)));
        assert!(toml::from_str::<Settle>("quiet = \"0s\"").is_err());
        assert!(toml::from_str::<Settle>("quite = \"1s\"").is_err());
    }
}
