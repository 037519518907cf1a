//! Sessions that were under way when whoever ran them was gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::id::{HandlerId, ItemId, SessionId};
use crate::request::RunRequest;
use crate::store::{Course, SessionEnd, SessionRecord, StateChange};

/// When what was interrupted goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resume {
    /// With the next session of its handler in which what is preferred runs. Where somebody chooses, what they choose counts.
    #[default]
    AtNextTrigger,
    /// By itself, as soon as the manager's scheduler runs.
    AtOnce,
}

/// A run that was interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// The session it was part of.
    pub session: SessionId,
    /// What it was asked for; `None` is what is preferred.
    pub items: Option<BTreeSet<ItemId>>,
}

/// The sessions that were interrupted, each until nothing of it is left to do.
#[derive(Clone, Debug)]
pub(super) struct Interrupted {
    resume: Resume,
    sessions: Vec<Session>,
    /// Handlers whose interrupted runs were started again, and may not have been taken up yet.
    resumed: BTreeSet<HandlerId>,
}

/// A session that was interrupted, and the runs of it that nobody has taken up.
#[derive(Clone, Debug)]
struct Session {
    record: SessionRecord,
    left: BTreeMap<HandlerId, RunRequest>,
}

impl Interrupted {
    pub(super) fn new(resume: Resume) -> Self {
        Self { resume, sessions: Vec::new(), resumed: BTreeSet::new() }
    }

    /// Takes the sessions without an end. Returns what is to be stored of those in which nothing was left to do.
    pub(super) fn restore(&mut self, sessions: Vec<SessionRecord>, now: SystemTime) -> Vec<StateChange> {
        self.sessions = sessions.into_iter().map(Session::of).collect();
        self.end_finished(now)
    }

    /// Whether interrupted runs are to be started by themselves.
    pub(super) fn is_to_resume(&self) -> bool {
        self.resume == Resume::AtOnce && !self.sessions.is_empty()
    }

    /// The handlers with interrupted runs that are to be started by themselves, each once.
    pub(super) fn take_to_resume(&mut self, is_registered: impl Fn(HandlerId) -> bool) -> BTreeSet<HandlerId> {
        if !self.is_to_resume() {
            return BTreeSet::new();
        }
        let of = self.sessions.iter().flat_map(|session| session.left.keys().copied());
        let due: BTreeSet<_> = of.filter(|of| is_registered(*of) && !self.resumed.contains(of)).collect();
        self.resumed.extend(&due);
        due
    }

    /// What kept a handler from beginning is over, and a run that was to go on may have been held by it. Whether one is to be
    /// started again.
    pub(super) fn resume_again(&mut self, handler: HandlerId) -> bool {
        self.resumed.remove(&handler)
    }

    /// What was interrupted of the handler.
    pub(super) fn of(&self, handler: HandlerId) -> Vec<Unfinished> {
        let of_handler = |session: &Session| {
            let items = session.left.get(&handler)?.items.clone();
            Some(Unfinished { session: session.record.session, items })
        };
        self.sessions.iter().filter_map(of_handler).collect()
    }

    /// The run that took these up has ended.
    pub(super) fn done(&mut self, handler: HandlerId, done: &[SessionId], now: SystemTime) -> Vec<StateChange> {
        for session in self.sessions.iter_mut().filter(|session| done.contains(&session.record.session)) {
            session.left.remove(&handler);
        }
        self.resumed.remove(&handler);
        self.end_finished(now)
    }

    pub(super) fn forget(&mut self, handler: HandlerId, now: SystemTime) -> Vec<StateChange> {
        let all: Vec<_> = self.sessions.iter().map(|session| session.record.session).collect();
        self.done(handler, &all, now)
    }

    pub(super) fn forget_item(&mut self, handler: HandlerId, item: ItemId) {
        for run in self.sessions.iter_mut().filter_map(|session| session.left.get_mut(&handler)) {
            run.items.as_mut().map(|items| items.remove(&item));
        }
    }

    /// Sessions of which nothing is left are over. Returns what is to be stored of them.
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
        let end = SessionEnd::new(now, Course::Interrupted, BTreeMap::new());
        StateChange::SessionEnded { session: self.record.session, manager: self.record.manager, end }
    }
}
