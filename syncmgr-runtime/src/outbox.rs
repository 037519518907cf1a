//! Writes in the order in which they were decided.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use syncmgr_core::decision::ledger::{Effect, RetryLedger};
use syncmgr_core::error::SyncResult;
use syncmgr_core::foreign;
use syncmgr_core::store::StateChange;
use syncmgr_core::sync::Mutex;

use crate::host::Host;
use crate::persistence::store_panicked;

/// The result of a write.
pub(crate) type Written = BoxFuture<'static, SyncResult>;

/// The writes that are decided and not yet passed to the store.
///
/// A store is foreign code and runs outside our locks. The order of writes is decided under these locks, so a write is first
/// queued under the lock of its decision. The caller passes the queue on after it has released the lock.
#[derive(Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    /// `true` if a write may be queued.
    any: AtomicBool,
}

#[derive(Default)]
struct State {
    queued: VecDeque<Queued>,
    /// `true` while a thread passes writes to the store.
    is_passing: bool,
}

struct Queued {
    changes: Vec<StateChange>,
    reply: oneshot::Sender<Written>,
}

impl Outbox {
    fn push(&self, changes: Vec<StateChange>) -> Written {
        let (reply, passed) = oneshot::channel();
        let mut state = self.state.lock();
        state.queued.push_back(Queued { changes, reply });
        self.any.store(true, Ordering::Release);
        drop(state);
        async move { passed.await?.await }.boxed()
    }

    /// Returns the next write. `None` if there is none, or if another thread passes the writes on.
    fn first(&self) -> Option<Queued> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.state.lock();
        if state.is_passing {
            return None;
        }
        let first = state.queued.pop_front();
        state.is_passing = first.is_some();
        first
    }

    /// Returns the write after one that was passed on.
    fn next(&self) -> Option<Queued> {
        let mut state = self.state.lock();
        let next = state.queued.pop_front();
        state.is_passing = next.is_some();
        if next.is_none() {
            self.any.store(false, Ordering::Release);
        }
        next
    }
}

impl Host {
    /// Queues a write under the lock that decides its order. Call [`pass_writes`](Self::pass_writes) after the lock is
    /// released. The future resolves once the changes are stored; they are stored even if it is never polled.
    pub(crate) fn queue_write(&self, changes: Vec<StateChange>) -> Written {
        self.outbox.push(changes)
    }

    /// Passes all queued writes to the store. If another thread is doing so, it passes these writes too.
    pub(crate) fn pass_writes(&self) {
        let mut next = self.outbox.first();
        while let Some(Queued { changes, reply }) = next {
            let written = self.write_now(changes);
            // The receiver may have been dropped. Its waker is foreign code.
            let _ = foreign::call(|| drop(reply.send(written)));
            next = self.outbox.next();
        }
    }

    /// Takes a decision of the ledger, and queues its changes under the ledger's lock, so that the store gets the changes of
    /// several decisions in their order.
    pub(crate) fn decide_in_order(
        self: &Arc<Self>,
        decide: impl FnOnce(&mut RetryLedger, SystemTime) -> Vec<Effect>,
    ) -> Written {
        let now = self.now().wall;
        let (written, others) = {
            let mut ledger = self.ledger();
            let (changes, others) = split(decide(&mut ledger, now));
            (self.queue_write(changes), others)
        };
        self.pass_writes();
        self.apply(others);
        written
    }

    fn write_now(&self, changes: Vec<StateChange>) -> Written {
        if let Err(error) = self.check_writable() {
            return futures::future::ready(Err(error.into())).boxed();
        }
        match foreign::call(|| self.ports.store.write(changes)) {
            Ok(written) => {
                foreign::call_async(|| written).map(|written| written.unwrap_or_else(store_panicked)).boxed()
            }
            Err(panic) => futures::future::ready(store_panicked(panic)).boxed(),
        }
    }
}

/// Separates the changes to store from the other effects.
pub(crate) fn split(effects: Vec<Effect>) -> (Vec<StateChange>, Vec<Effect>) {
    let (mut changes, mut others) = (Vec::new(), Vec::new());
    for effect in effects {
        match effect {
            Effect::Write(change) => changes.push(change),
            other => others.push(other),
        }
    }
    (changes, others)
}
