//! Sessions that were interrupted because their process ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use crate::id::{HandlerId, ItemId, SessionId};
use crate::request::RunRequest;
use crate::schedule::Schedule;
use crate::store::{SessionEnd, SessionOutcome, SessionRecord, StateChange};

/// The time at which interrupted runs continue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resume {
    /// In the next session that runs the handler's preferred items. A session for explicitly named items does not resume them.
    #[default]
    AtNextTrigger,
    /// As soon as the manager's scheduler runs, without a request.
    Immediately,
}

/// An interrupted run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InterruptedRun {
    /// Its session.
    pub session: SessionId,
    /// The requested items; `None` for the preferred items.
    pub items: Option<Arc<BTreeSet<ItemId>>>,
    /// The schedules that had fired; `None` if all preferred items were requested.
    pub schedules: Option<Arc<BTreeSet<Schedule>>>,
}

/// The interrupted sessions. Each stays here until all its runs were resumed.
#[derive(Clone, Debug)]
pub(super) struct Interrupted {
    resume: Resume,
    sessions: Vec<Session>,
    /// Handlers with a session already started to resume their runs.
    resumed: BTreeSet<HandlerId>,
}

/// An interrupted session, and its runs that were not resumed yet.
#[derive(Clone, Debug)]
struct Session {
    record: SessionRecord,
    left: BTreeMap<HandlerId, RunRequest>,
}

impl Interrupted {
    pub(super) fn new(resume: Resume) -> Self {
        Self { resume, sessions: Vec::new(), resumed: BTreeSet::new() }
    }

    /// Loads the sessions that have not ended. Returns the changes that end the sessions without runs.
    pub(super) fn restore(&mut self, sessions: Vec<SessionRecord>, now: SystemTime) -> Vec<StateChange> {
        self.sessions = sessions.into_iter().map(Session::of).collect();
        self.end_finished(now)
    }

    /// Returns `true` if the scheduler has to start interrupted runs.
    pub(super) fn is_to_resume(&self) -> bool {
        self.resume == Resume::Immediately && !self.sessions.is_empty()
    }

    /// Returns the handlers whose interrupted runs the scheduler has to start. Returns each handler once.
    pub(super) fn take_to_resume(&mut self, is_registered: impl Fn(HandlerId) -> bool) -> BTreeSet<HandlerId> {
        let mut due = self.to_resume();
        due.retain(|of| is_registered(*of));
        self.resumed.extend(&due);
        due
    }

    /// Returns the handlers whose interrupted runs the scheduler has to start.
    pub(super) fn to_resume(&self) -> BTreeSet<HandlerId> {
        let of = self.sessions.iter().filter(|_| self.is_to_resume()).flat_map(|session| session.left.keys().copied());
        of.filter(|of| !self.resumed.contains(of)).collect()
    }

    /// Returns the interrupted runs that were not resumed.
    pub(super) fn requests(&self) -> impl Iterator<Item = &RunRequest> {
        self.sessions.iter().flat_map(|session| session.left.values())
    }

    /// Allows another attempt to resume the handler's runs, because the handler can begin again. Returns `true` if a session was
    /// already started for them.
    pub(super) fn resume_again(&mut self, handler: HandlerId) -> bool {
        self.resumed.remove(&handler)
    }

    /// Returns the interrupted runs of a handler.
    pub(super) fn of(&self, handler: HandlerId) -> Vec<InterruptedRun> {
        let of_handler = |session: &Session| {
            let RunRequest { items, schedules, .. } = session.left.get(&handler)?.clone();
            Some(InterruptedRun { session: session.record.session, items, schedules })
        };
        self.sessions.iter().filter_map(of_handler).collect()
    }

    /// Returns the latest interrupted session with a run of this handler, and its manager.
    pub(super) fn latest_of(&self, handler: HandlerId) -> Option<(SessionId, Uuid)> {
        let of_handler = self.sessions.iter().filter(|session| session.left.contains_key(&handler));
        of_handler.map(|session| (session.record.session, session.record.manager)).max()
    }

    /// Removes the handler's runs in these sessions, except for the items in `left`: they were resumed and have ended.
    pub(super) fn done(
        &mut self,
        handler: HandlerId,
        done: &[SessionId],
        left: &BTreeSet<ItemId>,
        now: SystemTime,
    ) -> Vec<StateChange> {
        for session in self.sessions.iter_mut().filter(|session| done.contains(&session.record.session)) {
            if let Some(run) = session.left.get_mut(&handler) {
                (run.items, run.schedules) = (Some(Arc::new(left.clone())), None);
            }
            session.left.retain(|of, _| *of != handler || !left.is_empty());
        }
        self.resumed.remove(&handler);
        self.end_finished(now)
    }

    pub(super) fn forget(&mut self, handler: HandlerId, now: SystemTime) -> Vec<StateChange> {
        let all: Vec<_> = self.sessions.iter().map(|session| session.record.session).collect();
        self.done(handler, &all, &BTreeSet::new(), now)
    }

    pub(super) fn forget_item(&mut self, handler: HandlerId, item: ItemId) {
        for run in self.sessions.iter_mut().filter_map(|session| session.left.get_mut(&handler)) {
            run.items.as_mut().map(|items| Arc::make_mut(items).remove(&item));
        }
    }

    /// Removes the sessions without runs. Returns the changes that end them.
    fn end_finished(&mut self, now: SystemTime) -> Vec<StateChange> {
        let finished = self.sessions.extract_if(.., |session| session.left.is_empty());
        finished.map(|session| session.ended(now)).collect()
    }
}

impl Session {
    fn of(record: SessionRecord) -> Self {
        let left = record.runs.iter().map(|run| (run.handler, run.clone())).collect();
        Self { record, left }
    }

    fn ended(self, now: SystemTime) -> StateChange {
        let end = SessionEnd::new(now, SessionOutcome::Interrupted, BTreeMap::new());
        StateChange::SessionEnded { session: self.record.session, manager: self.record.manager, end }
    }
}
