//! What outlives a process: time, both sides, the books, and the transcript.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, SystemTime};

use syncmgr_core::facts::Facts;
use syncmgr_core::sync::Mutex;
use syncmgr_runtime::clock::{Clock, Now};
use tokio::time::{Instant, sleep};

use crate::books::Books;
use crate::dice::{Dice, OFFSET, fnv};
use crate::peer::Sides;

/// When a simulation begins: in the year 2026.
const BEGINNING: Duration = Duration::from_secs(1_780_000_000);

/// What outlives a process, as one process sees it. One that was killed reaches nothing of it any more, whatever its
/// destructors do: a real one would not have run them.
#[derive(Clone)]
pub(crate) struct World {
    process: u32,
    dice: Dice,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    processes: u32,
    /// The process that goes on, if one does.
    process: Option<u32>,
    started: Option<Instant>,
    before: Duration,
    corrected: i64,
    pub(crate) shaken: bool,
    pub(crate) facts: Facts,
    pub(crate) sides: Sides,
    pub(crate) books: Books,
    pub(crate) kept: BTreeMap<std::any::TypeId, Arc<dyn std::any::Any + Send + Sync>>,
    drawn: BTreeMap<(&'static str, u128), u64>,
    lines: Vec<String>,
    hash: u64,
    broken: Vec<Broken>,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broken {
    /// Which promise.
    pub promise: String,
    /// How.
    pub how: String,
    /// At the step of this number.
    pub step: Option<usize>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { promise, how, step } = self;
        match step {
            Some(step) => write!(f, "broken at step {step}: {promise}: {how}"),
            None => write!(f, "broken at the end: {promise}: {how}"),
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let state = State { hash: OFFSET, ..State::default() };
        Self { process: 0, dice: Dice::new(seed), state: Arc::new(Mutex::new(state)) }
    }

    /// The world as the next process sees it, and no other any more. Called inside its runtime.
    pub(crate) fn next_process(&self) -> Self {
        let mut state = self.lock();
        state.processes += 1;
        (state.process, state.started) = (Some(state.processes), Some(Instant::now()));
        Self { process: state.processes, ..self.clone() }
    }

    /// This process reaches nothing any more. Called inside its runtime.
    pub(crate) fn end_process(&self) {
        let mut state = self.lock();
        state.before = state.elapsed();
        (state.process, state.started) = (None, None);
    }

    pub(crate) fn process(&self) -> u32 {
        self.process
    }

    pub(crate) fn dice(&self) -> Dice {
        self.dice
    }

    /// Does something, unless the process was killed.
    pub(crate) fn reach<T>(&self, act: impl FnOnce(&mut State) -> T) -> Option<T> {
        let mut state = self.lock();
        (state.process == Some(self.process)).then(|| act(&mut state))
    }

    /// What is left when no process goes on.
    pub(crate) fn left<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.lock())
    }

    pub(crate) fn note(&self, line: impl Into<String>) {
        self.reach(|state| state.note(&line.into()));
    }

    pub(crate) fn breaks(&self, promise: impl Into<String>, how: impl Into<String>) {
        self.reach(|state| state.breaks(promise, how));
    }

    pub(crate) fn is_broken(&self) -> bool {
        !self.lock().broken.is_empty()
    }

    /// The dice of the next thing of this name.
    pub(crate) fn draw(&self, name: &'static str, of: u128) -> Option<Dice> {
        let (shaken, number) = self.reach(|state| (state.shaken, state.next_of(name, of)))?;
        shaken.then(|| self.dice.of(name).nth(u64::try_from(of % (1 << 60)).unwrap_or(0)).nth(number))
    }

    /// Gives way a few times, or waits for less than this.
    pub(crate) async fn shake(&self, name: &'static str, of: u128, below: Duration) {
        let Some(dice) = self.draw(name, of) else { return };
        match dice.rng().u8(..4) {
            0 => {}
            1 => sleep(dice.of("wait").wait(below)).await,
            times => {
                for _ in 1..times {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    /// How long the simulation has gone on, over all processes.
    pub(crate) fn elapsed(&self) -> Duration {
        self.before + self.started.map(|started| started.elapsed()).unwrap_or_default()
    }

    pub(crate) fn wall(&self) -> SystemTime {
        let shown = SystemTime::UNIX_EPOCH + BEGINNING + self.elapsed();
        let corrected = Duration::from_secs(self.corrected.unsigned_abs());
        if self.corrected < 0 { shown - corrected } else { shown + corrected }
    }

    pub(crate) fn correct(&mut self, seconds: i64) {
        self.corrected += seconds;
    }

    pub(crate) fn next_of(&mut self, name: &'static str, of: u128) -> u64 {
        let drawn = self.drawn.entry((name, of)).or_default();
        *drawn += 1;
        *drawn
    }

    pub(crate) fn note(&mut self, line: &str) {
        let line = format!("{:>13.3} {line}", self.elapsed().as_secs_f64());
        self.digest(&line);
        if std::env::var_os("SIM_TRACE").is_some() {
            eprintln!("{line}");
        }
        self.lines.push(line);
    }

    /// Goes into the hash, and not into the lines.
    pub(crate) fn digest(&mut self, text: &str) {
        self.hash = fnv(self.hash, text.as_bytes());
    }

    pub(crate) fn breaks(&mut self, promise: impl Into<String>, how: impl Into<String>) {
        let broken = Broken { promise: promise.into(), how: how.into(), step: self.books.step };
        self.note(&format!("!!! {broken}"));
        self.broken.push(broken);
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    pub(crate) fn take_story(&mut self) -> (u64, Vec<String>, Vec<Broken>) {
        (self.hash, std::mem::take(&mut self.lines), std::mem::take(&mut self.broken))
    }
}

/// The clock of one process.
pub(crate) struct WorldClock(pub(crate) World);

impl Clock for WorldClock {
    fn now(&self) -> Now {
        let now = |state: &mut State| {
            let mono = state.started.map(|started| started.elapsed()).unwrap_or_default();
            Now::new(mono, state.wall())
        };
        self.0.reach(now).unwrap_or(Now::new(Duration::ZERO, SystemTime::UNIX_EPOCH + BEGINNING))
    }
}
