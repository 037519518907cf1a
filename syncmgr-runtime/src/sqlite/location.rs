//! The location of the file: its path, owner and permissions.

use std::path::{Path, PathBuf};

use super::error::StoreError;

// The cfg `syncmgr_other_place` compiles the code for other systems on Unix, so that a build on Unix also checks it.
#[cfg(any(not(unix), syncmgr_other_place))]
mod other;
#[cfg(all(unix, not(syncmgr_other_place)))]
mod unix;

#[cfg(any(not(unix), syncmgr_other_place))]
use other as system;
#[cfg(all(unix, not(syncmgr_other_place)))]
use unix as system;

pub(super) use system::{FileId, available_space, file_id, open_lock};

/// The suffixes of the companion files that SQLite creates.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The smallest page size of a database, in bytes.
const MIN_PAGE: u64 = 512;

/// Appends a suffix to the file name of a path.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}

/// Creates the directory of `path` if it does not exist, with access only for this user. Returns the path to open,
/// without symbolic links in its directory.
pub(super) fn prepare_directory(path: &Path) -> Result<PathBuf, StoreError> {
    let directory = directory(path);
    system::make_directory(directory).map_err(|error| StoreError::of_io(directory, &error))?;
    system::check_directory(directory)?;
    resolve(path)
}

/// Returns the path of an existing store, without symbolic links in its directory.
pub(super) fn find(path: &Path) -> Result<PathBuf, StoreError> {
    let resolved = resolve(path)?;
    match resolved.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => Err(StoreError::Symlink { path: resolved }),
        Ok(metadata) if metadata.is_file() => check_length(&resolved).map(|()| resolved),
        Ok(_) => Err(StoreError::NotAFile { path: resolved }),
        Err(error) => Err(StoreError::of_io(path, &error)),
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    let name = path.file_name().ok_or_else(|| StoreError::NotAFile { path: path.into() })?;
    let directory = directory(path);
    let absolute = system::absolute(directory).map_err(|error| StoreError::of_io(directory, &error))?;
    Ok(absolute.join(name))
}

/// Creates the file if it does not exist, with access only for this user. Refuses a file of another user.
///
/// An existing file is not opened, because closing it would release the locks that SQLite holds on it in this process.
pub(super) fn prepare_file(path: &Path) -> Result<(), StoreError> {
    system::make_file(path)?;
    system::check_file(path)?;
    system::check_access(path)?;
    for suffix in COMPANIONS {
        match system::prepare_companion(&with_suffix(path, suffix)) {
            Ok(()) | Err(StoreError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    check_length(path)
}

/// Refuses a file without a header. SQLite would initialize it as a new database and discard the content of its
/// write-ahead log.
fn check_length(path: &Path) -> Result<(), StoreError> {
    let length = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    let reason = match length(path) {
        0 if length(&with_suffix(path, "-wal")) > 0 => "the file is empty and its write-ahead log is not",
        1..MIN_PAGE => "the file is too short",
        _ => return Ok(()),
    };
    Err(StoreError::Corrupt { path: path.into(), reason: reason.to_string() })
}
