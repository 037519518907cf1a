//! The [`StateStore`] implementation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::claim::Claim;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{HandlerId, ItemId, SessionId, Subject};
use syncmgr_core::item::ItemState;
use syncmgr_core::log::Question;
use syncmgr_core::record::ItemRecord;
use syncmgr_core::retry::RetryState;
use syncmgr_core::store::{
    Durability, HandlerRecord, Histogram, LogRecord, SessionRecord, StateChange, StateStore, StoreInUse, StoreLease,
};

use super::SqliteStore;
use super::error::StoreError;
use super::load;
use super::queue::Scope;

/// Every read loads the committed part of the store that it returns, and applies the queued changes to it.
impl StateStore for SqliteStore {
    fn handlers(&self) -> SyncResult<BTreeMap<HandlerId, HandlerRecord>> {
        self.view(Scope::Store, load::handlers)?.handlers()
    }

    fn choices(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemState>> {
        self.view(Scope::Handler(handler), load::choices(handler))?.choices(handler)
    }

    fn log(&self, handler: HandlerId) -> SyncResult<Vec<LogRecord>> {
        self.view(Scope::Handler(handler), load::log(handler))?.log(handler)
    }

    fn log_about(&self, handler: HandlerId, item: ItemId) -> SyncResult<Vec<LogRecord>> {
        self.view(Scope::Handler(handler), load::log_about(handler, item))?.log_about(handler, item)
    }

    fn answer(&self, handler: HandlerId, item: ItemId, question: &Question) -> SyncResult<Option<usize>> {
        self.view(Scope::Item(handler, item), load::answer(handler, item, question))?.answer(handler, item, question)
    }

    fn record(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemRecord>> {
        self.view(Scope::Item(handler, item), load::record(handler, item))?.record(handler, item)
    }

    fn retry_states(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, RetryState>> {
        self.view(Scope::Handler(handler), load::retry_states(handler))?.retry_states(handler)
    }

    fn recorded_items(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, Option<SystemTime>>> {
        self.view(Scope::Handler(handler), load::recorded_items(handler))?.recorded_items(handler)
    }

    fn records(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemRecord>> {
        self.view(Scope::Handler(handler), load::records(handler))?.records(handler)
    }

    fn names(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, Arc<str>>> {
        self.view(Scope::Handler(handler), load::names(handler))?.names(handler)
    }

    fn disabled(&self, handler: HandlerId) -> SyncResult<BTreeMap<Subject, Arc<str>>> {
        self.view(Scope::Handler(handler), load::disabled(handler))?.disabled(handler)
    }

    fn ended_since(&self, handler: HandlerId, session: SessionId) -> SyncResult<BTreeSet<ItemId>> {
        self.view(Scope::Handler(handler), load::ended_since(handler, session))?.ended_since(handler, session)
    }

    fn resources(&self) -> SyncResult<BTreeMap<Claim, RetryState>> {
        self.view(Scope::Store, load::resources)?.resources()
    }

    fn sessions(&self) -> SyncResult<Vec<SessionRecord>> {
        self.view(Scope::Store, load::sessions)?.sessions()
    }

    fn interrupted(&self) -> SyncResult<Vec<SessionRecord>> {
        self.view(Scope::Store, load::interrupted)?.interrupted()
    }

    fn last_session(&self) -> SyncResult<SessionId> {
        self.view(Scope::Store, load::last_session)?.last_session()
    }

    fn histogram(&self, name: &str) -> SyncResult<Option<Histogram>> {
        self.view(Scope::Store, load::histogram(name))?.histogram(name)
    }

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        let path = self.parts.path.clone();
        let Some(writer) = &self.parts.writer else {
            return async { Err(StoreError::ReadOnly { path }.into()) }.boxed();
        };
        let answer = writer.write(changes);
        async { answer.await.unwrap_or_else(|_| Err(StoreError::Stopped { path }.into())) }.boxed()
    }

    fn write_capacity(&self) -> Option<BoxFuture<'static, ()>> {
        let room = self.parts.writer.as_ref()?.write_capacity()?;
        Some(room.map(drop).boxed())
    }

    /// Any number of managers may read a store that is open read-only.
    fn acquire(&self) -> Result<StoreLease, StoreInUse> {
        match &self.parts.writer {
            Some(_) => self.parts.slot.acquire(),
            None => Ok(StoreLease::shared()),
        }
    }

    fn durability(&self) -> Durability {
        self.parts.durability
    }
}
