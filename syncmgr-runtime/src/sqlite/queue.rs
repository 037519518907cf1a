//! The queue of writes, and the callers that wait for them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, PoisonError};

use futures::channel::oneshot;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::HandlerId;
use syncmgr_core::store::StateChange;
use syncmgr_core::sync::Mutex;

mod keys;
mod scope;

use keys::{cost, keys};

pub(super) use keys::Key;
pub(super) use scope::Scope;

use super::replies::{Replies, Reply};

/// The cost of queued changes above which callers should wait.
const MAX_QUEUED: usize = 16_384;

/// The cost of changes from which a batch is full. It bounds the size of a transaction in the write-ahead log.
pub(super) const MAX_BATCH: usize = 4_096;

/// The writes that wait for the writer. Appending never blocks.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    not_empty: Condvar,
    pub(super) replies: Replies,
}

/// Changes that are stored atomically.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) changes: Arc<Vec<StateChange>>,
    pub(super) reply: Reply<SyncResult>,
    pub(super) number: u64,
}

/// The changes of a write that matter to a read.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) changes: Vec<StateChange>,
    pub(super) number: u64,
}

impl Write {
    /// Calls `touch` with the subjects of the changes.
    pub(super) fn touched(&self, touch: &mut impl FnMut(Key)) {
        keys(&self.changes, touch);
    }
}

#[derive(Debug, Default)]
struct State {
    writes: VecDeque<Write>,
    /// The writes that are not yet stored or refused, in the order of their numbers.
    unsettled: VecDeque<(u64, Arc<Vec<StateChange>>)>,
    /// The number of the last write that was appended.
    appended: u64,
    /// The number of the last write that was stored or refused.
    settled: u64,
    /// The cost of the changes that are not yet stored or refused.
    waiting: usize,
    /// The last unsettled write that touches each key.
    touched: HashMap<Key, u64>,
    room: Vec<Reply<()>>,
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
        let (reply, answer) = Reply::channel();
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
        let changes = Arc::new(changes);
        state.unsettled.push_back((number, changes.clone()));
        state.writes.push_back(Write { changes, reply, number });
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        if idle {
            self.not_empty.notify_one();
        }
        answer
    }

    /// Waits for writes and returns the next batch, which is full at this cost. The batch is empty once the queue is closed and drained.
    pub(super) fn take(&self, max_batch: usize) -> Vec<Write> {
        let mut state = self.state.lock();
        while state.writes.is_empty() && !state.closed {
            state.idle = true;
            state = self.not_empty.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut batch, mut total) = (Vec::new(), 0);
        while total < max_batch
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
            state.unsettled.pop_front();
            state.waiting -= cost(&write.changes);
            write.touched(&mut |key| {
                if state.touched.get(&key) == Some(&write.number) {
                    state.touched.remove(&key);
                }
            });
        }
        let waiters = if state.waiting <= MAX_QUEUED { std::mem::take(&mut state.room) } else { Vec::new() };
        drop(state);
        self.replies.send_all(waiters.into_iter().map(|waiter| (waiter, ())));
    }

    /// Returns a receiver that resolves or is cancelled once there is room; `None` if there is room now.
    pub(super) fn write_capacity(&self) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state.lock();
        if state.waiting <= MAX_QUEUED || state.abandoned {
            return None;
        }
        let (waiter, room) = Reply::channel();
        state.room.push(waiter);
        Some(room)
    }

    /// Returns the changes that are not yet stored or refused, as far as they are in this scope.
    pub(super) fn unsettled(&self, scope: Scope) -> Vec<Queued> {
        let state = self.state.lock();
        if let Scope::Item(handler, item) = scope {
            let touched =
                [Key::Item(handler, item), Key::Handler(handler)].iter().any(|key| state.touched.contains_key(key));
            if !touched {
                return Vec::new();
            }
        }
        let unsettled: Vec<_> = state.unsettled.iter().cloned().collect();
        drop(state);
        let queued = unsettled.into_iter().map(|(number, changes)| Queued {
            changes: changes.iter().filter_map(|change| scope.part(change)).collect(),
            number,
        });
        queued.filter(|write| !write.changes.is_empty()).collect()
    }

    /// Returns `true` if changes of the handler's choices are not yet stored or refused.
    pub(super) fn has_choices_of(&self, handler: HandlerId) -> bool {
        self.state.lock().touched.contains_key(&Key::Choices(handler))
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
        let cancelled =
            (std::mem::take(&mut state.writes), std::mem::take(&mut state.room), std::mem::take(&mut state.unsettled));
        drop(state);
        let (writes, room, unsettled) = cancelled;
        drop(unsettled);
        self.replies.cancel_all(writes.into_iter().map(|write| write.reply));
        self.replies.cancel_all(room.into_iter());
    }
}
