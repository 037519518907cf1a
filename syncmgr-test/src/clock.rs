//! A clock that stands still until it is moved.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use syncmgr_runtime::clock::{Clock, Now};

/// A clock for tests. Clones show the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Now>>);

impl ManualClock {
    /// A clock that shows this time of day.
    pub fn at(wall: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(Now { mono: Duration::ZERO, wall })))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut now = self.lock();
        now.mono += by;
        now.wall += by;
    }

    /// Sets the time of day, as somebody who corrects a clock does. The monotonic time stays.
    pub fn set_wall(&self, wall: SystemTime) {
        self.lock().wall = wall;
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(SystemTime::UNIX_EPOCH)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        *self.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corrected_wall_clock_leaves_the_monotonic_one_alone() {
        let clock = ManualClock::default();
        clock.advance(Duration::from_secs(5));
        clock.set_wall(SystemTime::UNIX_EPOCH);
        assert_eq!(clock.now(), Now { mono: Duration::from_secs(5), wall: SystemTime::UNIX_EPOCH });
    }
}
