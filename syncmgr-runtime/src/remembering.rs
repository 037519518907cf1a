//! What a manager asks its store, and tells it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use anyhow::anyhow;
use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::decision::choice::Preferences;
use syncmgr_core::error::{SyncResult, one_line, panic_text};
use syncmgr_core::id::{ErrorId, ErrorScope, HandlerId, ItemId, SessionId};
use syncmgr_core::log::{Question, Remedy};
use syncmgr_core::record::ItemRecord;
use syncmgr_core::retry::Setback;
use syncmgr_core::store::{Histogram, StateChange, StateStore};
use tokio::runtime::Handle;

use crate::host::Host;

/// What the histograms are stored as.
const STOPPING: &str = "stop";
const LASTING: &str = "session";

impl Host {
    /// Takes over what the store remembers of managers before this one. What cannot be read counts as nothing.
    pub(crate) fn load(&self) {
        let store = &*self.ports.store;
        // Where nobody knows how far the numbers were, they go on far behind any that may have been given.
        let far = || SessionId(self.now().wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs());
        let last = self.read(StateStore::last_session).unwrap_or_else(far);
        self.last_session.store(last.0, Ordering::Relaxed);
        self.setbacks.load_resources(self.read(StateStore::resources).unwrap_or_default(), self.now().wall);
        let interrupted = self.read(StateStore::interrupted).unwrap_or_default();
        self.pending.load(interrupted, self.now().wall).into_iter().for_each(|change| self.store(change));
        for (name, histogram) in [(STOPPING, &self.stopping), (LASTING, &self.lasting)] {
            match store.histogram(name) {
                Ok(Some(counted)) => histogram.add(&counted),
                Ok(None) => {}
                Err(error) => self.unreadable(&error),
            }
        }
    }

    fn read<T>(&self, read: impl FnOnce(&dyn StateStore) -> SyncResult<T>) -> Option<T> {
        read(&*self.ports.store).map_err(|error| self.unreadable(&error)).ok()
    }

    fn unreadable(&self, error: &anyhow::Error) {
        tracing::error!(manager = %self.id, error = %one_line(error), "the store cannot be read");
    }

    /// The counts of the histograms so far.
    pub(crate) fn histograms(&self) -> Vec<StateChange> {
        let stored = [(STOPPING, &self.stopping), (LASTING, &self.lasting)];
        let counted = stored.map(|(name, histogram)| (name, histogram.counted()));
        let some = counted.into_iter().filter(|(_, histogram)| histogram.counts.iter().any(|count| *count > 0));
        some.map(|(name, histogram): (_, Histogram)| StateChange::Histogram { name: name.into(), histogram }).collect()
    }

    /// What is remembered of an item. The store is somebody else's code.
    pub(crate) fn record(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemRecord>> {
        let read = || self.ports.store.record(handler, item);
        catch_unwind(AssertUnwindSafe(read))
            .unwrap_or_else(|panic| Err(anyhow!("the store panicked: {}", panic_text(panic))))
    }

    /// The answer to a question, if one was given. A question that has changed is another.
    pub(crate) fn answer_to(&self, handler: HandlerId, item: ItemId, question: &Question) -> Option<usize> {
        if let Some((answered, choice)) = self.known().answers.get(&(handler, item, question.key.clone())) {
            return (answered == question).then_some(*choice);
        }
        self.read(|store| store.answer(handler, item, question)).flatten()
    }

    /// Somebody answered a question. What the host itself can do about it is done; the answer holds, whether or not it can
    /// be stored. With it goes, in one write, the entry that asked.
    pub(crate) fn answer(&self, handler: HandlerId, item: ItemId, question: Question, choice: usize) {
        let error = ErrorId::of_question(item, &question.key);
        let mut changes = vec![StateChange::LogDeleted { handler, scope: ErrorScope::One(error) }];
        match question.remedies.get(choice) {
            Some(Remedy::Reset) => {
                self.setbacks.set(handler, item, None);
                changes.push(StateChange::Reset { handler, item });
            }
            // Nothing is stored of it: the next run may ask again.
            Some(Remedy::Refuse) => return,
            Some(Remedy::TryAgain) => {
                self.setbacks.set(handler, item, None);
                changes.push(StateChange::Retry { handler, item, retry: None });
            }
            _ => {
                self.known().answers.insert((handler, item, question.key.clone()), (question.clone(), choice));
                changes.push(StateChange::Answered { handler, item, question, choice });
                // It need not wait any more, whatever becomes of whoever answered.
                if self.setbacks.of(handler, item).is_some_and(|state| state.setback == Setback::NeedsUser) {
                    self.setbacks.set(handler, item, None);
                    changes.push(StateChange::Retry { handler, item, retry: None });
                }
            }
        }
        self.store_all(changes);
    }

    /// Answers of an item were used up.
    pub(crate) fn used_up(&self, handler: HandlerId, item: ItemId, keys: &[Arc<str>]) {
        let mut known = self.known();
        for key in keys {
            known.answers.remove(&(handler, item, key.clone()));
        }
    }

    /// Forgets what was answered for a handler, or for an item of it.
    pub(crate) fn forget_answers(&self, handler: HandlerId, item: Option<ItemId>) {
        let forgotten = |of: HandlerId, about: ItemId| of == handler && item.is_none_or(|item| item == about);
        self.known().answers.retain(|(of, about, _), _| !forgotten(*of, *about));
    }

    /// What was chosen of a handler's items before.
    pub(crate) fn preferences(&self, handler: HandlerId) -> SyncResult<Preferences> {
        let mut preferences = Preferences::default();
        preferences.load(handler, self.ports.store.choices(handler)?);
        Ok(preferences)
    }

    /// Writes changes. What is returned resolves when they are stored.
    pub(crate) fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        let write = || self.ports.store.write(changes);
        match catch_unwind(AssertUnwindSafe(write)) {
            Ok(written) => AssertUnwindSafe(written).catch_unwind().map(panicked).boxed(),
            Err(panic) => futures::future::ready(panicked(Err(panic))).boxed(),
        }
    }

    /// Stores a change nobody waits for. What cannot be stored is told to `tracing`: whoever made the change has it all the
    /// same.
    pub(crate) fn store(&self, change: StateChange) {
        self.store_all(vec![change]);
    }

    /// Stores changes nobody waits for, all or none.
    pub(crate) fn store_all(&self, changes: Vec<StateChange>) {
        let id = self.id;
        let told = move |result: SyncResult| {
            if let Err(error) = result {
                tracing::error!(manager = %id, error = %one_line(&error), "the store refused a change");
            }
        };
        let mut written = self.write(changes);
        match ((&mut written).now_or_never(), Handle::try_current()) {
            (Some(result), _) => told(result),
            (None, Ok(runtime)) => drop(self.tracker.spawn_on(written.map(told), &runtime)),
            // Without a runtime nobody can wait; the store has the change.
            (None, Err(_)) => {}
        }
    }
}

/// A store that panicked has failed.
fn panicked(result: Result<SyncResult, Box<dyn std::any::Any + Send>>) -> SyncResult {
    result.unwrap_or_else(|panic| Err(anyhow!("the store panicked: {}", panic_text(panic))))
}
