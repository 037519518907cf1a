//! A cache of directories that are in sync, whose entries in TO need not be read again.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};
use std::num::ParseIntError;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Kind};
use super::file_system::FileSystem;

/// The maximum number of cached directories, because the saved state of an item is limited. The rest is compared in every run.
const MAX_DIRECTORIES: usize = 60_000;

/// The maximum number of known places.
const MAX_PLACES: usize = 40_000;

/// The numbers of characters of a digest and of a place, and the character between all digests and all places.
const DIGITS: usize = 16;
const PLACE_DIGITS: usize = 8;
const SEPARATOR: char = ';';

/// The directories of an item that are in sync, as digests, and the places of all directories that were mirrored.
///
/// A digest covers the metadata of a directory and of all entries in FROM, and the metadata of the directory itself in TO. The
/// metadata in TO changes when an entry is created, renamed or removed, but not when a file is written. There is one digest per
/// directory and none per file: the cache stays small for millions of files, and one changed file causes its whole directory to be
/// compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ScanCache {
    digests: Vec<u64>,
    /// Empty if they are not known.
    places: Vec<Place>,
}

/// A checksum of the path of a directory and of its identity in FROM. It tells whether a directory was moved to this path: the
/// files in it may then be others of equal size and time, with older change times.
pub(crate) type Place = u32;

/// The place of the directory `from` at `path`, on the device of FROM or on another one.
pub(super) fn place_of(path: &Path, from: &Entry, device: Option<u64>) -> Place {
    let mut hasher = DefaultHasher::new();
    hasher.write(path.as_os_str().as_bytes());
    hasher.write_u64(from.inode());
    // The device number of FROM may change when it is connected again.
    hasher.write_u64(if device == Some(from.device()) { 0 } else { from.device() });
    hasher.finish() as Place
}

/// The digest of the entries of a directory in FROM, in any order; `None` if a later change of one might not alter it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SourceDigest(Option<u64>);

impl ScanCache {
    /// Returns `true` if the directory with this digest was in sync. Requires a sorted cache.
    pub(super) fn contains(&self, digest: u64) -> bool {
        self.digests.binary_search(&digest).is_ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// Returns `true` if the directory with this place was mirrored; `None` if places are not known. Requires a sorted cache.
    pub(super) fn has_place(&self, place: Place) -> Option<bool> {
        (!self.places.is_empty()).then(|| self.places.binary_search(&place).is_ok())
    }

    /// The places alone.
    pub(crate) fn without_digests(self) -> Self {
        Self { digests: Vec::new(), ..self }
    }

    pub(crate) fn without_places(mut self, places: &[Place]) -> Self {
        let places: HashSet<_> = places.iter().collect();
        self.places.retain(|place| !places.contains(place));
        self
    }

    /// The places that `earlier` does not have; `None` if the places of either are not known.
    pub(crate) fn places_added_to(&self, earlier: &Self) -> Option<Vec<Place>> {
        let is_known = !self.places.is_empty() && !earlier.places.is_empty();
        let added = self.places.iter().copied().filter(|place| earlier.places.binary_search(place).is_err());
        is_known.then(|| added.collect())
    }

    pub(super) fn add_place(&mut self, place: Place) {
        self.places.push(place);
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.digests.extend(other.digests);
        self.places.extend(other.places);
    }

    pub(super) fn extend(&mut self, digests: impl IntoIterator<Item = u64>) {
        self.digests.extend(digests);
    }

    pub(super) fn sort(&mut self) {
        self.digests.sort_unstable();
        self.digests.dedup();
        self.places.sort_unstable();
        self.places.dedup();
        if self.places.len() > MAX_PLACES {
            self.places.clear();
        }
        // A place is half as long as a digest.
        self.digests.truncate(MAX_DIRECTORIES - self.places.len() / 2);
    }

    /// The number of cached directories.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.digests.len()
    }
}

impl From<ScanCache> for String {
    fn from(ScanCache { digests, places }: ScanCache) -> Self {
        let mut text = Self::with_capacity(DIGITS * digests.len() + PLACE_DIGITS * places.len() + 1);
        for digest in digests {
            write!(text, "{digest:0DIGITS$x}").expect("a string can be extended");
        }
        if !places.is_empty() {
            text.push(SEPARATOR);
        }
        for place in places {
            write!(text, "{place:0PLACE_DIGITS$x}").expect("a string can be extended");
        }
        text
    }
}

impl TryFrom<String> for ScanCache {
    type Error = ParseIntError;

    fn try_from(text: String) -> Result<Self, ParseIntError> {
        let (digests, places) = text.split_once(SEPARATOR).unwrap_or((&text, ""));
        let digests = in_chunks(digests, DIGITS).map(|digits| u64::from_str_radix(&digits, 16));
        let places = in_chunks(places, PLACE_DIGITS).map(|digits| Place::from_str_radix(&digits, 16));
        Ok(Self { digests: digests.collect::<Result<_, _>>()?, places: places.collect::<Result<_, _>>()? })
    }
}

/// Divides a text into parts of `size` bytes.
fn in_chunks(text: &str, size: usize) -> impl Iterator<Item = Cow<'_, str>> {
    text.as_bytes().chunks(size).map(String::from_utf8_lossy)
}

impl Default for SourceDigest {
    fn default() -> Self {
        Self(Some(0))
    }
}

impl SourceDigest {
    /// The digest of a directory that cannot be cached.
    pub(super) const UNKNOWN: Self = Self(None);

    /// Adds an entry; `None` if it could not be read. One that changed at `began`, the start of the scan, or later may change again
    /// without a new timestamp.
    pub(super) fn add(&mut self, name: &OsStr, entry: Option<&Entry>, began: SystemTime) {
        let Some(entry) = entry else { return self.merge(Self::UNKNOWN) };
        let mut hasher = DefaultHasher::new();
        hasher.write(name.as_bytes());
        // A subdirectory has a digest of its own, and a special file counts only with its name.
        let (kind, has_contents) = match entry.kind {
            Kind::Directory => (b'd', false),
            Kind::Special(_) => (b'o', false),
            Kind::File => (b'f', true),
            Kind::Link => (b'l', true),
        };
        hasher.write(&[0, kind]);
        if has_contents {
            hasher.write(&entry.bytes());
        }
        let is_certain = !has_contents || entry.was_changed_before(began);
        self.merge(Self(is_certain.then(|| hasher.finish())));
    }

    pub(super) fn merge(&mut self, Self(other): Self) {
        self.0 = self.0.zip(other).map(|(sum, other)| sum.wrapping_add(other));
    }
}

/// A directory on both sides.
pub(super) struct Both<'a> {
    pub(super) path: &'a Path,
    pub(super) from: &'a Entry,
    /// The metadata of the directory in TO, read before its entries.
    pub(super) to: &'a Entry,
    /// The file system of the directory in TO.
    pub(super) file_system: &'a FileSystem,
}

impl Both<'_> {
    /// Computes the digest of the directory, whose entries in FROM have the digest `source`. `None` if a later change might not
    /// alter the digest.
    ///
    /// In TO only the modification time matters: the mirror sets it to an earlier time, so that the next change always alters it.
    pub(super) fn digest(&self, source: SourceDigest, has_extra: bool, began: SystemTime) -> Option<u64> {
        let entries = source.0.filter(|_| self.from.was_changed_before(began) && self.to.was_modified_before(began))?;
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(entries);
        hasher.write(&self.from.bytes());
        // In the directory of a sample, the change time is that of the sample.
        let is_sampled = self.file_system.has_sample_in(self.path);
        let to = if is_sampled { self.to.without_change_time() } else { *self.to };
        hasher.write(&to.bytes());
        hasher.write(&[self.file_system.kept.bits(), has_extra.into()]);
        hasher.write(self.path.as_os_str().as_bytes());
        Some(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_compact_and_fits_the_saved_state_of_an_item() {
        let mut cache = ScanCache::default();
        cache.extend((0..MAX_DIRECTORIES as u64 + 7).map(|number| u64::MAX - number));
        cache.extend([7]);
        cache.sort();
        let json = serde_json::to_string(&cache).unwrap();
        assert!(json.starts_with(r#""0000000000000007ffff"#), "{}", &json[..40]);
        assert!(json.len() < 1024 * 1024, "{}", json.len());
        assert_eq!(cache.len(), MAX_DIRECTORIES);
        assert_eq!(serde_json::from_str::<ScanCache>(&json).unwrap(), cache);
        assert!(cache.contains(7) && !cache.contains(8));
        assert!(serde_json::from_str::<ScanCache>(r#""no digest""#).is_err());
    }

    #[test]
    fn places_fit_beside_digests_or_are_not_known() {
        for (count, known) in [(MAX_PLACES as u32, true), (MAX_PLACES as u32 + 1, false)] {
            let mut cache = ScanCache::default();
            cache.extend(0..MAX_DIRECTORIES as u64);
            (0..count).for_each(|place| cache.add_place(place));
            cache.sort();
            let json = serde_json::to_string(&cache).unwrap();
            assert!(json.len() < 1024 * 1024, "{}", json.len());
            let read = serde_json::from_str::<ScanCache>(&json).unwrap();
            assert_eq!((read.has_place(7), read.has_place(u32::MAX)), (known.then_some(true), known.then_some(false)));
            assert_eq!(read, cache);
        }
    }
}
