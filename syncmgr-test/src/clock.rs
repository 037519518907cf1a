//! Clocks that a test controls.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use syncmgr_core::sync::Mutex;

use syncmgr_runtime::clock::{Clock, Now};
use tokio::time::Instant;

/// A clock that only changes when the test moves it. Clones show the same time.
///
/// Timers are not affected, because they wait in tokio's time. For a clock that follows tokio's time, use [`VirtualClock`].
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Now>>);

impl ManualClock {
    /// Creates a clock that shows this time of day.
    pub fn at(wall: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(Now::new(Duration::ZERO, wall))))
    }

    /// Advances the monotonic time and the time of day.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock();
        now.mono += by;
        now.wall += by;
    }

    /// Sets the time of day, as a clock correction does. The monotonic time does not change.
    pub fn set_wall(&self, wall: SystemTime) {
        self.0.lock().wall = wall;
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(SystemTime::UNIX_EPOCH)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        *self.0.lock()
    }
}

/// A clock that follows tokio's time, paused or not, and whose time of day can be set. Clones show the same time.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    start: Instant,
    wall_at_start: Arc<Mutex<SystemTime>>,
}

impl VirtualClock {
    /// Creates a clock that now shows the time of day `wall`.
    pub fn at(wall: SystemTime) -> Self {
        Self { start: Instant::now(), wall_at_start: Arc::new(Mutex::new(wall)) }
    }

    /// Sets the time of day, as a clock correction does. The clock then continues from the new time.
    ///
    /// # Panics
    /// If the platform cannot represent `wall` minus the time since the clock's creation.
    pub fn set_wall(&self, wall: SystemTime) {
        let at_start =
            wall.checked_sub(self.start.elapsed()).expect("the time of day at the clock's creation is representable");
        *self.wall_at_start.lock() = at_start;
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Now {
        let mono = self.start.elapsed();
        Now::new(mono, *self.wall_at_start.lock() + mono)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_virtual_clock_follows_tokios_time_after_it_is_set() {
        let second = Duration::from_secs(1);
        let clock = VirtualClock::at(SystemTime::UNIX_EPOCH);
        tokio::time::sleep(second).await;
        assert_eq!(clock.now(), Now::new(second, SystemTime::UNIX_EPOCH + second));
        clock.set_wall(SystemTime::UNIX_EPOCH + 100 * second);
        tokio::time::sleep(second).await;
        assert_eq!(clock.now(), Now::new(2 * second, SystemTime::UNIX_EPOCH + 101 * second));
    }

    #[test]
    fn setting_the_time_of_day_leaves_the_monotonic_time_unchanged() {
        let clock = ManualClock::default();
        clock.advance(Duration::from_secs(5));
        clock.set_wall(SystemTime::UNIX_EPOCH);
        assert_eq!(clock.now(), Now::new(Duration::from_secs(5), SystemTime::UNIX_EPOCH));
    }
}
