//! What an attempt asks of its host.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use syncmgr_core::cell::ItemCell;
use syncmgr_core::decision::guard::GuardPolicy;
use syncmgr_core::decision::host::ClaimSet;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{ErrorScope, ItemId};
use syncmgr_core::log::{LogEntry, Question};
use syncmgr_core::port::InteractionPermit;
use syncmgr_core::record::ItemRecord;
use syncmgr_core::store::{Durability, StateChange};

use super::Attempt;

/// What an attempt needs from whoever hosts it: the manager's session, or a foreign callback.
pub(crate) trait HostLink: Send + Sync {
    fn log(&self, entry: LogEntry);
    fn delete_log(&self, scope: ErrorScope);
    fn interaction(&self) -> BoxFuture<'_, SyncResult<InteractionPermit>>;
    fn connect<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, SyncResult>;
    fn decide(&self, item: ItemId, question: &Question) -> Option<usize>;
    /// What is remembered of an item.
    fn record(&self, item: ItemId) -> SyncResult<Option<ItemRecord>>;
    /// Remembers something.
    fn write(&self, change: StateChange) -> BoxFuture<'static, SyncResult>;
    /// What survives what once it is remembered.
    fn durability(&self) -> Durability;
    /// By which rules plans are judged.
    fn guards(&self) -> GuardPolicy;
    /// The time of day.
    fn now(&self) -> SystemTime;
    /// These answers of an item were used up.
    fn used_up(&self, item: ItemId, keys: &[Arc<str>]) {
        let _ = (item, keys);
    }
    /// An item is about to begin; the host may cancel it.
    fn begins(&self, attempt: &Attempt, item: ItemId) {
        let _ = (attempt, item);
    }
    /// An item has ended; its cell still has what it reported last.
    fn ends(&self, item: ItemId, cell: &ItemCell) {
        let _ = (item, cell);
    }
    /// An item was abandoned; while the cell is working, what it started is still running.
    fn abandoned(&self, item: ItemId, cell: Arc<ItemCell>) {
        let _ = (item, cell);
    }
    /// Every item has ended before `synchronize` began.
    fn emptied(&self) {}
    /// Whether an item has what it claims; if not it waits until [`Attempt::ready`] is called.
    fn claim(&self, item: ItemId, claims: ClaimSet) -> bool {
        let _ = (item, claims);
        true
    }
    /// An item with claims has ended, or no longer waits.
    fn release(&self, item: ItemId) {
        let _ = item;
    }
    /// An item that had its claims waits for its turn again.
    fn put_back(&self, item: ItemId) {
        let _ = item;
    }
    /// Whether anybody waits for a worker.
    fn is_contended(&self) -> bool {
        false
    }
    /// Nothing is left to begin: what was asked for is not needed.
    fn want_no_more(&self) {}
    /// Whether a worker that has just ended an item is needed elsewhere; it has been given back then.
    fn gives_way(&self) -> bool {
        false
    }
    /// How long a running item took to end after somebody had asked for it.
    fn stopped_after(&self, time: Duration) {
        let _ = time;
    }
    /// The span the handler runs in.
    fn span(&self) -> tracing::Span {
        tracing::Span::current()
    }
    /// How long the handler has had the user's attention, or waited for it.
    fn attended(&self) -> Duration {
        Duration::ZERO
    }
    /// Asks for workers. Returns how many may work at once; others are lent with [`Attempt::lend`] as they become free.
    fn want_workers(&self, count: usize) -> usize;
    fn give_back_workers(&self, count: usize);
    fn spawn(&self, task: BoxFuture<'static, ()>);
    fn blocking(&self, job: Box<dyn FnOnce() + Send>);
}
