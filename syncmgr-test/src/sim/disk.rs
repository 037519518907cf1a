//! The store of one process: what is written goes into the books too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

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

use super::world::World;
use crate::FaultyStore;

/// A store whose writes take a while longer, by chance, until whoever waits hears of them.
#[derive(Clone)]
pub(super) struct Disk {
    pub(super) store: FaultyStore,
    pub(super) world: World,
}

impl StateStore for Disk {
    fn handlers(&self) -> SyncResult<BTreeMap<HandlerId, HandlerRecord>> {
        self.store.handlers()
    }

    fn choices(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemState>> {
        self.store.choices(handler)
    }

    fn log(&self, handler: HandlerId) -> SyncResult<Vec<LogRecord>> {
        self.store.log(handler)
    }

    fn answer(&self, handler: HandlerId, item: ItemId, question: &Question) -> SyncResult<Option<usize>> {
        self.store.answer(handler, item, question)
    }

    fn record(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemRecord>> {
        self.store.record(handler, item)
    }

    fn setbacks(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, RetryState>> {
        self.store.setbacks(handler)
    }

    fn known(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, Option<SystemTime>>> {
        self.store.known(handler)
    }

    fn ended_since(&self, handler: HandlerId, session: SessionId) -> SyncResult<BTreeSet<ItemId>> {
        self.store.ended_since(handler, session)
    }

    fn resources(&self) -> SyncResult<BTreeMap<Claim, RetryState>> {
        self.store.resources()
    }

    fn sessions(&self) -> SyncResult<Vec<SessionRecord>> {
        self.store.sessions()
    }

    fn interrupted(&self) -> SyncResult<Vec<SessionRecord>> {
        self.store.interrupted()
    }

    fn last_session(&self) -> SyncResult<SessionId> {
        self.store.last_session()
    }

    fn histogram(&self, name: &str) -> SyncResult<Option<Histogram>> {
        self.store.histogram(name)
    }

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        self.world.reach(|state| changes.iter().for_each(|change| state.digest(&format!("{change:?}"))));
        let (world, written) = (self.world.clone(), self.store.write(changes));
        async move {
            let written = written.await;
            if written.is_err() {
                world.reach(|state| state.books.store_trouble = true);
            }
            world.shake("write", 0, Duration::from_millis(30)).await;
            written
        }
        .boxed()
    }

    fn durability(&self) -> Durability {
        self.store.durability()
    }
}
