//! Random numbers derived from a seed and a purpose.

use std::time::Duration;

use fastrand::Rng;

/// A source of random numbers that depends only on a seed and a path of names and numbers. Draws from one source do not
/// affect another, so a step can be left out of a script without changing the other draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RngSource(u64);

impl RngSource {
    /// Creates the root source of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the derived source for a name.
    pub fn named(self, name: &str) -> Self {
        Self(fnv(fnv(OFFSET, &self.0.to_le_bytes()), name.as_bytes()))
    }

    /// Returns the derived source for a number.
    pub fn nth(self, number: impl TryInto<u64>) -> Self {
        let number = number.try_into().unwrap_or(u64::MAX);
        Self(fnv(fnv(OFFSET, &number.to_le_bytes()), &self.0.to_le_bytes()))
    }

    /// Creates a generator, always in the same initial state.
    pub fn rng(self) -> Rng {
        Rng::with_seed(self.0)
    }

    /// Returns a random delay shorter than `below`, in whole milliseconds.
    pub fn delay(self, below: Duration) -> Duration {
        let most = u64::try_from(below.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.rng().u64(..most.max(1)))
    }
}

/// The initial value of an FNV-1a hash.
pub(crate) const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// Adds bytes to an FNV-1a hash, which is stable across versions and platforms.
pub(crate) fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_matches_the_published_fnv_1a_value() {
        assert_eq!(fnv(OFFSET, b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_draw_depends_on_the_seed_and_on_the_path() {
        let draw = |rng_source: RngSource| rng_source.rng().u64(..);
        let rng_source = RngSource::new(1);
        assert_eq!(draw(rng_source.named("store").nth(3_u64)), draw(rng_source.named("store").nth(3_u64)));
        assert_ne!(draw(rng_source.named("store").nth(3_u64)), draw(rng_source.named("store").nth(4_u64)));
        assert_ne!(draw(rng_source.named("store")), draw(rng_source.named("handler")));
        assert_ne!(draw(rng_source), draw(RngSource::new(2)));
    }
}
