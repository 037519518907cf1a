//! A store in memory, whose contents end with the process.

mod handler;
mod sessions;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::claim::Claim;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::item::ItemState;
use syncmgr_core::log::{LogEntry, Question};
use syncmgr_core::record::ItemRecord;
use syncmgr_core::retry::RetryState;
use syncmgr_core::store::{
    HandlerRecord, Histogram, LogRecord, ManagerSlot, SessionRecord, StaleWriter, StateChange, StateStore, StoreInUse,
    StoreLease,
};
use syncmgr_core::sync::Mutex;

use self::handler::Stored;
use self::sessions::Sessions;

/// Stores everything in memory. Clones share the same store, which one manager at a time can use.
///
/// The store keeps the last 10,000 log entries of each handler and the last 200 sessions. Sessions without problems are
/// dropped first.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// let store = MemoryStore::new();
/// for _ in 0..2 {
///     let manager = SyncManager::builder().store(store.clone()).build(); // as after a restart of the program
///     manager.run(Mail).await?;
/// }
/// assert_eq!(SyncManager::builder().store(store).build().history()?.len(), 2);
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    contents: Arc<Mutex<Contents>>,
    slot: Arc<ManagerSlot>,
}

/// The contents of a store.
#[derive(Clone, Default)]
struct Contents {
    handlers: BTreeMap<HandlerId, Stored>,
    sessions: Sessions,
    resources: BTreeMap<Claim, RetryState>,
    histograms: BTreeMap<Arc<str>, Histogram>,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a copy of the store as a killed process would leave it: open sessions are interrupted.
    pub fn after_crash(&self) -> Self {
        let mut contents = self.contents.lock().clone();
        contents.sessions.interrupt();
        Self { contents: Arc::new(Mutex::new(contents)), slot: Arc::default() }
    }

    fn of<T: Default>(&self, handler: HandlerId, part: impl Fn(&Stored) -> T) -> T {
        self.contents.lock().handlers.get(&handler).map(part).unwrap_or_default()
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryStore({} handlers)", self.contents.lock().handlers.len())
    }
}

impl StateStore for MemoryStore {
    fn handlers(&self) -> SyncResult<BTreeMap<HandlerId, HandlerRecord>> {
        Ok(self.contents.lock().handlers.iter().map(|(handler, stored)| (*handler, stored.record.clone())).collect())
    }

    fn choices(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemState>> {
        Ok(self.of(handler, |stored| stored.choices.clone()))
    }

    fn log(&self, handler: HandlerId) -> SyncResult<Vec<LogRecord>> {
        Ok(self.of(handler, |stored| stored.log.clone()))
    }

    fn answer(&self, handler: HandlerId, item: ItemId, question: &Question) -> SyncResult<Option<usize>> {
        Ok(self.of(handler, |stored| stored.answer(item, question)))
    }

    fn record(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemRecord>> {
        Ok(self.of(handler, |stored| stored.items.get(&item).cloned()))
    }

    fn retry_states(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, RetryState>> {
        Ok(self.of(handler, |stored| {
            stored.items.iter().filter_map(|(item, record)| Some((*item, record.retry?))).collect()
        }))
    }

    fn recorded_items(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, Option<SystemTime>>> {
        Ok(self.of(handler, |stored| stored.items.iter().map(|(item, record)| (*item, record.absent_since)).collect()))
    }

    fn ended_since(&self, handler: HandlerId, session: SessionId) -> SyncResult<BTreeSet<ItemId>> {
        Ok(self.of(handler, |stored| stored.ended_since(session)))
    }

    fn resources(&self) -> SyncResult<BTreeMap<Claim, RetryState>> {
        Ok(self.contents.lock().resources.clone())
    }

    fn sessions(&self) -> SyncResult<Vec<SessionRecord>> {
        Ok(self.contents.lock().sessions.all())
    }

    fn interrupted(&self) -> SyncResult<Vec<SessionRecord>> {
        Ok(self.contents.lock().sessions.interrupted())
    }

    fn last_session(&self) -> SyncResult<SessionId> {
        Ok(self.contents.lock().sessions.last())
    }

    fn histogram(&self, name: &str) -> SyncResult<Option<Histogram>> {
        Ok(self.contents.lock().histograms.get(name).cloned())
    }

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        let mut contents = self.contents.lock();
        let refused = contents.refuse(&changes);
        if refused.is_none() {
            changes.into_iter().for_each(|change| contents.apply(change));
        }
        async move { refused.map_or(Ok(()), |stale| Err(stale.into())) }.boxed()
    }

    fn acquire(&self) -> Result<StoreLease, StoreInUse> {
        self.slot.acquire()
    }
}

impl Contents {
    /// Checks changes in order and returns the reason to refuse them, if any.
    fn refuse(&self, changes: &[StateChange]) -> Option<StaleWriter> {
        let mut forgotten = BTreeSet::new();
        changes.iter().find_map(|change| match change {
            StateChange::Forget { handler } => {
                forgotten.insert((*handler, None));
                None
            }
            StateChange::ForgetItem { handler, item } => {
                forgotten.insert((*handler, Some(*item)));
                None
            }
            StateChange::Committed { handler, item, fence, .. }
                if !forgotten.contains(&(*handler, None)) && !forgotten.contains(&(*handler, Some(*item))) =>
            {
                let latest = self.handlers.get(handler)?.items.get(item)?.fence;
                (latest > *fence).then_some(StaleWriter::new(*item, *fence, latest))
            }
            _ => None,
        })
    }

    fn apply(&mut self, change: StateChange) {
        match change {
            StateChange::SessionBegan(record) => self.sessions.begin(record),
            StateChange::SessionEnded { session, manager, end } => self.sessions.end(session, manager, end),
            StateChange::Resource { claim, retry: Some(retry) } => drop(self.resources.insert(claim, retry)),
            StateChange::Resource { claim, retry: None } => drop(self.resources.remove(&claim)),
            StateChange::Histogram { name, histogram } => drop(self.histograms.insert(name, histogram)),
            StateChange::Forget { handler } => {
                self.handlers.remove(&handler);
                self.sessions.forget(handler, None);
            }
            StateChange::ForgetItem { handler, item } => {
                self.sessions.forget(handler, Some(item));
                if let Some(stored) = self.handlers.get_mut(&handler) {
                    stored.forget(item);
                }
            }
            change => self.apply_to_handler(change),
        }
    }

    fn apply_to_handler(&mut self, change: StateChange) {
        match change {
            StateChange::Registered { handler, registration } => {
                self.stored(handler).record.registration = Some(registration)
            }
            StateChange::Flags { handler, flags } => self.stored(handler).record.flags = Some(flags),
            StateChange::Choices { handler, items } => self.stored(handler).choose(items),
            StateChange::Committed { handler, item, fence, checkpoint, sides, consumed } => {
                self.stored(handler).commit(item, fence, checkpoint, sides, &consumed);
            }
            StateChange::Ended { handler, fence, time, items } => {
                items.into_iter().for_each(|(item, end)| self.stored(handler).end(item, fence, time, end));
            }
            StateChange::Retry { handler, item, retry } => {
                self.stored(handler).set_or_clear(item, retry, |record| &mut record.retry);
            }
            StateChange::Absent { handler, items } => {
                for (item, since) in items {
                    self.stored(handler).set_or_clear(item, since, |record| &mut record.absent_since);
                }
            }
            StateChange::Reset { handler, item } => self.stored(handler).reset(item),
            StateChange::Log { handler, manager, session, time, entries } => {
                self.stored(handler).replace_log((manager, session), time, entries);
            }
            StateChange::Logged { handler, manager, session, time, entries } => {
                self.stored(handler).add_to_log((manager, session), time, last_of_each(entries));
            }
            StateChange::Answered { handler, item, question, choice } => {
                self.stored(handler).answers.insert((item, question.key.clone()), (question, choice));
            }
            StateChange::LogDeleted { handler, scope } => self.stored(handler).delete(scope),
            StateChange::Settled { handler, item } => {
                self.stored(handler).log.retain(|record| !record.entry.has_question_for(item));
            }
            _ => {}
        }
    }

    fn stored(&mut self, handler: HandlerId) -> &mut Stored {
        self.handlers.entry(handler).or_default()
    }
}

/// Removes all but the last of the entries with the same id.
fn last_of_each(entries: Vec<Arc<LogEntry>>) -> Vec<Arc<LogEntry>> {
    let mut seen = BTreeSet::new();
    let mut kept: Vec<_> =
        entries.into_iter().rev().filter(|entry| entry.id.is_none_or(|error| seen.insert(error))).collect();
    kept.reverse();
    kept
}
