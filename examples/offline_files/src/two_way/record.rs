//! The checkpoint of an item: the identities of both roots, and the agreed state.

use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::side::{Both, Side};
use crate::mirror::Directory;

/// What an item stores between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) roots: RootIds,
    /// The agreed state, as [`archive`](super::archive) writes it.
    pub(crate) agreed: String,
    /// What was agreed about entries that the last run has moved to other items, under their old paths. It counts if such an item was
    /// stopped before it has stored what it got.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) moved: String,
    /// `true` if the deletions of the item were refused. They stay so, however many other entries are agreed by then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_held: bool,
}

/// The identities of both roots: the inode number and the time of creation, which last when a disk is connected again. `None` if the
/// file system stores no time of creation: an inode number alone can be that of another directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootIds {
    a: Option<String>,
    b: Option<String>,
}

impl RootIds {
    pub(crate) fn of(roots: &Both<Directory>) -> Self {
        Self { a: identity(&roots.a), b: identity(&roots.b) }
    }

    /// The side that is known to be another directory than in the record.
    pub(crate) fn other_side(&self, recorded: &Self) -> Option<Side> {
        let differs = |now: &Option<String>, then: &Option<String>| now.is_some() && then.is_some() && now != then;
        match (differs(&self.a, &recorded.a), differs(&self.b, &recorded.b)) {
            (true, _) => Some(Side::A),
            (false, true) => Some(Side::B),
            (false, false) => None,
        }
    }
}

fn identity(directory: &Directory) -> Option<String> {
    let about = directory.metadata().ok()?;
    let created = about.created().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{}:{}", about.ino(), created.as_nanos()))
}
