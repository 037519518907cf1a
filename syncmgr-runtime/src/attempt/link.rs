//! The interface from an attempt to its host.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use syncmgr_core::cancel::Cancelled;
use syncmgr_core::cell::ItemCell;
use syncmgr_core::decision::guard::GuardPolicy;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::host::ClaimSet;
use syncmgr_core::decision::verdict::Verdict;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{ErrorScope, ItemId};
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::{LogEntry, Question};
use syncmgr_core::port::{InteractionPermit, SecretStore};
use syncmgr_core::record::ItemRecord;
use syncmgr_core::store::{Durability, StateChange};

use super::Attempt;
use crate::nesting::Call;

/// The host of an attempt: a run in a session of our manager, or the callback of a foreign host.
pub(crate) trait HostLink: Send + Sync {
    fn log(&self, entry: LogEntry);
    fn delete_log(&self, scope: ErrorScope);
    fn interaction(&self) -> BoxFuture<'_, SyncResult<InteractionPermit>>;
    /// Returns the stored secrets, unless the run has ended.
    fn secrets(&self) -> Result<Arc<dyn SecretStore>, Cancelled>;
    fn connect<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, SyncResult>;
    fn decide(&self, item: ItemId, question: &Question) -> Option<usize>;
    /// Returns the record of an item.
    fn record(&self, item: ItemId) -> SyncResult<Option<ItemRecord>>;
    /// Stores a change.
    fn write(&self, change: StateChange) -> BoxFuture<'static, SyncResult>;
    /// Returns the durability of stored changes.
    fn durability(&self) -> Durability;
    /// Returns the guard policy for plans.
    fn guards(&self) -> GuardPolicy;
    /// Returns the time of day.
    fn now(&self) -> SystemTime;
    /// Returns the time until the run is stopped because something is about to end.
    fn time_left(&self) -> Option<Duration> {
        None
    }
    /// Marks these answers of an item as used.
    fn consume_answers(&self, item: ItemId, keys: &[Arc<str>]) {
        let _ = (item, keys);
    }
    /// Called before an item begins; the host may cancel it.
    fn item_begins(&self, attempt: &Attempt, item: ItemId) {
        let _ = (attempt, item);
    }
    /// Called before an item begins that may have ended its process. The item begins once the future has resolved.
    fn suspect_begins(&self, item: ItemId) -> BoxFuture<'static, SyncResult> {
        let _ = item;
        Box::pin(std::future::ready(Ok(())))
    }
    /// Called after an item has ended; its cell still has its latest report.
    fn item_ends(&self, item: ItemId, cell: &ItemCell) {
        let _ = (item, cell);
    }
    /// Called when an item is abandoned. The work that the item started has ended once the cell is no longer working.
    fn abandoned(&self, item: ItemId, cell: Arc<ItemCell>) {
        let _ = (item, cell);
    }
    /// Called when every item has ended before `synchronize` begins.
    fn no_items_left(&self) {}
    /// Returns `true` if an item has its claims. If not, the item waits until [`Attempt::ready`] is called.
    fn claim(&self, item: ItemId, claims: ClaimSet) -> bool {
        let _ = (item, claims);
        true
    }
    /// Returns `true` if a claim may be held back.
    fn may_hold_claims_back(&self) -> bool {
        false
    }
    /// Called before an item that succeeded or failed releases its claims: one of them may be held back from now on.
    fn claims_used(&self, item: &SyncItem, verdict: Verdict) {
        let _ = (item, verdict);
    }
    /// Returns the reason why an item that has its claims may not begin, if one of them is held back.
    fn hold_of_claims(&self, item: &SyncItem) -> Option<Hold> {
        let _ = item;
        None
    }
    /// Releases the claims of an item that has ended or no longer waits for them. Returns the items of this run that have their claims
    /// now.
    fn release(&self, item: ItemId) -> Vec<ItemId> {
        let _ = item;
        Vec::new()
    }
    /// Lets an item of the run that has its claims begin, or releases them if it no longer waits.
    fn offer(&self, item: ItemId) {
        let _ = item;
    }
    /// Releases the claims of an item that had them but did not begin. The item has to claim again.
    fn requeue(&self, item: ItemId) {
        let _ = item;
    }
    /// Returns `true` if a run waits for a worker.
    fn is_contended(&self) -> bool {
        false
    }
    /// Withdraws the request for workers: no item is left to begin.
    fn cancel_permit_request(&self) {}
    /// Returns `true` if a worker that has just ended an item must leave, because its permit goes to another run.
    fn yields_permit(&self) -> bool {
        false
    }
    /// Records the time from the request to stop a running item to its end.
    fn stopped_after(&self, time: Duration) {
        let _ = time;
    }
    /// Returns the identity of the handler's calls, for sessions that they start. `None` for a foreign host.
    fn call(&self) -> Option<Call> {
        None
    }
    /// Returns the span that the handler runs in.
    fn span(&self) -> tracing::Span {
        tracing::Span::current()
    }
    /// Returns how long the handler has had the user's attention or waited for it.
    fn attention_time(&self) -> Duration {
        Duration::ZERO
    }
    /// Requests workers. Returns the number granted immediately; the rest are granted with [`Attempt::grant`] as they
    /// become free.
    fn request_workers(&self, count: usize) -> usize;
    fn return_workers(&self, count: usize);
    fn spawn(&self, task: BoxFuture<'static, ()>);
    fn blocking(&self, job: Box<dyn FnOnce() + Send>);
}
