//! Randomness that can be had again, and how much is played by it.

use std::sync::OnceLock;

use fastrand::Rng;

/// The numbers of this run for one purpose.
pub(crate) fn dice(purpose: u64) -> Rng {
    Rng::with_seed(seed().rotate_left(32) ^ purpose)
}

/// All of these where everything is played, and some otherwise.
pub(crate) fn some<T>(dice: &mut Rng, sample: usize, mut all: Vec<T>) -> Vec<T> {
    if !is_whole() {
        dice.shuffle(&mut all);
        all.truncate(sample);
    }
    all
}

/// How often something is played.
pub(crate) fn times(sample: usize, whole: usize) -> usize {
    if is_whole() { whole } else { sample }
}

/// Whether everything is played: `KILL_WHOLE` says so.
fn is_whole() -> bool {
    std::env::var_os("KILL_WHOLE").is_some()
}

/// The seed of this run: `KILL_SEED`, or another each time.
fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        let given = std::env::var("KILL_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
        println!("KILL_SEED={seed}");
        seed
    })
}
