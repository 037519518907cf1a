//! The log and the events of a run, in the order of its journal.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::ops::Range;
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
    /// An entry that was logged and is deleted.
    Deleted(Arc<LogEntry>),
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

/// The log and the events of a run. The log consists of the events that are logged entries.
#[derive(Default)]
pub(crate) struct RunEvents(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    events: Vec<Stored>,
    /// The number of entries in the log.
    length: usize,
    /// The text of the last entry.
    last_text: Arc<str>,
    /// The events that are entries with each id.
    by_id: BTreeMap<ErrorId, BTreeSet<usize>>,
    /// The events that are entries about each item. `None` until the first search, because most logs are never searched.
    by_item: Option<BTreeSet<(ItemId, u32)>>,
    dropped: usize,
    /// The entries before this event are stored, except for those in `postponed`.
    saved: usize,
    /// The entries that could not be stored yet, by their item.
    postponed: BTreeSet<(ItemId, u32)>,
    /// The attempt whose entries were last saved.
    saved_attempt: u32,
    /// `true` if entries were deleted since the last save.
    changed: bool,
}

/// The stored form of a [`PositionedEvent`], which is smaller.
struct Stored {
    attempt: u32,
    after: u32,
    event: RunEvent,
}

/// The unsaved part of a log.
pub(crate) enum Unsaved {
    /// The new entries.
    Appended(Vec<Arc<LogEntry>>),
    /// All entries so far, as entries were deleted.
    Replaced(Vec<Arc<LogEntry>>),
}

impl Inner {
    fn push(&mut self, attempt: u32, after: usize, event: RunEvent) {
        let after = u32::try_from(after).expect("a journal has fewer than 2^32 entries");
        self.events.push(Stored { attempt, after, event });
    }

    /// Shares the text of an entry with the entry before it, if they are equal: a peer that is down fails many items alike.
    fn share_text(&mut self, entry: &mut LogEntry) {
        if self.last_text == entry.text {
            entry.text = self.last_text.clone();
        } else {
            self.last_text = entry.text.clone();
        }
    }

    /// Returns the entry that this event has added to the log.
    fn entry(&self, event: usize) -> Option<&Arc<LogEntry>> {
        match &self.events.get(event)?.event {
            RunEvent::Logged(entry) => Some(entry),
            _ => None,
        }
    }

    /// Returns the log, each entry with its event.
    fn log(&self) -> impl Iterator<Item = (usize, &Arc<LogEntry>)> {
        (0..self.events.len()).filter_map(|event| Some((event, self.entry(event)?)))
    }

    /// Returns the events since the last call.
    fn take_new(&mut self) -> Range<usize> {
        mem::replace(&mut self.saved, self.events.len())..self.events.len()
    }

    /// Returns the postponed entries of these items, and removes them.
    fn take_postponed(&mut self, items: &[ItemId]) -> Vec<usize> {
        if self.postponed.is_empty() {
            return Vec::new();
        }
        let of = |item: &ItemId| self.postponed.range((*item, 0)..=(*item, u32::MAX)).copied();
        let taken: Vec<_> = items.iter().flat_map(of).collect();
        taken.iter().for_each(|entry| _ = self.postponed.remove(entry));
        taken.into_iter().map(|(_, event)| event as usize).collect()
    }

    fn take_all_postponed(&mut self) -> Vec<usize> {
        mem::take(&mut self.postponed).into_iter().map(|(_, event)| event as usize).collect()
    }

    /// Returns the entries of these events as a change of the stored log.
    fn save(&mut self, mut unsaved: Vec<usize>) -> Option<Unsaved> {
        if mem::take(&mut self.changed) {
            let is_postponed = |event, entry| key(entry, event).is_some_and(|key| self.postponed.contains(&key));
            let saved = self.log().filter(|(event, entry)| !is_postponed(*event, entry));
            return Some(Unsaved::Replaced(saved.map(|(_, entry)| entry.clone()).collect()));
        }
        unsaved.sort_unstable();
        let entries: Vec<_> = unsaved.into_iter().filter_map(|event| self.entry(event).cloned()).collect();
        (!entries.is_empty()).then_some(Unsaved::Appended(entries))
    }

    /// Returns the events that are entries about an item.
    fn about(&mut self, item: ItemId) -> Vec<usize> {
        if self.by_item.is_none() {
            self.by_item = Some(self.log().filter_map(|(event, entry)| key(entry, event)).collect());
        }
        let of_item = self.by_item.iter().flat_map(|by_item| by_item.range((item, 0)..=(item, u32::MAX)));
        of_item.map(|(_, event)| *event as usize).collect()
    }

    /// Removes the entries of these events.
    fn remove(&mut self, events: &[usize]) {
        for event in events {
            let Some(entry) = self.entry(*event).cloned() else { continue };
            if let (Some(by_item), Some(key)) = (&mut self.by_item, key(&entry, *event)) {
                by_item.remove(&key);
            }
            if let Some(Entry::Occupied(mut of_id)) = entry.id.map(|id| self.by_id.entry(id)) {
                of_id.get_mut().remove(event);
                if of_id.get().is_empty() {
                    of_id.remove();
                }
            }
            self.events[*event].event = RunEvent::Deleted(entry);
            self.length -= 1;
        }
    }
}

/// Returns the key of an entry in the index by item.
fn key(entry: &LogEntry, event: usize) -> Option<(ItemId, u32)> {
    Some((entry.item?, u32::try_from(event).ok()?))
}

impl RunEvents {
    pub(crate) fn add(&self, attempt: u32, after: usize, event: RunEvent) {
        self.0.lock().push(attempt, after, event);
    }

    pub(crate) fn log(&self, attempt: u32, after: usize, mut entry: LogEntry) {
        let mut inner = self.0.lock();
        let max = if entry.level == LogLevel::Information { MAX_LOG_ENTRIES } else { MAX_FAULT_ENTRIES };
        if inner.length >= max {
            inner.dropped += 1;
            return;
        }
        inner.share_text(&mut entry);
        let event = inner.events.len();
        if let Some(id) = entry.id {
            inner.by_id.entry(id).or_default().insert(event);
        }
        if let Some(by_item) = &mut inner.by_item {
            by_item.extend(key(&entry, event));
        }
        inner.length += 1;
        inner.push(attempt, after, RunEvent::Logged(Arc::new(entry)));
    }

    /// Deletes the entries in `scope`.
    pub(crate) fn delete(&self, scope: ErrorScope) {
        // R142, R143.
        let mut inner = self.0.lock();
        let deleted: Vec<_> = match scope {
            ErrorScope::All => inner.log().map(|(event, _)| event).collect(),
            ErrorScope::One(id) => inner.by_id.get(&id).into_iter().flatten().copied().collect(),
        };
        if !deleted.is_empty() {
            inner.remove(&deleted);
            inner.changed = true;
        }
    }

    /// Removes all entries about an item. The store deletes them with the item.
    pub(crate) fn forget(&self, item: ItemId) {
        self.remove(item, |_| true);
    }

    /// Removes the open questions of an item that has succeeded.
    pub(crate) fn remove_questions(&self, item: ItemId) {
        self.remove(item, |entry| entry.has_question_for(item));
    }

    /// Removes these entries about an item.
    fn remove(&self, item: ItemId, which: impl Fn(&LogEntry) -> bool) {
        let mut inner = self.0.lock();
        let mut removed = inner.about(item);
        removed.retain(|event| inner.entry(*event).is_some_and(|entry| which(entry)));
        inner.remove(&removed);
    }

    /// Returns the current entries about an item.
    pub(crate) fn entries_about(&self, item: ItemId) -> Vec<Arc<LogEntry>> {
        let mut inner = self.0.lock();
        let events = inner.about(item);
        events.into_iter().filter_map(|event| inner.entry(event).cloned()).collect()
    }

    /// Returns the current log.
    pub(crate) fn entries(&self) -> Vec<Arc<LogEntry>> {
        let inner = self.0.lock();
        let mut entries: Vec<_> = inner.log().map(|(_, entry)| entry.clone()).collect();
        if inner.dropped > 0 {
            let text = format!("{} more entries were left out", inner.dropped);
            entries.push(Arc::new(LogEntry::new(LogLevel::Warning, text)));
        }
        entries
    }

    /// Returns the items that the run left out, each with the number of the attempt it was left out of.
    pub(crate) fn not_run(&self) -> Vec<(u32, Arc<NotRun>)> {
        let not_run_item = |stored: &Stored| match &stored.event {
            RunEvent::NotRun(item) => Some((stored.attempt, item.clone())),
            _ => None,
        };
        self.0.lock().events.iter().filter_map(not_run_item).collect()
    }

    /// Returns the changes of the log since the last call. The entries of an item for which `waits` returns `true` are left out until
    /// a call has the item in `ended`, or is for another attempt.
    pub(crate) fn unsaved(
        &self,
        attempt: u32,
        mut ended: Vec<ItemId>,
        waits: impl Fn(ItemId) -> bool,
    ) -> Option<Unsaved> {
        let mut inner = self.0.lock();
        let mut unsaved = match mem::replace(&mut inner.saved_attempt, attempt) == attempt {
            true => inner.take_postponed(&ended),
            false => inner.take_all_postponed(),
        };
        let new = inner.take_new();
        if !new.is_empty() {
            ended.sort_unstable();
        }
        for event in new {
            let about = inner.entry(event).and_then(|entry| key(entry, event));
            match about.filter(|(item, _)| ended.binary_search(item).is_err() && waits(*item)) {
                Some(about) => _ = inner.postponed.insert(about),
                None => unsaved.push(event),
            }
        }
        inner.save(unsaved)
    }

    /// Returns all changes of the log since the last call, with the entries left out so far.
    pub(crate) fn all_unsaved(&self) -> Option<Unsaved> {
        let mut inner = self.0.lock();
        let mut unsaved = inner.take_all_postponed();
        unsaved.extend(inner.take_new());
        inner.save(unsaved)
    }

    /// Returns the number of events so far.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().events.len()
    }

    /// Returns the event at this index, if there is one yet.
    pub(crate) fn at(&self, index: usize) -> Option<PositionedEvent> {
        let inner = self.0.lock();
        let Stored { attempt, after, event } = inner.events.get(index)?;
        Some(PositionedEvent { attempt: *attempt, after: *after as usize, event: event.clone() })
    }
}
