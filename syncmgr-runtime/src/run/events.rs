//! The log and the events of a run, in the order of its journal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::verdict::Verdict;
use syncmgr_core::id::{ErrorId, ErrorScope, ItemId};
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
    /// The entries by number, in the order in which they were added.
    log: BTreeMap<u64, Logged>,
    /// The numbers of the entries with each id.
    by_id: BTreeMap<ErrorId, BTreeSet<u64>>,
    /// The number of the next entry.
    next: u64,
    dropped: usize,
    /// All entries before this number are stored.
    saved: u64,
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

impl Inner {
    /// Shares the text of an entry with the entry before it, if they are equal: a peer that is down fails many items alike.
    fn share_text(&self, entry: &mut LogEntry) {
        let last = self.log.last_key_value().map(|(_, last)| &last.entry.text);
        if let Some(text) = last.filter(|text| **text == entry.text) {
            entry.text = text.clone();
        }
    }

    fn append(&mut self, entry: Arc<LogEntry>) {
        let number = self.next;
        self.next += 1;
        if let Some(id) = entry.id {
            self.by_id.entry(id).or_default().insert(number);
        }
        self.log.insert(number, Logged { entry, saved: Saved::No });
    }

    /// Removes the entries with these numbers.
    fn remove(&mut self, numbers: &[u64]) {
        for number in numbers {
            let Some(id) = self.log.remove(number).and_then(|logged| logged.entry.id) else { continue };
            if let Some(others) = self.by_id.get_mut(&id) {
                others.remove(number);
                if others.is_empty() {
                    self.by_id.remove(&id);
                }
            }
        }
    }
}

impl RunEvents {
    pub(crate) fn add(&self, attempt: u32, after: usize, event: RunEvent) {
        self.0.lock().events.push_back(PositionedEvent { attempt, after, event });
    }

    pub(crate) fn log(&self, attempt: u32, after: usize, mut entry: LogEntry) {
        let mut inner = self.0.lock();
        let max = if entry.level == LogLevel::Information { MAX_LOG_ENTRIES } else { MAX_FAULT_ENTRIES };
        if inner.log.len() >= max {
            inner.dropped += 1;
            return;
        }
        inner.share_text(&mut entry);
        let entry = Arc::new(entry);
        inner.append(entry.clone());
        inner.events.push_back(PositionedEvent { attempt, after, event: RunEvent::Logged(entry) });
    }

    /// Deletes the entries in `scope`.
    pub(crate) fn delete(&self, scope: ErrorScope) {
        // R142, R143.
        let mut inner = self.0.lock();
        let deleted: Vec<_> = match scope {
            ErrorScope::All => inner.log.keys().copied().collect(),
            ErrorScope::One(id) => inner.by_id.get(&id).into_iter().flatten().copied().collect(),
        };
        if !deleted.is_empty() {
            inner.remove(&deleted);
            inner.changed = true;
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
        let removed: Vec<_> =
            inner.log.iter().filter(|(_, logged)| about(&logged.entry)).map(|(number, _)| *number).collect();
        inner.remove(&removed);
    }

    /// Returns the current log.
    pub(crate) fn entries(&self) -> Vec<Arc<LogEntry>> {
        let inner = self.0.lock();
        let mut entries: Vec<_> = inner.log.values().map(|logged| logged.entry.clone()).collect();
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
        for (_, logged) in inner.log.range_mut(from..) {
            let known = logged.saved == Saved::Yes;
            if !known && may_be(&logged.entry) {
                logged.saved = Saved::Yes;
            }
            if logged.saved == Saved::Yes && (changed || !known) {
                entries.push(logged.entry.clone());
            }
        }
        let first_unsaved = inner.log.range(from..).find(|(_, logged)| logged.saved == Saved::No);
        inner.saved = first_unsaved.map_or(inner.next, |(number, _)| *number);
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
