//! The directories that were found in order, remembered so that their side in TO need not be read again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use syncmgr::Uuid;

use super::entry::{Entry, Kind};

/// More directories than this are not remembered, and compared each time: what an item saves has a limit.
const MOST: usize = 20_000;

/// FROM's side of a directory, by name. What could not be looked at is `None`.
pub(super) type Origin = BTreeMap<OsString, Option<Entry>>;

/// The directories of an item that were found in order, by a digest of both sides.
///
/// Of FROM it covers whatever can be known of an entry without opening it; of TO the stamp of the directory alone: who
/// makes, renames or removes an entry in it changes that, who writes into a file does not. There is one digest for a whole
/// directory, and none for a file: millions of files are remembered in little space, and in a directory in which one file
/// has changed the others are compared, as they all were before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Memory(BTreeMap<u64, Settled>);

/// A directory in which nothing was to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub(super) struct Settled {
    /// Entries it has in TO, as a plan counts them.
    pub(super) existing: u64,
    /// Entries of TO that FROM lacks. They were to be kept.
    pub(super) surplus: u64,
}

impl Memory {
    pub(super) fn get(&self, digest: u64) -> Option<Settled> {
        self.0.get(&digest).copied()
    }

    pub(super) fn insert(&mut self, digest: u64, settled: Settled) {
        if self.0.len() < MOST {
            self.0.insert(digest, settled);
        }
    }

    /// How many directories are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The digest of a directory, of which TO has this stamp; `None` if it would not tell the directory from a later state.
///
/// What was changed as late as `began`, when this was about to be read, may change once more without getting another time.
/// In TO that goes for the modification time alone: the mirror sets it back, so that the next change is sure to show.
pub(super) fn digest(path: &Path, origin: &Origin, stamp: Option<Entry>, began: SystemTime) -> Option<u64> {
    /// The namespace of digests.
    const DIRECTORY: Uuid = Uuid::from_u128(0x2f5b_90a1_6c0e_5c1d_9f43_7a6e_0c1b_58d2);
    let stamp = stamp.filter(|stamp| stamp.was_modified_before(began))?;
    let mut bytes: Vec<u8> = stamp.bytes().collect();
    let add_name = |bytes: &mut Vec<u8>, name: &[u8]| {
        bytes.extend(name);
        bytes.push(0);
    };
    add_name(&mut bytes, path.as_os_str().as_bytes());
    for (name, entry) in origin {
        let entry = (*entry)?;
        add_name(&mut bytes, name.as_bytes());
        // A directory in it has a digest of its own, and what is not copied only its name here.
        let copied = match entry.kind {
            Kind::Directory => b'd',
            Kind::Odd(_) => b'o',
            Kind::File => b'f',
            Kind::Link => b'l',
        };
        bytes.push(copied);
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

impl From<(u64, u64)> for Settled {
    fn from((existing, surplus): (u64, u64)) -> Self {
        Self { existing, surplus }
    }
}

impl From<Settled> for (u64, u64) {
    fn from(Settled { existing, surplus }: Settled) -> Self {
        (existing, surplus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_as_compact_json_and_no_longer_than_an_item_may_save() {
        let mut memory = Memory::default();
        for digest in 0..MOST as u64 + 7 {
            memory.insert(u64::MAX - digest, Settled { existing: 99_999_999, surplus: 9_999_999 });
        }
        let json = serde_json::to_string(&memory).unwrap();
        assert!(json.starts_with(r#"{"184467440737095"#) && json.contains(":[99999999,9999999]"));
        assert!(json.len() < 1024 * 1024, "{}", json.len());
        assert_eq!(memory.len(), MOST);
        assert_eq!(serde_json::from_str::<Memory>(&json).unwrap(), memory);
    }
}
