//! One process: a manager over what the one before left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::claim::Claim;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::register::RegisterFlags;
use syncmgr_core::retry::RetryPolicy;
use syncmgr_runtime::manager::SyncManager;
use syncmgr_runtime::memory::MemoryStore;
use syncmgr_runtime::pending::Resume;
use syncmgr_runtime::report::Report;
use syncmgr_runtime::session::Session;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use super::disk::Disk;
use super::observed::Observed;
use super::ports::{Link, Person, Taste};
use super::provider::{handler_id, made};
use super::script::{Rule, Script};
use super::world::{World, WorldClock};
use super::{Extras, Surroundings};
use crate::{FaultyStore, ManualFacts, SeededRandomness};

/// One process.
pub(super) struct Process<'a> {
    pub(super) world: World,
    pub(super) script: &'a Script,
    pub(super) extras: &'a Extras,
    pub(super) manager: SyncManager,
    pub(super) disk: Disk,
    pub(super) facts: ManualFacts,
    /// The handlers by place, those of users first.
    pub(super) cast: Vec<HandlerId>,
    pub(super) made: BTreeMap<HandlerId, Arc<dyn SyncHandler>>,
    pub(super) held: Vec<Session>,
    pub(super) chores: JoinSet<()>,
    observer: JoinHandle<()>,
}

/// The runtime of a process, whose rhythm follows from chance too.
pub(super) fn runtime(world: &World, number: u32) -> Runtime {
    let mut rng = world.dice().of("runtime").nth(number).rng();
    let (events, global) = (rng.u32(1..=64), rng.u32(1..=64));
    let mut builder = Builder::new_current_thread();
    let builder = builder.enable_time().start_paused(true).event_interval(events).global_queue_interval(global);
    builder.build().expect("a runtime without I/O needs nothing of the machine")
}

impl<'a> Process<'a> {
    pub(super) fn begin(world: World, script: &'a Script, extras: &'a Extras, left: &MemoryStore) -> Self {
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
    pub(super) fn attend(&self) {
        for handler in self.made.values() {
            self.register(handler.clone());
        }
        if let Err(error) = self.manager.attend() {
            self.world.breaks("a manager attends", error.to_string());
        }
    }

    pub(super) fn register(&self, handler: Arc<dyn SyncHandler>) {
        let flags = RegisterFlags::CONNECT | RegisterFlags::IDLE;
        // One that is registered already stays.
        let _ = self.manager.register_for(handler, flags);
    }

    pub(super) fn handler(&self, place: usize) -> HandlerId {
        let of_user = self.cast.get(place).filter(|_| place < self.extras.handlers.len());
        of_user.copied().unwrap_or(handler_id(place))
    }

    /// Lets everything come to rest that has something to do now.
    pub(super) async fn settle(&self) {
        sleep(Duration::from_millis(1)).await;
        for _ in 0..60 {
            yield_now().await;
        }
    }

    /// The process ends in order. What goes on afterwards, or nobody was told of, is a broken promise.
    pub(super) async fn shut_down(&mut self) {
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
    pub(super) fn follow(&mut self, session: &Session) {
        let (world, disk, session) = (self.world.clone(), self.disk.clone(), session.clone());
        self.chores.spawn(async move { heard(&world, &disk, &session.report().await) });
    }
}

fn manager(world: &World, script: &Script, disk: &Disk, facts: &ManualFacts) -> SyncManager {
    let mut builder = SyncManager::builder()
        .clock(WorldClock(world.clone()))
        .randomness(SeededRandomness::new(world.dice().of("manager").nth(world.process()).rng().u64(..)))
        .store(disk.clone())
        .facts(facts.clone())
        .interaction(Person(world.clone()))
        .connections(Link(world.clone()));
    let (mut at_once, mut capacities, mut retry) = (64, BTreeMap::new(), RetryPolicy::DEFAULT);
    for rule in script.rules() {
        match rule {
            Rule::ItemsAtOnce(items) => at_once = *items,
            Rule::Capacity(claim, items) => {
                capacities.insert(Claim::new(super::provider::claim(*claim)), *items);
            }
            Rule::ResumeAtOnce => builder = builder.resume(Resume::AtOnce),
            Rule::Retry(initial, cap, budget) => {
                let [initial, cap] = [initial, cap].map(|seconds| Duration::from_secs(*seconds));
                retry = retry.with_initial(initial).with_cap(cap).with_budget(*budget, 50);
            }
            Rule::Chooser => builder = builder.chooser(Taste(world.clone())),
            Rule::Shaken => drop(world.reach(|state| state.shaken = true)),
        }
    }
    for (claim, items) in &capacities {
        builder = builder.capacity(claim.clone(), *items);
    }
    world.reach(|state| {
        let rules = &mut state.books.rules;
        (rules.items_at_once, rules.capacities, rules.retry) = (at_once, capacities, retry);
    });
    builder.items_at_once(at_once).retry(retry).build()
}

type Made = Vec<(HandlerId, Arc<dyn SyncHandler>)>;

fn handlers(world: &World, script: &Script, extras: &Extras, sessions: &UnboundedSender<SessionId>) -> Made {
    let users = extras.handlers.iter().enumerate().map(|(place, make)| {
        let dice = world.dice().of("handler").nth(place).nth(world.process());
        make(&Surroundings { world: world.clone(), dice })
    });
    let providers = script.providers().map(|plan| made(plan, script.items_of(plan.place).cloned().collect(), world));
    let watch = |inner: Arc<dyn SyncHandler>| {
        let info = inner.info();
        world.reach(|state| state.books.rules.handlers.insert(info.id(), info.clone()));
        let watched = Observed { inner, world: world.clone(), sessions: sessions.clone() };
        (info.id(), Arc::new(watched) as Arc<dyn SyncHandler>)
    };
    users.chain(providers).map(watch).collect()
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
        super::heard::of_report(state, &disk.store, report);
    });
}
