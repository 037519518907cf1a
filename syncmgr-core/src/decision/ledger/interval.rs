//! The least time between two starts.

use std::time::{Duration, SystemTime};

use crate::time::later;

/// Allows a start immediately, and the next one only after the interval has passed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Interval {
    length: Duration,
    end: Option<SystemTime>,
}

impl Interval {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, end: None }
    }

    /// Returns `true` if no interval is running.
    pub(super) fn is_ready(&mut self, now: SystemTime) -> bool {
        self.end = self.end.filter(|end| now < *end);
        self.end.is_none()
    }

    pub(super) fn start_interval(&mut self, now: SystemTime) {
        self.end = Some(later(now, self.length)).filter(|end| now < *end);
    }

    /// Returns the end of the running interval.
    pub(super) fn next(&self) -> Option<SystemTime> {
        self.end
    }
}
