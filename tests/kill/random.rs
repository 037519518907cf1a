//! Reproducible randomness, and the size of the samples.

use std::sync::OnceLock;

use fastrand::Rng;

/// Returns the generator for one purpose, with the seed of this run.
pub(crate) fn rng(purpose: u64) -> Rng {
    Rng::with_seed(seed().rotate_left(32) ^ purpose)
}

/// Returns all cases with `KILL_WHOLE`, else a random sample.
pub(crate) fn sample_of<T>(rng: &mut Rng, sample: usize, mut all: Vec<T>) -> Vec<T> {
    if !is_whole() {
        rng.shuffle(&mut all);
        all.truncate(sample);
    }
    all
}

/// Returns `whole` with `KILL_WHOLE`, else `sample`.
pub(crate) fn times(sample: usize, whole: usize) -> usize {
    if is_whole() { whole } else { sample }
}

/// Returns `true` if `KILL_WHOLE` is set.
fn is_whole() -> bool {
    std::env::var_os("KILL_WHOLE").is_some()
}

/// Returns the seed of this run: `KILL_SEED`, or a new one each time.
fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        let given = std::env::var("KILL_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
        println!("KILL_SEED={seed}");
        seed
    })
}
