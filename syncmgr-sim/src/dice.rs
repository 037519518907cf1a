//! Numbers that follow from a seed and from what they are for.

use std::time::Duration;

use fastrand::Rng;

/// Chance that follows from a seed, and from nothing that happened before: what one thing draws changes nothing for
/// another. So a step can be left out of a script, and all else draws as it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dice(u64);

impl Dice {
    /// What follows from this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of its own for something that has this name.
    pub fn of(self, name: &str) -> Self {
        Self(fnv(fnv(OFFSET, &self.0.to_le_bytes()), name.as_bytes()))
    }

    /// Dice of its own for the thing of this number.
    pub fn nth(self, number: impl TryInto<u64>) -> Self {
        let number = number.try_into().unwrap_or(u64::MAX);
        Self(fnv(fnv(OFFSET, &number.to_le_bytes()), &self.0.to_le_bytes()))
    }

    /// The numbers.
    pub fn rng(self) -> Rng {
        Rng::with_seed(self.0)
    }

    /// A wait of less than this.
    pub fn wait(self, below: Duration) -> Duration {
        let most = u64::try_from(below.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.rng().u64(..most.max(1)))
    }
}

/// Where a hash begins.
pub(crate) const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// Goes on with a hash: FNV-1a, which is the same in every version of everything.
pub(crate) fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_one_everybody_computes() {
        assert_eq!(fnv(OFFSET, b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn what_is_drawn_depends_on_the_seed_and_on_what_it_is_for() {
        let drawn = |dice: Dice| dice.rng().u64(..);
        let dice = Dice::new(1);
        assert_eq!(drawn(dice.of("store").nth(3_u64)), drawn(dice.of("store").nth(3_u64)));
        assert_ne!(drawn(dice.of("store").nth(3_u64)), drawn(dice.of("store").nth(4_u64)));
        assert_ne!(drawn(dice.of("store")), drawn(dice.of("handler")));
        assert_ne!(drawn(dice), drawn(Dice::new(2)));
    }
}
