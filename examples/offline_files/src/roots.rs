//! What tells FROM and TO from other directories that are called the same.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use rustix::fs::statvfs;
use serde::{Deserialize, Serialize};

use crate::compared::Reason;
use crate::mirror::{Directory, Pair};

/// The two directories and the disks they are on.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    pub(crate) markers: Markers,
    pub(crate) from_disk: Option<String>,
    pub(crate) to_disk: Option<String>,
}

/// What is recorded of the two directories, to know them again: device, inode and birth. `None` where a file system does
/// not know when it made a directory: inodes alone are used again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Markers {
    from: Option<String>,
    to: Option<String>,
}

impl Roots {
    /// Of an open pair, and where it was found.
    pub(crate) fn of(pair: &Pair, from: &Path, to: &Path) -> Self {
        let markers = Markers { from: marker(&pair.from), to: marker(&pair.to) };
        Self { markers, from_disk: disk(from), to_disk: disk(to) }
    }
}

impl Markers {
    /// Why what was recorded of others means nothing for these.
    pub(crate) fn differ(&self, recorded: &Self) -> Option<Reason> {
        match (&self.from, &self.to) {
            (None, _) | (_, None) => Some(Reason::Unmarked),
            _ if self.to != recorded.to => Some(Reason::AnotherTo),
            _ if self.from != recorded.from => Some(Reason::AnotherFrom),
            _ => None,
        }
    }
}

fn marker(directory: &Directory) -> Option<String> {
    let about = directory.metadata().ok()?;
    Some(format!("{}:{}", about.dev(), birth(&about)?))
}

/// The disk that `path` is on, however it is plugged in: by the birth of its topmost directory, or by what the system calls
/// it where that is not known.
fn disk(path: &Path) -> Option<String> {
    let about = |path: &Path| fs::metadata(path).ok();
    let device = about(path)?.dev();
    let on_it = path.ancestors().map_while(|path| about(path).filter(|about| about.dev() == device));
    let named = || statvfs(path).ok().map(|about| about.f_fsid).filter(|&id| id != 0).map(|id| format!("id {id:x}"));
    birth(&on_it.last()?).or_else(named)
}

/// Which directory it is on its device, for good.
fn birth(about: &Metadata) -> Option<String> {
    let born = about.created().ok()?.duration_since(UNIX_EPOCH).ok()?;
    (!born.is_zero()).then(|| format!("{}:{}", about.ino(), born.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markers(from: Option<&str>, to: Option<&str>) -> Markers {
        Markers { from: from.map(Into::into), to: to.map(Into::into) }
    }

    #[test]
    fn only_the_same_two_directories_are_known_again() {
        let now = markers(Some("1"), Some("2"));
        assert_eq!(now.differ(&now), None);
        assert_eq!(now.differ(&markers(Some("1"), Some("3"))), Some(Reason::AnotherTo));
        assert_eq!(now.differ(&markers(Some("3"), Some("2"))), Some(Reason::AnotherFrom));
        assert_eq!(now.differ(&Markers::default()), Some(Reason::AnotherTo));
    }

    #[test]
    fn a_directory_without_a_marker_is_never_known_again() {
        let now = markers(Some("1"), None);
        assert_eq!(now.differ(&now), Some(Reason::Unmarked));
    }

    #[test]
    fn a_directory_keeps_its_marker_and_another_in_its_place_has_its_own() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("directory");
        let made = || {
            fs::create_dir(&path).unwrap();
            marker(&Directory::open(&path).unwrap())
        };
        let first = made();
        assert_eq!(marker(&Directory::open(&path).unwrap()), first);
        fs::rename(&path, base.path().join("away")).unwrap();
        assert!(first.is_none() || made() != first);
    }

    #[test]
    fn both_directories_of_one_disk_name_the_same_one() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        fs::create_dir(base.join("inner")).unwrap();
        assert_eq!(disk(&base.join("inner")), disk(&base));
    }
}
