//! Users who perform the actions of a case and wait for the results.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use syncmgr::log::Action;
use syncmgr::request::{Invocation, InvokeFlags, Priority, RegisterFlags};
use syncmgr::session::StopOnDrop;
use syncmgr::{
    HandlerId, ItemId, LogEntry, Report, Session, SessionId, SessionRequest, StartError, Subject, SyncManager,
};
use tokio::task::JoinSet;

use super::actions::{Scope, SessionSpec, TimedAction, UNREGISTERED, UserAction};
use super::case::BeforeShutdown;
use super::model::Model;
use super::plans::{HandlerPlan, item_id};
use super::setup::{handler_id, register};
use super::trace::SessionTrace;
use crate::support::stored_log;

const OPENS_ENTRIES_OF_STOPPED_SESSIONS: bool = true;

/// The users of a case's manager.
pub(crate) struct Users {
    pub(crate) manager: SyncManager,
    pub(crate) plans: Vec<HandlerPlan>,
    model: Model,
    before_shutdown: BeforeShutdown,
    sessions: Vec<UserSession>,
    /// Stop guards of the sessions that `leave` dropped. Dropping a guard before the end of the case would stop its session.
    left: Vec<StopOnDrop>,
    /// Tasks that wait for a report.
    pub(crate) waiting: JoinSet<Vec<Report>>,
    /// Tasks that record a session's events until its end.
    pub(crate) watching: JoinSet<SessionTrace>,
    /// The items that each session requested by id.
    pub(crate) requested: Vec<(SessionId, HandlerId, Vec<ItemId>)>,
}

/// A session of a user, with a guard that can stop the session after the user has dropped it.
struct UserSession {
    session: Option<Session>,
    stop: StopOnDrop,
    log: Log,
    /// `true` if a user has stopped the session or it has a deadline.
    stopped: bool,
    /// `true` if a user has opened an entry of the session's log.
    opened: bool,
}

/// The entries of a session's log that its recorder has seen.
pub(crate) type Log = Arc<Mutex<Vec<(HandlerId, Arc<LogEntry>)>>>;

impl Users {
    pub(crate) fn new(
        manager: SyncManager,
        plans: Vec<HandlerPlan>,
        model: Model,
        before_shutdown: BeforeShutdown,
    ) -> Self {
        let (waiting, watching) = (JoinSet::new(), JoinSet::new());
        for (index, plan) in plans.iter().enumerate() {
            register(&manager, &model, index, plan);
        }
        Self {
            manager,
            plans,
            model,
            before_shutdown,
            sessions: Vec::new(),
            left: Vec::new(),
            waiting,
            watching,
            requested: Vec::new(),
        }
    }

    pub(crate) async fn act(&mut self, timed: &TimedAction) {
        if timed.after > 0 {
            tokio::time::sleep(Duration::from_millis(timed.after.into())).await;
        }
        match &timed.action {
            UserAction::Start(spec) => self.start(spec),
            UserAction::Invoke { handler, chooses } => self.invoke(*handler, *chooses),
            UserAction::UpdateAll => self.add_session(self.manager.update_all()),
            UserAction::Skip { session, handler, item } => {
                let (handler, item) = (self.handler(*handler), item_id(*item));
                self.with_session(*session, |session| _ = session.skip(handler, item));
            }
            UserAction::StopHandler { session, handler } => {
                let handler = self.handler(*handler);
                self.with_session(*session, |session| _ = session.stop_handler(handler));
            }
            UserAction::StopSession(session) => self.stop(*session),
            UserAction::PauseSession(session) => self.with_session(*session, Session::pause),
            UserAction::ResumeSession(session) => self.with_session(*session, Session::resume),
            UserAction::Pause => self.manager.pause(),
            UserAction::Resume => self.manager.resume(),
            action => self.act_awaited(action),
        }
    }

    /// Starts an action that takes time and whose result is awaited.
    fn act_awaited(&mut self, action: &UserAction) {
        match *action {
            UserAction::Open { session, entry, choice } => self.open(session, entry, choice),
            UserAction::OpenStored { handler, entry, choice } => self.open_stored(self.handler(handler), entry, choice),
            UserAction::Report(session) => self.wait_for(session, async |session| vec![session.report().await]),
            UserAction::Finish(session) => self.wait_for(session, async |session| vec![session.finish().await]),
            UserAction::Close(session) => self.wait_for(session, async |session| {
                session.close().await;
                vec![session.report().await]
            }),
            UserAction::Drop(session) => self.drop_session(session),
            UserAction::Watch(session) => self.watch(session),
            ref action => self.administrate(action),
        }
    }

    fn administrate(&mut self, action: &UserAction) {
        let manager = self.manager.clone();
        match *action {
            UserAction::Unregister(handler) => _ = manager.unregister(self.handler(handler)),
            UserAction::Register(handler) => {
                let index = handler % self.plans.len();
                register(&manager, &self.model, index, &self.plans[index]);
            }
            UserAction::SetFlags(handler, flags) => {
                _ = manager.set_flags(self.handler(handler), RegisterFlags::from_bits_truncate(flags));
            }
            UserAction::Forget(handler) => {
                let handler = self.handler(handler);
                self.spawn(async move {
                    manager.forget(handler).await.expect("a memory store does not fail");
                    Vec::new()
                });
            }
            UserAction::Properties(handler) => {
                let handler = self.handler(handler);
                self.spawn(async move {
                    _ = manager.show_properties(handler, Subject::Handler).await;
                    Vec::new()
                });
            }
            _ => {}
        }
    }

    fn start(&mut self, spec: &SessionSpec) {
        let request = self.request(spec);
        let started = request.start();
        if let (Ok(session), Scope::Items(handler, items)) = (&started, &spec.scope) {
            self.requested.push((session.id(), self.handler(*handler), items_of(*items)));
        }
        let stopped = spec.deadline.is_some();
        self.add_session(started);
        self.sessions.last_mut().into_iter().for_each(|user_session| user_session.stopped |= stopped);
    }

    fn stop(&mut self, index: usize) {
        let allowed = self.may_open_stopped();
        let Some(user_session) = self.session_mut(index).filter(|user_session| allowed || !user_session.opened) else {
            return;
        };
        user_session.stopped = true;
        user_session.session.iter().for_each(Session::stop);
    }

    fn may_open_stopped(&self) -> bool {
        self.before_shutdown != BeforeShutdown::Nothing || OPENS_ENTRIES_OF_STOPPED_SESSIONS
    }

    fn session_mut(&mut self, index: usize) -> Option<&mut UserSession> {
        let index = index.checked_rem(self.sessions.len())?;
        self.sessions.get_mut(index)
    }

    fn request(&self, spec: &SessionSpec) -> SessionRequest {
        let mut request = self.manager.session(spec.trigger);
        request = match spec.scope {
            Scope::Everything => request,
            Scope::Handlers(these) => request.handlers(self.handlers_of(these)),
            Scope::Items(handler, items) => request.items(self.handler(handler), items_of(items)),
        };
        if spec.may_bother {
            request = request.may_bother_user();
        }
        if let Some(urgent) = spec.urgent {
            request = request.priority(if urgent { Priority::Foreground } else { Priority::Background });
        }
        if let Some(deadline) = spec.deadline {
            request = request.deadline(SystemTime::UNIX_EPOCH + Duration::from_millis(deadline.into()));
        }
        match spec.cookie {
            Some(cookie) => request.cookie(vec![cookie]),
            None => request,
        }
    }

    fn invoke(&mut self, handler: usize, chooses: bool) {
        let flags = if chooses { InvokeFlags::empty() } else { InvokeFlags::START_SYNC };
        let invocation = Invocation::new(self.handler(handler)).with_flags(flags);
        self.add_session(self.manager.invoke(invocation));
    }

    /// Adds a session and records its events.
    fn add_session(&mut self, started: Result<Session, StartError>) {
        let Ok(session) = started else { return };
        let (log, stop) = (Log::default(), session.stop_on_drop());
        self.watching.spawn(SessionTrace::record(session.id(), session.events(), log.clone()));
        self.sessions.push(UserSession { session: Some(session), stop, log, stopped: false, opened: false });
    }

    fn session(&self, index: usize) -> Option<&Session> {
        self.sessions[index.checked_rem(self.sessions.len())?].session.as_ref()
    }

    /// Returns the id of a handler of this case, or of the unregistered one.
    fn handler(&self, index: usize) -> HandlerId {
        handler_id(if index == UNREGISTERED { UNREGISTERED } else { index % self.plans.len() })
    }

    fn handlers_of(&self, these: u8) -> Vec<HandlerId> {
        (0..self.plans.len()).filter(|index| these & (1 << index) != 0).map(handler_id).collect()
    }

    fn with_session(&self, index: usize, act: impl FnOnce(&Session)) {
        if let Some(session) = self.session(index) {
            act(session);
        }
    }

    fn wait_for<F>(&mut self, index: usize, wait: impl FnOnce(Session) -> F)
    where
        F: Future<Output = Vec<Report>> + Send + 'static,
    {
        if let Some(session) = self.session(index) {
            let waits = wait(session.clone());
            self.spawn(waits);
        }
    }

    fn spawn(&mut self, waits: impl Future<Output = Vec<Report>> + Send + 'static) {
        self.waiting.spawn(waits);
    }

    fn watch(&mut self, index: usize) {
        if let Some(session) = self.session(index) {
            self.watching.spawn(SessionTrace::record(session.id(), session.events(), Log::default()));
        }
    }

    fn drop_session(&mut self, index: usize) {
        self.session_mut(index).into_iter().for_each(|user_session| user_session.session = None);
    }

    fn open(&mut self, index: usize, entry: usize, choice: usize) {
        let allowed = self.may_open_stopped();
        let Some(user_session) = self.session_mut(index).filter(|user_session| allowed || !user_session.stopped) else {
            return;
        };
        user_session.opened = true;
        let (Some(session), log) = (user_session.session.clone(), user_session.log.clone()) else { return };
        let links: Vec<_> = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((handler, entry)) = entry.checked_rem(links.len()).map(|entry| links[entry].clone()) else { return };
        let Some(error) = entry.id else { return };
        let asks = matches!(entry.action, Some(Action::Decide(_)));
        self.spawn(async move {
            _ = match asks {
                true => session.answer(handler, error, choice).await,
                false => session.show_error(handler, error).await,
            };
            Vec::new()
        });
    }

    fn open_stored(&mut self, handler: HandlerId, entry: usize, choice: usize) {
        let stored = stored_log(&self.manager, handler);
        let links: Vec<_> = stored.into_iter().filter(|record| record.entry.id.is_some()).collect();
        let Some(record) = entry.checked_rem(links.len()).map(|entry| &links[entry]) else { return };
        let error = record.entry.id.expect("entries without an id were filtered out");
        if matches!(record.entry.action, Some(Action::Decide(_))) {
            if let Ok(session) = self.manager.answer(handler, error, choice) {
                self.add_session(Ok(session));
            }
            return;
        }
        let manager = self.manager.clone();
        self.spawn(async move { manager.show_error(handler, error).await.into_iter().collect() });
    }

    /// The sessions that users still hold.
    pub(crate) fn open_sessions(&self) -> Vec<Session> {
        self.sessions.iter().filter_map(|user_session| user_session.session.clone()).collect()
    }

    /// Resumes the manager and drops all sessions without stopping them.
    pub(crate) fn leave(&mut self) {
        self.manager.resume();
        self.left.extend(self.sessions.drain(..).map(|user_session| user_session.stop));
    }

    /// Stops all sessions and forgets all handlers.
    pub(crate) fn stop_all(&mut self) {
        self.manager.resume();
        for session in self.open_sessions() {
            session.stop();
        }
        self.sessions.clear();
        for index in 0..self.plans.len() {
            let manager = self.manager.clone();
            self.spawn(async move {
                manager.forget(handler_id(index)).await.expect("a memory store does not fail");
                Vec::new()
            });
        }
    }
}

/// The items of a bit mask; no handler lists the items of the two highest bits.
fn items_of(these: u8) -> Vec<ItemId> {
    let unlisted = |index: usize| ItemId::from_name(["nowhere", "never"][index - 6]);
    let id = |index: usize| if index < 6 { item_id(index) } else { unlisted(index) };
    (0..8).filter(|index| these & (1 << index) != 0).map(id).collect()
}
