//! What starts by itself: retries that are due, runs that were interrupted, runs that were held until the world changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::retry::Ask;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::request::RunRequest;
use syncmgr_core::store::{Course, SessionEnd, SessionRecord, StateChange};

/// When what was interrupted goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resume {
    /// With the next session of its handler in which what is preferred runs. Where somebody chooses, what they choose counts.
    #[default]
    AtNextTrigger,
    /// By itself, as soon as the manager [attends](crate::manager::SyncManager::attend).
    AtOnce,
}

/// Why there is a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Somebody or something asked for it.
    #[default]
    Asked,
    /// Items that had failed were due.
    Retry,
    /// An earlier session was interrupted.
    Resumed,
    /// What held it is over.
    Lifted,
}

/// What waits to be started.
pub(crate) struct Pending {
    pub(crate) resume: Resume,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    interrupted: Vec<Interrupted>,
    waiting: BTreeMap<HandlerId, Waiting>,
    /// Handlers whose interrupted runs were started again, and may not have been taken up yet.
    resumed: BTreeSet<HandlerId>,
}

/// A session that was interrupted, and the runs of it that nobody has taken up.
struct Interrupted {
    record: SessionRecord,
    left: BTreeMap<HandlerId, RunRequest>,
}

/// A run that was held.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub(crate) request: RunRequest,
    pub(crate) hold: Hold,
    /// How firmly it was asked for.
    pub(crate) ask: Ask,
    /// Why there was a session.
    pub(crate) reason: Reason,
}

/// A run that was interrupted.
pub(crate) struct Unfinished {
    pub(crate) session: SessionId,
    /// What it was asked for; `None` is what is preferred.
    pub(crate) items: Option<BTreeSet<ItemId>>,
}

impl Pending {
    pub(crate) fn new(resume: Resume) -> Self {
        Self { resume, inner: Mutex::default() }
    }

    /// Takes the sessions that were under way when whoever ran them was gone. Returns what is to be stored of those in which
    /// nothing was left to do.
    pub(crate) fn load(&self, sessions: Vec<SessionRecord>, now: SystemTime) -> Vec<StateChange> {
        let interrupted = |record: SessionRecord| {
            let left = record.runs.iter().map(|run| (run.handler, run.clone())).collect();
            Interrupted { record, left }
        };
        let (over, left): (Vec<_>, _) = sessions.into_iter().partition(|session| session.runs.is_empty());
        self.lock().interrupted = left.into_iter().map(interrupted).collect();
        over.iter().map(|record| ended(record, now)).collect()
    }

    /// Whether interrupted runs are to be started by themselves.
    pub(crate) fn is_to_resume(&self) -> bool {
        self.resume == Resume::AtOnce && !self.lock().interrupted.is_empty()
    }

    /// The handlers with interrupted runs that are to be started by themselves, each once.
    pub(crate) fn take_to_resume(&self, is_known: impl Fn(HandlerId) -> bool) -> BTreeSet<HandlerId> {
        let mut inner = self.lock();
        if self.resume != Resume::AtOnce {
            return BTreeSet::new();
        }
        let of = inner.interrupted.iter().flat_map(|of| of.left.keys().copied());
        let known: BTreeSet<_> = of.filter(|handler| is_known(*handler) && !inner.resumed.contains(handler)).collect();
        inner.resumed.extend(&known);
        known
    }

    /// What kept a handler from beginning is over, and a run that was to go on may have been held by it. Whether one is to be
    /// started again.
    pub(crate) fn resume_again(&self, handler: HandlerId) -> bool {
        self.lock().resumed.remove(&handler)
    }

    /// What was interrupted of the handler. It stays until a run that took it up has ended.
    pub(crate) fn take_up(&self, handler: HandlerId) -> Vec<Unfinished> {
        let inner = self.lock();
        let of_handler = |of: &Interrupted| {
            let run = of.left.get(&handler)?;
            Some(Unfinished { session: of.record.session, items: run.items.clone() })
        };
        inner.interrupted.iter().filter_map(of_handler).collect()
    }

    /// The run that took these up has ended. Returns what is to be stored of the sessions of which nothing is left.
    pub(crate) fn done(&self, handler: HandlerId, sessions: &[SessionId], now: SystemTime) -> Vec<StateChange> {
        let mut inner = self.lock();
        for of in inner.interrupted.iter_mut().filter(|of| sessions.contains(&of.record.session)) {
            of.left.remove(&handler);
        }
        inner.resumed.remove(&handler);
        let (over, left): (Vec<_>, _) =
            std::mem::take(&mut inner.interrupted).into_iter().partition(|of| of.left.is_empty());
        inner.interrupted = left;
        over.iter().map(|of| ended(&of.record, now)).collect()
    }

    /// A run was held. It is started when nothing holds it any more.
    pub(crate) fn wait(&self, waiting: Waiting) {
        let mut inner = self.lock();
        let handler = waiting.request.handler;
        let merged = match inner.waiting.remove(&handler) {
            Some(earlier) => {
                let (hold, ask) = (waiting.hold, waiting.ask.max(earlier.ask));
                // What takes up an interrupted session does less than what was asked for besides.
                let reason = if earlier.reason == waiting.reason { waiting.reason } else { Reason::Asked };
                Waiting { request: merged(earlier.request, waiting.request), hold, ask, reason }
            }
            None => waiting,
        };
        inner.waiting.insert(handler, merged);
    }

    /// What holds the handler's next run, if one waits.
    pub(crate) fn waiting(&self, handler: HandlerId) -> Option<Hold> {
        self.lock().waiting.get(&handler).map(|waiting| waiting.hold.clone())
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    /// Takes the runs that `lifted` says nothing holds any more.
    pub(crate) fn take_lifted(&self, lifted: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let mut inner = self.lock();
        let (taken, left): (BTreeMap<_, _>, _) =
            std::mem::take(&mut inner.waiting).into_iter().partition(|(_, waiting)| lifted(waiting));
        inner.waiting = left;
        taken.into_values().collect()
    }

    /// This begins, and need not wait any more. Where it is about what is preferred, nobody knows yet which items those are.
    pub(crate) fn begins(&self, request: &RunRequest) {
        if let Some(items) = &request.items {
            return self.runs(request.handler, items.iter().copied());
        }
        let mut inner = self.lock();
        if inner.waiting.get(&request.handler).is_some_and(|waiting| waiting.request.items.is_none()) {
            inner.waiting.remove(&request.handler);
        }
    }

    /// These items run now, and need not wait any more.
    pub(crate) fn runs(&self, handler: HandlerId, running: impl Iterator<Item = ItemId>) {
        let mut inner = self.lock();
        let waiting = inner.waiting.get_mut(&handler).and_then(|waiting| waiting.request.items.as_mut());
        let Some(waiting) = waiting else { return };
        for item in running {
            waiting.remove(&item);
        }
        if waiting.is_empty() {
            inner.waiting.remove(&handler);
        }
    }

    /// The handler is gone: nothing of it waits any more.
    pub(crate) fn no_longer_waits(&self, handler: HandlerId) {
        self.lock().waiting.remove(&handler);
    }

    /// The handler was forgotten.
    pub(crate) fn forget(&self, handler: HandlerId, now: SystemTime) -> Vec<StateChange> {
        self.no_longer_waits(handler);
        let sessions: Vec<_> = self.lock().interrupted.iter().map(|of| of.record.session).collect();
        self.done(handler, &sessions, now)
    }

    /// An item was forgotten: nothing of it is unfinished.
    pub(crate) fn forget_item(&self, handler: HandlerId, item: ItemId) {
        let mut inner = self.lock();
        for run in inner.interrupted.iter_mut().filter_map(|of| of.left.get_mut(&handler)) {
            if let Some(items) = &mut run.items {
                items.remove(&item);
            }
        }
        drop(inner);
        self.runs(handler, [item].into_iter());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request for what both ask for.
fn merged(one: RunRequest, other: RunRequest) -> RunRequest {
    let items = match (one.items, &other.items) {
        (Some(one), Some(other)) => Some(one.union(other).copied().collect()),
        _ => None,
    };
    let mut merged = other;
    merged.items = items;
    merged
}

fn ended(record: &SessionRecord, now: SystemTime) -> StateChange {
    let end = SessionEnd { time: now, course: Course::Interrupted, outcomes: BTreeMap::new() };
    StateChange::SessionEnded { session: record.session, manager: record.manager, end }
}
