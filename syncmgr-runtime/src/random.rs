//! Randomness as the runtime sees it.

use uuid::{Builder, Uuid};

/// Where the runtime takes randomness from. Ids that no name gives are made from it, nothing else.
pub trait Randomness: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to it but its name")]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    /// # Panics
    /// When the operating system has no randomness to give, which none of those we run on does.
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }
}

/// A fresh id.
pub(crate) fn fresh_id(randomness: &dyn Randomness) -> Uuid {
    let mut bytes = [0; 16];
    randomness.fill(&mut bytes);
    Builder::from_random_bytes(bytes).into_uuid()
}

/// A number by chance.
pub(crate) fn fresh_number(randomness: &dyn Randomness) -> u64 {
    let mut bytes = [0; 8];
    randomness.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
