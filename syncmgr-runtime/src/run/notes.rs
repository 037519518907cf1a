//! What a run has logged and what it did, in the order of its journal.

use std::collections::VecDeque;
use std::sync::Arc;

use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::verdict::Verdict;
use syncmgr_core::id::{ErrorScope, ItemId};
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::sync::Mutex;

use crate::ending::RunChange;

/// How many entries a run's log keeps; later ones are counted.
const MOST_ENTRIES: usize = 10_000;

/// How many entries it keeps of what went wrong: more, so that chatter does not crowd it out.
const MOST_FAULTS: usize = 100_000;

/// Something that happened between two entries of an attempt's journal.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    Run(RunChange),
    Logged(Arc<LogEntry>),
    Apart(Arc<Apart>),
}

/// An item that was wanted and has ended without being run here.
#[derive(Clone, Debug)]
pub(crate) struct Apart {
    pub(crate) item: SyncItem,
    pub(crate) verdict: Verdict,
    pub(crate) hold: Option<Hold>,
}

/// A note and where it belongs: the attempt, and how long its journal was.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) attempt: u32,
    pub(crate) after: usize,
    pub(crate) note: Note,
}

/// The log and the notes of a run.
#[derive(Default)]
pub(crate) struct Notes(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    notes: VecDeque<Placed>,
    log: Vec<Logged>,
    left_out: usize,
    /// Before this place everything is stored.
    saved: usize,
    /// Whether entries were deleted since they were stored.
    changed: bool,
}

/// An entry of the log, and whether it is stored.
struct Logged {
    entry: Arc<LogEntry>,
    saved: Saved,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Saved {
    No,
    Yes,
}

/// What is to be stored of a log.
pub(crate) enum Unsaved {
    /// These entries are new.
    Grown(Vec<Arc<LogEntry>>),
    /// Entries were deleted; these are all there are so far.
    Changed(Vec<Arc<LogEntry>>),
}

impl Notes {
    pub(crate) fn add(&self, attempt: u32, after: usize, note: Note) {
        self.0.lock().notes.push_back(Placed { attempt, after, note });
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
        inner.notes.push_back(Placed { attempt, after, note: Note::Logged(entry) });
    }

    /// R142, R143.
    pub(crate) fn delete(&self, scope: ErrorScope) {
        let mut inner = self.0.lock();
        let before = inner.log.len();
        inner.log.retain(|logged| match scope {
            ErrorScope::All => false,
            ErrorScope::One(id) => logged.entry.error != Some(id),
        });
        if inner.log.len() < before {
            (inner.changed, inner.saved) = (true, 0);
        }
    }

    /// Takes out everything about an item: it is stored no more, and need not be deleted.
    pub(crate) fn forget(&self, item: ItemId) {
        self.take_out(|entry| entry.item == Some(item));
    }

    /// Takes out what asks something of an item that has succeeded.
    pub(crate) fn settle(&self, item: ItemId) {
        self.take_out(|entry| entry.asks_of(item));
    }

    fn take_out(&self, about: impl Fn(&LogEntry) -> bool) {
        let mut inner = self.0.lock();
        inner.log.retain(|logged| !about(&logged.entry));
        inner.saved = 0;
    }

    /// The log as it stands.
    pub(crate) fn entries(&self) -> Vec<Arc<LogEntry>> {
        let inner = self.0.lock();
        let mut entries: Vec<_> = inner.log.iter().map(|logged| logged.entry.clone()).collect();
        if inner.left_out > 0 {
            let text = format!("{} more entries were left out", inner.left_out);
            entries.push(Arc::new(LogEntry::new(LogLevel::Warning, text)));
        }
        entries
    }

    /// The items that were not run here, each with the attempt it was left out of.
    pub(crate) fn apart(&self) -> Vec<(u32, Arc<Apart>)> {
        let of_note = |placed: &Placed| match &placed.note {
            Note::Apart(apart) => Some((placed.attempt, apart.clone())),
            _ => None,
        };
        self.0.lock().notes.iter().filter_map(of_note).collect()
    }

    /// What of the log has changed since this was asked last, of the entries that may be stored now.
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

    /// The note at this place, if there is one yet.
    pub(crate) fn at(&self, place: usize) -> Option<Placed> {
        self.0.lock().notes.get(place).cloned()
    }
}
