//! The log and the events of a run, in the order of its journal.

use std::collections::VecDeque;
use std::sync::Arc;

use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::verdict::Verdict;
use syncmgr_core::id::{ErrorScope, ItemId};
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::sync::Mutex;

use crate::ending::RunChange;

/// The most entries in a run's log. Later entries are only counted.
const MOST_ENTRIES: usize = 10_000;

/// The most entries for warnings and errors. Higher, so that information does not crowd them out.
const MOST_FAULTS: usize = 100_000;

/// An event between two entries of an attempt's journal.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    Run(RunChange),
    Logged(Arc<LogEntry>),
    NotRun(Arc<NotRun>),
}

/// A wanted item that has ended without being run here.
#[derive(Clone, Debug)]
pub(crate) struct NotRun {
    pub(crate) item: SyncItem,
    pub(crate) verdict: Verdict,
    pub(crate) hold: Option<Hold>,
}

/// A note and its position: the attempt, and the length of its journal.
#[derive(Clone, Debug)]
pub(crate) struct PositionedNote {
    pub(crate) attempt: u32,
    pub(crate) after: usize,
    pub(crate) note: Note,
}

/// The log and the notes of a run.
#[derive(Default)]
pub(crate) struct Notes(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    notes: VecDeque<PositionedNote>,
    log: Vec<Logged>,
    left_out: usize,
    /// The number of entries from the start that are all stored.
    saved: usize,
    /// `true` if entries were deleted since the last save.
    changed: bool,
}

/// A log entry and its storage state.
struct Logged {
    entry: Arc<LogEntry>,
    saved: Saved,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Saved {
    No,
    Yes,
}

/// The unsaved part of a log.
pub(crate) enum Unsaved {
    /// The new entries.
    Grown(Vec<Arc<LogEntry>>),
    /// All entries so far, as entries were deleted.
    Changed(Vec<Arc<LogEntry>>),
}

impl Notes {
    pub(crate) fn add(&self, attempt: u32, after: usize, note: Note) {
        self.0.lock().notes.push_back(PositionedNote { attempt, after, note });
    }

    pub(crate) fn log(&self, attempt: u32, after: usize, entry: LogEntry) {
        let mut inner = self.0.lock();
        let most = if entry.level == LogLevel::Information { MOST_ENTRIES } else { MOST_FAULTS };
        if inner.log.len() >= most {
            inner.left_out += 1;
            return;
        }
        let entry = Arc::new(entry);
        inner.log.push(Logged { entry: entry.clone(), saved: Saved::No });
        inner.notes.push_back(PositionedNote { attempt, after, note: Note::Logged(entry) });
    }

    /// Deletes the entries in `scope`.
    pub(crate) fn delete(&self, scope: ErrorScope) {
        // R142, R143.
        let mut inner = self.0.lock();
        let before = inner.log.len();
        inner.log.retain(|logged| match scope {
            ErrorScope::All => false,
            ErrorScope::One(id) => logged.entry.id != Some(id),
        });
        if inner.log.len() < before {
            (inner.changed, inner.saved) = (true, 0);
        }
    }

    /// Removes all entries about an item. The store deletes them with the item.
    pub(crate) fn forget(&self, item: ItemId) {
        self.remove(|entry| entry.item == Some(item));
    }

    /// Removes the open questions of an item that has succeeded.
    pub(crate) fn settle(&self, item: ItemId) {
        self.remove(|entry| entry.has_question_for(item));
    }

    fn remove(&self, about: impl Fn(&LogEntry) -> bool) {
        let mut inner = self.0.lock();
        inner.log.retain(|logged| !about(&logged.entry));
        inner.saved = 0;
    }

    /// Returns the current log.
    pub(crate) fn entries(&self) -> Vec<Arc<LogEntry>> {
        let inner = self.0.lock();
        let mut entries: Vec<_> = inner.log.iter().map(|logged| logged.entry.clone()).collect();
        if inner.left_out > 0 {
            let text = format!("{} more entries were left out", inner.left_out);
            entries.push(Arc::new(LogEntry::new(LogLevel::Warning, text)));
        }
        entries
    }

    /// Returns the items that were not run here, each with the number of the attempt it was left out of.
    pub(crate) fn not_run(&self) -> Vec<(u32, Arc<NotRun>)> {
        let of_note = |positioned: &PositionedNote| match &positioned.note {
            Note::NotRun(item) => Some((positioned.attempt, item.clone())),
            _ => None,
        };
        self.0.lock().notes.iter().filter_map(of_note).collect()
    }

    /// Returns the changes of the log since the last call, among the entries that may be stored now.
    pub(crate) fn unsaved(&self, may_be: impl Fn(&LogEntry) -> bool) -> Option<Unsaved> {
        let mut inner = self.0.lock();
        let changed = std::mem::take(&mut inner.changed);
        let from = if changed { 0 } else { inner.saved };
        let mut entries = Vec::new();
        for logged in &mut inner.log[from..] {
            let known = logged.saved == Saved::Yes;
            if !known && may_be(&logged.entry) {
                logged.saved = Saved::Yes;
            }
            if logged.saved == Saved::Yes && (changed || !known) {
                entries.push(logged.entry.clone());
            }
        }
        inner.saved = from + inner.log[from..].iter().take_while(|logged| logged.saved == Saved::Yes).count();
        match changed {
            true => Some(Unsaved::Changed(entries)),
            false => (!entries.is_empty()).then_some(Unsaved::Grown(entries)),
        }
    }

    /// Returns the note at this index, if there is one yet.
    pub(crate) fn at(&self, index: usize) -> Option<PositionedNote> {
        self.0.lock().notes.get(index).cloned()
    }
}
