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

/// The length of a run's log from which information is no longer added. Entries that are not added are only counted.
const MAX_LOG_ENTRIES: usize = 10_000;

/// The length of a run's log from which warnings and errors are no longer added either. It is higher, so that
/// information does not crowd out warnings and errors.
const MAX_FAULT_ENTRIES: usize = 100_000;

/// An event between two entries of an attempt's journal.
#[derive(Clone, Debug)]
pub(crate) enum RunEvent {
    Changed(RunChange),
    Logged(Arc<LogEntry>),
    NotRun(Arc<NotRun>),
}

/// A wanted item that the run left out.
#[derive(Clone, Debug)]
pub(crate) struct NotRun {
    pub(crate) item: SyncItem,
    pub(crate) verdict: Verdict,
    pub(crate) hold: Option<Hold>,
}

/// An event and its position: the attempt, and the length of its journal.
#[derive(Clone, Debug)]
pub(crate) struct PositionedEvent {
    pub(crate) attempt: u32,
    pub(crate) after: usize,
    pub(crate) event: RunEvent,
}

/// The log and the events of a run.
#[derive(Default)]
pub(crate) struct RunEvents(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    events: VecDeque<PositionedEvent>,
    log: Vec<Logged>,
    dropped: usize,
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
    Appended(Vec<Arc<LogEntry>>),
    /// All entries so far, as entries were deleted.
    Replaced(Vec<Arc<LogEntry>>),
}

impl RunEvents {
    pub(crate) fn add(&self, attempt: u32, after: usize, event: RunEvent) {
        self.0.lock().events.push_back(PositionedEvent { attempt, after, event });
    }

    pub(crate) fn log(&self, attempt: u32, after: usize, entry: LogEntry) {
        let mut inner = self.0.lock();
        let max = if entry.level == LogLevel::Information { MAX_LOG_ENTRIES } else { MAX_FAULT_ENTRIES };
        if inner.log.len() >= max {
            inner.dropped += 1;
            return;
        }
        let entry = Arc::new(entry);
        inner.log.push(Logged { entry: entry.clone(), saved: Saved::No });
        inner.events.push_back(PositionedEvent { attempt, after, event: RunEvent::Logged(entry) });
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
    pub(crate) fn remove_questions(&self, item: ItemId) {
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
        if inner.dropped > 0 {
            let text = format!("{} more entries were left out", inner.dropped);
            entries.push(Arc::new(LogEntry::new(LogLevel::Warning, text)));
        }
        entries
    }

    /// Returns the items that the run left out, each with the number of the attempt it was left out of.
    pub(crate) fn not_run(&self) -> Vec<(u32, Arc<NotRun>)> {
        let not_run_item = |positioned: &PositionedEvent| match &positioned.event {
            RunEvent::NotRun(item) => Some((positioned.attempt, item.clone())),
            _ => None,
        };
        self.0.lock().events.iter().filter_map(not_run_item).collect()
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
            true => Some(Unsaved::Replaced(entries)),
            false => (!entries.is_empty()).then_some(Unsaved::Appended(entries)),
        }
    }

    /// Returns the event at this index, if there is one yet.
    pub(crate) fn at(&self, index: usize) -> Option<PositionedEvent> {
        self.0.lock().events.get(index).cloned()
    }
}
