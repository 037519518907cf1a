//! Progress of work that may begin again.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::mirror::monitor::{Done, FileError, Monitor, Stopped};

/// A monitor that reports each byte of a file once, also if the work on the file begins again.
pub(crate) struct Counted<'a> {
    monitor: &'a dyn Monitor,
    position: AtomicU64,
    reported: AtomicU64,
}

impl<'a> Counted<'a> {
    pub(crate) fn new(monitor: &'a dyn Monitor) -> Self {
        Self { monitor, position: AtomicU64::new(0), reported: AtomicU64::new(0) }
    }

    /// Goes back to the first byte.
    pub(crate) fn restart(&self) {
        self.position.store(0, Ordering::Relaxed);
    }
}

impl Monitor for Counted<'_> {
    fn advance(&self, bytes: u64) -> Result<(), Stopped> {
        let position = self.position.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let reported = self.reported.fetch_max(position, Ordering::Relaxed);
        self.monitor.advance(position.saturating_sub(reported))
    }

    fn done(&self, done: Done) {
        self.monitor.done(done);
    }

    fn warn(&self, path: &Path, text: &str) {
        self.monitor.warn(path, text);
    }

    fn fail(&self, error: FileError) {
        self.monitor.fail(error);
    }

    fn now(&self) -> SystemTime {
        self.monitor.now()
    }
}
