//! Unix: file modes, owners and symbolic links.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, OFlags};

use crate::sqlite::error::StoreError;

/// Only the owner can read and write.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIRECTORY: u32 = 0o700;

pub(super) fn make_directory(directory: &Path) -> io::Result<()> {
    match directory.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(PRIVATE_DIRECTORY).create(directory)
        }
        found => found.map(drop),
    }
}

/// Refuses a symbolic link, and a directory that belongs to neither this user nor root.
pub(super) fn check_directory(directory: &Path) -> Result<(), StoreError> {
    let metadata = link_metadata(directory)?;
    match metadata.uid() {
        0 => Ok(()),
        _ => check_owner(directory, &metadata),
    }
}

/// Resolves the symbolic links of parent directories, which the administrator is responsible for.
pub(super) fn absolute(directory: &Path) -> io::Result<PathBuf> {
    directory.canonicalize()
}

pub(super) fn make_file(path: &Path) -> Result<(), StoreError> {
    match private_options().create_new(true).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(StoreError::of_io(path, &error)),
        _ => Ok(()),
    }
}

/// Refuses symbolic links, directories, special files, and files of other users.
pub(super) fn check_file(path: &Path) -> Result<(), StoreError> {
    let metadata = link_metadata(path)?;
    match metadata.is_file() {
        true => check_owner(path, &metadata),
        false => Err(StoreError::NotAFile { path: path.into() }),
    }
}

/// Refuses a file that this user cannot read and write.
pub(super) fn check_access(path: &Path) -> Result<(), StoreError> {
    let allowed = rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK);
    allowed.map_err(|error| StoreError::of_io(path, &error.into()))
}

/// Checks a companion file like [`check_file`], and makes it writable. A program that reads the store while its file is
/// not writable creates companion files that are not writable either.
pub(super) fn prepare_companion(path: &Path) -> Result<(), StoreError> {
    check_file(path)?;
    match check_access(path) {
        Err(StoreError::Access { .. }) => fs::set_permissions(path, Permissions::from_mode(PRIVATE_FILE))
            .map_err(|error| StoreError::of_io(path, &error)),
        checked => checked,
    }
}

/// Opens the lock file, and creates it if it does not exist.
pub(in crate::sqlite) fn open_lock(path: &Path) -> Result<File, StoreError> {
    match check_file(path) {
        Ok(()) | Err(StoreError::Missing { .. }) => {}
        Err(error) => return Err(error),
    }
    private_options().create(true).open(path).map_err(|error| StoreError::of_io(path, &error))
}

/// The device and the inode of a file. They stay the same until the file is closed.
pub(in crate::sqlite) type FileId = (u64, u64);

pub(in crate::sqlite) fn file_id(path: &Path) -> io::Result<FileId> {
    path.symlink_metadata().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Returns the space that is left for this user on the disk of a file, as far as it is known.
pub(in crate::sqlite) fn available_space(path: &Path) -> u64 {
    rustix::fs::statvfs(path).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    options.read(true).write(true).mode(PRIVATE_FILE).custom_flags(flags.cast_signed());
    options
}

fn link_metadata(path: &Path) -> Result<Metadata, StoreError> {
    let metadata = path.symlink_metadata().map_err(|error| StoreError::of_io(path, &error))?;
    match metadata.is_symlink() {
        true => Err(StoreError::Symlink { path: path.into() }),
        false => Ok(metadata),
    }
}

fn check_owner(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    match metadata.uid() {
        owner if owner == rustix::process::geteuid().as_raw() => Ok(()),
        owner => Err(StoreError::Owner { path: path.into(), owner }),
    }
}
