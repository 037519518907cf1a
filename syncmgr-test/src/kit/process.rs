//! A program under judgement: a manager with the handler, in a runtime of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::register::RegisterFlags;
use syncmgr_core::trigger::Trigger;
use syncmgr_runtime::clock::Clock;
use syncmgr_runtime::facts::ManualFacts;
use syncmgr_runtime::manager::SyncManager;
use syncmgr_runtime::report::Report;
use syncmgr_runtime::session::{Session, SessionRequest};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::account::{Account, Event};
use super::place::{Cut, Named};
use super::rig::{Remains, Time};
use super::stage::Weather;
use super::watch::Watch;
use super::witness::Witness;
use crate::{FaultyStore, SeededRandomness, VirtualClock};

/// A program: a manager over a store, and the handler in it.
pub(super) struct Process {
    pub(super) manager: SyncManager,
    pub(super) store: FaultyStore,
    pub(super) watch: Arc<Watch>,
    pub(super) witness: Arc<dyn SyncHandler>,
    pub(super) time: Time,
    handler: HandlerId,
    clock: VirtualClock,
    pub(super) account: Account,
}

/// A session to be run.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionPlan {
    /// These items; all that are preferred where this is `None`.
    pub(super) items: Option<BTreeSet<ItemId>>,
    pub(super) user: User,
    /// Starts it as an invocation with these bytes.
    pub(super) cookie: Option<Vec<u8>>,
    pub(super) cut: Option<Cut>,
}

/// Whether somebody may be bothered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum User {
    #[default]
    MayBeBothered,
    IsLeftAlone,
}

/// How a session went.
#[derive(Debug)]
pub(super) enum Ran {
    /// With the end of each item.
    Rested(Report, BTreeMap<ItemId, Outcome>),
    /// The program was killed meanwhile.
    Killed,
    /// It did not come to an end.
    Hung,
}

impl Process {
    pub(super) fn start(
        handler: Arc<dyn SyncHandler>,
        (time, remains): (Time, Remains),
        store: &FaultyStore,
        account: &Account,
        wall: SystemTime,
        weather: Weather,
    ) -> Self {
        let id = handler.info().id();
        let watch = Watch::new(account.clone(), id, remains);
        let witness: Arc<dyn SyncHandler> = Arc::new(Witness::new(handler, &watch));
        let clock = VirtualClock::at(wall);
        let manager = SyncManager::builder()
            .clock(clock.clone())
            .randomness(SeededRandomness::new(0))
            .store(store.clone())
            .facts(ManualFacts::default())
            .interaction(weather)
            .connections(weather)
            .build();
        if let Err(error) = manager.register_for(witness.clone(), RegisterFlags::empty()) {
            account.act(format!("the manager refuses the handler: {error}"));
        }
        let (store, account) = (store.clone(), account.clone());
        Self { manager, store, watch, witness, time, handler: id, clock, account }
    }

    pub(super) fn info(&self) -> HandlerInfo {
        self.witness.info()
    }

    fn wall(&self) -> SystemTime {
        self.clock.now().wall
    }

    /// Runs a session over the handler to its end, or to its cut if that is a kill.
    pub(super) async fn session(&self, plan: SessionPlan) -> Ran {
        let cut = plan.cut.clone();
        let session = match self.request(plan).start() {
            Ok(session) => session,
            Err(error) => {
                self.account.act(format!("the manager refuses the session: {error}"));
                return Ran::Hung;
            }
        };
        self.account.act(format!("session {} begins", session.id()));
        self.watch.session_begins(&session, cut);
        let ran = tokio::select! {
            biased;
            () = self.watch.died() => Ran::Killed,
            report = timeout(self.patience(), session.report()) => report.map_or(Ran::Hung, Ran::rested),
        };
        self.settle(&ran, session).await;
        ran
    }

    /// Closes a session that came to rest, and writes down how its items ended.
    async fn settle(&self, ran: &Ran, session: Session) {
        match ran {
            Ran::Rested(report, _) => {
                for item in report.items() {
                    self.account.note(Event::Ended(Named::from(item.item), item.outcome));
                }
                let kept = self.watch.kept_values();
                session.close().await;
                let outlive = kept.iter().filter(|value| value.strong_count() > 0).count();
                if outlive > 0 {
                    self.account.note(Event::Outlives(outlive));
                }
                self.account.note(Event::Closed);
            }
            Ran::Killed => {}
            Ran::Hung => self.account.act(format!("session {} does not come to an end", session.id())),
        }
        self.watch.session_ends();
    }

    fn request(&self, plan: SessionPlan) -> SessionRequest {
        let trigger = if plan.cookie.is_some() { Trigger::Invoke } else { Trigger::Manual };
        let mut request = self.manager.session(trigger).handlers([self.handler]);
        if let Some(items) = plan.items {
            request = request.items(self.handler, items);
        }
        if let Some(cookie) = plan.cookie {
            request = request.cookie(cookie);
        }
        match plan.user {
            User::MayBeBothered => request.may_bother_user(),
            User::IsLeftAlone => request,
        }
    }

    /// How long a session may take.
    pub(super) fn patience(&self) -> Duration {
        match self.time {
            Time::Virtual => Duration::from_secs(24 * 60 * 60),
            Time::Real => Duration::from_secs(30),
        }
    }

    /// Waits until what a session has left behind on other threads has ended.
    pub(super) async fn breathe(&self) {
        sleep(match self.time {
            Time::Virtual => Duration::from_secs(1),
            Time::Real => Duration::from_millis(20),
        })
        .await;
    }

    /// How many tasks there are, when everybody has had a turn.
    pub(super) async fn tasks(&self) -> usize {
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
        Handle::current().metrics().num_alive_tasks()
    }

    /// What could not be stopped, and how many tasks there are that the manager does not own, once it was shut down.
    pub(super) async fn shut_down(&self) -> (Vec<String>, usize) {
        let unstopped = self.manager.shutdown().await.iter().map(ToString::to_string).collect();
        (unstopped, self.tasks().await)
    }

    /// Ends in order, unless the program was killed. Returns the time of day.
    pub(super) async fn end(self) -> SystemTime {
        if !self.watch.is_dead() {
            self.shut_down().await;
            for item in self.watch.reported_late() {
                self.account.note(Event::Late(format!("{item} was reported on when it had ended")));
            }
        }
        self.wall()
    }
}

impl SessionPlan {
    /// A session over this item alone.
    pub(super) fn alone(item: ItemId) -> Self {
        Self { items: Some(BTreeSet::from([item])), ..Self::default() }
    }
}

impl Ran {
    fn rested(report: Report) -> Self {
        let outcomes = report.items().map(|ended| (ended.item.id(), ended.outcome)).collect();
        Self::Rested(report, outcomes)
    }

    /// How an item ended.
    pub(super) fn outcome(&self, item: ItemId) -> Option<Outcome> {
        let Self::Rested(_, outcomes) = self else { return None };
        outcomes.get(&item).copied()
    }
}
