//! The writing thread.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use futures::channel::oneshot;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::HandlerId;
use syncmgr_core::store::StateChange;
use syncmgr_core::sync::Mutex;

use super::apply::{Applier, ApplyError, RollbackScope};
use super::error::StoreError;
use super::lock::Lock;
use super::open::Opened;
use super::options::SqliteOptions;
use super::queue::{Queue, Queued, Scope, Write};
use super::read_ahead::ReadAhead;

/// A handle to the writing thread. Dropping the handle waits until all queued changes are stored.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    pub(super) read_ahead: Arc<Mutex<ReadAhead>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread, which holds the lock until it exits.
    pub(super) fn start(path: PathBuf, opened: Opened, lock: Lock, options: SqliteOptions) -> Result<Self, StoreError> {
        let (queue, read_ahead) = (Arc::<Queue>::default(), Arc::<Mutex<ReadAhead>>::default());
        let failed = |error| StoreError::of_io(&path, &error);
        let applier = Applier::new(path.clone(), opened, &options);
        let writer = WriterThread {
            path: path.clone(),
            applier,
            options,
            queue: queue.clone(),
            read_ahead: read_ahead.clone(),
            _lock: lock,
        };
        let thread = thread::Builder::new().name("syncmgr-store".to_string()).spawn(|| writer.work());
        Ok(Self { queue, read_ahead, thread: Some(thread.map_err(failed)?) })
    }

    /// Queues changes, which are stored atomically. The receiver resolves to the result.
    pub(super) fn write(&self, changes: Vec<StateChange>) -> oneshot::Receiver<SyncResult> {
        self.queue.append(changes)
    }

    pub(super) fn write_capacity(&self) -> Option<oneshot::Receiver<()>> {
        self.queue.write_capacity()
    }

    /// Returns the changes that are not yet stored or refused, as far as they matter to a read.
    pub(super) fn queued(&self, scope: Scope) -> Vec<Queued> {
        self.queue.unsettled(scope)
    }

    /// Returns `true` if changes of the handler's choices are not yet stored or refused.
    pub(super) fn has_choices_of(&self, handler: HandlerId) -> bool {
        self.queue.has_choices_of(handler)
    }

    /// Returns `true` on the writing thread, which must not wait for itself.
    fn is_current_thread(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.thread().id() == thread::current().id())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        if self.is_current_thread() {
            return;
        }
        if let Some(thread) = self.thread.take() {
            // An error means that the thread panicked. Its callers have already received an error.
            drop(thread.join());
        }
    }
}

/// The state of the thread. The lock is dropped last.
struct WriterThread {
    path: PathBuf,
    applier: Applier,
    options: SqliteOptions,
    queue: Arc<Queue>,
    read_ahead: Arc<Mutex<ReadAhead>>,
    _lock: Lock,
}

/// Marks the queue as abandoned when the thread exits, even by a panic.
struct AbandonOnDrop(Arc<Queue>, Arc<Mutex<ReadAhead>>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.1.lock().clear();
        self.0.abandon();
    }
}

impl WriterThread {
    fn work(mut self) {
        // Dropped after the queue is abandoned, so that callers that receive an error no longer read these writes.
        let mut batch;
        let _abandon = AbandonOnDrop(self.queue.clone(), self.read_ahead.clone());
        loop {
            batch = self.queue.take(self.applier.bound_log());
            if batch.is_empty() {
                return;
            }
            self.options.failpoints.at("batch taken");
            let results = self.store(&batch);
            self.read_ahead.lock().forget(&batch);
            self.queue.settle(&batch);
            self.options.failpoints.at("before waiters told");
            self.queue.replies.send_all(batch.drain(..).map(|write| write.reply).zip(results));
            self.options.failpoints.at("after waiters told");
        }
    }

    /// Stores the writes in one transaction, except for refused writes.
    fn store(&mut self, batch: &[Write]) -> Vec<SyncResult> {
        let attempt = match self.applier.store(batch, RollbackScope::Batch) {
            Err(ApplyError::Refused(_)) => self.applier.store(batch, RollbackScope::Write),
            attempt => attempt,
        };
        let fail_all = |error: StoreError| batch.iter().map(|_| Err(error.clone().into())).collect();
        if attempt.is_err() {
            self.read_ahead.lock().clear();
        }
        attempt.unwrap_or_else(|error| match error {
            ApplyError::Refused(reason) => fail_all(StoreError::Unstorable { reason: reason.to_string() }),
            ApplyError::Lost(error) => fail_all(error),
            ApplyError::Failed(cause) => fail_all(StoreError::of(&self.path, &cause)),
        })
    }
}
