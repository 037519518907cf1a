//! What the mutex of an attempt guards: the pure state of its items, and a place for each worker.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::cell::{ItemCell, WorkGuard};
use syncmgr_core::decision::run::{Phase, RunState};
use syncmgr_core::decision::verdict::{Ending, Verdict, judge};
use syncmgr_core::id::{ItemId, Subject};
use syncmgr_core::status::Status;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::remember::Used;

/// The state of an attempt.
#[derive(Default)]
pub(super) struct State {
    pub(super) run: RunState,
    pub(super) working: Working,
    pub(super) slots: Vec<Slot>,
    /// Items that a handler reports on itself, without a worker.
    pub(super) by_hand: BTreeMap<usize, Arc<ItemCell>>,
    pub(super) failures: BTreeMap<usize, Verdict>,
    pub(super) abandoned: BTreeSet<ItemId>,
    /// What items have used and declared since they last saved something.
    pub(super) used: BTreeMap<ItemId, Used>,
    pub(super) pushes: Vec<(Subject, Status)>,
    /// Workers the host has lent that have no slot yet.
    pub(super) lent: usize,
    /// Workers with a slot.
    pub(super) busy: usize,
    /// Whether nobody drives the attempt any more.
    pub(super) aborted: Aborted,
    /// How many calls of the handler are having items run.
    pub(super) served: usize,
    /// Seats nobody has.
    pub(super) vacant: Vec<usize>,
    /// Tokens of items that are over, to be cancelled once the lock is free.
    pub(super) over: Vec<CancellationToken>,
    /// Since when somebody wants items to end that are reported by hand.
    pub(super) by_hand_cancelled: BTreeMap<usize, Instant>,
    /// Woken when workers come or go, or a status is to be pushed.
    pub(super) waiting: Vec<Waker>,
    /// Woken when the journal grows.
    pub(super) observers: Vec<Waker>,
}

/// Whether items may be worked on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Working {
    /// Preparing.
    #[default]
    NotYet,
    /// Synchronizing.
    Now,
    /// The attempt has ended; late reports are told so.
    Over,
}

/// Whether workers have to go at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Aborted {
    #[default]
    No,
    Yes,
}

/// A worker's place: the item it runs, the cell it reports into, and who to wake when it is cancelled.
pub(super) struct Slot {
    pub(super) place: Option<usize>,
    pub(super) cell: Arc<ItemCell>,
    pub(super) waker: Waker,
    /// Since when the item is cancelled.
    pub(super) cancelled: Option<Instant>,
    /// Since when its worker knows.
    pub(super) heard: Option<Instant>,
    /// Its worker never came back from an item, and the seat was taken from it: the work that is still running.
    pub(super) evicted: Option<WorkGuard>,
}

/// What a worker leaves behind of an item.
pub(super) struct Ended {
    pub(super) place: usize,
    pub(super) verdict: Verdict,
}

/// An item whose worker never came back.
pub(super) struct Evicted {
    pub(super) place: usize,
    pub(super) cell: Arc<ItemCell>,
    /// Since when somebody wanted it to end, if anybody did.
    pub(super) asked: Option<Instant>,
}

/// Where a worker sits now, and its cell unless it is the one before.
pub(super) type Seated = (usize, Option<Arc<ItemCell>>);

impl State {
    pub(super) fn end(&mut self, place: usize, verdict: Verdict) {
        if self.run.end(place, verdict.outcome) && verdict.class.is_some() {
            self.failures.insert(place, verdict);
        }
    }

    /// The items that have not ended.
    pub(super) fn unended(&self) -> Vec<usize> {
        let ended = |place: &usize| matches!(self.run.phases()[*place], Phase::Ended(_));
        match self.run.open() {
            0 => Vec::new(),
            _ => (0..self.run.phases().len()).filter(|place| !ended(place)).collect(),
        }
    }

    /// A seat for one more worker.
    pub(super) fn take_slot(&mut self) -> usize {
        self.busy += 1;
        if let Some(index) = self.vacant.pop() {
            let slot = &mut self.slots[index];
            ItemCell::renew(&mut slot.cell, 1, &mut self.over);
            (slot.cancelled, slot.heard) = (None, None);
            return index;
        }
        self.slots.push(Slot {
            place: None,
            cell: Arc::default(),
            waker: Waker::noop().clone(),
            cancelled: None,
            heard: None,
            evicted: None,
        });
        self.slots.len() - 1
    }

    /// Ends the item of a seat. Since when somebody had asked for that, if anybody had.
    pub(super) fn end_seated(&mut self, index: usize, ended: &Ended) -> Option<Instant> {
        self.end(ended.place, ended.verdict);
        let slot = &mut self.slots[index];
        slot.heard = None;
        slot.cancelled.take().filter(|_| was_asked(&slot.cell))
    }

    /// Lets a worker go: what comes next may not begin yet.
    pub(super) fn leave(&mut self, index: usize) -> Option<Seated> {
        self.vacate(index);
        None
    }

    /// Seats a worker at the next item, or lets it go. With the item comes its cell, unless it is the one before.
    pub(super) fn seat(&mut self, index: usize) -> Option<Seated> {
        /// The slot and the worker's context.
        const HOLDERS: usize = 2;
        let next = if self.working == Working::Now { self.run.begin_next() } else { None };
        let slot = &mut self.slots[index];
        let before = mem::replace(&mut slot.place, next);
        let Some(place) = next else {
            self.vacate(index);
            return None;
        };
        let cell = match before {
            None => Some(slot.cell.clone()),
            Some(_) => ItemCell::renew(&mut slot.cell, HOLDERS, &mut self.over),
        };
        Some((place, cell))
    }

    /// A worker is gone; its seat is empty and what it reported into is closed.
    pub(super) fn vacate(&mut self, index: usize) {
        self.close_seat(index);
        self.vacant.push(index);
    }

    fn close_seat(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.place = None;
        self.over.extend(slot.cell.cancel().close());
        self.busy -= 1;
    }

    /// Takes a seat from a worker that never came back. Its item has ended, abandoned; it is the seat's until the worker
    /// comes back after all.
    pub(super) fn evict(&mut self, index: usize) -> Option<Evicted> {
        let slot = &mut self.slots[index];
        let (place, cell) = (slot.place?, slot.cell.clone());
        let asked = slot.cancelled.filter(|_| was_asked(&cell));
        slot.evicted = Some(cell.begin_work());
        self.end(place, judge(&Ending::Abandoned, cell.cancel().reason(), cell.traces()));
        self.close_seat(index);
        Some(Evicted { place, cell, asked })
    }

    /// The worker of an evicted item has come back.
    pub(super) fn come_back(&mut self, index: usize) -> Option<WorkGuard> {
        let guard = self.slots[index].evicted.take()?;
        self.vacant.push(index);
        Some(guard)
    }

    /// The running items and their cells.
    pub(super) fn running(&self) -> impl Iterator<Item = (usize, &Arc<ItemCell>)> {
        let seated = self.slots.iter().filter_map(|slot| Some((slot.place?, &slot.cell)));
        seated.chain(self.by_hand.iter().map(|(place, cell)| (*place, cell)))
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &Arc<ItemCell>> {
        self.running().map(|(_, cell)| cell)
    }

    /// The cell of a running item.
    pub(super) fn cell(&self, wanted: usize) -> Option<&Arc<ItemCell>> {
        let seated = || self.slots.iter().find(|slot| slot.place == Some(wanted)).map(|slot| &slot.cell);
        self.by_hand.get(&wanted).or_else(seated)
    }

    pub(super) fn wait(&mut self, waker: &Waker) {
        add(&mut self.waiting, waker);
    }

    pub(super) fn observe(&mut self, waker: &Waker) {
        add(&mut self.observers, waker);
    }

    /// Whoever waits for a change or observes.
    pub(super) fn everybody(&mut self) -> Vec<Waker> {
        let mut wakers = mem::take(&mut self.waiting);
        wakers.append(&mut self.observers);
        wakers
    }

    /// The workers whose item is cancelled and who have to look. From `now` on their time is counted.
    pub(super) fn cancelled_workers(&mut self, now: Instant) -> Vec<Waker> {
        let cancelled = |slot: &&mut Slot| slot.place.is_some() && slot.cell.cancel().reason().is_some();
        let wake = |slot: &mut Slot| {
            slot.cancelled.get_or_insert(now);
            slot.waker.clone()
        };
        let wakers = self.slots.iter_mut().filter(cancelled).map(wake).collect();
        for (place, cell) in &self.by_hand {
            if was_asked(cell) {
                self.by_hand_cancelled.entry(*place).or_insert(now);
            }
        }
        wakers
    }
}

/// Whether somebody has asked the item to end; that it took too long is nobody's wish.
fn was_asked(cell: &ItemCell) -> bool {
    cell.cancel().reason().is_some_and(|reason| reason != CancelReason::TimedOut)
}

fn add(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|known| known.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}

/// Whom to wake once no lock is held.
#[derive(Default)]
pub(super) struct Wake {
    tokens: Vec<CancellationToken>,
    wakers: Vec<Waker>,
}

impl Wake {
    /// Cancels a cell; those who wait on its token are woken later.
    pub(super) fn signal(&mut self, cell: Option<&Arc<ItemCell>>, reason: CancelReason) {
        self.add_token(cell.and_then(|cell| cell.cancel().cancel(reason)));
    }

    pub(super) fn add_token(&mut self, token: Option<CancellationToken>) {
        self.tokens.extend(token);
    }

    pub(super) fn add(&mut self, wakers: Vec<Waker>) {
        self.wakers.extend(wakers);
    }

    pub(super) fn perform(self) {
        self.tokens.iter().for_each(CancellationToken::cancel);
        self.wakers.into_iter().for_each(Waker::wake);
    }
}
