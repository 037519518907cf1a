//! A process: a manager that continues with the store of the previous process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::decision::ledger::StartReason;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::register::RegisterFlags;
use syncmgr_core::store::StateStore;
use syncmgr_runtime::change_source::ManualChanges;
use syncmgr_runtime::manager::SyncManager;
use syncmgr_runtime::memory::MemoryStore;
use syncmgr_runtime::report::Report;
use syncmgr_runtime::session::Session;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio::time::{Instant, sleep, timeout};

use crate::Extensions;
use crate::disk::Disk;
use crate::provider::handler_id;
use crate::script::Script;
use crate::setup::{handlers, manager};
use crate::sim::Sim;
use crate::step::Step;
use syncmgr_test::{FaultyStore, ManualEnvironment};

/// The time that every shutdown gives a slow store.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(1);

/// Longer than any generated delay of a write.
const SLOWEST_WRITE: Duration = Duration::from_secs(4);

/// A simulated process.
pub(crate) struct Process<'a> {
    pub(crate) sim: Sim,
    pub(crate) script: &'a Script,
    pub(crate) extensions: &'a Extensions,
    pub(crate) manager: SyncManager,
    pub(crate) disk: Disk,
    pub(crate) environment: ManualEnvironment,
    pub(crate) changes: ManualChanges,
    /// The ids of the handlers by index, added handlers first.
    pub(crate) handler_ids: Vec<HandlerId>,
    pub(crate) handlers: BTreeMap<HandlerId, Arc<dyn SyncHandler>>,
    pub(crate) tasks: JoinSet<()>,
    observer: JoinHandle<()>,
}

/// Creates the runtime of a process, with random event and global queue intervals.
pub(crate) fn runtime(sim: &Sim, number: u32) -> Runtime {
    let mut rng = sim.rng_source().named("runtime").nth(number).rng();
    let (events, global) = (rng.u32(1..=64), rng.u32(1..=64));
    let mut builder = Builder::new_current_thread();
    let builder = builder.enable_time().start_paused(true).event_interval(events).global_queue_interval(global);
    builder.build().expect("a runtime without I/O needs no system resources")
}

impl<'a> Process<'a> {
    pub(crate) fn begin(sim: Sim, script: &'a Script, extensions: &'a Extensions, stored: &MemoryStore) -> Self {
        let disk = Disk { store: FaultyStore::with_contents(stored), sim: sim.clone() };
        let environment = ManualEnvironment::new(sim.with(|state| state.environment.clone()));
        let changes = ManualChanges::new();
        let manager = manager(&sim, script, &disk, &environment, &changes);
        let (sender, sessions) = unbounded_channel();
        let handlers = handlers(&sim, script, extensions, &sender);
        let observer = tokio::spawn(observe(sim.clone(), disk.clone(), manager.clone(), sessions));
        let handler_ids = handlers.iter().map(|(id, _)| *id).collect();
        let handlers = handlers.into_iter().collect();
        Self {
            sim,
            script,
            extensions,
            manager,
            disk,
            environment,
            changes,
            handler_ids,
            handlers,
            tasks: JoinSet::new(),
            observer,
        }
    }

    /// Registers every handler and starts the scheduler.
    pub(crate) fn start_scheduler(&self) {
        for handler in self.handlers.values() {
            self.register(handler.clone());
        }
        if let Err(error) = self.manager.start_scheduler() {
            self.sim.report_violation("the scheduler starts", error.to_string());
        }
    }

    /// Registers a handler. Returns `false` if it is already registered.
    pub(crate) fn register(&self, handler: Arc<dyn SyncHandler>) -> bool {
        let id = handler.info().id();
        let stored = self.disk.store.firings(id).unwrap_or_default();
        let is_new = self.manager.registration(id).is_none();
        self.sim.try_with(|state| {
            if is_new {
                state.model.unregistered.remove(&id);
                state.model.load_books(id, &stored);
            }
        });
        let mut events = RegisterFlags::IDLE;
        self.sim.with(|state| {
            let settings = &state.model.settings;
            events.set(RegisterFlags::CONNECT, settings.connect.contains(&id));
            events.set(RegisterFlags::PENDING_DISCONNECT, settings.before_end.contains(&id));
        });
        self.manager.register_for(handler, events).is_ok()
    }

    pub(crate) fn handler(&self, index: usize) -> HandlerId {
        let of_user = self.handler_ids.get(index).filter(|_| index < self.extensions.handlers.len());
        of_user.copied().unwrap_or(handler_id(index))
    }

    /// Runs all tasks that can make progress now.
    pub(crate) async fn run_until_idle(&self) {
        sleep(Duration::from_millis(1)).await;
        for _ in 0..60 {
            yield_now().await;
        }
    }

    /// Shuts the manager down. Checks that no task remains, and that every request has a report.
    pub(crate) async fn shut_down(&mut self) {
        let now = self.sim.with(|state| state.elapsed());
        self.sim.try_with(|state| {
            state.model.shutting_down = true;
            state.model.begin_cancel(now, |_, _| true);
        });
        let began = Instant::now();
        let ended = timeout(Duration::from_secs(60), self.manager.shutdown()).await;
        let waited = began.elapsed();
        match ended {
            Err(_) => self.sim.report_violation("a shutdown finishes", "still not finished after a minute"),
            Ok(still_running) => {
                for left in still_running {
                    self.sim.report_violation("nothing runs after a shutdown", left.to_string());
                }
            }
        }
        self.observer.abort();
        for _ in 0..200 {
            yield_now().await;
        }
        while self.tasks.try_join_next().is_some() {}
        if self.alive_tasks() > 0 && self.has_slow_store() && waited >= SHUTDOWN_MARGIN {
            // A shutdown waits for the store for a limited time only; the tasks that wait for it end with its answer.
            sleep(SLOWEST_WRITE).await;
        }
        let alive = self.alive_tasks();
        if alive > 0 {
            self.sim.report_violation("nothing runs after a shutdown", format!("{alive} tasks are alive"));
        }
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(Duration::from_secs(60), finished).await.is_err() {
            self.sim
                .report_violation("every request gets a report", "a caller still waits a minute after the shutdown");
        }
    }

    /// Returns the number of tasks of the manager.
    fn alive_tasks(&self) -> usize {
        Handle::current().metrics().num_alive_tasks() - self.tasks.len()
    }

    fn has_slow_store(&self) -> bool {
        self.script.steps().any(|(_, step)| matches!(step, Step::SlowStore(_)))
    }

    /// Waits for the report of a session in the background and checks it.
    pub(crate) fn follow(&mut self, session: &Session) {
        let (sim, disk, session) = (self.sim.clone(), self.disk.clone(), session.clone());
        self.tasks.spawn(async move { read_report(&sim, &disk, &session.report().await) });
    }
}

/// Checks the report of every session in which a run starts, including sessions that the manager starts itself.
async fn observe(sim: Sim, disk: Disk, manager: SyncManager, mut started: UnboundedReceiver<SessionId>) {
    let mut followed = BTreeSet::new();
    let mut reports = JoinSet::new();
    while let Some(id) = started.recv().await {
        while reports.try_join_next().is_some() {}
        let session = manager.sessions().into_iter().find(|session| session.id() == id);
        let Some(session) = session.filter(|_| followed.insert(id)) else { continue };
        check_reason(&sim, &session);
        let (sim, disk) = (sim.clone(), disk.clone());
        reports.spawn(async move {
            let report = session.report().await;
            read_report(&sim, &disk, &report);
            if session.reason() == StartReason::Resumed {
                sim.try_with(|state| crate::reports::check_resumed(state, &report));
            }
        });
    }
}

/// Checks that a retry has an item to run.
fn check_reason(sim: &Sim, session: &Session) {
    sim.try_with(|state| {
        let (id, reason) = (session.id(), session.reason());
        let unannounced = state.model.unannounced.remove(&id).filter(|_| reason != StartReason::Requested);
        if let Some(handler) = unannounced {
            let details = format!("{handler:?} starts in session {id}: {reason:?}");
            state.report_violation("what starts by itself is on the agenda before", details);
        }
        if reason == StartReason::Scheduled && state.model.unfired.contains(&id) {
            state.report_violation("a firing is stored together with its start", format!("session {id}"));
        }
        let unlisted = state.model.unlisted_runs.iter().find(|(of, _)| *of == session.id()).copied();
        if let Some((_, handler)) = unlisted.filter(|_| session.reason() == StartReason::Retry) {
            let details = format!("session {} is a retry of items that {handler:?} no longer lists", session.id());
            state.report_violation("no retry starts for an item that is no longer listed", details);
        }
    });
}

/// Checks a report against the model and the store.
fn read_report(sim: &Sim, disk: &Disk, report: &Report) {
    sim.try_with(|state| {
        crate::reports::check_report(state, &disk.store, report);
    });
}
