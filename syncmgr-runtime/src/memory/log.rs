//! The stored log of a handler.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use syncmgr_core::id::SessionId;
use syncmgr_core::log::LogEntry;
use syncmgr_core::store::LogRecord;
use uuid::Uuid;

/// The maximum number of log entries per handler. The oldest are dropped first.
const MAX_ENTRIES: usize = 10_000;

/// A log. Entries that were stored together share their origin.
#[derive(Clone, Default)]
pub(crate) struct StoredLog(VecDeque<(Arc<Origin>, Arc<LogEntry>)>);

/// The session in which entries were stored, and the time.
pub(crate) struct Origin {
    pub(crate) manager: Uuid,
    pub(crate) session: SessionId,
    pub(crate) time: SystemTime,
}

impl StoredLog {
    /// Returns the entries, the oldest first.
    pub(crate) fn records(&self) -> impl DoubleEndedIterator<Item = LogRecord> {
        self.records_of(|_| true)
    }

    /// Returns the entries that are wanted, the oldest first.
    pub(crate) fn records_of(
        &self,
        is_wanted: impl Fn(&LogEntry) -> bool,
    ) -> impl DoubleEndedIterator<Item = LogRecord> {
        let wanted = self.0.iter().filter(move |(_, entry)| is_wanted(entry));
        wanted.map(|(origin, entry)| {
            let Origin { manager, session, time } = **origin;
            LogRecord::new(manager, session, time, entry.clone())
        })
    }

    /// Adds entries that are stored together, and drops the oldest if there are too many.
    pub(crate) fn append(&mut self, origin: Origin, entries: Vec<Arc<LogEntry>>) {
        let origin = Arc::new(origin);
        self.0.extend(entries.into_iter().map(|entry| (origin.clone(), entry)));
        let excess = self.0.len().saturating_sub(MAX_ENTRIES);
        self.0.drain(..excess);
    }

    /// Adds a record that was loaded from a store.
    #[cfg(feature = "sqlite")]
    pub(crate) fn push(&mut self, LogRecord { manager, session, time, entry, .. }: LogRecord) {
        self.0.push_back((Arc::new(Origin { manager, session, time }), entry));
    }

    pub(crate) fn retain(&mut self, keeps: impl Fn(&LogEntry) -> bool) {
        self.0.retain(|(_, entry)| keeps(entry));
    }

    pub(crate) fn remove_session(&mut self, session: (Uuid, SessionId)) {
        self.0.retain(|(origin, _)| (origin.manager, origin.session) != session);
    }
}
