//! People who do what they are told, and wait for what they asked for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use syncmgr::log::Action;
use syncmgr::request::{Invocation, InvokeFlags, Priority, RegisterFlags};
use syncmgr::session::StopOnDrop;
use syncmgr::{
    HandlerId, ItemId, LogEntry, Report, Session, SessionId, SessionRequest, StartError, Subject, SyncManager,
};
use tokio::task::JoinSet;

use super::acts::{Act, Deed, NOBODY, Scope, Wanted};
use super::case::Before;
use super::ledger::Ledger;
use super::plans::{Plan, item_id};
use super::story::Story;
use super::world::{handler_id, register};

const OPENS_WHAT_WAS_STOPPED_BEFORE_A_SHUTDOWN: bool = true;

/// Everybody who uses the manager of a case.
pub(crate) struct People {
    pub(crate) manager: SyncManager,
    pub(crate) plans: Vec<Plan>,
    ledger: Ledger,
    before_shutdown: Before,
    sessions: Vec<Seat>,
    /// Sessions that everybody has left, not to be stopped before the end.
    left: Vec<StopOnDrop>,
    /// Those who asked for something and wait for it.
    pub(crate) waiting: JoinSet<Vec<Report>>,
    /// Those who watch a session from its beginning to its end.
    pub(crate) watching: JoinSet<Story>,
    /// The sessions in which handlers, and which of their items, were asked for.
    pub(crate) asked: Vec<(SessionId, HandlerId, Vec<ItemId>)>,
}

/// A session, as long as somebody holds it, and a way to stop it when nobody does.
struct Seat {
    session: Option<Session>,
    stop: StopOnDrop,
    log: Log,
    /// Whether somebody has stopped it, or its time is up some day.
    stopped: bool,
    /// Whether somebody has opened an entry of its log.
    opened: bool,
}

/// The entries of a session's log, as they are seen by whoever watches.
pub(crate) type Log = Arc<Mutex<Vec<(HandlerId, Arc<LogEntry>)>>>;

impl People {
    pub(crate) fn new(manager: SyncManager, plans: Vec<Plan>, ledger: Ledger, before_shutdown: Before) -> Self {
        let (waiting, watching) = (JoinSet::new(), JoinSet::new());
        for (place, plan) in plans.iter().enumerate() {
            register(&manager, &ledger, place, plan);
        }
        Self {
            manager,
            plans,
            ledger,
            before_shutdown,
            sessions: Vec::new(),
            left: Vec::new(),
            waiting,
            watching,
            asked: Vec::new(),
        }
    }

    pub(crate) async fn act(&mut self, act: &Act) {
        if act.after > 0 {
            tokio::time::sleep(Duration::from_millis(act.after.into())).await;
        }
        match &act.deed {
            Deed::Start(wanted) => self.start(wanted),
            Deed::Invoke { handler, chooses } => self.invoke(*handler, *chooses),
            Deed::UpdateAll => self.sit_down(self.manager.update_all()),
            Deed::Skip { session, handler, item } => {
                let (handler, item) = (self.handler(*handler), item_id(*item));
                self.of(*session, |session| _ = session.skip(handler, item));
            }
            Deed::StopHandler { session, handler } => {
                let handler = self.handler(*handler);
                self.of(*session, |session| _ = session.stop_handler(handler));
            }
            Deed::StopSession(session) => self.stop(*session),
            Deed::PauseSession(session) => self.of(*session, Session::pause),
            Deed::ResumeSession(session) => self.of(*session, Session::resume),
            Deed::Pause => self.manager.pause(),
            Deed::Resume => self.manager.resume(),
            deed => self.ask(deed),
        }
    }

    /// What takes time, and is waited for.
    fn ask(&mut self, deed: &Deed) {
        match *deed {
            Deed::Open { session, entry, choice } => self.open(session, entry, choice),
            Deed::OpenStored { handler, entry, choice } => self.open_stored(self.handler(handler), entry, choice),
            Deed::Report(session) => self.wait_for(session, async |session| vec![session.report().await]),
            Deed::Finish(session) => self.wait_for(session, async |session| vec![session.finish().await]),
            Deed::Close(session) => self.wait_for(session, async |session| {
                session.close().await;
                vec![session.report().await]
            }),
            Deed::Drop(session) => self.let_go(session),
            Deed::Watch(session) => self.watch(session),
            ref deed => self.administrate(deed),
        }
    }

    fn administrate(&mut self, deed: &Deed) {
        let manager = self.manager.clone();
        match *deed {
            Deed::Unregister(handler) => _ = manager.unregister(self.handler(handler)),
            Deed::Register(handler) => {
                let place = handler % self.plans.len();
                register(&manager, &self.ledger, place, &self.plans[place]);
            }
            Deed::SetFlags(handler, flags) => {
                _ = manager.set_flags(self.handler(handler), RegisterFlags::from_bits_truncate(flags));
            }
            Deed::Forget(handler) => {
                let handler = self.handler(handler);
                self.spawn(async move {
                    manager.forget(handler).await.expect("memory");
                    Vec::new()
                });
            }
            Deed::Properties(handler) => {
                let handler = self.handler(handler);
                self.spawn(async move {
                    _ = manager.show_properties(handler, Subject::Handler).await;
                    Vec::new()
                });
            }
            _ => {}
        }
    }

    fn start(&mut self, wanted: &Wanted) {
        let request = self.request(wanted);
        let started = request.start();
        if let (Ok(session), Scope::Items(handler, items)) = (&started, &wanted.scope) {
            self.asked.push((session.id(), self.handler(*handler), items_of(*items)));
        }
        let stopped = wanted.deadline.is_some();
        self.sit_down(started);
        self.sessions.last_mut().into_iter().for_each(|seat| seat.stopped |= stopped);
    }

    fn stop(&mut self, place: usize) {
        let may = self.may_open_andstop();
        let Some(seat) = self.seat_mut(place).filter(|seat| may || !seat.opened) else { return };
        seat.stopped = true;
        seat.session.iter().for_each(Session::stop);
    }

    fn may_open_andstop(&self) -> bool {
        self.before_shutdown != Before::Nothing || OPENS_WHAT_WAS_STOPPED_BEFORE_A_SHUTDOWN
    }

    fn seat_mut(&mut self, place: usize) -> Option<&mut Seat> {
        let place = place.checked_rem(self.sessions.len())?;
        self.sessions.get_mut(place)
    }

    fn request(&self, wanted: &Wanted) -> SessionRequest {
        let mut request = self.manager.session(wanted.trigger);
        request = match wanted.scope {
            Scope::Everything => request,
            Scope::Handlers(these) => request.handlers(self.handlers_of(these)),
            Scope::Items(handler, items) => request.items(self.handler(handler), items_of(items)),
        };
        if wanted.may_bother {
            request = request.may_bother_user();
        }
        if let Some(urgent) = wanted.urgent {
            request = request.priority(if urgent { Priority::Foreground } else { Priority::Background });
        }
        if let Some(deadline) = wanted.deadline {
            request = request.deadline(SystemTime::UNIX_EPOCH + Duration::from_millis(deadline.into()));
        }
        match wanted.cookie {
            Some(cookie) => request.cookie(vec![cookie]),
            None => request,
        }
    }

    fn invoke(&mut self, handler: usize, chooses: bool) {
        let flags = if chooses { InvokeFlags::empty() } else { InvokeFlags::START_SYNC };
        let invocation = Invocation::new(self.handler(handler)).with_flags(flags);
        self.sit_down(self.manager.invoke(invocation));
    }

    /// Holds a session, and watches it.
    fn sit_down(&mut self, started: Result<Session, StartError>) {
        let Ok(session) = started else { return };
        let (log, stop) = (Log::default(), session.stop_on_drop());
        self.watching.spawn(Story::of(session.id(), session.events(), log.clone()));
        self.sessions.push(Seat { session: Some(session), stop, log, stopped: false, opened: false });
    }

    fn session(&self, place: usize) -> Option<&Session> {
        self.sessions[place.checked_rem(self.sessions.len())?].session.as_ref()
    }

    /// A handler of this case, but for one place.
    fn handler(&self, place: usize) -> HandlerId {
        handler_id(if place == NOBODY { NOBODY } else { place % self.plans.len() })
    }

    fn handlers_of(&self, these: u8) -> Vec<HandlerId> {
        (0..self.plans.len()).filter(|place| these & (1 << place) != 0).map(handler_id).collect()
    }

    fn of(&self, place: usize, act: impl FnOnce(&Session)) {
        if let Some(session) = self.session(place) {
            act(session);
        }
    }

    fn wait_for<F>(&mut self, place: usize, wait: impl FnOnce(Session) -> F)
    where
        F: Future<Output = Vec<Report>> + Send + 'static,
    {
        if let Some(session) = self.session(place) {
            let waits = wait(session.clone());
            self.spawn(waits);
        }
    }

    fn spawn(&mut self, waits: impl Future<Output = Vec<Report>> + Send + 'static) {
        self.waiting.spawn(waits);
    }

    fn watch(&mut self, place: usize) {
        if let Some(session) = self.session(place) {
            self.watching.spawn(Story::of(session.id(), session.events(), Log::default()));
        }
    }

    fn let_go(&mut self, place: usize) {
        self.seat_mut(place).into_iter().for_each(|seat| seat.session = None);
    }

    fn open(&mut self, place: usize, entry: usize, choice: usize) {
        let may = self.may_open_andstop();
        let Some(seat) = self.seat_mut(place).filter(|seat| may || !seat.stopped) else { return };
        seat.opened = true;
        let (Some(session), log) = (seat.session.clone(), seat.log.clone()) else { return };
        let links: Vec<_> = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((handler, entry)) = entry.checked_rem(links.len()).map(|entry| links[entry].clone()) else { return };
        let Some(error) = entry.error else { return };
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
        let stored = self.manager.log(handler).expect("a store in memory can be read");
        let links: Vec<_> = stored.into_iter().filter(|record| record.entry.error.is_some()).collect();
        let Some(record) = entry.checked_rem(links.len()).map(|entry| &links[entry]) else { return };
        let error = record.entry.error.expect("others were left out");
        if matches!(record.entry.action, Some(Action::Decide(_))) {
            if let Ok(session) = self.manager.answer(handler, error, choice) {
                self.sit_down(Ok(session));
            }
            return;
        }
        let manager = self.manager.clone();
        self.spawn(async move { manager.show_error(handler, error).await.into_iter().collect() });
    }

    /// The sessions that somebody still holds.
    pub(crate) fn held(&self) -> Vec<Session> {
        self.sessions.iter().filter_map(|seat| seat.session.clone()).collect()
    }

    /// Everybody goes, and leaves nothing paused.
    pub(crate) fn leave(&mut self) {
        self.manager.resume();
        self.left.extend(self.sessions.drain(..).map(|seat| seat.stop));
    }

    /// Ends everything in order: nobody wants anything any more.
    pub(crate) fn give_up(&mut self) {
        self.manager.resume();
        for session in self.held() {
            session.stop();
        }
        self.sessions.clear();
        for place in 0..self.plans.len() {
            let manager = self.manager.clone();
            self.spawn(async move {
                manager.forget(handler_id(place)).await.expect("memory");
                Vec::new()
            });
        }
    }
}

/// These items, as bits; the last two are listed by nobody.
fn items_of(these: u8) -> Vec<ItemId> {
    let unlisted = |place: usize| ItemId::from_name(["nowhere", "never"][place - 6]);
    let id = |place: usize| if place < 6 { item_id(place) } else { unlisted(place) };
    (0..8).filter(|place| these & (1 << place) != 0).map(id).collect()
}
