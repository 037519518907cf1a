//! The host's access to its store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use anyhow::anyhow;
use futures::FutureExt;
use syncmgr_core::error::{SyncResult, one_line};
use syncmgr_core::foreign;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::item::ItemState;
use syncmgr_core::log::Question;
use syncmgr_core::record::ItemRecord;
use syncmgr_core::store::{Histogram, Medium, StateChange, StateStore, StoreInUse};
use tokio::runtime::Handle;

use crate::host::Host;
use crate::outbox::Written;
use crate::scheduler::NoLog;

/// The names under which the histograms are stored.
const STOP_LATENCIES: &str = "stop";
const SESSION_DURATIONS: &str = "session";

impl Host {
    /// Loads the state that earlier managers left in the store. Unreadable state counts as empty.
    pub(crate) fn load(self: &Arc<Self>) {
        let store = &*self.ports.store;
        // If the last session number is unreadable, numbers continue far beyond any number that may have been used.
        let far = || SessionId(self.now().wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs());
        let last = self.read(StateStore::last_session).unwrap_or_else(far);
        self.last_session.store(last.0, Ordering::Relaxed);
        let resources = self.read(StateStore::resources).unwrap_or_default();
        let interrupted = self.read(StateStore::interrupted).unwrap_or_default();
        let effects = self.decide(|ledger, now| {
            ledger.set_last_session(last);
            ledger.restore(resources, interrupted, now)
        });
        self.apply(effects);
        for (name, histogram) in [(STOP_LATENCIES, &self.stop_latencies), (SESSION_DURATIONS, &self.session_durations)]
        {
            match store.histogram(name) {
                Ok(Some(counted)) => histogram.add(&counted),
                Ok(None) => {}
                Err(error) => self.log_unreadable(&error),
            }
        }
    }

    fn read<T>(&self, read: impl FnOnce(&dyn StateStore) -> SyncResult<T>) -> Option<T> {
        read(&*self.ports.store).map_err(|error| self.log_unreadable(&error)).ok()
    }

    fn log_unreadable(&self, error: &anyhow::Error) {
        tracing::error!(manager = %self.id, error = %one_line(error), "the store cannot be read");
    }

    /// Reads many values. A store on disk is read on a thread that may block, so that the threads of the runtime go on.
    pub(crate) async fn read_many<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&dyn StateStore) -> SyncResult<T> + Send + 'static,
    ) -> SyncResult<T> {
        let host = self.clone();
        let read = move || foreign::call(|| read(&*host.ports.store)).unwrap_or_else(store_panicked);
        match self.ports.store.medium() {
            Medium::Memory => read(),
            _ => off_thread(read).await,
        }
    }

    /// Reads the choices of a handler. Most handlers have few, which are read at once.
    pub(crate) async fn choices(self: &Arc<Self>, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemState>> {
        let few = foreign::call(|| self.ports.store.few_choices(handler)).unwrap_or_else(store_panicked)?;
        match few {
            Some(choices) => Ok(choices),
            None => self.read_many(move |store| store.choices(handler)).await,
        }
    }

    /// Returns changes that store the histograms.
    pub(crate) fn histograms(&self) -> Vec<StateChange> {
        let stored = [(STOP_LATENCIES, &self.stop_latencies), (SESSION_DURATIONS, &self.session_durations)];
        let counted = stored.map(|(name, histogram)| (name, histogram.to_histogram()));
        let recorded = counted.into_iter().filter(|(_, histogram)| histogram.counts.iter().any(|count| *count > 0));
        recorded
            .map(|(name, histogram): (_, Histogram)| StateChange::Histogram { name: name.into(), histogram })
            .collect()
    }

    /// Reads the record of an item. The store is foreign code, so a panic becomes an error.
    pub(crate) fn record(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemRecord>> {
        foreign::call(|| self.ports.store.record(handler, item)).unwrap_or_else(store_panicked)
    }

    /// Returns the answer to a question, if there is one. An answer to a question with a different wording is ignored.
    pub(crate) fn answer_to(&self, handler: HandlerId, item: ItemId, question: &Question) -> Option<usize> {
        let given = self.ledger().answer_to(handler, item, question);
        given.unwrap_or_else(|| self.read(|store| store.answer(handler, item, question)).flatten())
    }

    /// Applies the user's answer to a question.
    #[must_use = "store the changes"]
    pub(crate) fn answer(
        self: &Arc<Self>,
        handler: HandlerId,
        item: ItemId,
        question: Question,
        choice: usize,
    ) -> Vec<StateChange> {
        let effects = self.ledger().answer(handler, item, question, choice);
        self.perform(effects, &NoLog)
    }

    /// Fails if another manager had the store when this manager was created.
    pub(crate) fn check_store(&self) -> Result<(), StoreInUse> {
        self.lease.lock().as_ref().map(drop).map_err(|error| *error)
    }

    /// Fails if this manager does not have the store, or has given it back.
    pub(crate) fn check_writable(&self) -> Result<(), StoreInUse> {
        self.lease.lock().as_ref().map_err(|error| *error)?.as_ref().map(drop).ok_or(StoreInUse)
    }

    /// Lets another manager have the store.
    pub(crate) fn release_store(&self) {
        let lease = self.lease.lock().as_mut().ok().and_then(Option::take);
        drop(lease);
    }

    /// Writes changes. The future resolves once they are stored; they are stored even if it is never polled.
    pub(crate) fn write(&self, changes: Vec<StateChange>) -> Written {
        let written = self.queue_write(changes);
        self.pass_writes();
        written
    }

    /// Stores a change without waiting. A failure is only logged to `tracing`, because the change has already taken effect
    /// in memory.
    pub(crate) fn store(&self, change: StateChange) {
        self.store_all(vec![change]);
    }

    /// Stores changes atomically, without waiting.
    pub(crate) fn store_all(&self, changes: Vec<StateChange>) {
        if !changes.is_empty() {
            self.finish_write(Some(self.queue_write(changes)));
        }
    }

    /// Passes a queued write to the store, without waiting until it is stored.
    pub(crate) fn finish_write(&self, written: Option<Written>) {
        self.pass_writes();
        let id = self.id;
        let log_failure = move |result: SyncResult| {
            if let Err(error) = result {
                tracing::error!(manager = %id, error = %one_line(&error), "the store refused a change");
            }
        };
        let Some(mut written) = written else { return };
        match ((&mut written).now_or_never(), Handle::try_current()) {
            (Some(result), _) => log_failure(result),
            (None, Ok(runtime)) => drop(self.tracker.spawn_on(written.map(log_failure), &runtime)),
            // Without a runtime the future cannot be driven; the store already has the change.
            (None, Err(_)) => {}
        }
    }
}

/// Reads on a thread of the current runtime that may block; on the current thread if there is no runtime.
pub(crate) async fn off_thread<T: Send + 'static>(
    read: impl FnOnce() -> SyncResult<T> + Send + 'static,
) -> SyncResult<T> {
    match Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(read).await?,
        Err(_) => read(),
    }
}

/// Turns a panic of the store into an error.
pub(crate) fn store_panicked<T>(panic: String) -> SyncResult<T> {
    Err(anyhow!("the store panicked: {panic}"))
}
