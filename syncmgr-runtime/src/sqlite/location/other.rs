//! Systems without file modes: the directory determines access.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::sqlite::error::StoreError;

pub(super) fn make_directory(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

pub(super) fn check_directory(directory: &Path) -> Result<(), StoreError> {
    link_metadata(directory).map(drop)
}

pub(super) fn absolute(directory: &Path) -> io::Result<PathBuf> {
    std::path::absolute(directory)
}

pub(super) fn make_file(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().read(true).write(true).create_new(true).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(StoreError::of_io(path, &error)),
        _ => Ok(()),
    }
}

/// Refuses symbolic links, directories and special files.
pub(super) fn check_file(path: &Path) -> Result<(), StoreError> {
    match link_metadata(path)?.is_file() {
        true => Ok(()),
        false => Err(StoreError::NotAFile { path: path.into() }),
    }
}

pub(super) fn check_access(_path: &Path) -> Result<(), StoreError> {
    Ok(())
}

pub(super) fn prepare_companion(path: &Path) -> Result<(), StoreError> {
    check_file(path)
}

pub(in crate::sqlite) fn open_lock(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(|error| StoreError::of_io(path, &error))
}

/// Files have no identity that the standard library can read. An open file cannot be deleted or replaced on Windows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::sqlite) struct FileId;

pub(in crate::sqlite) fn file_id(path: &Path) -> io::Result<FileId> {
    path.symlink_metadata().map(|_| FileId)
}

/// The standard library cannot tell.
pub(in crate::sqlite) fn available_space(_path: &Path) -> u64 {
    u64::MAX
}

fn link_metadata(path: &Path) -> Result<fs::Metadata, StoreError> {
    let metadata = path.symlink_metadata().map_err(|error| StoreError::of_io(path, &error))?;
    match metadata.is_symlink() {
        true => Err(StoreError::Symlink { path: path.into() }),
        false => Ok(metadata),
    }
}
