//! The [`StateStore`] implementation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::Connection;
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
    Durability, HandlerRecord, Histogram, ItemName, LogRecord, Medium, SessionRecord, StateChange, StateStore,
    StoreInUse, StoreLease,
};

use super::SqliteStore;
use super::error::StoreError;
use super::load;
use super::queue::Scope;
use super::reader::Size;

/// Every read loads the committed part of the store that it returns, and applies the queued changes to it.
impl StateStore for SqliteStore {
    fn handlers(&self) -> SyncResult<BTreeMap<HandlerId, HandlerRecord>> {
        self.view(Size::List, Scope::Handlers, load::handlers)?.handlers()
    }

    fn handler(&self, handler: HandlerId) -> SyncResult<Option<HandlerRecord>> {
        let view = self.view(Size::Lookup, Scope::Handler(handler), load::handler(handler))?;
        view.handler(handler)
    }

    fn choice(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemState>> {
        self.view(Size::Lookup, Scope::Handler(handler), load::choice(handler, item))?.choice(handler, item)
    }

    fn choices(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemState>> {
        self.view(Size::List, Scope::Handler(handler), load::choices(handler))?.choices(handler)
    }

    fn few_choices(&self, handler: HandlerId) -> SyncResult<Option<BTreeMap<ItemId, ItemState>>> {
        // Queued choices may be many.
        if self.parts.writer.as_ref().is_some_and(|writer| writer.has_choices_of(handler)) {
            return Ok(None);
        }
        let read = |connection: &Connection| load::few_choices(connection, handler);
        let choices = self.parts.reader.read(Size::Lookup, read)?;
        Ok(Some(choices).filter(|choices| choices.len() <= load::FEW))
    }

    fn log(&self, handler: HandlerId) -> SyncResult<Vec<LogRecord>> {
        self.view(Size::List, Scope::Handler(handler), load::log(handler))?.log(handler)
    }

    fn log_about(&self, handler: HandlerId, item: ItemId) -> SyncResult<Vec<LogRecord>> {
        self.view(Size::Lookup, Scope::Handler(handler), load::log_about(handler, item))?.log_about(handler, item)
    }

    fn log_entry(&self, handler: HandlerId, error: ErrorId) -> SyncResult<Option<LogRecord>> {
        self.view(Size::Lookup, Scope::Handler(handler), load::log_entry(handler, error))?.log_entry(handler, error)
    }

    fn answer(&self, handler: HandlerId, item: ItemId, question: &Question) -> SyncResult<Option<usize>> {
        self.view(Size::Lookup, Scope::Item(handler, item), load::answer(handler, item, question))?
            .answer(handler, item, question)
    }

    fn record(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemRecord>> {
        self.find_record(handler, item)
    }

    fn retry_states(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, RetryState>> {
        self.view(Size::Lookup, Scope::Handler(handler), load::retry_states(handler))?.retry_states(handler)
    }

    fn recorded_items(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, Option<SystemTime>>> {
        if self.queued(Scope::Handler(handler)).is_empty() {
            return self.parts.reader.read(Size::List, |connection| load::known_items(connection, handler));
        }
        self.view(Size::List, Scope::Handler(handler), load::recorded_items(handler))?.recorded_items(handler)
    }

    fn records(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemRecord>> {
        self.view(Size::List, Scope::Handler(handler), load::records(handler))?.records(handler)
    }

    fn name(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemName>> {
        self.view(Size::Lookup, Scope::Handler(handler), load::name(handler, item))?.name(handler, item)
    }

    fn names(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemName>> {
        self.view(Size::List, Scope::Handler(handler), load::names(handler))?.names(handler)
    }

    fn firings(&self, handler: HandlerId) -> SyncResult<BTreeMap<Schedule, LastFiring>> {
        self.view(Size::Lookup, Scope::Handler(handler), load::firings(handler))?.firings(handler)
    }

    fn disabled(&self, handler: HandlerId) -> SyncResult<BTreeMap<Subject, Arc<str>>> {
        self.view(Size::Lookup, Scope::Handler(handler), load::disabled(handler))?.disabled(handler)
    }

    fn overrides(&self, handler: HandlerId) -> SyncResult<StoredOverrides> {
        self.view(Size::Lookup, Scope::Handler(handler), load::overrides(handler))?.overrides(handler)
    }

    fn ended_since(&self, handler: HandlerId, session: SessionId) -> SyncResult<BTreeSet<ItemId>> {
        self.view(Size::List, Scope::Handler(handler), load::ended_since(handler, session))?
            .ended_since(handler, session)
    }

    fn has_ended_since(&self, handler: HandlerId, item: ItemId, session: SessionId) -> SyncResult<bool> {
        let view = self.view(Size::Lookup, Scope::Item(handler, item), load::ended(handler, item))?;
        view.has_ended_since(handler, item, session)
    }

    fn resources(&self) -> SyncResult<BTreeMap<Claim, RetryState>> {
        self.view(Size::Lookup, Scope::Resources, load::resources)?.resources()
    }

    fn sessions(&self) -> SyncResult<Vec<SessionRecord>> {
        self.view(Size::List, Scope::Sessions, load::sessions)?.sessions()
    }

    fn sessions_before(&self, before: Option<SessionId>, limit: usize) -> SyncResult<Vec<SessionRecord>> {
        self.view(Size::List, Scope::Sessions, load::sessions_before(before, limit))?.sessions_before(before, limit)
    }

    fn interrupted(&self) -> SyncResult<Vec<SessionRecord>> {
        self.view(Size::Lookup, Scope::Sessions, load::interrupted)?.interrupted()
    }

    fn last_session(&self) -> SyncResult<SessionId> {
        self.view(Size::Lookup, Scope::LastSession, load::last_session)?.last_session()
    }

    fn histogram(&self, name: &str) -> SyncResult<Option<Histogram>> {
        self.view(Size::Lookup, Scope::Histograms, load::histogram(name))?.histogram(name)
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

    fn medium(&self) -> Medium {
        Medium::Disk
    }

    fn durability(&self) -> Durability {
        self.parts.durability
    }
}
