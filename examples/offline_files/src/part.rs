//! The part of both trees that an item covers, and its results.

use std::ffi::OsStr;
use std::fmt;
use std::ops::Add;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use syncmgr::prelude::*;
use syncmgr::text::Escaped;
use tokio::time::{Duration, Instant};

use crate::escape::EscapedPath;
use crate::guard::Tally;
use crate::mirror::{Done, Extent};
use crate::scan_scope::ScanScope;

/// A part of both trees. The work stores its results in the part, and the report reads them.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) extent: Extent,
    written: AtomicU64,
    planned: AtomicU64,
    /// The numbers of its plan, once it is scanned. Locked during a scan, so that items do not repeat it for each other.
    pub(crate) tally: Mutex<Option<Tally>>,
    result: Mutex<PartResult>,
}

/// A stopwatch that adds the time until it is dropped to the duration of a part.
#[must_use = "a stopwatch measures until it is dropped"]
pub(crate) struct Stopwatch<'a> {
    part: &'a Part,
    began: Instant,
}

/// The result of the work on a part.
#[derive(Debug, Default)]
pub(crate) struct PartResult {
    pub(crate) duration: Duration,
    pub(crate) counts: Counts,
    pub(crate) scan_scope: Option<ScanScope>,
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Numbers of entries by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) copied: u64,
    pub(crate) directories_made: u64,
    pub(crate) permissions_set: u64,
    pub(crate) deleted: u64,
    /// Only of a synchronization in both directions.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) moved: u64,
    /// Entries that changed during the run. Only of a synchronization in both directions.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) left: u64,
    pub(crate) unchanged: u64,
}

/// A message about one path.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Diagnostic {
    #[serde(flatten)]
    pub(crate) path: EscapedPath<PathBuf>,
    #[serde(skip_serializing_if = "Kind::is_problem")]
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    #[default]
    Problem,
    /// The entry differs on both sides, and stays so until a person changes or decides something.
    Conflict,
    /// The item has deletions that look like a mistake. Several items may have the same message.
    Refusal,
}

impl Part {
    pub(crate) fn new(extent: Extent) -> Self {
        let (written, planned) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { extent, written, planned, tally: Mutex::default(), result: Mutex::default() }
    }

    /// The path relative to FROM and TO. The top level is `.`, which is not a valid directory name.
    pub(crate) fn path(&self) -> &Path {
        match &self.extent {
            Extent::Directory(name) => Path::new(name),
            Extent::TopLevel => Path::new("."),
        }
    }

    /// The item of this part. Its id is derived from the bytes of its name, which may not be UTF-8.
    pub(crate) fn item(&self) -> SyncItem {
        let name: &OsStr = self.path().as_os_str();
        SyncItem::new(ItemId::from_name_bytes(name.as_bytes()), name.to_string_lossy())
    }

    /// The item of this part, which watches its directory in these roots.
    pub(crate) fn watched_item<'a>(&self, roots: impl IntoIterator<Item = &'a PathBuf>) -> SyncItem {
        roots.into_iter().fold(self.item(), |item, root| match &self.extent {
            Extent::Directory(name) => item.with_watch(root.join(name)),
            // With the directories that appear in it.
            Extent::TopLevel => item.with_watch(root),
        })
    }

    /// Sets the number of bytes to write.
    pub(crate) fn plan(&self, bytes: u64) {
        self.planned.store(bytes, Ordering::Relaxed);
    }

    /// Adds `bytes` to the bytes written. Returns the bytes written and the bytes to write.
    pub(crate) fn add_written(&self, bytes: u64) -> (u64, u64) {
        let before = self.written.fetch_add(bytes, Ordering::Relaxed);
        (before + bytes, self.planned.load(Ordering::Relaxed))
    }

    /// The bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Measures until the stopwatch is dropped.
    pub(crate) fn measure(&self) -> Stopwatch<'_> {
        Stopwatch { part: self, began: Instant::now() }
    }

    /// Records a warning about an entry that was skipped.
    pub(crate) fn warn(&self, item: &ItemContext, path: &Path, text: &str) {
        let diagnostic = Diagnostic::new(path, text);
        item.warn(diagnostic.to_string());
        self.result().warnings.push(diagnostic);
    }

    /// Copies the errors from the session's log if the work recorded none, for example after a panic.
    pub(crate) fn explain<'a>(&self, log: impl Iterator<Item = &'a Arc<LogEntry>>) {
        let mut result = self.result();
        if result.errors.is_empty() {
            let errors = log.filter(|entry| entry.level == LogLevel::Error);
            result.errors.extend(errors.map(|entry| Diagnostic::new(self.path(), &*entry.text)));
        }
    }

    pub(crate) fn result(&self) -> MutexGuard<'_, PartResult> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stopwatch<'_> {
    fn drop(&mut self) {
        self.part.result().duration += self.began.elapsed();
    }
}

impl Diagnostic {
    pub(crate) fn new(path: &Path, message: impl Into<String>) -> Self {
        Self { path: EscapedPath(path.to_owned()), kind: Kind::Problem, message: message.into() }
    }

    pub(crate) fn with_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }
}

impl Kind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_problem(&self) -> bool {
        *self == Self::Problem
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, Escaped(&self.message))
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            copied: self.copied + other.copied,
            directories_made: self.directories_made + other.directories_made,
            permissions_set: self.permissions_set + other.permissions_set,
            deleted: self.deleted + other.deleted,
            moved: self.moved + other.moved,
            left: self.left + other.left,
            unchanged: self.unchanged + other.unchanged,
        }
    }
}

impl Counts {
    /// Returns `true` if an entry was changed.
    pub(crate) fn has_changes(self) -> bool {
        Self { unchanged: 0, left: 0, ..self } != Self::default()
    }

    /// Counts one entry.
    pub(crate) fn count(&mut self, done: Done) {
        *match done {
            Done::Copied => &mut self.copied,
            Done::Created => &mut self.directories_made,
            Done::Adjusted => &mut self.permissions_set,
            Done::Deleted => &mut self.deleted,
            Done::Moved => &mut self.moved,
            Done::Left => &mut self.left,
        } += 1;
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_errors_are_copied_only_if_the_work_recorded_none() {
        let log = [LogLevel::Warning, LogLevel::Error].map(|level| Arc::new(LogEntry::new(level, "it panicked")));
        let part = Part::new(Extent::TopLevel);
        for _ in 0..2 {
            part.explain(log.iter());
            assert_eq!(part.result().errors.iter().map(Diagnostic::to_string).collect::<Vec<_>>(), [".: it panicked"]);
        }
    }
}
