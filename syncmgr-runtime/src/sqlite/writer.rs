//! The thread that writes.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use futures::channel::oneshot;
use rusqlite::Connection;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::store::StateChange;

use super::apply::{Applier, Care, Trouble};
use super::error::StoreError;
use super::lock::Lock;
use super::options::SqliteOptions;
use super::queue::{Queue, Write};

/// A handle of the thread. Dropping it waits until everything is stored.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread, which keeps the lock as long as it lives.
    pub(super) fn start(
        path: PathBuf,
        opened: (Connection, i64),
        lock: Lock,
        options: SqliteOptions,
    ) -> Result<Self, StoreError> {
        let queue = Arc::<Queue>::default();
        let failed = |error| StoreError::of_io(&path, &error);
        let applier = Applier::new(opened, &options);
        let desk = Desk { path: path.clone(), applier, options, queue: queue.clone(), _lock: lock };
        let thread = thread::Builder::new().name("syncmgr-store".to_string()).spawn(|| desk.work());
        Ok(Self { queue, thread: Some(thread.map_err(failed)?) })
    }

    /// Takes changes, all or none; what comes back tells whether they were stored.
    pub(super) fn write(&self, changes: Vec<StateChange>) -> oneshot::Receiver<SyncResult> {
        self.queue.append(changes)
    }

    pub(super) fn room(&self) -> Option<oneshot::Receiver<()>> {
        self.queue.room()
    }

    /// Waits until everything taken so far is stored or refused.
    pub(super) fn wait_for_all(&self) {
        if !self.is_here() {
            self.queue.wait_for_all();
        }
    }

    /// Waits until everything taken so far of this item is stored or refused.
    pub(super) fn wait_for(&self, handler: HandlerId, item: ItemId) {
        if !self.is_here() {
            self.queue.wait_for(handler, item);
        }
    }

    /// Whether this is the thread itself, which runs the wakers of those it tells, and must not wait for itself.
    fn is_here(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.thread().id() == thread::current().id())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        if self.is_here() {
            return;
        }
        if let Some(thread) = self.thread.take() {
            // It has panicked: whoever waited was told.
            drop(thread.join());
        }
    }
}

/// What the thread works with. The lock goes last.
struct Desk {
    path: PathBuf,
    applier: Applier,
    options: SqliteOptions,
    queue: Arc<Queue>,
    _lock: Lock,
}

/// Tells whoever waits that nobody writes any more, however the thread ended.
struct Leaving(Arc<Queue>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Desk {
    fn work(mut self) {
        let _leaving = Leaving(self.queue.clone());
        loop {
            let batch = self.queue.take();
            if batch.is_empty() {
                return;
            }
            self.options.seams.at("batch taken");
            let results = self.store(&batch);
            self.queue.settle(&batch);
            self.options.seams.at("before waiters told");
            for (write, result) in batch.into_iter().zip(results) {
                drop(write.reply.send(result));
            }
            self.options.seams.at("after waiters told");
        }
    }

    /// Stores the writes in one transaction. One that is refused is left out, and the others are stored without it.
    fn store(&mut self, batch: &[Write]) -> Vec<SyncResult> {
        let attempt = match self.applier.store(batch, Care::Together) {
            Err(Trouble::Refused(_)) => self.applier.store(batch, Care::EachApart),
            attempt => attempt,
        };
        let every = |error: StoreError| batch.iter().map(|_| Err(error.clone().into())).collect();
        attempt.unwrap_or_else(|trouble| match trouble {
            Trouble::Refused(reason) => every(StoreError::Unstorable { reason: reason.to_string() }),
            Trouble::TakenOver => every(StoreError::TakenOver { path: self.path.clone() }),
            Trouble::Failed(error) => every(StoreError::of(&self.path, &error)),
        })
    }
}
