//! What waits to be written, and who waits for it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, MutexGuard, PoisonError};

use futures::channel::oneshot;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::store::StateChange;
use syncmgr_core::sync::Mutex;

mod touch;

use touch::{Key, keys, weight};

/// More changes than this waiting to be written are too many.
const MOST_QUEUED: usize = 16_384;

/// Changes taken into one transaction.
const MOST_AT_ONCE: usize = 4_096;

/// The writes that wait for the writer. Nobody who appends waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    grown: Condvar,
    settled: Condvar,
}

/// Changes that are stored together.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) changes: Vec<StateChange>,
    pub(super) reply: oneshot::Sender<SyncResult>,
    number: u64,
}

#[derive(Debug, Default)]
struct State {
    writes: VecDeque<Write>,
    /// The number of the last write that was appended.
    appended: u64,
    /// The number of the last write that was stored or refused.
    settled: u64,
    /// How many changes are neither stored nor refused.
    waiting: usize,
    /// The last write that touches each of these, as long as it is not settled.
    touched: HashMap<Key, u64>,
    room: Vec<oneshot::Sender<()>>,
    /// Whether the writer waits for writes: to notify it costs a system call, also where it does not.
    idle: bool,
    /// Nothing more will be appended.
    closed: bool,
    /// Nobody will write any more.
    abandoned: bool,
}

impl Queue {
    /// Appends changes. What comes back is cancelled when nobody writes any more.
    pub(super) fn append(&self, changes: Vec<StateChange>) -> oneshot::Receiver<SyncResult> {
        let (reply, answer) = oneshot::channel();
        let mut state = self.state.lock();
        if state.abandoned {
            return answer;
        }
        state.appended += 1;
        let number = state.appended;
        state.waiting += weight(&changes);
        keys(&changes, &mut |key| {
            state.touched.insert(key, number);
        });
        state.writes.push_back(Write { changes, reply, number });
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        if idle {
            self.grown.notify_one();
        }
        answer
    }

    /// The next writes to store, waiting for some; none once the queue is closed and empty.
    pub(super) fn take(&self) -> Vec<Write> {
        let mut state = self.state.lock();
        while state.writes.is_empty() && !state.closed {
            state.idle = true;
            state = self.grown.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut batch, mut changes) = (Vec::new(), 0);
        while changes < MOST_AT_ONCE
            && let Some(write) = state.writes.pop_front()
        {
            changes += weight(&write.changes);
            batch.push(write);
        }
        batch
    }

    /// These were stored or refused.
    pub(super) fn settle(&self, batch: &[Write]) {
        let mut state = self.state.lock();
        for write in batch {
            state.settled = write.number;
            state.waiting -= weight(&write.changes);
            keys(&write.changes, &mut |key| {
                if state.touched.get(&key) == Some(&write.number) {
                    state.touched.remove(&key);
                }
            });
        }
        let relieved = if state.waiting <= MOST_QUEUED { std::mem::take(&mut state.room) } else { Vec::new() };
        drop(state);
        self.settled.notify_all();
        for waiter in relieved {
            // Whoever waited may have left.
            let _ = waiter.send(());
        }
    }

    /// Resolves, or is cancelled, when there is room; `None` when that is now.
    pub(super) fn room(&self) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state.lock();
        if state.waiting <= MOST_QUEUED || state.abandoned {
            return None;
        }
        let (waiter, room) = oneshot::channel();
        state.room.push(waiter);
        Some(room)
    }

    /// Waits until everything appended so far is stored or refused.
    pub(super) fn wait_for_all(&self) {
        let state = self.state.lock();
        let last = state.appended;
        self.wait(state, last);
    }

    /// Waits until what was appended about this item is stored or refused.
    pub(super) fn wait_for(&self, handler: HandlerId, item: ItemId) {
        let state = self.state.lock();
        let touched = |key| state.touched.get(&key).copied().unwrap_or_default();
        let last = touched(Key::Item(handler, item)).max(touched(Key::Handler(handler)));
        self.wait(state, last);
    }

    fn wait(&self, mut state: MutexGuard<'_, State>, last: u64) {
        while state.settled < last && !state.abandoned {
            state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing more will be appended.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.grown.notify_one();
    }

    /// Nobody writes any more. Whoever waits is told.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock();
        state.abandoned = true;
        let left = (std::mem::take(&mut state.writes), std::mem::take(&mut state.room));
        drop(state);
        self.settled.notify_all();
        drop(left);
    }
}
