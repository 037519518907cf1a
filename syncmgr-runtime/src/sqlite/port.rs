//! The store as a manager sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::claim::Claim;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::item::ItemState;
use syncmgr_core::log::Question;
use syncmgr_core::record::ItemRecord;
use syncmgr_core::retry::RetryState;
use syncmgr_core::store::{Durability, HandlerRecord, Histogram, LogRecord, SessionRecord, StateChange, StateStore};

use super::SqliteStore;
use super::error::StoreError;
use super::reader::Reader;

impl SqliteStore {
    /// To read what everything written so far has come to.
    fn all(&self) -> &Reader {
        if let Some(writer) = &self.parts.writer {
            writer.wait_for_all();
        }
        &self.parts.reader
    }

    /// To read what everything written of this item so far has come to.
    fn of(&self, handler: HandlerId, item: ItemId) -> &Reader {
        if let Some(writer) = &self.parts.writer {
            writer.wait_for(handler, item);
        }
        &self.parts.reader
    }
}

impl StateStore for SqliteStore {
    fn handlers(&self) -> SyncResult<BTreeMap<HandlerId, HandlerRecord>> {
        Ok(self.all().handlers()?)
    }

    fn choices(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemState>> {
        Ok(self.all().choices(handler)?)
    }

    fn log(&self, handler: HandlerId) -> SyncResult<Vec<LogRecord>> {
        Ok(self.all().log(handler)?)
    }

    fn log_about(&self, handler: HandlerId, item: ItemId) -> SyncResult<Vec<LogRecord>> {
        Ok(self.all().log_about(handler, item)?)
    }

    fn answer(&self, handler: HandlerId, item: ItemId, question: &Question) -> SyncResult<Option<usize>> {
        Ok(self.of(handler, item).answer(handler, item, question)?)
    }

    fn record(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemRecord>> {
        Ok(self.of(handler, item).record(handler, item)?)
    }

    fn setbacks(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, RetryState>> {
        Ok(self.all().setbacks(handler)?)
    }

    fn known(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, Option<SystemTime>>> {
        Ok(self.all().known(handler)?)
    }

    fn ended_since(&self, handler: HandlerId, session: SessionId) -> SyncResult<BTreeSet<ItemId>> {
        Ok(self.all().ended_since(handler, session)?)
    }

    fn resources(&self) -> SyncResult<BTreeMap<Claim, RetryState>> {
        Ok(self.all().resources()?)
    }

    fn sessions(&self) -> SyncResult<Vec<SessionRecord>> {
        Ok(self.all().sessions()?)
    }

    fn interrupted(&self) -> SyncResult<Vec<SessionRecord>> {
        Ok(self.all().interrupted()?)
    }

    fn last_session(&self) -> SyncResult<SessionId> {
        Ok(self.all().last_session()?)
    }

    fn histogram(&self, name: &str) -> SyncResult<Option<Histogram>> {
        Ok(self.all().histogram(name)?)
    }

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        let path = self.parts.path.clone();
        let Some(writer) = &self.parts.writer else {
            return async { Err(StoreError::LookingOnly { path }.into()) }.boxed();
        };
        let answer = writer.write(changes);
        async { answer.await.unwrap_or_else(|_| Err(StoreError::Stopped { path }.into())) }.boxed()
    }

    fn room(&self) -> Option<BoxFuture<'static, ()>> {
        let room = self.parts.writer.as_ref()?.room()?;
        Some(room.map(drop).boxed())
    }

    fn durability(&self) -> Durability {
        self.parts.durability
    }
}
