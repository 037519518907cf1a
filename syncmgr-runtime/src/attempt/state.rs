//! What the mutex of an attempt guards: the pure state of its items, and a place for each worker.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::cell::ItemCell;
use syncmgr_core::decision::run::RunState;
use syncmgr_core::decision::verdict::Verdict;
use syncmgr_core::id::Subject;
use syncmgr_core::status::Status;
use tokio_util::sync::CancellationToken;

/// The state of an attempt.
pub(super) struct State {
    pub(super) run: RunState,
    pub(super) working: Working,
    pub(super) slots: Vec<Slot>,
    /// Items that a handler reports on itself, without a worker.
    pub(super) by_hand: BTreeMap<usize, Arc<ItemCell>>,
    pub(super) failures: BTreeMap<usize, Verdict>,
    pub(super) pushes: Vec<(Subject, Status)>,
    /// Workers the host has lent that have no slot yet.
    pub(super) lent: usize,
    /// Workers with a slot.
    pub(super) busy: usize,
    /// Woken when workers come or go, or a status is to be pushed.
    pub(super) waiting: Vec<Waker>,
    /// Woken when the journal grows.
    pub(super) observers: Vec<Waker>,
}

/// Whether items may be worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Working {
    /// Preparing.
    NotYet,
    /// Synchronizing.
    Now,
    /// The attempt has ended; late reports are told so.
    Over,
}

/// A worker's place: the item it runs, the cell it reports into, and who to wake when it is cancelled.
pub(super) struct Slot {
    pub(super) place: Option<usize>,
    pub(super) cell: Arc<ItemCell>,
    pub(super) waker: Waker,
}

impl State {
    pub(super) fn new(items: usize) -> Self {
        Self {
            run: RunState::new(items),
            working: Working::NotYet,
            slots: Vec::new(),
            by_hand: BTreeMap::new(),
            failures: BTreeMap::new(),
            pushes: Vec::new(),
            lent: 0,
            busy: 0,
            waiting: Vec::new(),
            observers: Vec::new(),
        }
    }

    pub(super) fn end(&mut self, place: usize, verdict: Verdict) {
        if self.run.end(place, verdict.outcome) && verdict.class.is_some() {
            self.failures.insert(place, verdict);
        }
    }

    /// A place for one more worker.
    pub(super) fn take_slot(&mut self) -> usize {
        self.busy += 1;
        self.slots.push(Slot { place: None, cell: Arc::default(), waker: Waker::noop().clone() });
        self.slots.len() - 1
    }

    /// Seats a worker at the next item, or lets it go. With the item comes its cell, unless it is the one before.
    pub(super) fn seat(&mut self, index: usize) -> Option<(usize, Option<Arc<ItemCell>>)> {
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
            Some(_) => ItemCell::renew(&mut slot.cell, HOLDERS),
        };
        Some((place, cell))
    }

    /// A worker is gone; its seat is empty and what it reported into is closed.
    pub(super) fn vacate(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.place = None;
        slot.cell.cancel().close();
        self.busy -= 1;
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
        self.running().find(|(place, _)| *place == wanted).map(|(_, cell)| cell)
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

    /// The workers whose item is cancelled and who have to look.
    pub(super) fn cancelled_workers(&self) -> Vec<Waker> {
        let cancelled = |slot: &&Slot| slot.place.is_some() && slot.cell.cancel().reason().is_some();
        self.slots.iter().filter(cancelled).map(|slot| slot.waker.clone()).collect()
    }
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
