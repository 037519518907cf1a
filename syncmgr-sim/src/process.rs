//! One process: a manager over what the one before left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::register::RegisterFlags;
use syncmgr_runtime::manager::SyncManager;
use syncmgr_runtime::memory::MemoryStore;
use syncmgr_runtime::report::Report;
use syncmgr_runtime::session::Session;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use crate::Extras;
use crate::disk::Disk;
use crate::provider::handler_id;
use crate::script::Script;
use crate::setup::{handlers, manager};
use crate::world::World;
use syncmgr_test::{FaultyStore, ManualFacts};

/// One process.
pub(crate) struct Process<'a> {
    pub(crate) world: World,
    pub(crate) script: &'a Script,
    pub(crate) extras: &'a Extras,
    pub(crate) manager: SyncManager,
    pub(crate) disk: Disk,
    pub(crate) facts: ManualFacts,
    /// The handlers by place, those of users first.
    pub(crate) cast: Vec<HandlerId>,
    pub(crate) made: BTreeMap<HandlerId, Arc<dyn SyncHandler>>,
    pub(crate) held: Vec<Session>,
    pub(crate) chores: JoinSet<()>,
    observer: JoinHandle<()>,
}

/// The runtime of a process, whose rhythm follows from chance too.
pub(crate) fn runtime(world: &World, number: u32) -> Runtime {
    let mut rng = world.dice().of("runtime").nth(number).rng();
    let (events, global) = (rng.u32(1..=64), rng.u32(1..=64));
    let mut builder = Builder::new_current_thread();
    let builder = builder.enable_time().start_paused(true).event_interval(events).global_queue_interval(global);
    builder.build().expect("a runtime without I/O needs nothing of the machine")
}

impl<'a> Process<'a> {
    pub(crate) fn begin(world: World, script: &'a Script, extras: &'a Extras, left: &MemoryStore) -> Self {
        let disk = Disk { store: FaultyStore::over(left), world: world.clone() };
        let facts = ManualFacts::new(world.left(|state| state.facts));
        let manager = manager(&world, script, &disk, &facts);
        let (sender, sessions) = unbounded_channel();
        let made = handlers(&world, script, extras, &sender);
        let observer = tokio::spawn(observe(world.clone(), disk.clone(), manager.clone(), sessions));
        let cast = made.iter().map(|(id, _)| *id).collect();
        let made = made.into_iter().collect();
        Self {
            world,
            script,
            extras,
            manager,
            disk,
            facts,
            cast,
            made,
            held: Vec::new(),
            chores: JoinSet::new(),
            observer,
        }
    }

    /// Registers every handler, and lets what is due begin.
    pub(crate) fn attend(&self) {
        for handler in self.made.values() {
            self.register(handler.clone());
        }
        if let Err(error) = self.manager.attend() {
            self.world.breaks("a manager attends", error.to_string());
        }
    }

    pub(crate) fn register(&self, handler: Arc<dyn SyncHandler>) {
        let flags = RegisterFlags::CONNECT | RegisterFlags::IDLE;
        // One that is registered already stays.
        let _ = self.manager.register_for(handler, flags);
    }

    pub(crate) fn handler(&self, place: usize) -> HandlerId {
        let of_user = self.cast.get(place).filter(|_| place < self.extras.handlers.len());
        of_user.copied().unwrap_or(handler_id(place))
    }

    /// Lets everything come to rest that has something to do now.
    pub(crate) async fn settle(&self) {
        sleep(Duration::from_millis(1)).await;
        for _ in 0..60 {
            yield_now().await;
        }
    }

    /// The process ends in order. What goes on afterwards, or nobody was told of, is a broken promise.
    pub(crate) async fn shut_down(&mut self) {
        let now = self.world.left(|state| state.elapsed());
        self.world.reach(|state| state.books.ask_to_end(now, |_, _| true));
        match timeout(Duration::from_secs(60), self.manager.shutdown()).await {
            Err(_) => self.world.breaks("a shutdown ends", "after a minute it had not"),
            Ok(unstopped) => {
                for left in unstopped {
                    self.world.breaks("after a shutdown nothing goes on", left.to_string());
                }
            }
        }
        self.held.clear();
        self.observer.abort();
        for _ in 0..200 {
            yield_now().await;
        }
        while self.chores.try_join_next().is_some() {}
        let alive = Handle::current().metrics().num_alive_tasks() - self.chores.len();
        if alive > 0 {
            self.world.breaks("after a shutdown nothing goes on", format!("{alive} tasks do"));
        }
        let answered = async { while self.chores.join_next().await.is_some() {} };
        if timeout(Duration::from_secs(60), answered).await.is_err() {
            self.world.breaks("whoever asked is answered", "a minute after the shutdown somebody waits");
        }
    }

    /// Somebody waits for what becomes of a session.
    pub(crate) fn follow(&mut self, session: &Session) {
        let (world, disk, session) = (self.world.clone(), self.disk.clone(), session.clone());
        self.chores.spawn(async move { heard(&world, &disk, &session.report().await) });
    }
}

/// Follows every session in which a handler begins, whoever started it.
async fn observe(world: World, disk: Disk, manager: SyncManager, mut begun: UnboundedReceiver<SessionId>) {
    let mut followed = BTreeSet::new();
    let mut reports = JoinSet::new();
    while let Some(id) = begun.recv().await {
        while reports.try_join_next().is_some() {}
        let session = manager.sessions().into_iter().find(|session| session.id() == id);
        let Some(session) = session.filter(|_| followed.insert(id)) else { continue };
        let (world, disk) = (world.clone(), disk.clone());
        reports.spawn(async move { heard(&world, &disk, &session.report().await) });
    }
}

/// A report has resolved: what it says is stored, and is what the books say.
fn heard(world: &World, disk: &Disk, report: &Report) {
    world.reach(|state| {
        crate::heard::of_report(state, &disk.store, report);
    });
}
