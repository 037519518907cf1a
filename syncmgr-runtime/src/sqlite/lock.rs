//! The lock that allows one writer per file.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use syncmgr_core::time::Utc;

use super::error::StoreError;
use super::location::{open_lock, with_suffix};
use crate::clock::{Clock, SystemClock};

/// The number of bytes read from a lock file.
const MAX_OWNER: u64 = 512;

/// An operating-system lock on a file next to the store. The system releases the lock when the process exits for any
/// reason. The lock has its own file because closing the store's file would release the locks that SQLite holds on it.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Acquires the lock and records the owner.
    pub(super) fn take(store: &Path) -> Result<Self, StoreError> {
        let path = with_suffix(store, ".lock");
        let mut file = open_lock(&path)?;
        match file.try_lock() {
            Ok(()) => write_owner(&mut file).map_err(|error| StoreError::of_io(&path, &error))?,
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path: store.into(), by: owner(&file) }),
            Err(TryLockError::Error(error)) => return Err(StoreError::of_io(&path, &error)),
        }
        Ok(Self { file })
    }
}

impl Drop for Lock {
    /// Unlocks explicitly. Closing the file is not enough: a child process that is being spawned has the file open
    /// until it executes another program.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "the lock of a store could not be released before its file was closed");
        }
    }
}

/// Writes the description of this process to the lock file.
fn write_owner(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(this_process().as_bytes())
}

/// Describes this process: program, process id, time.
fn this_process() -> String {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| "a program".to_string());
    format!("{name} (process {}) since {}", std::process::id(), Utc(SystemClock::default().now().wall))
}

/// Reads the owner's description. On systems where the lock also blocks readers, the owner is unknown.
fn owner(file: &File) -> String {
    let mut written = Vec::new();
    let read = file.take(MAX_OWNER).read_to_end(&mut written);
    let shown: String = String::from_utf8_lossy(&written).chars().filter(|c| !c.is_control()).collect();
    match read {
        Ok(_) if !shown.is_empty() => shown,
        _ => "another program".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_lock_is_released_while_a_child_has_its_file_open() {
        let directory = tempfile::tempdir().unwrap();
        let store = directory.path().join("store");
        let lock = Lock::take(&store).unwrap();
        let _inherited = lock.file.try_clone().unwrap();
        assert!(matches!(Lock::take(&store), Err(StoreError::InUse { .. })));
        drop(lock);
        Lock::take(&store).unwrap();
    }

    #[test]
    fn the_owner_has_a_program_a_process_id_and_a_time() {
        let owner = this_process();
        assert!(owner.contains(&format!("(process {})", std::process::id())), "{owner}");
        assert!(owner.contains("since 20") && owner.ends_with('Z'), "{owner}");
    }
}
