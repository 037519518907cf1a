//! A clock that stands still.

use std::time::{Duration, SystemTime};

use syncmgr_runtime::clock::{Clock, Now};

/// It is always [`noon`].
pub(crate) struct Noon;

impl Clock for Noon {
    fn now(&self) -> Now {
        Now::new(Duration::ZERO, noon())
    }
}

/// Returns a noon in 1970.
pub(crate) fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(12 * 60 * 60)
}
