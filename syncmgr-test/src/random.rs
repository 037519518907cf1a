//! Reproducible randomness.

use fastrand::Rng;
use syncmgr_core::sync::Mutex;
use syncmgr_runtime::random::Randomness;

/// A source of randomness that depends only on its seed.
#[derive(Debug)]
pub struct SeededRandomness(Mutex<Rng>);

impl SeededRandomness {
    /// Creates a source with this seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Rng::with_seed(seed)))
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().fill(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64) -> [u8; 32] {
        let mut bytes = [0; 32];
        SeededRandomness::new(seed).fill(&mut bytes);
        bytes
    }

    #[test]
    fn equal_seeds_give_equal_bytes_and_different_seeds_different_bytes() {
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
