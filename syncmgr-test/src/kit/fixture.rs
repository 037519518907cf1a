//! The fixture of a script: a provider, a store, and the processes that run on them sequentially.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::HandlerId;
use syncmgr_core::port::MemorySecrets;
use syncmgr_core::store::StateStore;
use syncmgr_runtime::memory::MemoryStore;
use tokio::runtime::{Builder, Runtime};

use super::change::{Expected, ItemChange};
use super::end::EndState;
use super::events::EventLog;
use super::process::Process;
use super::provider::Provider;
use super::services::{AgreeingUser, HostServices, MakeUser, SessionUser};
use crate::FaultyStore;

/// The maximum time for which blocking work may outlive its process.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// A provider and a store. Processes run on them sequentially.
pub(super) struct Fixture {
    provider: Arc<dyn Provider>,
    pub(super) log: EventLog,
    disk: MemoryStore,
    secrets: MemorySecrets,
    wall: SystemTime,
    options: Options,
}

/// The options of a kit that concern its processes. By default, the handler decides.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) time: Option<Time>,
    pub(super) on_kill: Option<OnKill>,
    /// Creates the user of every session.
    pub(super) user: MakeUser,
}

/// The treatment of a killed process's futures, handler and kept values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnKill {
    /// Leaks them, because a kill runs no destructor.
    Leak,
    /// Drops them, because a kill closes files and sockets and releases their locks.
    Drop,
}

/// The time that a handler runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// Tokio's paused time, which advances when all tasks wait.
    Virtual,
    /// The time of the machine.
    Real,
}

impl Time {
    /// Returns the time that the handler declares.
    fn declared_by(handler: &dyn SyncHandler) -> Self {
        match handler.info().capabilities().contains(Capabilities::REAL_TIME) {
            true => Self::Real,
            false => Self::Virtual,
        }
    }

    fn runtime(self) -> Runtime {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().start_paused(self == Self::Virtual);
        builder.build().expect("the runtime can be built")
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { time: None, on_kill: None, user: Arc::new(|| Arc::new(AgreeingUser)) }
    }
}

impl Options {
    /// Returns the time that the handler runs in.
    pub(super) fn time(&self, handler: &dyn SyncHandler) -> Time {
        self.time.unwrap_or_else(|| Time::declared_by(handler))
    }
}

impl Fixture {
    /// Creates a fixture with an empty store.
    pub(super) fn new(provider: Arc<dyn Provider>, options: Options) -> Self {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(50 * 365 * 24 * 60 * 60);
        let log = EventLog::new();
        provider.accesses().into_iter().for_each(|accesses| accesses.record_to(&log));
        Self { provider, log, disk: MemoryStore::new(), secrets: MemorySecrets::new(), wall, options }
    }

    pub(super) fn provider(&self) -> &Arc<dyn Provider> {
        &self.provider
    }

    /// Returns the time of day at which the next process starts.
    pub(super) fn wall(&self) -> SystemTime {
        self.wall
    }

    /// Advances the time of day between two processes.
    pub(super) fn advance(&mut self, by: Duration) {
        self.wall += by;
    }

    /// Returns the user of a process.
    pub(super) fn user(&self, services: HostServices) -> SessionUser {
        SessionUser::new(services, &self.options.user)
    }

    /// Returns the secrets, which survive every process.
    pub(super) fn secrets(&self) -> MemorySecrets {
        self.secrets.clone()
    }

    pub(super) fn on_kill(&self, time: Time) -> OnKill {
        self.options.on_kill.unwrap_or(match time {
            Time::Virtual => OnKill::Leak,
            Time::Real => OnKill::Drop,
        })
    }

    /// Changes an item. Returns the state that is right after the next complete run; `None` if the provider cannot make the change.
    pub(super) fn change(&self, change: &ItemChange) -> Option<Expected> {
        self.log.action(change.to_string());
        self.provider.change(&change.item, change.change)
    }

    /// Replaces the store with an empty one.
    pub(super) fn lose_the_store(&mut self) {
        self.log.action("the manager's store is lost");
        self.disk = MemoryStore::new();
    }

    pub(super) fn disk(&self) -> &MemoryStore {
        &self.disk
    }

    /// Runs a process, and shuts it down at the end unless it was killed.
    pub(super) fn run_process<T>(&mut self, body: impl AsyncFnOnce(&Process) -> T) -> T {
        self.run_process_with(HostServices::Working, body)
    }

    /// Runs a process with these host services.
    pub(super) fn run_process_with<T>(&mut self, services: HostServices, body: impl AsyncFnOnce(&Process) -> T) -> T {
        let handler = self.provider.clone().handler();
        let time = self.options.time(&*handler);
        let runtime = time.runtime();
        let store = FaultyStore::with_contents(&self.disk);
        let outcome = runtime.block_on(async {
            self.log.process_starts();
            let process = Process::start(self, handler, time, &store, services);
            let outcome = body(&process).await;
            let at_kill = process.monitor.is_killed().then(|| store.after_crash());
            self.wall = process.end().await;
            self.log.process_ends();
            self.disk = at_kill.unwrap_or_else(|| store.after_crash());
            outcome
        });
        runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        outcome
    }

    /// Returns the provider's data, or the checkpoints if the provider has no data.
    pub(super) fn end_state(&self, handler: HandlerId) -> EndState {
        let data = self.provider.data();
        if !data.is_empty() {
            return EndState(data);
        }
        let checkpoint = |item| self.disk.record(handler, item).ok().flatten().and_then(|record| record.checkpoint);
        let known = self.disk.recorded_items(handler).unwrap_or_default();
        let saved = known.into_keys().filter_map(|item| Some((item, checkpoint(item)?)));
        EndState(
            saved
                .map(|(item, checkpoint)| (format!("checkpoint of item {item}"), checkpoint.state.to_string()))
                .collect(),
        )
    }
}
