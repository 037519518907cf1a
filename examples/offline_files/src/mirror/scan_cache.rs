//! A cache of directories that are in sync, whose entries in TO need not be read again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use syncmgr::Uuid;

use super::entry::{Entry, Kind};

/// The maximum number of cached directories, because the saved state of an item is limited. The rest is compared in every run.
const MAX_DIRECTORIES: usize = 20_000;

/// The entries of a directory in FROM by name; `None` if the metadata could not be read.
pub(super) type SourceEntries = BTreeMap<OsString, Option<Entry>>;

/// The directories of an item that are in sync, by a digest of both sides.
///
/// The digest covers the metadata of all entries in FROM, and the metadata of the directory itself in TO. The metadata in TO
/// changes when an entry is created, renamed or removed, but not when a file is written. There is one digest per directory and
/// none per file: the cache stays small for millions of files, and one changed file causes its whole directory to be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ScanCache(BTreeMap<u64, CachedDirectory>);

/// A directory that was in sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub(super) struct CachedDirectory {
    /// The number of its entries in TO, as counted in a plan.
    pub(super) existing: u64,
    /// The number of extra entries, which only TO has and which were kept.
    pub(super) extra_count: u64,
}

impl ScanCache {
    pub(super) fn get(&self, digest: u64) -> Option<CachedDirectory> {
        self.0.get(&digest).copied()
    }

    pub(super) fn insert(&mut self, digest: u64, cached: CachedDirectory) {
        if self.0.len() < MAX_DIRECTORIES {
            self.0.insert(digest, cached);
        }
    }

    /// The number of cached directories.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Computes the digest of a directory; `stamp` is the metadata of the directory in TO. `None` if a later change might not alter
/// the digest.
///
/// An entry that changed at `began`, the start of the scan, or later may change again without a new timestamp. In TO only the
/// modification time matters: the mirror sets it to an earlier time, so that the next change always alters it.
pub(super) fn digest(path: &Path, source: &SourceEntries, stamp: Option<Entry>, began: SystemTime) -> Option<u64> {
    /// The UUID namespace of digests.
    const DIRECTORY: Uuid = Uuid::from_u128(0x2f5b_90a1_6c0e_5c1d_9f43_7a6e_0c1b_58d2);
    let stamp = stamp.filter(|stamp| stamp.was_modified_before(began))?;
    let mut bytes: Vec<u8> = stamp.bytes().collect();
    let add_name = |bytes: &mut Vec<u8>, name: &[u8]| {
        bytes.extend(name);
        bytes.push(0);
    };
    add_name(&mut bytes, path.as_os_str().as_bytes());
    for (name, entry) in source {
        let entry = (*entry)?;
        add_name(&mut bytes, name.as_bytes());
        // A subdirectory has a digest of its own, and a special file counts only with its name.
        let kind = match entry.kind {
            Kind::Directory => b'd',
            Kind::Special(_) => b'o',
            Kind::File => b'f',
            Kind::Link => b'l',
        };
        bytes.push(kind);
        if matches!(entry.kind, Kind::File | Kind::Link) {
            if !entry.was_changed_before(began) {
                return None;
            }
            bytes.extend(entry.bytes());
        }
    }
    let (high, low) = Uuid::new_v5(&DIRECTORY, &bytes).as_u64_pair();
    Some(high ^ low)
}

impl From<(u64, u64)> for CachedDirectory {
    fn from((existing, extra_count): (u64, u64)) -> Self {
        Self { existing, extra_count }
    }
}

impl From<CachedDirectory> for (u64, u64) {
    fn from(CachedDirectory { existing, extra_count }: CachedDirectory) -> Self {
        (existing, extra_count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_compact_and_fits_the_saved_state_of_an_item() {
        let mut cache = ScanCache::default();
        for digest in 0..MAX_DIRECTORIES as u64 + 7 {
            cache.insert(u64::MAX - digest, CachedDirectory { existing: 99_999_999, extra_count: 9_999_999 });
        }
        let json = serde_json::to_string(&cache).unwrap();
        assert!(json.starts_with(r#"{"184467440737095"#) && json.contains(":[99999999,9999999]"));
        assert!(json.len() < 1024 * 1024, "{}", json.len());
        assert_eq!(cache.len(), MAX_DIRECTORIES);
        assert_eq!(serde_json::from_str::<ScanCache>(&json).unwrap(), cache);
    }
}
