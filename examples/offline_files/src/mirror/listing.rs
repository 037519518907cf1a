//! The names in a directory.

use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::os::unix::ffi::OsStrExt;

use rustix::io::Errno;

/// The names in a directory, sorted by their bytes, in one buffer: a directory may have very many.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// The checksum of the listed entries.
    pub(super) checksum: Checksum,
}

/// The place of a name in the buffer.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    length: u16,
}

/// A checksum of names and inode numbers in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checksum(pub(super) u64);

impl Listing {
    /// Adds a name in any order. The names are sorted once all are added.
    pub(super) fn add(&mut self, name: &[u8], inode: u64) -> io::Result<()> {
        let start = u32::try_from(self.bytes.len()).map_err(|_| Errno::FBIG)?;
        let length = u16::try_from(name.len()).map_err(|_| Errno::NAMETOOLONG)?;
        self.bytes.extend(name);
        self.spans.push(Span { start, length });
        self.checksum.add(OsStr::from_bytes(name), inode);
        Ok(())
    }

    pub(super) fn sort(&mut self) {
        let bytes = &self.bytes;
        self.spans.sort_unstable_by(|one, other| one.of(bytes).cmp(other.of(bytes)));
    }

    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The name at `index`.
    pub(crate) fn name(&self, index: usize) -> &OsStr {
        OsStr::from_bytes(self.spans[index].of(&self.bytes))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &OsStr> {
        (0..self.len()).map(|index| self.name(index))
    }

    pub(super) fn contains(&self, name: &OsStr) -> bool {
        self.spans.binary_search_by(|span| span.of(&self.bytes).cmp(name.as_bytes())).is_ok()
    }

    /// Returns the names that `other` does not have.
    pub(super) fn without<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a OsStr> {
        let mut others = other.names().peekable();
        self.names().filter(move |name| {
            while others.next_if(|other| other < name).is_some() {}
            others.next_if_eq(name).is_none()
        })
    }
}

impl Span {
    fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        &bytes[start..start + usize::from(self.length)]
    }
}

impl Checksum {
    pub(super) fn of(name: &OsStr, inode: u64) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(name.as_bytes());
        hasher.write_u64(inode);
        Self(hasher.finish())
    }

    pub(super) fn add(&mut self, name: &OsStr, inode: u64) {
        self.0 = self.0.wrapping_add(Self::of(name, inode).0);
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    pub(super) fn remove(&mut self, name: &OsStr, inode: u64) {
        self.0 = self.0.wrapping_sub(Self::of(name, inode).0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(names: &[&str]) -> Listing {
        let mut listing = Listing::default();
        for name in names {
            listing.add(name.as_bytes(), 1).unwrap();
        }
        listing.sort();
        listing
    }

    #[test]
    fn names_are_sorted_and_compared() {
        let (one, other) = (listing(&["d", "a", "c"]), listing(&["b", "c"]));
        assert_eq!(one.names().collect::<Vec<_>>(), ["a", "c", "d"]);
        assert_eq!(one.without(&other).collect::<Vec<_>>(), ["a", "d"]);
        assert_eq!(other.without(&one).collect::<Vec<_>>(), ["b"]);
        assert!(one.contains(OsStr::new("c")) && !one.contains(OsStr::new("b")));
    }

    #[test]
    fn the_checksum_does_not_depend_on_the_order() {
        assert_eq!(listing(&["a", "b"]).checksum, listing(&["b", "a"]).checksum);
        assert_ne!(listing(&["a"]).checksum, listing(&["b"]).checksum);
        let mut checksum = listing(&["a", "b"]).checksum;
        checksum.remove(OsStr::new("b"), 1);
        assert_eq!(checksum, listing(&["a"]).checksum);
    }
}
