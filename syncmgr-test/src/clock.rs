//! Clocks that do as they are told.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use syncmgr_core::sync::Mutex;

use syncmgr_runtime::clock::{Clock, Now};
use tokio::time::Instant;

/// A clock that stands still until it is moved. Clones show the same time.
///
/// What waits, waits in tokio's time, which this one does not move: see [`VirtualClock`] for both at once.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Now>>);

impl ManualClock {
    /// A clock that shows this time of day.
    pub fn at(wall: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(Now::new(Duration::ZERO, wall))))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock();
        now.mono += by;
        now.wall += by;
    }

    /// Sets the time of day, as somebody who corrects a clock does. The monotonic time stays.
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

/// A clock that goes on with tokio's time, paused or not, and whose time of day can be set. Clones show the same time.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    start: Instant,
    wall_at_start: Arc<Mutex<SystemTime>>,
}

impl VirtualClock {
    /// A clock that shows this time of day now.
    pub fn at(wall: SystemTime) -> Self {
        Self { start: Instant::now(), wall_at_start: Arc::new(Mutex::new(wall)) }
    }

    /// Sets the time of day, as somebody who corrects a clock does. It goes on from there.
    ///
    /// # Panics
    /// When it is set to a time so early that the clock would have begun before time did.
    pub fn set_wall(&self, wall: SystemTime) {
        let at_start = wall.checked_sub(self.start.elapsed()).expect("a time of day that a clock can have begun at");
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
    async fn a_virtual_clock_goes_on_with_the_time_of_tokio_from_wherever_it_is_set() {
        let second = Duration::from_secs(1);
        let clock = VirtualClock::at(SystemTime::UNIX_EPOCH);
        tokio::time::sleep(second).await;
        assert_eq!(clock.now(), Now::new(second, SystemTime::UNIX_EPOCH + second));
        clock.set_wall(SystemTime::UNIX_EPOCH + 100 * second);
        tokio::time::sleep(second).await;
        assert_eq!(clock.now(), Now::new(2 * second, SystemTime::UNIX_EPOCH + 101 * second));
    }

    #[test]
    fn a_corrected_wall_clock_leaves_the_monotonic_one_alone() {
        let clock = ManualClock::default();
        clock.advance(Duration::from_secs(5));
        clock.set_wall(SystemTime::UNIX_EPOCH);
        assert_eq!(clock.now(), Now::new(Duration::from_secs(5), SystemTime::UNIX_EPOCH));
    }
}
