//! Runs over many seeds.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use syncmgr_core::sync::Mutex;

use crate::parts::Parts;
use crate::rng::fnv;
use crate::script::Script;
use crate::sim::Violation;
use crate::simulation::Simulation;

/// A summary of a run over many seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The number of seeds.
    pub seeds: u64,
    /// The combined hash of all seeds, independent of their order.
    pub hash: u64,
}

/// A shrunk script that violates an invariant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The script. Its `Display` output starts with the variables that replay it.
    pub script: Script,
    /// The violation.
    pub violation: Violation,
    /// The transcript, line by line.
    pub lines: Vec<String>,
}

impl Simulation {
    /// Plays these seeds, with one thread per processor.
    ///
    /// # Errors
    /// Returns the shrunk script of the lowest seed that violates an invariant.
    pub fn seeds(&self, seeds: Range<u64>) -> Result<Summary, Box<Failure>> {
        let (next, hash) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
        let failed = Mutex::new(seeds.end);
        let lowest = || *failed.lock();
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= lowest() {
                    return;
                }
                let played = warn_if_slow(seed, || self.play(&self.script(seed)));
                hash.fetch_xor(fnv(played.hash, &seed.to_le_bytes()), Ordering::Relaxed);
                if played.violation.is_some() {
                    let mut failed = failed.lock();
                    *failed = seed.min(*failed);
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
        match lowest() {
            failed if failed < seeds.end => Err(Box::new(self.failure(&self.script(failed)))),
            _ => Ok(Summary { seeds: seeds.end.saturating_sub(seeds.start), hash: hash.into_inner() }),
        }
    }

    /// Plays a number of seeds. Environment variables override the seeds: `SIM_SEEDS` sets the number of seeds, `SIM_FROM` the
    /// first one. `SIM_SEED` plays a single seed and prints its transcript, `SIM_KEEP` selects parts of its script, and
    /// `SIM_TRACE` prints each line immediately.
    ///
    /// # Panics
    /// Panics if an invariant is violated, with a message that starts with the variables that replay the script, or if a
    /// variable cannot be parsed.
    pub fn run(&self, seeds: u64) -> Summary {
        let number = |name: &str| -> Option<u64> {
            let value = std::env::var(name).ok()?;
            Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, got `{value}`")))
        };
        if let Some(seed) = number("SIM_SEED") {
            return self.run_one(seed);
        }
        let from = number("SIM_FROM").unwrap_or(0);
        let seeds = from..from + number("SIM_SEEDS").unwrap_or(seeds);
        println!("playing seeds {}..{}", seeds.start, seeds.end);
        self.seeds(seeds).unwrap_or_else(|failure| panic!("{failure}"))
    }

    fn run_one(&self, seed: u64) -> Summary {
        let kept = std::env::var("SIM_KEEP").ok().map(|kept| kept.parse::<Parts>());
        let script = match kept {
            Some(kept) => self.shortened(seed, &kept.expect("SIM_KEEP must list parts as in 0,3,7-9")),
            None => self.script(seed),
        };
        println!("{script}");
        let played = self.play(&script);
        println!("{}", played.lines.join("\n"));
        if played.violation.is_some() {
            panic!("{}", self.failure(&script));
        }
        Summary { seeds: 1, hash: played.hash }
    }

    /// Shrinks a failing script.
    fn failure(&self, script: &Script) -> Failure {
        let script = self.shrink(script);
        let played = self.play(&script);
        let not_reproducible = || Violation {
            invariant: "the same seed gives the same result".into(),
            details: NOT_REPRODUCIBLE.into(),
            step: None,
        };
        let violation = played.violation.unwrap_or_else(not_reproducible);
        Failure { script, violation, lines: played.lines }
    }
}

const NOT_REPRODUCIBLE: &str =
    "the script violated an invariant, but not when played again: something depends on more than the seed";

/// Warns if a seed does not end: a busy loop stops virtual time, so no timeout would fire.
fn warn_if_slow<T>(seed: u64, play: impl FnOnce() -> T) -> T {
    /// The time after which a seed counts as slow. Most seeds take milliseconds.
    const LONG: Duration = Duration::from_secs(60);
    let (finished, timer) = channel::<()>();
    std::thread::spawn(move || {
        if timer.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
            eprintln!(
                "seed {seed} has been running for {LONG:?}, maybe in a busy loop; SIM_SEED={seed} SIM_TRACE=1 shows its progress"
            );
        }
    });
    let played = play();
    drop(finished);
    played
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\n{}\n\n{}", self.script, self.lines.join("\n"), self.violation)
    }
}

impl std::error::Error for Failure {}
