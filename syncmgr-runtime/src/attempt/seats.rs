//! Workers come, take a seat, run one item after the other, and leave.

use std::mem;
use std::sync::Arc;
use std::task::{Poll, Waker};

use syncmgr_core::cancel::{CancelReason, Cancelled};
use syncmgr_core::cell::ItemCell;
use syncmgr_core::context::ItemContext;
use syncmgr_core::id::ItemId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Attempt;
use super::state::{Ended, Seated, Working};

/// What became of the request for workers.
pub(super) enum Lent {
    /// These places were lent.
    Slots(Vec<usize>),
    /// Nothing is left to begin and nobody is busy.
    Done,
}

impl Attempt {
    /// The host lends workers. `false` when they are not needed any more; they stay with the host then.
    pub(crate) fn lend(&self, count: usize) -> bool {
        self.change(|state| {
            let needed = state.working == Working::Now && state.served > 0 && state.run.has_next();
            state.lent += if needed { count } else { 0 };
            needed
        })
    }

    /// Takes the workers the host has lent since the last call.
    pub(super) fn poll_lent(&self, waker: &Waker) -> Poll<Lent> {
        let mut state = self.lock();
        if state.lent > 0 {
            let slots = (0..mem::take(&mut state.lent)).map(|_| state.take_slot()).collect();
            let over = mem::take(&mut state.over);
            drop(state);
            over.iter().for_each(CancellationToken::cancel);
            return Poll::Ready(Lent::Slots(slots));
        }
        if state.busy == 0 && !state.run.has_waiting() {
            return Poll::Ready(Lent::Done);
        }
        state.wait(waker);
        Poll::Pending
    }

    /// Lent workers that were not put to work go back.
    pub(crate) fn return_lent(&self) {
        let unused = mem::take(&mut self.lock().lent);
        if unused > 0 {
            self.link.give_back_workers(unused);
        }
    }

    /// A worker's turn: ends the item it had and begins the next, in one lock. `false` when there is none, or the worker
    /// is needed elsewhere, and it leaves.
    pub(super) fn turn(&self, slot: usize, ended: Option<Ended>, context: &mut Option<ItemContext>) -> bool {
        let contended = self.link.is_contended();
        if let Some(ended) = ended.as_ref().filter(|_| contended && self.link.gives_way()) {
            self.vacate(slot, ended);
            return self.sit(None, context);
        }
        let mut state = self.lock();
        let asked = ended.as_ref().and_then(|ended| state.end_seated(slot, ended));
        if self.is_claiming() {
            drop(state);
            ended.iter().for_each(|ended| self.release(ended.place));
            state = self.claim_next();
        }
        let seated = if self.may_seat(&mut state) { state.seat(slot) } else { state.leave(slot) };
        let is_last = contended && !state.run.has_next();
        let wakers = if seated.is_some() { mem::take(&mut state.observers) } else { state.everybody() };
        let over = mem::take(&mut state.over);
        drop(state);
        over.iter().for_each(CancellationToken::cancel);
        wakers.into_iter().for_each(Waker::wake);
        self.note_stopped(asked);
        if is_last {
            self.want_no_more();
        }
        if seated.is_none() {
            self.link.give_back_workers(1);
        }
        self.sit(seated, context)
    }

    /// Turns a worker's context to where it sits now. `false` when it has left.
    fn sit(&self, seated: Option<Seated>, context: &mut Option<ItemContext>) -> bool {
        match (seated, &mut *context) {
            (None, _) => *context = None,
            (Some((place, cell)), Some(context)) => context.turn_to(place, cell),
            (Some((place, cell)), none) => {
                let cell = cell.expect("a first item comes with its cell");
                *none = Some(ItemContext::new(self.myself(), place, cell));
            }
        }
        context.is_some()
    }

    /// Ends a worker's item and frees its seat, before what the item claimed is released: whoever is ready then counts on
    /// those who are still here.
    fn vacate(&self, slot: usize, ended: &Ended) {
        let asked = self.change(|state| {
            let asked = state.end_seated(slot, ended);
            state.vacate(slot);
            asked
        });
        self.note_stopped(asked);
        self.release(ended.place);
    }

    /// An item was abandoned: what it started is still running.
    pub(crate) fn abandon(&self, item: ItemId, cell: &Arc<ItemCell>) {
        self.lock().abandoned.insert(item);
        self.link.abandoned(item, cell.clone());
    }

    /// Nothing is left to begin, so that no worker is needed. What became ready meanwhile asks again.
    fn want_no_more(&self) {
        self.link.want_no_more();
        if self.lock().run.has_next() {
            // An attempt that is over has nothing next.
            let _ = self.want_workers();
        }
    }

    /// A worker is gone before its first turn.
    pub(super) fn leave_unused(&self, slot: usize) {
        self.change(|state| state.vacate(slot));
        self.link.give_back_workers(1);
    }

    /// A worker is gone in the middle of an item.
    pub(super) fn leave(&self, slot: usize, ended: Ended) {
        self.vacate(slot, &ended);
        self.link.give_back_workers(1);
    }

    /// A worker knows that its item is cancelled; from now on its grace is counted.
    pub(super) fn heard(&self, slot: usize, now: Instant) {
        self.lock().slots[slot].heard = Some(now);
    }

    /// Whether the seat was taken from the worker while it blocked its thread. What it did counts for nothing then.
    pub(super) fn was_evicted(&self, slot: usize) -> bool {
        let blocked = self.lock().come_back(slot);
        blocked.is_some()
    }

    /// An item has ended that somebody had asked to end.
    pub(super) fn note_stopped(&self, asked: Option<Instant>) {
        if let Some(asked) = asked {
            self.link.stopped_after(asked.elapsed());
        }
    }

    /// A worker is polled with another waker than before.
    pub(crate) fn rewake(&self, slot: usize, waker: &Waker) {
        self.lock().slots[slot].waker.clone_from(waker);
    }

    /// A call of the handler has items run.
    pub(super) fn serve(&self) {
        self.lock().served += 1;
    }

    /// It has ended; lent workers that nobody put to work go back.
    pub(super) fn stop_serving(&self) {
        let served = {
            let mut state = self.lock();
            state.served -= 1;
            state.served
        };
        if served == 0 {
            self.return_lent();
        }
    }

    /// Asks for as many workers as the limit leaves and the items can use.
    pub(super) fn want_workers(&self) -> Result<(), Cancelled> {
        let count = {
            let state = self.lock();
            if state.working == Working::Over {
                return Err(Cancelled::new(CancelReason::Over));
            }
            let could_run = match self.has_enough_waiting(&state) {
                true => state.run.ready_count() + state.busy,
                false => state.run.open() - state.run.waiting_for_claims() - state.by_hand.len(),
            };
            could_run.min(self.limits.items()).saturating_sub(state.busy + state.lent)
        };
        let lent = self.link.want_workers(count);
        if lent > 0 && !self.lend(lent) {
            self.link.give_back_workers(lent);
        }
        Ok(())
    }
}
