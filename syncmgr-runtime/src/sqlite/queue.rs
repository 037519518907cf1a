//! The queue of writes, and the callers that wait for them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, MutexGuard, PoisonError};

use futures::channel::oneshot;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::store::StateChange;
use syncmgr_core::sync::Mutex;

mod keys;

use keys::{Key, cost, keys};

/// The cost of queued changes above which callers should wait.
const MAX_QUEUED: usize = 16_384;

/// The cost of changes from which a batch is full. It bounds the size of a transaction in the write-ahead log.
const MAX_BATCH: usize = 4_096;

/// The writes that wait for the writer. Appending never blocks.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    not_empty: Condvar,
    settled: Condvar,
}

/// Changes that are stored atomically.
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
    /// The cost of the changes that are not yet stored or refused.
    waiting: usize,
    /// The last unsettled write that touches each key.
    touched: HashMap<Key, u64>,
    room: Vec<oneshot::Sender<()>>,
    /// `true` while the writer waits. The writer is notified only then, because every notification costs a system call.
    idle: bool,
    /// `true` once no more writes are appended.
    closed: bool,
    /// `true` once the writer has exited.
    abandoned: bool,
}

impl Queue {
    /// Appends changes. The receiver is cancelled if the writer has exited.
    pub(super) fn append(&self, changes: Vec<StateChange>) -> oneshot::Receiver<SyncResult> {
        let (reply, answer) = oneshot::channel();
        let mut state = self.state.lock();
        if state.abandoned {
            return answer;
        }
        state.appended += 1;
        let number = state.appended;
        state.waiting += cost(&changes);
        keys(&changes, &mut |key| {
            state.touched.insert(key, number);
        });
        state.writes.push_back(Write { changes, reply, number });
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        if idle {
            self.not_empty.notify_one();
        }
        answer
    }

    /// Waits for writes and returns the next batch. The batch is empty once the queue is closed and drained.
    pub(super) fn take(&self) -> Vec<Write> {
        let mut state = self.state.lock();
        while state.writes.is_empty() && !state.closed {
            state.idle = true;
            state = self.not_empty.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut batch, mut total) = (Vec::new(), 0);
        while total < MAX_BATCH
            && let Some(write) = state.writes.pop_front()
        {
            total += cost(&write.changes);
            batch.push(write);
        }
        batch
    }

    /// Marks a batch as stored or refused.
    pub(super) fn settle(&self, batch: &[Write]) {
        let mut state = self.state.lock();
        for write in batch {
            state.settled = write.number;
            state.waiting -= cost(&write.changes);
            keys(&write.changes, &mut |key| {
                if state.touched.get(&key) == Some(&write.number) {
                    state.touched.remove(&key);
                }
            });
        }
        let waiters = if state.waiting <= MAX_QUEUED { std::mem::take(&mut state.room) } else { Vec::new() };
        drop(state);
        self.settled.notify_all();
        for waiter in waiters {
            // The waiter may have been dropped.
            let _ = waiter.send(());
        }
    }

    /// Returns a receiver that resolves or is cancelled once there is room; `None` if there is room now.
    pub(super) fn write_capacity(&self) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state.lock();
        if state.waiting <= MAX_QUEUED || state.abandoned {
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

    /// Waits until all earlier writes to this item are stored or refused.
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

    /// Closes the queue: no more writes are appended.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.not_empty.notify_one();
    }

    /// Marks the writer as exited and cancels all waiting callers.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock();
        state.abandoned = true;
        let cancelled = (std::mem::take(&mut state.writes), std::mem::take(&mut state.room));
        drop(state);
        self.settled.notify_all();
        drop(cancelled);
    }
}
