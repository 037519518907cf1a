//! An open directory. Every operation takes the name of an entry, and none follows a symbolic link.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::fs::{self, Access, AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::attributes::{Attributes, DEFAULT_ACL, Kept};
use super::entry::{Entry, modified_at};
use super::extended::{self, Place};
use super::listing::Listing;
use super::trail::Trail;
use crate::free_name::take_free_name;

/// A handle of an open directory. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    handle: Arc<OwnedFd>,
    trail: Arc<Mutex<Trail>>,
}

impl Directory {
    /// Opens the directory at `path`. Links in `path` are followed; links below the directory are not.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let handle = fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self::of(handle))
    }

    /// Opens a directory below this one, one component at a time. No component may be a symbolic link, and `path` has no length
    /// limit.
    pub(crate) fn descend(&self, path: &Path) -> io::Result<Self> {
        Trail::descend(&self.trail, self, path)
    }

    /// Opens a directory in TO like `descend`. If it is locked, adds all permissions for its owner. Returns its metadata too.
    pub(super) fn unlock_and_descend(&self, path: &Path) -> io::Result<(Self, Entry)> {
        let directory = match (self.descend(path), path.parent(), path.file_name()) {
            (Err(error), Some(parent), Some(name)) if error.kind() == io::ErrorKind::PermissionDenied => {
                let unlocked = self.descend(parent).and_then(|parent| parent.unlock_entry(name));
                unlocked.and_then(|()| self.descend(path)).map_err(|_| error)?
            }
            (result, ..) => result?,
        };
        let is_locked =
            || fs::accessat(&directory.handle, ".", Access::READ_OK | Access::EXEC_OK, AtFlags::EACCESS).is_err();
        let mut about = directory.about()?;
        if !about.mode.contains(Mode::RUSR | Mode::XUSR) && is_locked() {
            directory.unlock()?;
            about = directory.about()?;
        }
        Ok((directory, about))
    }

    /// The same directory with open directories of its own below it, at most `capacity` of them.
    pub(crate) fn separate(&self, capacity: usize) -> Self {
        Self { trail: Arc::new(Mutex::new(Trail::new(capacity))), ..self.clone() }
    }

    fn of(handle: OwnedFd) -> Self {
        Self { handle: Arc::new(handle), trail: Arc::default() }
    }

    /// Opens the directory `name`, which must not be a symbolic link.
    pub(crate) fn enter(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self::of(fs::openat(&self.handle, name, flags, Mode::empty())?))
    }

    /// Returns the names in this directory, sorted by their bytes.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        Ok(self.list(&[])?.names().map(OsStr::to_owned).collect())
    }

    /// Lists this directory without the names in `hidden`.
    pub(crate) fn list(&self, hidden: &[&OsStr]) -> io::Result<Listing> {
        let mut listing = Listing::default();
        // A handle of its own, because threads that share a handle also share its position.
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for entry in Dir::new(fs::openat(&self.handle, ".", flags, Mode::empty())?)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") && !hidden.contains(&OsStr::from_bytes(name)) {
                listing.add(name, entry.ino())?;
            }
        }
        listing.sort();
        Ok(listing)
    }

    /// Returns the metadata of the entry `name`; `None` if it does not exist.
    pub(crate) fn entry(&self, name: &OsStr) -> io::Result<Option<Entry>> {
        match fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Entry::from(stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns `true` if nothing is at `path`, according to one of its parents.
    pub(super) fn lacks(&self, path: &Path) -> bool {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return false };
        match self.descend(parent) {
            Ok(parent) => matches!(parent.entry(name), Ok(None)),
            Err(error) => error.kind() == io::ErrorKind::NotFound && self.lacks(parent),
        }
    }

    /// Returns the metadata of this directory.
    pub(crate) fn about(&self) -> io::Result<Entry> {
        Ok(Entry::from(fs::fstat(&self.handle)?))
    }

    /// The permissions for a copy of this directory without an access control list, which its owner may change.
    pub(crate) fn mode_of_copy(&self) -> io::Result<Mode> {
        let kept = Kept::default();
        let attributes = Attributes::of(self, &self.about()?, kept)?.for_copy(kept);
        Ok(attributes.mode().difference(Mode::SVTX) | Mode::RWXU)
    }

    /// Returns the metadata of this directory as the type of the standard library, which has the creation time.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        File::from(self.handle.try_clone()?).metadata()
    }

    /// Opens the file `name` for reading. If it has been replaced by a FIFO, the call does not wait for a writer.
    pub(crate) fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(fs::openat(&self.handle, name, flags, Mode::empty())?.into())
    }

    /// Opens the file `name` for reading and writing.
    pub(super) fn open_to_update(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(fs::openat(&self.handle, name, flags, Mode::empty())?.into())
    }

    /// Creates the file `name` with the permissions `mode`, less those that the process does not give. Fails if the name exists.
    pub(crate) fn create_file(&self, name: &OsStr, mode: Mode) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fs::openat(&self.handle, name, flags, mode)?.into())
    }

    /// Creates the directory `name` with the permissions `mode`, less those that the process does not give.
    pub(crate) fn create_directory(&self, name: &OsStr, mode: Mode) -> io::Result<()> {
        Ok(fs::mkdirat(&self.handle, name, mode)?)
    }

    /// Returns `true` if new entries inherit an access control list, or if that cannot be told.
    pub(crate) fn gives_acls(&self) -> bool {
        !matches!(extended::get(Place::Open(self.as_fd()), DEFAULT_ACL), Err(Errno::NODATA | Errno::NOTSUP))
    }

    /// Creates the symbolic link `name`.
    pub(crate) fn create_link(&self, name: &OsStr, target: &OsStr) -> io::Result<()> {
        Ok(fs::symlinkat(target, &self.handle, name)?)
    }

    /// Gives the file `name` the new name `other` in the directory `to`.
    pub(crate) fn link(&self, name: &OsStr, to: &Self, other: &OsStr) -> io::Result<()> {
        Ok(fs::linkat(&self.handle, name, &to.handle, other, AtFlags::empty())?)
    }

    /// Returns the unresolved target of the symbolic link `name`.
    pub(crate) fn link_target(&self, name: &OsStr) -> io::Result<OsString> {
        let target = fs::readlinkat(&self.handle, name, Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()))
    }

    /// Sets the modification time of the symbolic link `name` to that of `entry`.
    pub(crate) fn date_link(&self, name: &OsStr, entry: &Entry) -> io::Result<()> {
        Ok(fs::utimensat(&self.handle, name, &modified_at(entry.modified), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Sets the owner and group of the symbolic link `name` to those of `entry`.
    pub(crate) fn own_link(&self, name: &OsStr, entry: &Entry) -> io::Result<()> {
        let (user, group) = entry.owner;
        Ok(fs::chownat(&self.handle, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Renames within this directory. A file or link at `to` is replaced atomically.
    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(fs::renameat(&self.handle, from, &self.handle, to)?)
    }

    /// Renames within this directory. Fails if `to` exists.
    pub(crate) fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.move_new(from, self, to)
    }

    /// Moves the entry `from` to the directory `other` as `to`. Fails if that name exists.
    pub(crate) fn move_new(&self, from: &OsStr, other: &Self, to: &OsStr) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        match fs::renameat_with(&self.handle, from, &other.handle, to, fs::RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            result => return Ok(result?),
        }
        if other.entry(to)?.is_some() {
            return Err(Errno::EXIST.into());
        }
        Ok(fs::renameat(&self.handle, from, &other.handle, to)?)
    }

    /// Moves the entry `from` to the directory `other` as `to`, or as the first of `to 2`, `to 3`, .. that is free.
    pub(crate) fn move_free(&self, from: &OsStr, other: &Self, to: &OsStr) -> io::Result<()> {
        take_free_name(to, |to| self.move_new(from, other, to))
    }

    /// Lets an entry of this directory and one of `other` change places, atomically. Fails where the system or the file system has no
    /// such operation.
    pub(crate) fn exchange(&self, name: &OsStr, other: &Self, other_name: &OsStr) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        return Ok(fs::renameat_with(&self.handle, name, &other.handle, other_name, fs::RenameFlags::EXCHANGE)?);
        #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
        return Err(Errno::NOSYS.into());
    }

    /// Sets the permissions of the entry `name`, which is not a link.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn set_mode(&self, name: &OsStr, mode: Mode) -> io::Result<()> {
        let handle = fs::openat(&self.handle, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        if FileType::from_raw_mode(fs::fstat(&handle)?.st_mode) == FileType::Symlink {
            return Err(Errno::LOOP.into());
        }
        Ok(fs::chmod(format!("/proc/self/fd/{}", handle.as_raw_fd()), mode)?)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn set_mode(&self, name: &OsStr, mode: Mode) -> io::Result<()> {
        Ok(fs::chmodat(&self.handle, name, mode, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Removes the entry `name`, which is not a directory.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(fs::unlinkat(&self.handle, name, AtFlags::empty())?)
    }

    /// Removes the empty directory `name`.
    pub(crate) fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        Ok(fs::unlinkat(&self.handle, name, AtFlags::REMOVEDIR)?)
    }

    /// Adds all permissions for the owner of this directory.
    pub(crate) fn unlock(&self) -> io::Result<()> {
        let mode = Mode::from_raw_mode(fs::fstat(&self.handle)?.st_mode);
        if !mode.contains(Mode::RWXU) {
            fs::fchmod(&self.handle, mode | Mode::RWXU)?;
        }
        Ok(())
    }

    /// Adds all permissions for the owner of the directory `name`, which cannot be opened.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn unlock_entry(&self, name: &OsStr) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = fs::openat(&self.handle, name, flags, Mode::empty())?;
        let mode = Mode::from_raw_mode(fs::fstat(&handle)?.st_mode);
        Ok(fs::chmod(format!("/proc/self/fd/{}", handle.as_raw_fd()), mode | Mode::RWXU)?)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn unlock_entry(&self, name: &OsStr) -> io::Result<()> {
        let mode = Mode::from_raw_mode(fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode);
        Ok(fs::chmodat(&self.handle, name, mode | Mode::RWXU, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Identifies the mount that shows the directory `name`: by its device, and by its number if the system tells it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn mount_of(&self, name: &OsStr) -> io::Result<(u64, Option<u64>)> {
        let number = fs::StatxFlags::MNT_ID;
        // An old kernel has no such call, and a sandbox may forbid it.
        let Ok(about) = fs::statx(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW, number) else {
            return Ok((self.device_of(name)?, None));
        };
        let device = fs::makedev(about.stx_dev_major, about.stx_dev_minor);
        Ok((device, (about.stx_mask & number.bits() != 0).then_some(about.stx_mnt_id)))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn mount_of(&self, name: &OsStr) -> io::Result<(u64, Option<u64>)> {
        Ok((self.device_of(name)?, None))
    }

    fn device_of(&self, name: &OsStr) -> io::Result<u64> {
        Ok(Entry::from(fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?).device())
    }

    /// Locks this directory until the handle is closed. Returns `false` if another process holds the lock, and `true` on a file
    /// system without locks.
    pub(crate) fn try_lock(&self) -> bool {
        /// Several times as many as the lock of `is_locked` in another process needs to end.
        const ATTEMPTS: usize = 100_000;
        for _ in 0..ATTEMPTS {
            if self.gets_lock(FlockOperation::NonBlockingLockExclusive) {
                return true;
            }
            if self.is_locked() {
                return false;
            }
            thread::yield_now();
        }
        false
    }

    /// Returns `true` if another process holds the lock. Takes a lock itself until the handle is closed, which does not count as one.
    pub(super) fn is_locked(&self) -> bool {
        !self.gets_lock(FlockOperation::NonBlockingLockShared)
    }

    fn gets_lock(&self, operation: FlockOperation) -> bool {
        fs::flock(&self.handle, operation) != Err(Errno::WOULDBLOCK)
    }

    /// The directories that contain this one, from the nearest on, as far as they can be opened.
    pub(super) fn outer(&self) -> impl Iterator<Item = Self> {
        let id = |directory: &Self| directory.about().ok().map(|about| about.id());
        let outer = move |inner: &Self| inner.enter(OsStr::new("..")).ok().filter(|outer| id(outer) != id(inner));
        std::iter::successors(outer(self), outer)
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn no_component_of_a_path_may_be_a_symbolic_link() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("real/inner")).unwrap();
        symlink("real", tree.path().join("link")).unwrap();
        let root = Directory::open(tree.path()).unwrap();
        assert!(root.descend(Path::new("real/inner")).is_ok());
        assert!(root.descend(Path::new("link")).is_err());
        assert!(root.descend(Path::new("link/inner")).is_err());
    }

    #[test]
    fn a_link_is_not_opened_and_a_fifo_does_not_block() {
        let tree = tempfile::tempdir().unwrap();
        let directory = Directory::open(tree.path()).unwrap();
        std::fs::write(tree.path().join("file"), "").unwrap();
        symlink("file", tree.path().join("link")).unwrap();
        let mut make = std::process::Command::new("mkfifo");
        assert!(make.arg(tree.path().join("fifo")).status().unwrap().success());
        assert!(directory.open_file(OsStr::new("link")).is_err());
        assert!(directory.open_file(OsStr::new("fifo")).is_ok());
    }

    #[test]
    fn a_new_file_is_private_and_replaces_no_existing_entry() {
        let tree = tempfile::tempdir().unwrap();
        let directory = Directory::open(tree.path()).unwrap();
        let file = directory.create_file(OsStr::new("new"), Mode::RUSR | Mode::WUSR).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        symlink("elsewhere", tree.path().join("link")).unwrap();
        for name in ["new", "link"] {
            let error = directory.create_file(OsStr::new(name), Mode::RWXU).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        }
        directory.create_directory(OsStr::new("inner"), Mode::RWXU).unwrap();
        assert_eq!(std::fs::metadata(tree.path().join("inner")).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_path_cannot_leave_its_root() {
        let tree = tempfile::tempdir().unwrap();
        let root = Directory::open(tree.path()).unwrap();
        assert!(root.descend(Path::new("..")).is_err());
        assert!(root.descend(Path::new("/")).is_err());
    }

    #[test]
    fn a_second_lock_fails_while_the_first_is_held() {
        let tree = tempfile::tempdir().unwrap();
        let first = Directory::open(tree.path()).unwrap();
        let second = Directory::open(tree.path()).unwrap();
        assert!(first.try_lock());
        assert!(!second.try_lock());
        drop(first);
        assert!(second.try_lock());
    }

    #[test]
    fn a_look_for_other_runs_is_not_taken_for_one() {
        for _ in 0..100 {
            let tree = tempfile::tempdir().unwrap();
            let [look, run, other] = [(); 3].map(|()| Directory::open(tree.path()).unwrap());
            assert!(!look.is_locked());
            thread::scope(|scope| {
                scope.spawn(move || drop(look));
                assert!(run.try_lock());
            });
            assert!(other.is_locked());
        }
    }

    #[test]
    fn names_are_sorted_and_exclude_the_directory_itself() {
        let tree = tempfile::tempdir().unwrap();
        for name in ["b", "a", ".hidden"] {
            std::fs::write(tree.path().join(name), "").unwrap();
        }
        assert_eq!(Directory::open(tree.path()).unwrap().names().unwrap(), [".hidden", "a", "b"]);
    }
}
