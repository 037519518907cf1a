//! Randomness that can be had again.

use std::sync::OnceLock;

use fastrand::Rng;

/// The numbers of this run for one purpose.
pub(crate) fn dice(purpose: u64) -> Rng {
    Rng::with_seed(seed().rotate_left(32) ^ purpose)
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
