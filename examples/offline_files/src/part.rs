//! What an item of this program is: a part of both trees, and what became of it so far.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use syncmgr::prelude::*;
use syncmgr::text::Escaped;
use tokio::time::{Duration, Instant};

use crate::compared::Compared;
use crate::mirror::{Done, Extent};
use crate::shown::Shown;

/// A part of both trees. The work writes into it, the report reads it.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) extent: Extent,
    written: AtomicU64,
    planned: AtomicU64,
    tally: Mutex<Tally>,
}

/// Adds the time it lives to what a part took.
#[must_use = "it measures until it is dropped"]
pub(crate) struct Stopwatch<'a> {
    part: &'a Part,
    began: Instant,
}

/// What became of a part.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) duration: Duration,
    pub(crate) counts: Counts,
    pub(crate) compared: Option<Compared>,
    pub(crate) errors: Vec<Remark>,
    pub(crate) warnings: Vec<Remark>,
}

/// Entries, by what was done with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) copied: u64,
    pub(crate) directories_made: u64,
    pub(crate) permissions_set: u64,
    pub(crate) deleted: u64,
    pub(crate) unchanged: u64,
}

/// Something to say about one path.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Remark {
    #[serde(flatten)]
    pub(crate) path: Shown<PathBuf>,
    pub(crate) message: String,
}

impl Part {
    pub(crate) fn new(extent: Extent) -> Self {
        Self { extent, written: AtomicU64::new(0), planned: AtomicU64::new(0), tally: Mutex::default() }
    }

    /// Where it is, below FROM and TO. The top level is `.`, which no directory can be called.
    pub(crate) fn path(&self) -> &Path {
        match &self.extent {
            Extent::Directory(name) => Path::new(name),
            Extent::TopLevel => Path::new("."),
        }
    }

    /// The item that stands for it. Its id comes from the bytes of its name, which need not be text.
    pub(crate) fn item(&self) -> SyncItem {
        let name: &OsStr = self.path().as_os_str();
        SyncItem::new(ItemId::from_bytes(name.as_bytes()), name.to_string_lossy())
    }

    /// Expects this many bytes to be written.
    pub(crate) fn plan(&self, bytes: u64) {
        self.planned.store(bytes, Ordering::Relaxed);
    }

    /// Adds `bytes` to what was written. Returns what was written and what there is to write in all.
    pub(crate) fn wrote(&self, bytes: u64) -> (u64, u64) {
        let before = self.written.fetch_add(bytes, Ordering::Relaxed);
        (before + bytes, self.planned.load(Ordering::Relaxed))
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Measures until the stopwatch is dropped.
    pub(crate) fn measure(&self) -> Stopwatch<'_> {
        Stopwatch { part: self, began: Instant::now() }
    }

    /// Notes something that was passed over on purpose.
    pub(crate) fn warn(&self, item: &ItemContext, path: &Path, text: &str) {
        let remark = Remark::new(path, text);
        item.warn(remark.to_string());
        self.tally().warnings.push(remark);
    }

    /// Takes errors from the session's log where the work itself had no chance to note any, after a panic for example.
    pub(crate) fn explain<'a>(&self, log: impl Iterator<Item = &'a Arc<LogEntry>>) {
        let mut tally = self.tally();
        if tally.errors.is_empty() {
            let errors = log.filter(|entry| entry.level == LogLevel::Error);
            tally.errors.extend(errors.map(|entry| Remark::new(self.path(), &*entry.text)));
        }
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stopwatch<'_> {
    fn drop(&mut self) {
        self.part.tally().duration += self.began.elapsed();
    }
}

impl Remark {
    pub(crate) fn new(path: &Path, message: impl Into<String>) -> Self {
        Self { path: Shown(path.to_owned()), message: message.into() }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, Escaped(&self.message))
    }
}

impl Counts {
    /// Counts one entry.
    pub(crate) fn add(&mut self, done: Done) {
        *match done {
            Done::Copied => &mut self.copied,
            Done::Made => &mut self.directories_made,
            Done::Adjusted => &mut self.permissions_set,
            Done::Deleted => &mut self.deleted,
        } += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_explains_only_what_the_work_could_not() {
        let log = [LogLevel::Warning, LogLevel::Error].map(|level| Arc::new(LogEntry::new(level, "it panicked")));
        let part = Part::new(Extent::TopLevel);
        for _ in 0..2 {
            part.explain(log.iter());
            assert_eq!(part.tally().errors.iter().map(Remark::to_string).collect::<Vec<_>>(), [".: it panicked"]);
        }
    }
}
