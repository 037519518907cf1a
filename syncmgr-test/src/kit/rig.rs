//! Plays a script: programs that start, sessions in them, kills, and programs that start over what was left behind.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::HandlerId;
use syncmgr_core::store::StateStore;
use syncmgr_runtime::memory::MemoryStore;
use tokio::runtime::{Builder, Runtime};

use super::account::Account;
use super::end::EndState;
use super::process::Process;
use super::provider::Provider;
use super::stage::Weather;
use crate::FaultyStore;

/// How long blocking work may go on when its program has ended.
const A_MOMENT: Duration = Duration::from_secs(5);

/// A world, and the programs that run in it one after the other.
pub(super) struct Rig {
    provider: Arc<dyn Provider>,
    pub(super) account: Account,
    disk: MemoryStore,
    wall: SystemTime,
    remains: Option<Remains>,
}

/// What becomes of the futures, the handler and what was kept in a program that is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remains {
    /// They are never dropped: a kill runs no destructor.
    Forgotten,
    /// They are dropped: a kill closes files and sockets, and frees their locks.
    Dropped,
}

/// Which time a handler is judged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// It passes when everybody waits.
    Virtual,
    /// The handler depends on time that goes on by itself.
    Real,
}

impl Time {
    pub(super) fn of(handler: &dyn SyncHandler) -> Self {
        match handler.info().capabilities().contains(Capabilities::REAL_TIME) {
            true => Self::Real,
            false => Self::Virtual,
        }
    }

    fn runtime(self) -> Runtime {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().start_paused(self == Self::Virtual);
        builder.build().expect("the system has what a runtime needs")
    }
}

impl Rig {
    /// A new world, in which nothing has run yet.
    pub(super) fn new(provider: Arc<dyn Provider>, remains: Option<Remains>) -> Self {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(50 * 365 * 24 * 60 * 60);
        Self { provider, account: Account::new(), disk: MemoryStore::new(), wall, remains }
    }

    pub(super) fn provider(&self) -> &Arc<dyn Provider> {
        &self.provider
    }

    /// What was stored is lost, as with a new machine.
    pub(super) fn lose_the_store(&mut self) {
        self.account.act("what the manager stored is lost");
        self.disk = MemoryStore::new();
    }

    pub(super) fn disk(&self) -> &MemoryStore {
        &self.disk
    }

    /// A program starts, does this, and ends: in order, unless it was killed.
    pub(super) fn program<T>(&mut self, act: impl AsyncFnOnce(&Process) -> T) -> T {
        self.program_in(Weather::Fair, act)
    }

    /// A program in this weather.
    pub(super) fn program_in<T>(&mut self, weather: Weather, act: impl AsyncFnOnce(&Process) -> T) -> T {
        let handler = self.provider.clone().handler();
        let time = Time::of(&*handler);
        let remains = match time {
            Time::Virtual => Remains::Forgotten,
            Time::Real => Remains::Dropped,
        };
        let remains = self.remains.unwrap_or(remains);
        let runtime = time.runtime();
        let store = FaultyStore::over(&self.disk);
        let outcome = runtime.block_on(async {
            self.account.program_starts();
            let process = Process::start(handler, (time, remains), &store, &self.account, self.wall, weather);
            let outcome = act(&process).await;
            let left = process.watch.is_dead().then(|| store.left_behind());
            self.wall = process.end().await;
            self.account.program_ends();
            self.disk = left.unwrap_or_else(|| store.left_behind());
            outcome
        });
        runtime.shutdown_timeout(A_MOMENT);
        outcome
    }

    /// What it has come to.
    pub(super) fn end_state(&self, handler: HandlerId) -> EndState {
        let data = self.provider.data();
        if !data.is_empty() {
            return EndState(data);
        }
        let checkpoint = |item| self.disk.record(handler, item).ok().flatten().and_then(|record| record.checkpoint);
        let known = self.disk.known(handler).unwrap_or_default();
        let saved = known.into_keys().filter_map(|item| Some((item, checkpoint(item)?)));
        EndState(
            saved
                .map(|(item, checkpoint)| (format!("checkpoint of item {item}"), checkpoint.state.to_string()))
                .collect(),
        )
    }
}
