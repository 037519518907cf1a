//! The slots of workers: a worker occupies a slot, runs items sequentially, and leaves.

use std::mem;
use std::sync::Arc;
use std::task::{Poll, Waker};

use syncmgr_core::cancel::{CancelReason, Cancelled};
use syncmgr_core::cell::ItemCell;
use syncmgr_core::context::ItemContext;
use syncmgr_core::foreign;
use syncmgr_core::id::ItemId;
use tokio::time::Instant;

use super::Attempt;
use super::state::{Assignment, AttemptPhase, Ended};

/// The result of a request for workers.
pub(super) enum Granted {
    /// The slots of the granted workers.
    Slots(Vec<usize>),
    /// No item is left to begin and no worker is busy.
    Done,
}

impl Attempt {
    /// Accepts permits for workers from the host. Returns `false` if the permits are not needed; the host then keeps them.
    pub(crate) fn grant(&self, count: usize) -> bool {
        self.change(|state| {
            let needed = state.may_begin() && state.items.has_next();
            state.granted += if needed { count } else { 0 };
            needed
        })
    }

    /// Takes the permits granted since the last call, and gives each of their workers a slot.
    pub(super) fn poll_granted(&self, waker: &Waker) -> Poll<Granted> {
        let waker = waker.clone();
        let mut state = self.lock();
        if state.granted > 0 {
            let slots = (0..mem::take(&mut state.granted)).map(|_| state.take_slot()).collect();
            let ended_tokens = mem::take(&mut state.ended_tokens);
            drop(state);
            ended_tokens.iter().for_each(foreign::cancel);
            return Poll::Ready(Granted::Slots(slots));
        }
        if state.busy == 0 && !state.items.has_waiting() {
            return Poll::Ready(Granted::Done);
        }
        let unneeded = state.waiting.add(waker);
        drop(state);
        drop(unneeded);
        Poll::Pending
    }

    /// Returns unused permits to the host.
    pub(crate) fn return_unused(&self) {
        let unused = mem::take(&mut self.lock().granted);
        if unused > 0 {
            self.link.return_workers(unused);
        }
    }

    /// Ends a worker's item and begins its next item, under one lock. Returns `false` if the worker leaves, because no item
    /// is left or another run needs the worker.
    pub(super) fn next_item(&self, slot: usize, ended: Option<Ended>, context: &mut Option<ItemContext>) -> bool {
        let contended = self.link.is_contended();
        if let Some(ended) = ended.as_ref().filter(|_| contended && self.link.yields_permit()) {
            self.vacate(slot, ended);
            return self.assign(None, context);
        }
        let mut state = self.lock();
        let cancelled_at = ended.as_ref().and_then(|ended| state.end_in_slot(slot, ended));
        let mut passed_claims = false;
        if state.claiming {
            self.report_claims(state);
            passed_claims = ended.as_ref().is_some_and(|ended| self.pass_claims(ended.index));
            state = self.claim_next(self.lock());
        }
        let assignment = if self.may_assign(&mut state) { state.assign_next(slot) } else { state.leave(slot) };
        let is_last = contended && !state.items.has_next();
        // This worker has taken the first of the items that got its claims.
        let needs_workers = passed_claims && state.items.has_ready();
        let wakers = if assignment.is_some() { mem::take(&mut state.observers) } else { state.take_wakers() };
        let ended_tokens = mem::take(&mut state.ended_tokens);
        drop(state);
        ended_tokens.iter().for_each(foreign::cancel);
        wakers.wake();
        self.record_stop_latency(cancelled_at);
        if is_last {
            self.cancel_permit_request();
        }
        if assignment.is_none() {
            self.link.return_workers(1);
        }
        if needs_workers {
            self.request_needed_workers();
        }
        self.assign(assignment, context)
    }

    /// Returns the item of a worker.
    pub(super) fn item_in_slot(&self, slot: usize) -> Option<ItemId> {
        let index = self.lock().slots[slot].index?;
        Some(self.selection()[index].id())
    }

    /// Points a worker's context to its item. Returns `false` if the worker has left.
    fn assign(&self, assignment: Option<Assignment>, context: &mut Option<ItemContext>) -> bool {
        match (assignment, &mut *context) {
            (None, _) => *context = None,
            (Some((index, cell)), Some(context)) => context.reuse_for(index, cell),
            (Some((index, cell)), none) => {
                let cell = cell.expect("a worker's first item has a cell");
                *none = Some(ItemContext::new(self.to_arc(), index, cell));
            }
        }
        context.is_some()
    }

    /// Ends a worker's item and frees the worker's slot, then releases the item's claims. The release may make another
    /// item ready, and the request for workers that follows must not count this worker as busy.
    fn vacate(&self, slot: usize, ended: &Ended) {
        let cancelled_at = self.change(|state| {
            let cancelled_at = state.end_in_slot(slot, ended);
            state.vacate(slot);
            cancelled_at
        });
        self.record_stop_latency(cancelled_at);
        self.release(ended.index);
    }

    /// Marks an item as abandoned, because work that it started is still running.
    pub(crate) fn abandon(&self, item: ItemId, cell: &Arc<ItemCell>) {
        self.lock().abandoned.insert(item);
        self.link.abandoned(item, cell.clone());
    }

    /// Withdraws the request for workers, because no item is left to begin. Requests workers again if an item has
    /// become ready meanwhile.
    fn cancel_permit_request(&self) {
        self.link.cancel_permit_request();
        if self.lock().items.has_next() {
            self.request_needed_workers();
        }
    }

    /// Frees the slot of a worker that is dropped before its first item.
    pub(super) fn leave_unused(&self, slot: usize) {
        self.change(|state| state.vacate(slot));
        self.link.return_workers(1);
    }

    /// Frees the slot of a worker that is dropped in the middle of an item.
    pub(super) fn leave(&self, slot: usize, ended: Ended) {
        self.vacate(slot, &ended);
        self.link.return_workers(1);
    }

    /// Records that a worker has noticed the cancellation of its item, which starts its grace.
    pub(super) fn record_cancel_noticed(&self, slot: usize, now: Instant) {
        self.lock().slots[slot].noticed = Some(now);
    }

    /// Returns `true` if the worker was evicted while it blocked its thread. The worker's result is then discarded.
    pub(super) fn was_evicted(&self, slot: usize) -> bool {
        let work = self.lock().return_evicted(slot);
        work.is_some()
    }

    /// Reports the time from the request to stop an item to its end.
    pub(super) fn record_stop_latency(&self, cancelled_at: Option<Instant>) {
        if let Some(cancelled_at) = cancelled_at {
            self.link.stopped_after(cancelled_at.elapsed());
        }
    }

    /// Replaces the waker of a worker.
    pub(crate) fn replace_waker(&self, slot: usize, waker: &Waker) {
        let waker = Arc::new(waker.clone());
        let before = mem::replace(&mut self.lock().slots[slot].waker, waker);
        drop(before);
    }

    /// Begins a handler call that runs items on workers.
    pub(super) fn begin_call(&self) {
        self.lock().active_calls += 1;
    }

    /// Ends a handler call that runs items on workers. The end of the last call returns the unused permits and cancels the
    /// items that are still running.
    pub(super) fn end_call(&self) {
        let active_calls = {
            let mut state = self.lock();
            state.active_calls -= 1;
            state.active_calls
        };
        if active_calls == 0 {
            self.return_unused();
            self.cancel_unawaited();
        }
    }

    /// Requests workers, unless the attempt has ended and needs none.
    pub(super) fn request_needed_workers(&self) {
        let _ = self.request_workers();
    }

    /// Requests as many workers as the limit allows and the items can use.
    pub(super) fn request_workers(&self) -> Result<(), Cancelled> {
        let count = {
            let state = self.lock();
            if state.phase == AttemptPhase::Ended {
                return Err(Cancelled::new(CancelReason::Ended));
            }
            let could_run = match self.has_enough_waiting(&state) {
                true => state.items.ready_count() + state.busy,
                false => state.items.remaining() - state.items.waiting_for_claims() - state.self_reported.len(),
            };
            could_run.min(self.max_items()).saturating_sub(state.busy + state.granted)
        };
        let granted = self.link.request_workers(count);
        if granted > 0 && !self.grant(granted) {
            self.link.return_workers(granted);
        }
        Ok(())
    }
}
