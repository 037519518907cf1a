//! What a run has logged and what it did, in the order of its journal.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use syncmgr_core::id::ErrorScope;
use syncmgr_core::log::{LogEntry, LogLevel};

use super::RunEnding;

/// How many entries a run's log keeps; later ones are counted.
const MOST_ENTRIES: usize = 10_000;

/// How many entries it keeps of what went wrong: more, so that chatter does not crowd it out.
const MOST_FAULTS: usize = 100_000;

/// What a run does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunChange {
    /// Its items are known; how many.
    Listed(usize),
    /// It prepares.
    Preparing,
    /// It synchronizes.
    Synchronizing,
    /// It has ended.
    Ended(RunEnding),
}

/// Something that happened between two entries of an attempt's journal.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    Run(RunChange),
    Logged(Arc<LogEntry>),
}

/// A note and where it belongs: the attempt, and how long its journal was.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) attempt: usize,
    pub(crate) after: usize,
    pub(crate) note: Note,
}

/// The log and the notes of a run.
#[derive(Default)]
pub(crate) struct Notes(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    notes: VecDeque<Placed>,
    log: Vec<Arc<LogEntry>>,
    left_out: usize,
}

impl Notes {
    pub(crate) fn add(&self, attempt: usize, after: usize, note: Note) {
        self.lock().notes.push_back(Placed { attempt, after, note });
    }

    pub(crate) fn log(&self, attempt: usize, after: usize, entry: LogEntry) {
        let mut inner = self.lock();
        let most = if entry.level == LogLevel::Information { MOST_ENTRIES } else { MOST_FAULTS };
        if inner.log.len() >= most {
            inner.left_out += 1;
            return;
        }
        let entry = Arc::new(entry);
        inner.log.push(entry.clone());
        inner.notes.push_back(Placed { attempt, after, note: Note::Logged(entry) });
    }

    /// R142, R143.
    pub(crate) fn delete(&self, scope: ErrorScope) {
        self.lock().log.retain(|entry| match scope {
            ErrorScope::All => false,
            ErrorScope::One(id) => entry.error != Some(id),
        });
    }

    /// The log as it stands.
    pub(crate) fn entries(&self) -> Vec<Arc<LogEntry>> {
        let inner = self.lock();
        let mut entries = inner.log.clone();
        if inner.left_out > 0 {
            let text = format!("{} more entries were left out", inner.left_out);
            entries.push(Arc::new(LogEntry::new(LogLevel::Warning, text)));
        }
        entries
    }

    /// The note at this place, if there is one yet.
    pub(crate) fn at(&self, place: usize) -> Option<Placed> {
        self.lock().notes.get(place).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
