//! What all sessions of a manager share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use syncmgr_core::cell::ItemCell;
use syncmgr_core::decision::choice::Preferences;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::log::Question;
use syncmgr_core::port::{ConnectionProvider, Interaction};
use syncmgr_core::register::Registry;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::chooser::Chooser;
use crate::clock::Clock;
use crate::gate::Gate;
use crate::session::SessionShared;

/// The shared part of a manager.
pub(crate) struct Host {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) interaction: Option<Arc<dyn Interaction>>,
    pub(crate) connections: Option<Arc<dyn ConnectionProvider>>,
    pub(crate) chooser: Option<Arc<dyn Chooser>>,
    /// The user's attention: one permit (R133).
    pub(crate) attention: Arc<Semaphore>,
    pub(crate) gate: Gate,
    pub(crate) tracker: TaskTracker,
    last_session: AtomicU64,
    known: Mutex<Known>,
}

/// A handler and what it said of itself when it was registered.
pub(crate) type Registered = (Arc<dyn SyncHandler>, HandlerInfo);

/// What a manager remembers.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) registry: Registry,
    pub(crate) handlers: BTreeMap<HandlerId, Registered>,
    pub(crate) preferences: Preferences,
    pub(crate) sessions: BTreeMap<SessionId, Weak<SessionShared>>,
    /// Answers, each with the question it answers.
    answers: BTreeMap<(HandlerId, ItemId, Arc<str>), (Question, usize)>,
    /// Abandoned items, whose work may still be running.
    abandoned: BTreeMap<(HandlerId, ItemId), Arc<ItemCell>>,
}

impl Host {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        interaction: Option<Arc<dyn Interaction>>,
        connections: Option<Arc<dyn ConnectionProvider>>,
        chooser: Option<Arc<dyn Chooser>>,
        items_at_once: usize,
    ) -> Self {
        Self {
            clock,
            interaction,
            connections,
            chooser,
            attention: Arc::new(Semaphore::new(1)),
            gate: Gate::new(items_at_once),
            tracker: TaskTracker::new(),
            last_session: AtomicU64::new(0),
            known: Mutex::default(),
        }
    }

    pub(crate) fn next_session(&self) -> SessionId {
        SessionId(self.last_session.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a question, if one was given. A question that has changed is another.
    pub(crate) fn answer_to(&self, handler: HandlerId, item: ItemId, question: &Question) -> Option<usize> {
        let known = self.known();
        let (answered, choice) = known.answers.get(&(handler, item, question.key.clone()))?;
        (answered == question).then_some(*choice)
    }

    pub(crate) fn answer(&self, handler: HandlerId, item: ItemId, question: Question, choice: usize) {
        self.known().answers.insert((handler, item, question.key.clone()), (question, choice));
    }

    /// Remembers what an abandoned item still has running.
    pub(crate) fn abandon(&self, handler: HandlerId, item: ItemId, cell: Arc<ItemCell>) {
        self.known().abandoned.insert((handler, item), cell);
    }

    /// The abandoned items whose work is still running. Those whose work has ended are forgotten.
    pub(crate) fn abandoned(&self) -> BTreeSet<(HandlerId, ItemId)> {
        let mut known = self.known();
        known.abandoned.retain(|_, cell| cell.is_working());
        known.abandoned.keys().copied().collect()
    }

    pub(crate) fn sessions(&self) -> Vec<Arc<SessionShared>> {
        self.known().sessions.values().filter_map(Weak::upgrade).collect()
    }
}
