//! Where the file is, and whose it is.

use std::path::{Path, PathBuf};

use super::error::StoreError;

// `syncmgr_other_place` has Unix compile what other systems use, so that a change is noticed there.
#[cfg(any(not(unix), syncmgr_other_place))]
mod other;
#[cfg(all(unix, not(syncmgr_other_place)))]
mod unix;

#[cfg(any(not(unix), syncmgr_other_place))]
use other as system;
#[cfg(all(unix, not(syncmgr_other_place)))]
use unix as system;

pub(super) use system::open_lock;

/// What SQLite and we put beside the file, by the end of their names.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The smallest page of a database, in bytes.
const SMALLEST: u64 = 512;

/// The file's path with something added to its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(ending);
    name.into()
}

/// Makes the directory of `path` if there is none, with access for nobody else. The path to open, whose directory has
/// no symbolic link in it any more.
pub(super) fn prepare_directory(path: &Path) -> Result<PathBuf, StoreError> {
    let directory = directory(path);
    system::make_directory(directory).map_err(|error| StoreError::of_io(directory, &error))?;
    system::check_directory(directory)?;
    resolved(path)
}

/// The path to look at, whose directory has no symbolic link in it any more.
pub(super) fn find(path: &Path) -> Result<PathBuf, StoreError> {
    let resolved = resolved(path)?;
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

fn resolved(path: &Path) -> Result<PathBuf, StoreError> {
    let name = path.file_name().ok_or_else(|| StoreError::NotAFile { path: path.into() })?;
    let directory = directory(path);
    let absolute = system::absolute(directory).map_err(|error| StoreError::of_io(directory, &error))?;
    Ok(absolute.join(name))
}

/// Makes the file if there is none, with access for nobody else. Refuses what is not a file of this user.
///
/// A file that exists is not opened: closing it again would lift the locks SQLite holds on it in this process.
pub(super) fn prepare_file(path: &Path) -> Result<(), StoreError> {
    system::make_file(path)?;
    system::check_file(path)?;
    system::check_access(path)?;
    for ending in BESIDE {
        match system::claim_file(&beside(path, ending)) {
            Ok(()) | Err(StoreError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    check_length(path)
}

/// SQLite takes a file without a header for a new one, and begins it afresh: over what its log still holds, too.
fn check_length(path: &Path) -> Result<(), StoreError> {
    let length = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    let reason = match length(path) {
        0 if length(&beside(path, "-wal")) > 0 => "the file is empty and its write-ahead log is not",
        1..SMALLEST => "the file is too short",
        _ => return Ok(()),
    };
    Err(StoreError::Corrupt { path: path.into(), reason: reason.to_string() })
}
