//! Many seeds, one after the other.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use syncmgr_core::sync::Mutex;

use crate::dice::fnv;
use crate::parts::Parts;
use crate::script::Script;
use crate::users::Simulation;
use crate::world::Broken;

/// How many seeds were played, and what stands for all that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How many.
    pub seeds: u64,
    /// The hash over the hashes, in no order.
    pub hash: u64,
}

/// A script that breaks a promise, as short as it can be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The script; shown, it says how to play it again.
    pub script: Script,
    /// The promise, and how it is broken.
    pub broken: Broken,
    /// What happened.
    pub lines: Vec<String>,
}

impl Simulation {
    /// Plays these seeds, on as many threads as there are processors.
    ///
    /// # Errors
    /// The lowest seed that breaks a promise, shortened.
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
                let played = watched(seed, || self.play(&self.script(seed)));
                hash.fetch_xor(fnv(played.hash, &seed.to_le_bytes()), Ordering::Relaxed);
                if played.broken.is_some() {
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

    /// Plays so many seeds, or what the environment asks for: `SIM_SEEDS` says how many, from `SIM_FROM` on; `SIM_SEED`
    /// plays one seed and shows what happens, with `SIM_KEEP` a part of it, and with `SIM_TRACE` as it happens. Returns what was played.
    ///
    /// # Panics
    /// When a promise is broken; the message begins with how to play the script again. When a variable is no number.
    pub fn run(&self, seeds: u64) -> Summary {
        let number = |name: &str| -> Option<u64> {
            let value = std::env::var(name).ok()?;
            Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{value}`")))
        };
        if let Some(seed) = number("SIM_SEED") {
            return self.run_one(seed);
        }
        let from = number("SIM_FROM").unwrap_or(0);
        let seeds = from..from + number("SIM_SEEDS").unwrap_or(seeds);
        println!("seeds from {} to before {}", seeds.start, seeds.end);
        self.seeds(seeds).unwrap_or_else(|failure| panic!("{failure}"))
    }

    fn run_one(&self, seed: u64) -> Summary {
        let kept = std::env::var("SIM_KEEP").ok().map(|kept| kept.parse::<Parts>());
        let script = match kept {
            Some(kept) => self.shortened(seed, &kept.expect("SIM_KEEP names parts as in 0,3,7-9")),
            None => self.script(seed),
        };
        println!("{script}");
        let played = self.play(&script);
        println!("{}", played.lines.join("\n"));
        if played.broken.is_some() {
            panic!("{}", self.failure(&script));
        }
        Summary { seeds: 1, hash: played.hash }
    }

    /// A script that fails, shortened.
    fn failure(&self, script: &Script) -> Failure {
        let script = self.shrink(script);
        let played = self.play(&script);
        let another = || Broken { promise: "the same seed does the same".into(), how: UNSTEADY.into(), step: None };
        let broken = played.broken.unwrap_or_else(another);
        Failure { script, broken, lines: played.lines }
    }
}

const UNSTEADY: &str =
    "it broke a promise, and played again it does not: something in it depends on more than the seed";

/// Says so when a seed does not come to an end: where something spins, virtual time stands still and nothing else would.
fn watched<T>(seed: u64, play: impl FnOnce() -> T) -> T {
    /// Seeds take milliseconds.
    const LONG: Duration = Duration::from_secs(60);
    let (over, waits) = channel::<()>();
    std::thread::spawn(move || {
        if waits.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
            eprintln!(
                "seed {seed} goes on for {LONG:?}: does something spin? SIM_SEED={seed} SIM_TRACE=1 shows how far it is"
            );
        }
    });
    let played = play();
    drop(over);
    played
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\n{}\n\n{}", self.script, self.lines.join("\n"), self.broken)
    }
}

impl std::error::Error for Failure {}
