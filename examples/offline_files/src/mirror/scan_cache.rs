//! A cache of directories that are in sync, whose entries in TO need not be read again.

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

/// The number of characters of a digest.
const DIGITS: usize = 16;

/// The digests of the directories of an item that are in sync.
///
/// A digest covers the metadata of a directory and of all entries in FROM, and the metadata of the directory itself in TO. The
/// metadata in TO changes when an entry is created, renamed or removed, but not when a file is written. There is one digest per
/// directory and none per file: the cache stays small for millions of files, and one changed file causes its whole directory to be
/// compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ScanCache(Vec<u64>);

/// The digest of the entries of a directory in FROM, in any order; `None` if a later change of one might not alter it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SourceDigest(Option<u64>);

impl ScanCache {
    /// Returns `true` if the directory with this digest was in sync. Requires a sorted cache.
    pub(super) fn contains(&self, digest: u64) -> bool {
        self.0.binary_search(&digest).is_ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn extend(&mut self, digests: impl IntoIterator<Item = u64>) {
        self.0.extend(digests);
    }

    pub(super) fn sort(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
        self.0.truncate(MAX_DIRECTORIES);
    }

    /// The number of cached directories.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl IntoIterator for ScanCache {
    type Item = u64;
    type IntoIter = std::vec::IntoIter<u64>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<ScanCache> for String {
    fn from(ScanCache(digests): ScanCache) -> Self {
        let mut text = Self::with_capacity(DIGITS * digests.len());
        for digest in digests {
            write!(text, "{digest:0DIGITS$x}").expect("a string can be extended");
        }
        text
    }
}

impl TryFrom<String> for ScanCache {
    type Error = ParseIntError;

    fn try_from(text: String) -> Result<Self, ParseIntError> {
        let digests =
            text.as_bytes().chunks(DIGITS).map(|digits| u64::from_str_radix(&String::from_utf8_lossy(digits), 16));
        digests.collect::<Result<_, _>>().map(Self)
    }
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
}
