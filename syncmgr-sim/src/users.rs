//! What users of the simulation hold, and add to it.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use syncmgr_core::facts::Facts;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::store::StateStore;
use syncmgr_runtime::manager::SyncManager;

use crate::dice::Dice;
use crate::parts::Parts;
use crate::play::{Played, play};
use crate::process::Process;
use crate::script::Script;
use crate::shrink::shrink;
use crate::world::World;

/// A simulation: see the [crate](crate).
#[derive(Default)]
pub struct Simulation {
    extras: Extras,
}

type Factory = Box<dyn Fn(&Surroundings) -> Arc<dyn SyncHandler> + Send + Sync>;
type Invariant = Box<dyn Fn(&View<'_>) -> Result<(), String> + Send + Sync>;

/// What users add.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) handlers: Vec<Factory>,
    pub(crate) invariants: Vec<(String, Invariant)>,
}

impl Simulation {
    /// A simulation of generated providers.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this handler too, which is made anew for every process. What is to outlive one is
    /// [kept](Surroundings::kept) in its surroundings.
    pub fn handler(mut self, make: impl Fn(&Surroundings) -> Arc<dyn SyncHandler> + Send + Sync + 'static) -> Self {
        self.extras.handlers.push(Box::new(make));
        self
    }

    /// This has to hold after every step.
    pub fn invariant(
        mut self,
        name: impl Into<String>,
        holds: impl Fn(&View<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.extras.invariants.push((name.into(), Box::new(holds)));
        self
    }

    /// The script that follows from a seed.
    pub fn script(&self, seed: u64) -> Script {
        Script::of(seed, self.extras.handlers.len())
    }

    /// Plays a script from its beginning to its end, or to the first promise that is broken.
    pub fn play(&self, script: &Script) -> Played {
        play(script, &self.extras)
    }

    /// The script with as few parts as break the same promise. One that breaks none is returned as it is.
    pub fn shrink(&self, script: &Script) -> Script {
        let promise = |script: &Script| self.play(script).broken.map(|broken| broken.promise);
        match promise(script) {
            None => script.clone(),
            broken => shrink(script.clone(), |shorter| promise(shorter) == broken),
        }
    }

    /// The script of a seed with these of its parts alone: what `SIM_SEED` and `SIM_KEEP` say.
    pub fn shortened(&self, seed: u64, kept: &Parts) -> Script {
        self.script(seed).only(kept)
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let invariants: Vec<_> = self.extras.invariants.iter().map(|(name, _)| name).collect();
        f.debug_struct("Simulation").field("invariants", &invariants).finish_non_exhaustive()
    }
}

/// What surrounds a handler in a simulation. Clones are the same surroundings.
#[derive(Clone)]
pub struct Surroundings {
    pub(crate) world: World,
    pub(crate) dice: Dice,
}

impl Surroundings {
    /// Chance that follows from the seed, for this handler in this process.
    pub fn dice(&self) -> Dice {
        self.dice
    }

    /// Which process this is, counted from 1.
    pub fn process(&self) -> u32 {
        self.world.process()
    }

    /// The time of day.
    pub fn now(&self) -> SystemTime {
        self.world.left(|state| state.wall())
    }

    /// The network, the power, the user.
    pub fn facts(&self) -> Facts {
        self.world.left(|state| state.facts)
    }

    /// Adds a line to the transcript, and so to the hash.
    pub fn note(&self, line: impl Into<String>) {
        self.world.note(line);
    }

    /// Something of this type that outlives the process, as files do. What a killed process still writes into it in its
    /// destructors would not have been written: write where you await, and nowhere else.
    pub fn kept<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let kept = self
            .world
            .left(|state| state.kept.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())).clone());
        kept.downcast().expect("what is kept under a type is of it")
    }

    /// Gives way, or waits a moment, by chance.
    pub async fn shake(&self) {
        self.world.shake("users", 0, Duration::from_millis(100)).await;
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Surroundings(process {})", self.process())
    }
}

/// What an invariant is about.
pub struct View<'a> {
    pub(crate) process: &'a Process<'a>,
}

impl View<'_> {
    /// The manager of the process that goes on.
    pub fn manager(&self) -> &SyncManager {
        &self.process.manager
    }

    /// What it has stored.
    pub fn store(&self) -> &dyn StateStore {
        &self.process.disk
    }

    /// The time of day.
    pub fn now(&self) -> SystemTime {
        self.process.world.left(|state| state.wall())
    }

    /// How long the simulation has gone on, over all processes.
    pub fn elapsed(&self) -> Duration {
        self.process.world.left(|state| state.elapsed())
    }

    /// The network, the power, the user.
    pub fn facts(&self) -> Facts {
        self.process.world.left(|state| state.facts)
    }

    /// What has happened so far, line by line.
    pub fn lines(&self) -> Vec<String> {
        self.process.world.left(|state| state.lines().to_vec())
    }

    /// The number of the part of the script that was just played; `None` at its end.
    pub fn step(&self) -> Option<usize> {
        self.process.world.left(|state| state.books.step)
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View(step {:?})", self.step())
    }
}
