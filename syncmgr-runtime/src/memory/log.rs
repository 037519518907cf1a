//! The stored log of a handler.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use syncmgr_core::id::{ErrorId, ItemId, SessionId};
use syncmgr_core::log::{Action, LogEntry, Question};
use syncmgr_core::store::LogRecord;
use uuid::Uuid;

/// The maximum number of log entries per handler. The oldest are dropped first.
const MAX_ENTRIES: usize = 10_000;

/// A log. Entries that were stored together share their origin.
#[derive(Clone, Default)]
pub(crate) struct StoredLog {
    /// The entries by number, in the order in which they were stored.
    entries: BTreeMap<u64, Stored>,
    next: u64,
    /// The memory that the entries take, in bytes.
    bytes: usize,
    /// The numbers of the entries with an id.
    by_id: BTreeSet<(ErrorId, u64)>,
    /// The numbers of the entries about each item. Filled at the first search, because most logs are only read as a whole.
    by_item: OnceCell<BTreeSet<(ItemId, u64)>>,
}

type Stored = (Arc<Origin>, Arc<LogEntry>);

/// The session in which entries were stored, and the time.
pub(crate) struct Origin {
    pub(crate) manager: Uuid,
    pub(crate) session: SessionId,
    pub(crate) time: SystemTime,
}

impl StoredLog {
    /// Returns the entries, the oldest first.
    pub(crate) fn records(&self) -> impl Iterator<Item = LogRecord> {
        self.entries.values().map(record)
    }

    /// Returns the entries about an item, the oldest first.
    pub(crate) fn about(&self, item: ItemId) -> Vec<LogRecord> {
        self.numbers_about(item).filter_map(|number| self.entries.get(&number)).map(record).collect()
    }

    /// Returns the last entry with this id.
    pub(crate) fn with_id(&self, id: ErrorId) -> Option<LogRecord> {
        self.numbers_with(id).last().and_then(|number| self.entries.get(&number)).map(record)
    }

    /// Adds entries that are stored together, and drops the oldest if there are too many.
    pub(crate) fn append(&mut self, origin: Origin, entries: Vec<Arc<LogEntry>>) {
        let origin = Arc::new(origin);
        entries.into_iter().for_each(|entry| self.add((origin.clone(), entry)));
        while self.entries.len() > MAX_ENTRIES {
            self.remove_oldest();
        }
    }

    /// Returns the memory that the entries take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn remove_oldest(&mut self) {
        if let Some((oldest, _)) = self.entries.first_key_value() {
            self.remove(*oldest);
        }
    }

    /// Adds a record that was loaded from a store.
    #[cfg(feature = "sqlite")]
    pub(crate) fn push(&mut self, LogRecord { manager, session, time, entry, .. }: LogRecord) {
        self.add((Arc::new(Origin { manager, session, time }), entry));
    }

    /// Removes the entries with this id.
    pub(crate) fn remove_with(&mut self, id: ErrorId) {
        for number in self.numbers_with(id).collect::<Vec<_>>() {
            self.remove(number);
        }
    }

    /// Removes these entries about an item.
    pub(crate) fn remove_about(&mut self, item: ItemId, which: impl Fn(&LogEntry) -> bool) {
        for number in self.numbers_about(item).collect::<Vec<_>>() {
            if self.entries.get(&number).is_some_and(|(_, entry)| which(entry)) {
                self.remove(number);
            }
        }
    }

    pub(crate) fn remove_session(&mut self, session: (Uuid, SessionId)) {
        let is_of = |origin: &Origin| (origin.manager, origin.session) == session;
        let of_session = self.entries.iter().filter(|(_, (origin, _))| is_of(origin)).map(|(number, _)| *number);
        for number in of_session.collect::<Vec<_>>() {
            self.remove(number);
        }
    }

    fn add(&mut self, stored: Stored) {
        let (number, entry) = (self.next, &stored.1);
        self.by_id.extend(entry.id.map(|id| (id, number)));
        if let (Some(by_item), Some(item)) = (self.by_item.get_mut(), entry.item) {
            by_item.insert((item, number));
        }
        self.bytes += size(entry);
        self.entries.insert(number, stored);
        self.next += 1;
    }

    fn remove(&mut self, number: u64) {
        let Some((_, entry)) = self.entries.remove(&number) else { return };
        self.bytes -= size(&entry);
        if let Some(id) = entry.id {
            self.by_id.remove(&(id, number));
        }
        if let (Some(by_item), Some(item)) = (self.by_item.get_mut(), entry.item) {
            by_item.remove(&(item, number));
        }
    }

    fn numbers_about(&self, item: ItemId) -> impl Iterator<Item = u64> {
        let by_item = self.by_item.get_or_init(|| {
            let key = |(number, (_, entry)): (&u64, &Stored)| Some((entry.item?, *number));
            self.entries.iter().filter_map(key).collect()
        });
        by_item.range((item, 0)..=(item, u64::MAX)).map(|(_, number)| *number)
    }

    fn numbers_with(&self, id: ErrorId) -> impl Iterator<Item = u64> {
        self.by_id.range((id, 0)..=(id, u64::MAX)).map(|(_, number)| *number)
    }
}

/// The memory that an entry takes, in bytes: itself, its texts, and its place in the log. Entries that share a text count it each.
fn size(entry: &LogEntry) -> usize {
    const PLACE: usize = 2 * size_of::<(u64, Stored)>();
    let question = match &entry.action {
        Some(Action::Decide(question)) => {
            size_of::<Question>()
                + question.text.len()
                + question.choices.iter().map(|choice| choice.len()).sum::<usize>()
        }
        _ => 0,
    };
    PLACE + size_of::<LogEntry>() + entry.text.len() + question
}

fn record((origin, entry): &Stored) -> LogRecord {
    let Origin { manager, session, time } = **origin;
    LogRecord::new(manager, session, time, entry.clone())
}
