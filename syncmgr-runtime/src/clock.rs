//! The clock of the runtime.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// A reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Now {
    /// The monotonic time since a fixed start, for measurements.
    pub mono: Duration,
    /// The wall-clock time, for display and storage.
    pub wall: SystemTime,
}

impl Now {
    /// Creates a reading.
    pub const fn new(mono: Duration, wall: SystemTime) -> Self {
        Self { mono, wall }
    }
}

/// A source of time readings. Timers run on tokio's time instead, which tests can pause.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> Now;
}

/// The system clock. Its monotonic time is tokio's, so it stands still while tokio's time is paused.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "only this function reads the wall clock")]
    fn now(&self) -> Now {
        Now { mono: self.start.elapsed(), wall: SystemTime::now() }
    }
}

/// Adds `time` to `now`. A very long time is shortened, so that the sum cannot overflow.
pub(crate) fn later(now: Instant, time: Duration) -> Instant {
    /// A duration that is longer than any program runs, and short enough to add to an instant.
    const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);
    now + time.min(FOR_EVER)
}
