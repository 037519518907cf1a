//! The state behind the mutex of an attempt: the pure state of its items, and a slot for each worker.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::cell::{ItemCell, WorkGuard};
use syncmgr_core::decision::attempt::{AttemptState, Phase};
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::verdict::{Ending, Outcome, Verdict, verdict_of};
use syncmgr_core::error::FailureClass;
use syncmgr_core::foreign::{self, Wakers};
use syncmgr_core::id::{ItemId, Subject};
use syncmgr_core::status::Status;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::records::Usage;

/// The state of an attempt.
#[derive(Default)]
pub(super) struct State {
    pub(super) items: AttemptState,
    pub(super) phase: AttemptPhase,
    pub(super) slots: Vec<Slot>,
    /// The running items that the handler reports itself, without a worker.
    pub(super) self_reported: BTreeMap<usize, Arc<ItemCell>>,
    /// The classes of failures other than transient ones, which most are.
    pub(super) classes: BTreeMap<usize, FailureClass>,
    /// The items for a part of which the user is needed.
    pub(super) partial: BTreeSet<usize>,
    /// The items that did not begin because one of their claims was held back.
    pub(super) held_back: BTreeMap<usize, Hold>,
    /// `true` if any item has claims.
    pub(super) claiming: bool,
    /// The ended items whose claims may be held back now, to be reported to the host once the lock is released.
    pub(super) claims_used: Vec<Ended>,
    pub(super) abandoned: BTreeSet<ItemId>,
    /// The usage of items since their last commit.
    pub(super) used: BTreeMap<ItemId, Usage>,
    pub(super) pushes: Vec<(Subject, Status)>,
    /// Granted permits whose workers have no slot yet.
    pub(super) granted: usize,
    /// Workers with a slot.
    pub(super) busy: usize,
    /// `Yes` once the task that drives the attempt was dropped.
    pub(super) aborted: Aborted,
    /// The number of handler calls in progress that run items on workers.
    pub(super) active_calls: usize,
    /// The free slots.
    pub(super) vacant: Vec<usize>,
    /// The tokens of ended items, to be cancelled once the lock is released.
    pub(super) ended_tokens: Vec<CancellationToken>,
    /// The time at which self-reported items were cancelled.
    pub(super) self_reported_cancelled: BTreeMap<usize, Instant>,
    /// Woken when a worker starts or leaves, or a status is queued for a push.
    pub(super) waiting: Wakers,
    /// Woken when the journal grows.
    pub(super) observers: Wakers,
}

/// The phase of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum AttemptPhase {
    /// Preparing.
    #[default]
    Preparing,
    /// Synchronizing.
    Synchronizing,
    /// The attempt has ended: late reports are refused.
    Ended,
}

/// The abort of an attempt: workers leave immediately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Aborted {
    #[default]
    No,
    Yes,
}

/// A worker's slot: its item, the cell it reports to, and the waker for its cancellation.
pub(super) struct Slot {
    /// The index of its item.
    pub(super) index: Option<usize>,
    pub(super) cell: Arc<ItemCell>,
    /// Shared, because a foreign waker must not be cloned while the state is locked.
    pub(super) waker: Arc<Waker>,
    /// The time at which the item was cancelled.
    pub(super) cancelled: Option<Instant>,
    /// The time at which its worker noticed the cancellation.
    pub(super) noticed: Option<Instant>,
    /// The work that is still running, if the worker did not return from its item and was evicted.
    pub(super) evicted: Option<WorkGuard>,
}

/// The end of a worker's item.
pub(super) struct Ended {
    pub(super) index: usize,
    pub(super) verdict: Verdict,
}

/// An item whose worker was evicted.
pub(super) struct Evicted {
    pub(super) index: usize,
    pub(super) cell: Arc<ItemCell>,
    /// The time at which the item was cancelled by request; `None` if it was not.
    pub(super) cancelled_at: Option<Instant>,
}

/// The index of a worker's next item, and the item's cell unless the worker's previous cell is reused.
pub(super) type Assignment = (usize, Option<Arc<ItemCell>>);

impl State {
    pub(super) fn end(&mut self, index: usize, verdict: Verdict) {
        let has_begun = self.items.phase(index) == Some(Phase::Running);
        if !self.items.end(index, verdict.outcome) {
            return;
        }
        if let Some(class) = verdict.class.filter(|class| *class != FailureClass::Transient) {
            self.classes.insert(index, class);
        }
        self.partial.extend(verdict.is_partial.then_some(index));
        if self.claiming && has_begun && matches!(verdict.outcome, Outcome::Succeeded | Outcome::Failed) {
            self.claims_used.push(Ended { index, verdict });
        }
    }

    /// Returns the verdict on an item that ended with this outcome.
    pub(super) fn verdict(&self, index: usize, outcome: Outcome) -> Verdict {
        let class = self.classes.get(&index);
        let mut verdict = class.map_or(Verdict::reported(outcome), |class| Verdict::failed(*class));
        verdict.is_partial = self.partial.contains(&index);
        verdict
    }

    /// Leaves out an item that has not begun, because of a claim. Returns `false` if it has begun or ended.
    pub(super) fn hold_back(&mut self, index: usize, hold: Hold) -> bool {
        self.end_waiting(index, hold, Outcome::Skipped)
    }

    /// Leaves out an item that has not begun, because its requirement is no longer met. Returns `false` if it has begun or ended.
    pub(super) fn leave_out(&mut self, index: usize, hold: Hold) -> bool {
        self.end_waiting(index, hold, Outcome::Stopped)
    }

    fn end_waiting(&mut self, index: usize, hold: Hold, outcome: Outcome) -> bool {
        let waits = matches!(self.items.phase(index), Some(Phase::Queued | Phase::Held));
        if waits {
            self.held_back.insert(index, hold);
            self.items.end(index, outcome);
        }
        waits
    }

    /// Returns the items that have not ended.
    pub(super) fn unended(&self) -> Vec<usize> {
        let ended = |index: &usize| matches!(self.items.phases()[*index], Phase::Ended(_));
        match self.items.remaining() {
            0 => Vec::new(),
            _ => (0..self.items.phases().len()).filter(|index| !ended(index)).collect(),
        }
    }

    /// Returns `true` while items may begin on workers: the handler waits for its items.
    pub(super) fn may_begin(&self) -> bool {
        self.phase == AttemptPhase::Synchronizing && self.active_calls > 0
    }

    /// Returns a slot for one more worker.
    pub(super) fn take_slot(&mut self) -> usize {
        self.busy += 1;
        if let Some(slot_index) = self.vacant.pop() {
            let slot = &mut self.slots[slot_index];
            ItemCell::renew(&mut slot.cell, 1, &mut self.ended_tokens);
            (slot.cancelled, slot.noticed) = (None, None);
            return slot_index;
        }
        self.slots.push(Slot {
            index: None,
            cell: Arc::default(),
            waker: Arc::new(Waker::noop().clone()),
            cancelled: None,
            noticed: None,
            evicted: None,
        });
        self.slots.len() - 1
    }

    /// Ends the item of a slot. Returns the time at which the item was cancelled by request; `None` if it was not.
    pub(super) fn end_in_slot(&mut self, slot_index: usize, ended: &Ended) -> Option<Instant> {
        self.end(ended.index, ended.verdict);
        let slot = &mut self.slots[slot_index];
        slot.noticed = None;
        slot.cancelled.take().filter(|_| was_requested(&slot.cell))
    }

    /// Frees the slot of a worker, because the next item may not begin yet.
    pub(super) fn leave(&mut self, slot_index: usize) -> Option<Assignment> {
        self.vacate(slot_index);
        None
    }

    /// Assigns the next item to a worker, or frees its slot if there is none.
    pub(super) fn assign_next(&mut self, slot_index: usize) -> Option<Assignment> {
        /// The number of references to a cell that nothing else uses: those of the slot and of the worker's context.
        const HOLDERS: usize = 2;
        let next = if self.may_begin() { self.items.begin_next() } else { None };
        let slot = &mut self.slots[slot_index];
        let before = mem::replace(&mut slot.index, next);
        let Some(index) = next else {
            self.vacate(slot_index);
            return None;
        };
        let cell = match before {
            None => Some(slot.cell.clone()),
            Some(_) => ItemCell::renew(&mut slot.cell, HOLDERS, &mut self.ended_tokens),
        };
        Some((index, cell))
    }

    /// Frees the slot of a worker and closes its cell.
    pub(super) fn vacate(&mut self, slot_index: usize) {
        self.close_slot(slot_index);
        self.vacant.push(slot_index);
    }

    fn close_slot(&mut self, slot_index: usize) {
        let slot = &mut self.slots[slot_index];
        slot.index = None;
        self.ended_tokens.extend(slot.cell.cancel().close());
        self.busy -= 1;
    }

    /// Evicts a worker that does not return and abandons its item. The slot is not reused until the worker returns.
    pub(super) fn evict(&mut self, slot_index: usize) -> Option<Evicted> {
        let slot = &mut self.slots[slot_index];
        let (index, cell) = (slot.index?, slot.cell.clone());
        let cancelled_at = slot.cancelled.filter(|_| was_requested(&cell));
        slot.evicted = Some(cell.begin_work());
        self.end(index, verdict_of(&Ending::Abandoned, cell.cancel().reason(), cell.signals()));
        self.close_slot(slot_index);
        Some(Evicted { index, cell, cancelled_at })
    }

    /// Frees the slot of an evicted worker that has returned. Returns `None` if the worker was not evicted.
    pub(super) fn return_evicted(&mut self, slot_index: usize) -> Option<WorkGuard> {
        let guard = self.slots[slot_index].evicted.take()?;
        self.vacant.push(slot_index);
        Some(guard)
    }

    /// Returns the running items and their cells.
    pub(super) fn running(&self) -> impl Iterator<Item = (usize, &Arc<ItemCell>)> {
        let in_slots = self.slots.iter().filter_map(|slot| Some((slot.index?, &slot.cell)));
        in_slots.chain(self.self_reported.iter().map(|(index, cell)| (*index, cell)))
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &Arc<ItemCell>> {
        self.running().map(|(_, cell)| cell)
    }

    /// Returns the cell of a running item.
    pub(super) fn cell(&self, wanted: usize) -> Option<&Arc<ItemCell>> {
        let in_slots = || self.slots.iter().find(|slot| slot.index == Some(wanted)).map(|slot| &slot.cell);
        self.self_reported.get(&wanted).or_else(in_slots)
    }

    /// Takes the wakers of all waiters and observers.
    pub(super) fn take_wakers(&mut self) -> Wakers {
        let mut wakers = mem::take(&mut self.waiting);
        wakers.append(mem::take(&mut self.observers));
        wakers
    }

    /// Returns the wakers of workers whose item is cancelled. Sets the cancellation time of these items to `now` if it is
    /// not set.
    pub(super) fn cancelled_workers(&mut self, now: Instant) -> Vec<Arc<Waker>> {
        let cancelled = |slot: &&mut Slot| slot.index.is_some() && slot.cell.cancel().reason().is_some();
        let wake = |slot: &mut Slot| {
            slot.cancelled.get_or_insert(now);
            slot.waker.clone()
        };
        let wakers = self.slots.iter_mut().filter(cancelled).map(wake).collect();
        for (index, cell) in &self.self_reported {
            if was_requested(cell) {
                self.self_reported_cancelled.entry(*index).or_insert(now);
            }
        }
        wakers
    }
}

/// Returns `true` if the item was cancelled by request, not by a timeout.
fn was_requested(cell: &ItemCell) -> bool {
    cell.cancel().reason().is_some_and(|reason| reason != CancelReason::TimedOut)
}

/// The tokens and wakers to use once no lock is held.
#[derive(Default)]
pub(super) struct Wake {
    tokens: Vec<CancellationToken>,
    workers: Vec<Arc<Waker>>,
    wakers: Wakers,
}

impl Wake {
    /// Cancels a cell. Its token is cancelled in `perform`.
    pub(super) fn signal(&mut self, cell: Option<&Arc<ItemCell>>, reason: CancelReason) {
        self.add_token(cell.and_then(|cell| cell.cancel().cancel(reason)));
    }

    pub(super) fn add_token(&mut self, token: Option<CancellationToken>) {
        self.tokens.extend(token);
    }

    pub(super) fn add(&mut self, wakers: Wakers) {
        self.wakers.append(wakers);
    }

    pub(super) fn add_workers(&mut self, workers: Vec<Arc<Waker>>) {
        self.workers.extend(workers);
    }

    pub(super) fn perform(self) {
        self.tokens.iter().for_each(foreign::cancel);
        self.workers.into_iter().for_each(foreign::wake);
        self.wakers.wake();
    }
}
