//! A checksum that tells accidental changes of bytes.

/// The checksum of the bytes so far. Both sides must add them in the same portions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checksum(pub(super) u64);

impl Checksum {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut checksum = Self::default();
        checksum.add(bytes);
        checksum
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        let words = bytes.chunks_exact(8);
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        for word in words {
            self.add_word(u64::from_le_bytes(word.try_into().expect("a chunk has 8 bytes")));
        }
        self.add_word(u64::from_le_bytes(last));
        self.add_word(bytes.len() as u64);
    }

    /// A step that no two words have in common: it can be undone for each word.
    fn add_word(&mut self, word: u64) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.0 ^ word).wrapping_mul(ODD);
        self.0 = mixed ^ mixed >> 32;
    }
}

impl Default for Checksum {
    fn default() -> Self {
        Self(0x243f_6a88_85a3_08d3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_the_length_count() {
        let bytes = [7; 517];
        let whole = Checksum::of(&bytes);
        for index in 0..bytes.len() {
            let mut other = bytes;
            other[index] ^= 1;
            assert_ne!(Checksum::of(&other), whole, "{index}");
        }
        assert_ne!(Checksum::of(&[0; 512]), Checksum::of(&[0; 511]));
    }
}
