//! A store in memory, whose contents end with the process.

mod contents;
mod handler;
mod log;
mod log_limit;
mod sessions;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::claim::Claim;
use syncmgr_core::decision::timetable::LastFiring;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{ErrorId, HandlerId, ItemId, SessionId, Subject};
use syncmgr_core::item::ItemState;
use syncmgr_core::log::Question;
use syncmgr_core::overrides::StoredOverrides;
use syncmgr_core::record::ItemRecord;
use syncmgr_core::retry::RetryState;
use syncmgr_core::schedule::Schedule;
use syncmgr_core::store::{
    HandlerRecord, Histogram, ItemName, LogRecord, ManagerSlot, SessionRecord, StateChange, StateStore, StoreInUse,
    StoreLease,
};
use syncmgr_core::sync::Mutex;

pub(crate) use self::contents::Contents;
pub(crate) use self::handler::Stored;
#[cfg(feature = "sqlite")]
pub(crate) use self::sessions::Sessions;

/// Stores everything in memory. Clones share the same store, which one manager at a time can use.
///
/// The store keeps the last 10,000 log entries of each handler, at most [8 MiB](Self::with_max_log_bytes) for all handlers, and the
/// last 200 sessions. Sessions without problems are dropped first.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// let store = MemoryStore::new();
/// for _ in 0..2 {
///     let manager = SyncManager::builder().store(store.clone()).build(); // as after a restart of the program
///     manager.run(Mail).await?;
/// }
/// assert_eq!(SyncManager::builder().store(store).build().history().await?.len(), 2);
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    contents: Arc<Mutex<Contents>>,
    slot: Arc<ManagerSlot>,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum memory in bytes, as far as it can be counted, for the logs of all handlers together. The default is
    /// 8 MiB. If the logs take more, the handler with the largest log loses its oldest entries.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let store = MemoryStore::new().with_max_log_bytes(64 * 1024);
    /// let manager = SyncManager::builder().store(store).build();
    /// assert!(manager.run(Mail).await?.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn with_max_log_bytes(self, max: usize) -> Self {
        self.contents.lock().log_limit.max = max;
        self
    }

    /// Returns a copy of the store as a killed process would leave it: open sessions are interrupted.
    pub fn after_crash(&self) -> Self {
        let mut contents = self.contents.lock().clone();
        contents.sessions.interrupt();
        Self::from(contents)
    }

    fn of<T: Default>(&self, handler: HandlerId, part: impl Fn(&Stored) -> T) -> T {
        self.contents.lock().handlers.get(&handler).map(part).unwrap_or_default()
    }
}

impl From<Contents> for MemoryStore {
    fn from(contents: Contents) -> Self {
        Self { contents: Arc::new(Mutex::new(contents)), slot: Arc::default() }
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

    fn handler(&self, handler: HandlerId) -> SyncResult<Option<HandlerRecord>> {
        Ok(self.contents.lock().handlers.get(&handler).map(|stored| stored.record.clone()))
    }

    fn choice(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemState>> {
        Ok(self.of(handler, |stored| stored.choices.get(&item).copied()))
    }

    fn choices(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemState>> {
        Ok(self.of(handler, |stored| stored.choices.clone()))
    }

    fn log(&self, handler: HandlerId) -> SyncResult<Vec<LogRecord>> {
        Ok(self.of(handler, |stored| stored.log.records().collect()))
    }

    fn log_about(&self, handler: HandlerId, item: ItemId) -> SyncResult<Vec<LogRecord>> {
        Ok(self.of(handler, |stored| stored.log.about(item)))
    }

    fn log_entry(&self, handler: HandlerId, error: ErrorId) -> SyncResult<Option<LogRecord>> {
        Ok(self.of(handler, |stored| stored.log.with_id(error)))
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

    fn records(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemRecord>> {
        Ok(self.of(handler, |stored| stored.items.clone()))
    }

    fn name(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemName>> {
        Ok(self.of(handler, |stored| stored.names.get(&item).cloned()))
    }

    fn names(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemName>> {
        Ok(self.of(handler, |stored| stored.names.clone()))
    }

    fn firings(&self, handler: HandlerId) -> SyncResult<BTreeMap<Schedule, LastFiring>> {
        Ok(self.of(handler, |stored| stored.firings.to_map()))
    }

    fn disabled(&self, handler: HandlerId) -> SyncResult<BTreeMap<Subject, Arc<str>>> {
        Ok(self.of(handler, |stored| stored.disabled.clone()))
    }

    fn overrides(&self, handler: HandlerId) -> SyncResult<StoredOverrides> {
        Ok(self.of(handler, |stored| stored.overrides.clone()))
    }

    fn ended_since(&self, handler: HandlerId, session: SessionId) -> SyncResult<BTreeSet<ItemId>> {
        Ok(self.of(handler, |stored| stored.ended_since(session)))
    }

    fn has_ended_since(&self, handler: HandlerId, item: ItemId, session: SessionId) -> SyncResult<bool> {
        Ok(self.of(handler, |stored| stored.ended.get(&item).is_some_and(|ended| *ended >= session)))
    }

    fn resources(&self) -> SyncResult<BTreeMap<Claim, RetryState>> {
        Ok(self.contents.lock().resources.clone())
    }

    fn sessions(&self) -> SyncResult<Vec<SessionRecord>> {
        Ok(self.contents.lock().sessions.all())
    }

    fn sessions_before(&self, before: Option<SessionId>, limit: usize) -> SyncResult<Vec<SessionRecord>> {
        Ok(self.contents.lock().sessions.before(before, limit))
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
