//! A process under test: a manager with the handler, in its own runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::register::RegisterFlags;
use syncmgr_core::trigger::Trigger;
use syncmgr_runtime::manager::SyncManager;
use syncmgr_runtime::report::Report;
use syncmgr_runtime::session::{Session, SessionRequest};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::events::{Event, EventLog};
use super::fixture::{Fixture, Time};
use super::injection::{Injection, ItemLabel};
use super::monitor::Monitor;
use super::recorder::RecordingHandler;
use super::services::{HostServices, SessionUser};
use super::system::System;
use crate::{FaultyStore, SeededRandomness};

/// The time before the machine sleeps at which the manager stops all work.
pub(super) const ENDING_MARGIN: Duration = Duration::from_millis(500);

/// A process: a manager with a store and the registered handler.
pub(super) struct Process {
    pub(super) manager: SyncManager,
    pub(super) store: FaultyStore,
    pub(super) monitor: Arc<Monitor>,
    pub(super) recording_handler: Arc<dyn SyncHandler>,
    pub(super) user: SessionUser,
    pub(super) system: System,
    pub(super) time: Time,
    handler: HandlerId,
    pub(super) log: EventLog,
}

/// The parameters of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionPlan {
    /// The items to run; if `None`, all items that are checked by default.
    pub(super) items: Option<BTreeSet<ItemId>>,
    pub(super) attendance: Attendance,
    /// The bytes of an invocation, if the session is started by one.
    pub(super) cookie: Option<Vec<u8>>,
    pub(super) injection: Option<Injection>,
    /// The trigger of a session that is neither requested nor invoked.
    pub(super) trigger: Option<Trigger>,
    /// The time after which the machine sleeps, announced at the start of the session.
    pub(super) sleep_after: Option<Duration>,
}

/// The permission to ask the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Attendance {
    #[default]
    Attended,
    Unattended,
}

/// The result of a session.
#[derive(Debug)]
pub(super) enum SessionResult {
    /// All items have ended, with these outcomes.
    Ended(Report, BTreeMap<ItemId, Outcome>),
    /// The process was killed during the session.
    Killed,
    /// The session did not end in time.
    Hung,
}

impl Process {
    pub(super) fn start(
        fixture: &Fixture,
        handler: Arc<dyn SyncHandler>,
        time: Time,
        store: &FaultyStore,
        services: HostServices,
    ) -> Self {
        let (id, system) = (handler.info().id(), System::at(fixture.wall()));
        let monitor = Monitor::new(fixture, id, fixture.on_kill(time), &system);
        let recording_handler: Arc<dyn SyncHandler> = Arc::new(RecordingHandler::new(handler, &monitor));
        let user = fixture.user(services);
        let manager = SyncManager::builder()
            .clock(system.clock.clone())
            .randomness(SeededRandomness::new(0))
            .store(store.clone())
            .ending_margin(ENDING_MARGIN)
            .environment(system.environment.clone())
            .interaction(user.clone())
            .secrets(fixture.secrets())
            .connections(services)
            .build();
        if let Err(error) = manager.register_for(recording_handler.clone(), RegisterFlags::empty()) {
            fixture.log.action(format!("the manager refuses the handler: {error}"));
        }
        let (store, log) = (store.clone(), fixture.log.clone());
        Self { manager, store, monitor, recording_handler, user, system, time, handler: id, log }
    }

    pub(super) fn info(&self) -> HandlerInfo {
        self.recording_handler.info()
    }

    /// Runs a session until it ends or the process is killed.
    pub(super) async fn session(&self, plan: SessionPlan) -> SessionResult {
        let (injection, sleep_after) = (plan.injection.clone(), plan.sleep_after);
        self.user.begin_session();
        let session = match self.request(plan).start() {
            Ok(session) => session,
            Err(error) => {
                self.log.action(format!("the manager refuses the session: {error}"));
                return SessionResult::Hung;
            }
        };
        self.log.action(format!("session {} begins", session.id()));
        self.monitor.begin_session(&session, injection);
        sleep_after.into_iter().for_each(|time| self.system.announce_sleep(time));
        let ran = tokio::select! {
            biased;
            () = self.monitor.wait_for_kill() => SessionResult::Killed,
            never = self.resume_after_pauses(&session) => match never {},
            report = timeout(self.session_timeout(), session.report()) => report.map_or(SessionResult::Hung, SessionResult::from_report),
        };
        self.close(&ran, session).await;
        ran
    }

    /// Resumes the session some time after each pause. Never completes.
    async fn resume_after_pauses(&self, session: &Session) -> Infallible {
        loop {
            self.monitor.wait_for_pause().await;
            sleep(match self.time {
                Time::Virtual => Duration::from_secs(60 * 60),
                Time::Real => Duration::from_millis(200),
            })
            .await;
            self.monitor.hold_ends();
            session.resume();
        }
    }

    /// Closes a session that has ended and records the outcomes of its items.
    async fn close(&self, ran: &SessionResult, session: Session) {
        match ran {
            SessionResult::Ended(report, _) => {
                for item in report.items() {
                    self.log.record(Event::Ended(ItemLabel::from(item.item), item.outcome));
                }
                let kept = self.monitor.kept_values();
                session.close().await;
                let held = kept.iter().filter(|value| value.strong_count() > 0).count();
                if held > 0 {
                    self.log.record(Event::KeptValuesHeld(held));
                }
                self.log.record(Event::Closed);
            }
            SessionResult::Killed => {}
            SessionResult::Hung => self.log.action(format!("session {} does not end", session.id())),
        }
        self.monitor.end_session();
    }

    fn request(&self, plan: SessionPlan) -> SessionRequest {
        let requested = if plan.cookie.is_some() { Trigger::Invoke } else { Trigger::Manual };
        let trigger = plan.trigger.unwrap_or(requested);
        let mut request = self.manager.session(trigger).handlers([self.handler]);
        if let Some(items) = plan.items {
            request = request.items(self.handler, items);
        }
        if let Some(cookie) = plan.cookie {
            request = request.cookie(cookie);
        }
        match plan.attendance {
            Attendance::Attended => request.may_bother_user(),
            Attendance::Unattended => request,
        }
    }

    /// Returns the maximum duration of a session.
    pub(super) fn session_timeout(&self) -> Duration {
        match self.time {
            Time::Virtual => Duration::from_secs(24 * 60 * 60),
            Time::Real => Duration::from_secs(30),
        }
    }

    /// Waits for a short time, in which background work of a session can end.
    pub(super) async fn pause(&self) {
        sleep(match self.time {
            Time::Virtual => Duration::from_secs(1),
            Time::Real => Duration::from_millis(20),
        })
        .await;
    }

    /// Waits for a time in which work that the handler should not do is noticed.
    pub(super) async fn wait_long(&self) {
        sleep(match self.time {
            Time::Virtual => Duration::from_secs(60 * 60),
            Time::Real => Duration::from_millis(50),
        })
        .await;
    }

    /// Returns the number of live tasks, after each had a chance to make progress.
    pub(super) async fn tasks(&self) -> usize {
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
        Handle::current().metrics().num_alive_tasks()
    }

    /// Shuts the manager down. Returns the runs that could not be stopped, and the number of tasks that are still alive.
    pub(super) async fn shut_down(&self) -> (Vec<String>, usize) {
        let still_running = self.manager.shutdown().await.iter().map(ToString::to_string).collect();
        (still_running, self.tasks().await)
    }

    /// Shuts down, unless the process was killed. Returns the time of day.
    pub(super) async fn end(self) -> SystemTime {
        if !self.monitor.is_killed() {
            self.shut_down().await;
            for item in self.monitor.items_reported_late() {
                self.log.record(Event::LateUse(format!("{item} was reported on after it had ended")));
            }
        }
        self.system.wall()
    }
}

impl SessionPlan {
    /// Returns a session with only this item.
    pub(super) fn single_item(item: ItemId) -> Self {
        Self { items: Some(BTreeSet::from([item])), ..Self::default() }
    }
}

impl SessionResult {
    fn from_report(report: Report) -> Self {
        let outcomes = report.items().map(|ended| (ended.item.id(), ended.outcome)).collect();
        Self::Ended(report, outcomes)
    }

    /// Returns the outcome of an item.
    pub(super) fn outcome(&self, item: ItemId) -> Option<Outcome> {
        let Self::Ended(_, outcomes) = self else { return None };
        outcomes.get(&item).copied()
    }
}
