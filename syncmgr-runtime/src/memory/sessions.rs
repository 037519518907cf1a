//! The history of sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::request::RunRequest;
use syncmgr_core::store::{SessionEnd, SessionRecord};
use uuid::Uuid;

/// The maximum number of sessions.
const MAX_SESSIONS: usize = 200;

type Key = (SessionId, Uuid);

/// The stored sessions.
#[derive(Clone)]
pub(crate) struct Sessions {
    known: BTreeMap<Key, SessionRecord>,
    interrupted: BTreeSet<Key>,
    /// The sessions that have ended without problems.
    clean: BTreeSet<Key>,
    /// The other sessions that have ended.
    problematic: BTreeSet<Key>,
    last: SessionId,
    max: usize,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            interrupted: BTreeSet::new(),
            clean: BTreeSet::new(),
            problematic: BTreeSet::new(),
            last: SessionId::default(),
            max: MAX_SESSIONS,
        }
    }
}

impl Sessions {
    /// Creates a history of these sessions, which drops none of them.
    #[cfg(feature = "sqlite")]
    pub(crate) fn complete(sessions: Vec<SessionRecord>) -> Self {
        let mut complete = Self { max: usize::MAX, ..Self::default() };
        sessions.into_iter().for_each(|record| complete.add(record));
        complete
    }

    /// Sets the number of the last session.
    #[cfg(feature = "sqlite")]
    pub(crate) fn with_last(self, last: SessionId) -> Self {
        Self { last, ..self }
    }

    pub(super) fn all(&self) -> Vec<SessionRecord> {
        self.known.values().cloned().collect()
    }

    pub(super) fn before(&self, before: Option<SessionId>, limit: usize) -> Vec<SessionRecord> {
        let earlier = self.known.range(..(before.unwrap_or(SessionId(u64::MAX)), Uuid::nil()));
        let mut last: Vec<_> = earlier.rev().take(limit).map(|(_, record)| record.clone()).collect();
        last.reverse();
        last
    }

    pub(super) fn interrupted(&self) -> Vec<SessionRecord> {
        self.interrupted.iter().filter_map(|key| self.known.get(key)).cloned().collect()
    }

    pub(super) fn last(&self) -> SessionId {
        self.last
    }

    /// Counts the number of a session as used.
    pub(super) fn count(&mut self, session: SessionId) {
        self.last = self.last.max(session);
    }

    pub(super) fn begin(&mut self, mut record: SessionRecord) {
        record.runs.iter_mut().for_each(|run| self.share_items(run));
        self.add(record);
    }

    fn add(&mut self, record: SessionRecord) {
        self.count(record.session);
        let key = (record.session, record.manager);
        self.known.insert(key, record);
        self.classify(key);
    }

    /// Notes if and how a session has ended.
    fn classify(&mut self, key: Key) {
        let Some(record) = self.known.get(&key) else { return };
        self.clean.remove(&key);
        self.problematic.remove(&key);
        if record.end.is_some() {
            let ended = if record.is_clean() { &mut self.clean } else { &mut self.problematic };
            ended.insert(key);
        }
    }

    /// Shares the items of a request with those of the handler's last session, if they are equal: items that fail together are
    /// retried together.
    fn share_items(&self, run: &mut RunRequest) {
        if run.items.is_none() {
            return;
        }
        let earlier = self.known.values().rev().flat_map(|record| &record.runs);
        let last = earlier.filter(|earlier| earlier.handler == run.handler).find_map(|earlier| earlier.items.as_ref());
        if let Some(items) = last.filter(|last| run.items.as_ref() == Some(last)) {
            run.items = Some(items.clone());
        }
    }

    pub(super) fn end(&mut self, session: SessionId, manager: Uuid, end: SessionEnd) {
        let key = (session, manager);
        self.interrupted.remove(&key);
        if let Some(record) = self.known.get_mut(&key) {
            record.end = Some(end);
            self.classify(key);
        }
        self.trim();
    }

    /// Removes a handler, or one of its items, from the stored requests.
    pub(super) fn forget(&mut self, handler: HandlerId, item: Option<ItemId>) {
        let mut changed = None;
        for record in self.known.values_mut() {
            match item {
                None => record.runs.retain(|run| run.handler != handler),
                Some(item) => {
                    record.runs.retain_mut(|run| run.handler != handler || remove_item(run, item, &mut changed))
                }
            }
        }
    }

    /// Marks all open sessions as interrupted.
    pub(crate) fn interrupt(&mut self) {
        self.interrupted = self.known.iter().filter(|(_, record)| record.end.is_none()).map(|(key, _)| *key).collect();
    }

    /// Removes excess sessions: first the oldest without problems, then the oldest that have ended.
    fn trim(&mut self) {
        while self.known.len() > self.max
            && let Some(oldest) = self.clean.pop_first().or_else(|| self.problematic.pop_first())
        {
            self.known.remove(&oldest);
        }
    }
}

/// The items of a request before and after the removal of an item.
type Changed = (Arc<BTreeSet<ItemId>>, Arc<BTreeSet<ItemId>>);

/// Removes an item from a request. Requests that share their items share the remaining ones. Returns `false` if no item is left.
fn remove_item(run: &mut RunRequest, item: ItemId, changed: &mut Option<Changed>) -> bool {
    let Some(items) = run.items.as_mut().filter(|items| items.contains(&item)) else { return true };
    if !changed.as_ref().is_some_and(|(before, _)| Arc::ptr_eq(before, items)) {
        let left = items.iter().copied().filter(|left| *left != item).collect();
        *changed = Some((items.clone(), Arc::new(left)));
    }
    changed.iter().for_each(|(_, left)| *items = left.clone());
    !items.is_empty()
}
