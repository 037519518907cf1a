//! The time as the runtime sees it.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// A reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Now {
    /// Time since some fixed start, never going back: for what is measured.
    pub mono: Duration,
    /// The time of day: for what is shown and stored.
    pub wall: SystemTime,
}

impl Now {
    /// These readings.
    pub const fn new(mono: Duration, wall: SystemTime) -> Self {
        Self { mono, wall }
    }
}

/// Where the runtime reads the time. Waiting goes through tokio's time, which tests can pause.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Now;
}

/// The machine's clocks; the monotonic one is tokio's, so it stands still while tokio's time is paused.
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
    #[expect(clippy::disallowed_methods, reason = "this is where the wall clock enters")]
    fn now(&self) -> Now {
        Now { mono: self.start.elapsed(), wall: SystemTime::now() }
    }
}

/// The time so much later, however much that is.
pub(crate) fn later(now: Instant, time: Duration) -> Instant {
    /// Longer than any program runs, and short enough to be added to.
    const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);
    now + time.min(FOR_EVER)
}
