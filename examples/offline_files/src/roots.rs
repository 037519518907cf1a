//! The identities of FROM and TO.

use std::fs::{self, DirEntry, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use rustix::fs::statvfs;
use serde::{Deserialize, Serialize};

use crate::mirror::{Directory, Pair};
use crate::scan_scope::FullScanReason;

/// The identities of the two directories and of their disks.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    pub(crate) ids: RootIds,
    pub(crate) from_disk: Option<String>,
    pub(crate) to_disk: Option<String>,
}

/// The recorded ids of the two directories: device, inode and creation time. `None` if the file system stores no creation time:
/// an inode number alone can be reused by another directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootIds {
    from: Option<String>,
    to: Option<String>,
    /// An identity of TO that includes its disk, if the id alone does not last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to_on_disk: Option<String>,
}

impl Roots {
    /// Identifies an open pair of directories, located at `from` and `to`.
    pub(crate) fn of(pair: &Pair, from: &Path, to: &Path) -> Self {
        let to_disk = disk(to);
        let to_on_disk = to_disk.as_deref().and_then(|disk| id_on_disk(&pair.to, disk));
        let ids = RootIds { from: directory_id(&pair.from), to: directory_id(&pair.to), to_on_disk };
        Self { ids, from_disk: disk(from), to_disk }
    }
}

impl RootIds {
    /// The lasting identity of TO.
    pub(crate) fn lasting_to(&self) -> Option<&str> {
        self.to.as_deref().and_then(lasting).or(self.to_on_disk.as_deref())
    }

    /// The lasting identity of FROM.
    pub(crate) fn lasting_from(&self) -> Option<&str> {
        self.from.as_deref().and_then(lasting)
    }

    /// Returns `true` if TO is known to be the same directory, perhaps on a disk that was connected again.
    pub(crate) fn has_target_of(&self, other: &Self) -> bool {
        is_known(self.to.as_deref(), other.to.as_deref()) || is_known(self.lasting_to(), other.lasting_to())
    }

    /// Returns `true` if FROM is known to be the same directory, perhaps on a disk that was connected again.
    pub(crate) fn has_source_of(&self, other: &Self) -> bool {
        is_known(self.from.as_deref(), other.from.as_deref()) || is_known(self.lasting_from(), other.lasting_from())
    }

    /// The reason that the recorded ids do not match these; `None` if they match.
    pub(crate) fn mismatch(&self, recorded: &Self) -> Option<FullScanReason> {
        match (&self.from, &self.to) {
            (None, _) | (_, None) => Some(FullScanReason::NoIdentity),
            _ if self.to != recorded.to => Some(FullScanReason::ToReplaced),
            _ if self.from != recorded.from => Some(FullScanReason::FromReplaced),
            _ => None,
        }
    }
}

fn directory_id(directory: &Directory) -> Option<String> {
    let about = directory.metadata().ok()?;
    Some(format!("{}:{}", about.dev(), creation(&about)?))
}

/// The inode and creation time in an id, without the device number, which may change when a disk is connected again. `None` if the
/// inode number changes with each mount, as on FAT.
fn lasting(id: &str) -> Option<&str> {
    let (_, id) = id.split_once(':')?;
    let (inode, created) = id.split_once(':')?;
    (inode != TOP_OF_FAT && !is_coarse(created)).then_some(id)
}

/// The inode number of the topmost directory of FAT.
const TOP_OF_FAT: &str = "1";

/// Returns `true` for a creation time of a file system such as FAT, which stores no more than hundredths of a second.
fn is_coarse(created: &str) -> bool {
    created.ends_with("0000000")
}

/// An identity of a directory on a known disk that lasts where its id does not; `None` if the id does.
fn id_on_disk(directory: &Directory, disk: &str) -> Option<String> {
    let about = directory.metadata().ok()?;
    let inode = about.ino().to_string();
    let Some(created) = creation(&about) else { return Some(format!("{disk} {inode}")) };
    let (_, created) = created.split_once(':')?;
    // exFAT gives its topmost directory the time of the mount.
    if inode == TOP_OF_FAT {
        return Some(format!("{disk} {inode}"));
    }
    is_coarse(created).then(|| format!("{disk} {created}"))
}

/// Returns `true` if both are known and equal.
fn is_known(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_some() && one == other
}

/// The separator of the identities of a disk, and the start of the one that the system lists.
const SEPARATOR: &str = ", ";
const UUID: &str = "UUID ";

/// The identities of the disk that contains `path` or would contain it, independent of its device number: the UUID of its file
/// system where the system lists it, and the inode and creation time of its topmost directory or else the id of its file system.
/// `None` if it has none of them.
pub(crate) fn disk(path: &Path) -> Option<String> {
    let about = |path: &Path| fs::metadata(path).ok();
    let path = path.ancestors().find(|path| path.exists())?;
    let device = about(path)?.dev();
    let on_disk = path.ancestors().map_while(|path| about(path).filter(|about| about.dev() == device));
    let top = || on_disk.last().filter(|_| stores_creation_of_top(path));
    let uuid = uuid(device, Path::new("/dev/disk/by-uuid"));
    let own = top().and_then(|top| creation(&top)).or_else(|| file_system_id(path, device));
    let identities: Vec<_> = uuid.into_iter().chain(own).collect();
    (!identities.is_empty()).then(|| identities.join(SEPARATOR))
}

/// Returns `true` if the identities of a disk in the last run and now show that it is another one: they have UUIDs or others to
/// compare, and none of them is equal. A container may hide the UUIDs, and earlier versions recorded only one identity.
pub(crate) fn is_other_disk(known: &str, now: &str) -> bool {
    let kind = |identity: &str| identity.starts_with(UUID);
    let pairs = known.split(SEPARATOR).flat_map(|one| now.split(SEPARATOR).map(move |other| (one, other)));
    let mut comparable = pairs.filter(|(one, other)| kind(one) == kind(other)).peekable();
    comparable.peek().is_some() && comparable.all(|(one, other)| one != other)
}

/// The id of the file system, which for some types, such as FAT, is only its device number.
fn file_system_id(path: &Path, device: u64) -> Option<String> {
    let id = statvfs(path).ok()?.f_fsid;
    (id != 0 && id != device).then(|| format!("id {id:x}"))
}

/// The name of the link to the device with this number in `directory`.
fn uuid(device: u64, directory: &Path) -> Option<String> {
    let is_device = |link: &DirEntry| fs::metadata(link.path()).is_ok_and(|about| about.rdev() == device);
    let link = fs::read_dir(directory).ok()?.flatten().find(is_device)?;
    Some(format!("{UUID}{}", link.file_name().display()))
}

/// Returns `false` for exFAT, which gives its topmost directory the time of the mount.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn stores_creation_of_top(path: &Path) -> bool {
    const EXFAT: u64 = 0x2011_BAB0;
    rustix::fs::statfs(path).is_ok_and(|about| u64::try_from(about.f_type) != Ok(EXFAT))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn stores_creation_of_top(_: &Path) -> bool {
    true
}

/// The inode and creation time of a directory, which together are unique on its device.
fn creation(about: &Metadata) -> Option<String> {
    let created = about.created().ok()?.duration_since(UNIX_EPOCH).ok()?;
    (!created.is_zero()).then(|| format!("{}:{}", about.ino(), created.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(from: Option<&str>, to: Option<&str>) -> RootIds {
        RootIds { from: from.map(Into::into), to: to.map(Into::into), to_on_disk: None }
    }

    #[test]
    fn only_the_ids_of_the_same_two_directories_match() {
        let now = ids(Some("1"), Some("2"));
        assert_eq!(now.mismatch(&now), None);
        assert_eq!(now.mismatch(&ids(Some("1"), Some("3"))), Some(FullScanReason::ToReplaced));
        assert_eq!(now.mismatch(&ids(Some("3"), Some("2"))), Some(FullScanReason::FromReplaced));
        assert_eq!(now.mismatch(&RootIds::default()), Some(FullScanReason::ToReplaced));
    }

    #[test]
    fn a_directory_without_an_id_never_matches() {
        let now = ids(Some("1"), None);
        assert_eq!(now.mismatch(&now), Some(FullScanReason::NoIdentity));
    }

    #[test]
    fn a_lasting_identity_has_no_device_number_and_no_number_of_a_mount() {
        let lasting = |id| {
            let ids = ids(Some(id), Some(id));
            [ids.lasting_from().map(str::to_owned), ids.lasting_to().map(str::to_owned)]
        };
        assert_eq!(lasting("7:2:1001"), [Some("2:1001".into()), Some("2:1001".into())]);
        assert_eq!(lasting("7:2:1230000000"), [None, None]);
        assert_eq!(lasting("7:1:1001"), [None, None]);
    }

    #[test]
    fn a_target_without_a_lasting_id_is_known_by_its_disk() {
        let on = |id: Option<&str>, disk: Option<&str>| RootIds { to_on_disk: disk.map(Into::into), ..ids(None, id) };
        let known = on(None, Some("UUID A 1"));
        assert!(known.has_target_of(&known) && known.has_target_of(&on(Some("7:1:1001"), Some("UUID A 1"))));
        assert!(!known.has_target_of(&on(None, Some("UUID B 1"))));
        assert!(!on(None, None).has_target_of(&on(None, None)));
    }

    #[test]
    fn a_directory_keeps_its_id_and_its_replacement_has_another() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("directory");
        let made = || {
            fs::create_dir(&path).unwrap();
            directory_id(&Directory::open(&path).unwrap())
        };
        let first = made();
        assert_eq!(directory_id(&Directory::open(&path).unwrap()), first);
        fs::rename(&path, base.path().join("away")).unwrap();
        assert!(first.is_none() || made() != first);
    }

    #[test]
    fn two_directories_on_one_disk_have_the_same_disk_identity() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        fs::create_dir(base.join("inner")).unwrap();
        assert_eq!(disk(&base.join("inner")), disk(&base));
    }

    #[test]
    fn a_disk_is_another_one_if_nothing_that_can_be_compared_is_equal() {
        let is_other = |known, now| is_other_disk(known, now) || is_other_disk(now, known);
        assert!(!is_other("UUID A, 2:100", "UUID A, 2:100"));
        assert!(!is_other("2:100", "UUID A, 2:100"), "the record of an earlier version");
        assert!(!is_other("UUID A", "2:100"), "the record of another version, where the UUIDs are hidden now");
        assert!(!is_other("UUID A, 2:100", "UUID A, 5:300"), "a part of the disk in a container");
        assert!(is_other("UUID A, 2:100", "UUID B, 2:200"));
        assert!(is_other("UUID A, 2:100", "2:200"));
        assert!(is_other("id 1", "id 2"));
        assert!(is_other("id 1", "2:100"), "only another file system stores no creation times");
    }

    #[test]
    fn a_disk_has_the_name_of_the_link_to_its_device() {
        let links = tempfile::tempdir().unwrap();
        let device = |path: &str| fs::metadata(path).unwrap().rdev();
        for (name, path) in [("AB12-34CD", "/dev/null"), ("gone", "/no/such/device"), ("EF56-78AB", "/dev/zero")] {
            std::os::unix::fs::symlink(path, links.path().join(name)).unwrap();
        }
        assert_eq!(uuid(device("/dev/zero"), links.path()).unwrap(), "UUID EF56-78AB");
        assert_eq!(uuid(device("/dev/null"), links.path()).unwrap(), "UUID AB12-34CD");
        assert_eq!(uuid(device("/dev/full"), links.path()), None);
        assert_eq!(uuid(device("/dev/null"), &links.path().join("missing")), None);
    }
}
