//! The runtime's source of randomness.

use uuid::{Builder, Uuid};

/// A source of randomness, for ids that are not derived from a name and for the jitter of retries.
pub trait Randomness: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no state")]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    /// # Panics
    /// Panics if the operating system provides no randomness, which does not happen on supported systems.
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system provides randomness");
    }
}

/// Returns a random id.
pub(crate) fn random_id(randomness: &dyn Randomness) -> Uuid {
    let mut bytes = [0; 16];
    randomness.fill(&mut bytes);
    Builder::from_random_bytes(bytes).into_uuid()
}

/// Returns a random number.
pub(crate) fn random_number(randomness: &dyn Randomness) -> u64 {
    let mut bytes = [0; 8];
    randomness.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
