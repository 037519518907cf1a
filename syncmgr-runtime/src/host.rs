//! What all sessions of a manager share.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::claim::Claim;
use syncmgr_core::decision::choice::Preferences;
use syncmgr_core::decision::run::Pause;
use syncmgr_core::error::{SyncResult, one_line, panic_text};
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::log::Question;
use syncmgr_core::port::{ConnectionProvider, Interaction};
use syncmgr_core::register::Registry;
use syncmgr_core::store::{StateChange, StateStore};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::chooser::Chooser;
use crate::clock::{Clock, Now};
use crate::gate::Gate;
use crate::latency::LatencyHistogram;
use crate::random::{Randomness, fresh_id};
use crate::session::SessionShared;
use crate::watchdog::{Patrol, Watchdog};

/// What a manager uses of the world around it.
pub(crate) struct Ports {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) interaction: Option<Arc<dyn Interaction>>,
    pub(crate) connections: Option<Arc<dyn ConnectionProvider>>,
    pub(crate) chooser: Option<Arc<dyn Chooser>>,
    pub(crate) watchdog: Option<Arc<dyn Watchdog>>,
}

/// The shared part of a manager.
pub(crate) struct Host {
    pub(crate) id: Uuid,
    pub(crate) ports: Ports,
    /// The user's attention: one permit (R133).
    pub(crate) attention: Arc<Semaphore>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) tracker: TaskTracker,
    /// From the request to stop a running item to its end.
    pub(crate) stopping: LatencyHistogram,
    watched: Once,
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
    pub(crate) sessions: BTreeMap<SessionId, Weak<SessionShared>>,
    pub(crate) pause: Pause,
    /// Answers given here, each with the question it answers.
    answers: BTreeMap<(HandlerId, ItemId, Arc<str>), (Question, usize)>,
}

impl Host {
    pub(crate) fn new(ports: Ports, items_at_once: usize, capacities: BTreeMap<Claim, usize>) -> Self {
        Self {
            id: fresh_id(&*ports.randomness),
            ports,
            attention: Arc::new(Semaphore::new(1)),
            gate: Arc::new(Gate::new(items_at_once, capacities)),
            tracker: TaskTracker::new(),
            stopping: LatencyHistogram::new(),
            watched: Once::new(),
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
        if let Some((answered, choice)) = self.known().answers.get(&(handler, item, question.key.clone())) {
            return (answered == question).then_some(*choice);
        }
        self.ports.store.answer(handler, item, question).unwrap_or_else(|error| {
            tracing::error!(manager = %self.id, error = %one_line(&error), "the store has no answers");
            None
        })
    }

    /// Somebody answered a question. The answer holds, whether or not it can be stored.
    pub(crate) fn answer(&self, handler: HandlerId, item: ItemId, question: Question, choice: usize) {
        self.known().answers.insert((handler, item, question.key.clone()), (question.clone(), choice));
        self.store(StateChange::Answered { handler, item, question, choice });
    }

    /// Forgets what was answered for a handler.
    pub(crate) fn forget_answers(&self, handler: HandlerId) {
        self.known().answers.retain(|(of, _, _), _| *of != handler);
    }

    /// What was chosen of a handler's items before.
    pub(crate) fn preferences(&self, handler: HandlerId) -> SyncResult<Preferences> {
        let mut preferences = Preferences::default();
        preferences.load(handler, self.ports.store.choices(handler)?);
        Ok(preferences)
    }

    /// The time now. A clock that panics stands at its start: it is read where nothing may panic.
    pub(crate) fn now(&self) -> Now {
        catch_unwind(AssertUnwindSafe(|| self.ports.clock.now())).unwrap_or_else(|panic| {
            tracing::error!(manager = %self.id, error = %panic_text(panic), "the clock panicked");
            Now { mono: Duration::ZERO, wall: SystemTime::UNIX_EPOCH }
        })
    }

    /// Stores a change. What cannot be stored is told to `tracing`: whoever made the change has it all the same.
    pub(crate) fn store(&self, change: StateChange) {
        let write = || self.ports.store.write(vec![change]).now_or_never();
        let refused = match catch_unwind(AssertUnwindSafe(write)) {
            Ok(Some(Err(error))) => one_line(&error),
            Ok(_) => return,
            Err(panic) => format!("it panicked: {}", panic_text(panic)),
        };
        tracing::error!(manager = %self.id, error = %refused, "the store refused a change");
    }

    pub(crate) fn sessions(&self) -> Vec<Arc<SessionShared>> {
        self.known().sessions.values().filter_map(Weak::upgrade).collect()
    }

    /// The watchdog begins with the first session.
    pub(crate) fn watch(self: &Arc<Self>) {
        if let Some(watchdog) = &self.ports.watchdog {
            let start = || watchdog.start(Patrol::new(Arc::downgrade(self)));
            self.watched.call_once(|| {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(start)) {
                    tracing::error!(manager = %self.id, error = %panic_text(panic), "the watchdog could not start");
                }
            });
        }
    }

    /// Tells every session to stop and to let go of its results.
    pub(crate) fn wind_up(&self) -> Vec<Arc<SessionShared>> {
        {
            // No session is accepted once this lock is free again.
            let _known = self.known();
            self.tracker.close();
        }
        let sessions = self.sessions();
        for session in &sessions {
            session.stop(CancelReason::ShuttingDown);
            session.close();
        }
        sessions
    }
}
