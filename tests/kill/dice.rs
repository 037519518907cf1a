//! Randomness that can be had again.

use std::sync::OnceLock;

/// A sequence of numbers, by splitmix64.
pub(crate) struct Dice(u64);

impl Dice {
    /// The sequence of this seed for one purpose.
    pub(crate) fn of(purpose: u64) -> Self {
        Self(seed() ^ purpose.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = mixed ^ (mixed >> 31);
        usize::try_from(mixed % end.max(1) as u64).expect("below a usize")
    }
}

/// The seed of this run: `KILL_SEED`, or another each time.
pub(crate) fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        let given = std::env::var("KILL_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
        println!("KILL_SEED={seed}");
        seed
    })
}
