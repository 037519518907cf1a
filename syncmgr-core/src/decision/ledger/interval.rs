//! The least time between two starts.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use crate::time::later;

/// Allows a start immediately, and the next one only after the interval has passed, or once the clock is set back to before its
/// start.
#[derive(Clone, Debug, Default)]
pub(super) struct Interval {
    length: Duration,
    running: Option<Range<SystemTime>>,
}

impl Interval {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, running: None }
    }

    /// Returns `true` if no interval is running.
    pub(super) fn is_ready(&mut self, now: SystemTime) -> bool {
        self.running = self.running.take().filter(|running| running.contains(&now));
        self.running.is_none()
    }

    pub(super) fn start_interval(&mut self, now: SystemTime) {
        self.running = Some(now..later(now, self.length)).filter(|running| !running.is_empty());
    }

    /// Returns the end of the running interval.
    pub(super) fn next(&self) -> Option<SystemTime> {
        self.running.as_ref().map(|running| running.end)
    }
}
