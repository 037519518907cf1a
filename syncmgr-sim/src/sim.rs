//! The state that outlives a process: time, both sides, the model and the transcript.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, SystemTime};

use syncmgr_core::environment::Environment;
use syncmgr_core::sync::Mutex;
use syncmgr_runtime::clock::{Clock, Now};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::model::{Model, Moment, millis};
use crate::peer::{Key, Sides};
use crate::rng::{OFFSET, RngSource, fnv};

/// The start of every simulation, in the year 2026.
pub(crate) const BEGINNING: Duration = Duration::from_secs(1_780_000_000);

/// A handle of one process to the simulation's state. Once the process is killed, its handle has no effect: the simulation still
/// runs destructors, which a real killed process would not.
#[derive(Clone)]
pub(crate) struct Sim {
    process: u32,
    rng_source: RngSource,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    processes: u32,
    /// The running process, if any.
    process: Option<u32>,
    /// Notified when an item ends the running process.
    killed: Arc<Notify>,
    started: Option<Instant>,
    before: Duration,
    corrected: i64,
    pub(crate) random_delays: bool,
    pub(crate) environment: Environment,
    pub(crate) sides: Sides,
    pub(crate) model: Model,
    pub(crate) persistent: BTreeMap<std::any::TypeId, Arc<dyn std::any::Any + Send + Sync>>,
    drawn: BTreeMap<(&'static str, u128), u64>,
    lines: Vec<String>,
    hash: u64,
    violations: Vec<Violation>,
}

/// A violation of an invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The name of the invariant.
    pub invariant: String,
    /// A description of the violation.
    pub details: String,
    /// The number of the step; `None` after the last step.
    pub step: Option<usize>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { invariant, details, step } = self;
        match step {
            Some(step) => write!(f, "invariant violated at step {step}: {invariant}: {details}"),
            None => write!(f, "invariant violated at the end: {invariant}: {details}"),
        }
    }
}

impl Sim {
    pub(crate) fn new(seed: u64) -> Self {
        let state = State { hash: OFFSET, ..State::default() };
        Self { process: 0, rng_source: RngSource::new(seed), state: Arc::new(Mutex::new(state)) }
    }

    /// Starts the next process and returns its handle. All earlier handles lose access. Must be called inside the runtime of the new
    /// process.
    pub(crate) fn next_process(&self) -> Self {
        let mut state = self.lock();
        state.processes += 1;
        (state.process, state.started) = (Some(state.processes), Some(Instant::now()));
        state.killed = Arc::default();
        Self { process: state.processes, ..self.clone() }
    }

    /// Ends the running process. Must be called inside its runtime.
    pub(crate) fn end_process(&self) {
        self.lock().end_process();
    }

    /// Ends this process, if it is running, because an item kills it. Must be called inside its runtime.
    pub(crate) fn kill_process(&self, item: Key) {
        self.try_with(|state| {
            state.note(&format!("{item:?} ends the process"));
            state.model.kill(item);
            state.killed.notify_one();
            state.end_process();
        });
    }

    /// Returns the notification that an item has ended the running process.
    pub(crate) fn killed(&self) -> Arc<Notify> {
        self.lock().killed.clone()
    }

    pub(crate) fn process(&self) -> u32 {
        self.process
    }

    pub(crate) fn rng_source(&self) -> RngSource {
        self.rng_source
    }

    /// Runs `f` on the state. Returns `None` if this process has ended.
    pub(crate) fn try_with<T>(&self, f: impl FnOnce(&mut State) -> T) -> Option<T> {
        let mut state = self.lock();
        (state.process == Some(self.process)).then(|| f(&mut state))
    }

    /// Runs `f` on the state, even if no process is running.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.lock())
    }

    pub(crate) fn note(&self, line: impl Into<String>) {
        self.try_with(|state| state.note(&line.into()));
    }

    pub(crate) fn report_violation(&self, invariant: impl Into<String>, details: impl Into<String>) {
        self.try_with(|state| state.report_violation(invariant, details));
    }

    pub(crate) fn has_violation(&self) -> bool {
        !self.lock().violations.is_empty()
    }

    /// Returns a new source for each call with this name and id; `None` without random delays or after the process ended.
    pub(crate) fn next_rng(&self, name: &'static str, id: u128) -> Option<RngSource> {
        let (random_delays, number) = self.try_with(|state| (state.random_delays, state.next_number(name, id)))?;
        random_delays.then(|| self.rng_source.named(name).nth(u64::try_from(id % (1 << 60)).unwrap_or(0)).nth(number))
    }

    /// Yields a few times, sleeps for less than `below`, or does nothing, at random.
    pub(crate) async fn yield_or_sleep(&self, name: &'static str, id: u128, below: Duration) {
        let Some(rng_source) = self.next_rng(name, id) else { return };
        match rng_source.rng().u8(..4) {
            0 => {}
            1 => sleep(rng_source.named("wait").delay(below)).await,
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
    fn end_process(&mut self) {
        self.before = self.elapsed();
        (self.process, self.started) = (None, None);
    }

    /// Returns the simulated time since the start, over all processes.
    pub(crate) fn elapsed(&self) -> Duration {
        self.before + self.process_time()
    }

    /// Returns the simulated time since the start of the process.
    pub(crate) fn process_time(&self) -> Duration {
        self.started.map(|started| started.elapsed()).unwrap_or_default()
    }

    pub(crate) fn wall(&self) -> SystemTime {
        let uncorrected = SystemTime::UNIX_EPOCH + BEGINNING + self.elapsed();
        let corrected = Duration::from_secs(self.corrected.unsigned_abs());
        if self.corrected < 0 { uncorrected - corrected } else { uncorrected + corrected }
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment { wall: millis(self.wall()), elapsed: self.elapsed() }
    }

    pub(crate) fn correct(&mut self, seconds: i64) {
        self.corrected += seconds;
    }

    pub(crate) fn next_number(&mut self, name: &'static str, id: u128) -> u64 {
        let drawn = self.drawn.entry((name, id)).or_default();
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

    /// Adds text to the hash but not to the transcript.
    pub(crate) fn digest(&mut self, text: &str) {
        self.hash = fnv(self.hash, text.as_bytes());
    }

    pub(crate) fn report_violation(&mut self, invariant: impl Into<String>, details: impl Into<String>) {
        let violation = Violation { invariant: invariant.into(), details: details.into(), step: self.model.step };
        self.note(&format!("!!! {violation}"));
        self.violations.push(violation);
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    pub(crate) fn take_transcript(&mut self) -> (u64, Vec<String>, Vec<Violation>) {
        (self.hash, std::mem::take(&mut self.lines), std::mem::take(&mut self.violations))
    }
}

/// The clock of one process.
pub(crate) struct SimClock(pub(crate) Sim);

impl Clock for SimClock {
    fn now(&self) -> Now {
        let now = |state: &mut State| Now::new(state.process_time(), state.wall());
        self.0.try_with(now).unwrap_or(Now::new(Duration::ZERO, SystemTime::UNIX_EPOCH + BEGINNING))
    }
}
