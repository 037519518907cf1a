//! The public entry points: the simulation, the context for handlers, and the view for invariants.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use syncmgr_core::environment::Environment;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::store::StateStore;
use syncmgr_runtime::manager::SyncManager;

use crate::parts::Parts;
use crate::play::{PlayResult, play};
use crate::process::Process;
use crate::rng::RngSource;
use crate::script::Script;
use crate::shrink::shrink;
use crate::sim::Sim;

/// A simulation. See the [crate documentation](crate).
#[derive(Default)]
pub struct Simulation {
    extensions: Extensions,
}

type Factory = Box<dyn Fn(&SimContext) -> Arc<dyn SyncHandler> + Send + Sync>;
type Invariant = Box<dyn Fn(&View<'_>) -> Result<(), String> + Send + Sync>;

/// Handlers and invariants that the user of this crate adds.
#[derive(Default)]
pub(crate) struct Extensions {
    pub(crate) handlers: Vec<Factory>,
    pub(crate) invariants: Vec<(String, Invariant)>,
}

impl Simulation {
    /// Creates a simulation with generated providers only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler. Each process creates a new one. Store values that must outlive a process in
    /// [`SimContext::persistent`].
    pub fn handler(mut self, make: impl Fn(&SimContext) -> Arc<dyn SyncHandler> + Send + Sync + 'static) -> Self {
        self.extensions.handlers.push(Box::new(make));
        self
    }

    /// Adds an invariant, which is checked after every step and at the end.
    pub fn invariant(
        mut self,
        name: impl Into<String>,
        holds: impl Fn(&View<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.extensions.invariants.push((name.into(), Box::new(holds)));
        self
    }

    /// Generates the script of a seed.
    pub fn script(&self, seed: u64) -> Script {
        Script::generate(seed, self.extensions.handlers.len())
    }

    /// Plays a script to its end or to the first violation of an invariant.
    pub fn play(&self, script: &Script) -> PlayResult {
        play(script, &self.extensions)
    }

    /// Shrinks a script to the parts that still violate the same invariant. A script without violations is returned unchanged.
    pub fn shrink(&self, script: &Script) -> Script {
        let invariant = |script: &Script| self.play(script).violation.map(|violation| violation.invariant);
        match invariant(script) {
            None => script.clone(),
            violation => shrink(script.clone(), |shorter| invariant(shorter) == violation),
        }
    }

    /// Generates the script of a seed with only these parts, as given by `SIM_SEED` and `SIM_KEEP`.
    pub fn shortened(&self, seed: u64, kept: &Parts) -> Script {
        self.script(seed).only(kept)
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let invariants: Vec<_> = self.extensions.invariants.iter().map(|(name, _)| name).collect();
        f.debug_struct("Simulation").field("invariants", &invariants).finish_non_exhaustive()
    }
}

/// The context of a handler in a simulation. Clones share the same context.
#[derive(Clone)]
pub struct SimContext {
    pub(crate) sim: Sim,
    pub(crate) rng_source: RngSource,
}

impl SimContext {
    /// Returns the random source of this handler in this process.
    pub fn rng_source(&self) -> RngSource {
        self.rng_source
    }

    /// Returns the number of the process, starting at 1.
    pub fn process(&self) -> u32 {
        self.sim.process()
    }

    /// Returns the wall-clock time.
    pub fn now(&self) -> SystemTime {
        self.sim.with(|state| state.wall())
    }

    /// Returns the network, the power source and the presence of the user.
    pub fn environment(&self) -> Environment {
        self.sim.with(|state| state.environment.clone())
    }

    /// Adds a line to the transcript and its hash.
    pub fn note(&self, line: impl Into<String>) {
        self.sim.note(line);
    }

    /// Returns the value of this type that outlives the process, as files do. The value is created by `Default` on first use.
    ///
    /// Do not write to the value from destructors: a real killed process runs none, but the simulation does.
    pub fn persistent<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let value = self
            .sim
            .with(|state| state.persistent.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())).clone());
        value.downcast().expect("the map is keyed by the type of the value")
    }

    /// Yields, sleeps for less than 100 ms, or does nothing, at random.
    pub async fn yield_or_sleep(&self) {
        self.sim.yield_or_sleep("users", 0, Duration::from_millis(100)).await;
    }
}

impl fmt::Debug for SimContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimContext(process {})", self.process())
    }
}

/// A view of the simulation, passed to each invariant.
pub struct View<'a> {
    pub(crate) process: &'a Process<'a>,
}

impl View<'_> {
    /// Returns the manager of the running process.
    pub fn manager(&self) -> &SyncManager {
        &self.process.manager
    }

    /// Returns the manager's store.
    pub fn store(&self) -> &dyn StateStore {
        &self.process.disk
    }

    /// Returns the wall-clock time.
    pub fn now(&self) -> SystemTime {
        self.process.sim.with(|state| state.wall())
    }

    /// Returns the simulated time since the start, over all processes.
    pub fn elapsed(&self) -> Duration {
        self.process.sim.with(|state| state.elapsed())
    }

    /// Returns the network, the power source and the presence of the user.
    pub fn environment(&self) -> Environment {
        self.process.sim.with(|state| state.environment.clone())
    }

    /// Returns the transcript so far, line by line.
    pub fn lines(&self) -> Vec<String> {
        self.process.sim.with(|state| state.lines().to_vec())
    }

    /// Returns the number of the step just played; `None` at the end of the script.
    pub fn step(&self) -> Option<usize> {
        self.process.sim.with(|state| state.model.step)
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View(step {:?})", self.step())
    }
}
