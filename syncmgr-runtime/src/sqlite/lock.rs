//! One writer for each file.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use syncmgr_core::time::Utc;

use super::error::StoreError;
use super::place::{beside, open_lock};
use crate::clock::{Clock, SystemClock};

/// As much of what the owner wrote as is shown.
const MOST_SHOWN: u64 = 512;

/// The lock of the operating system on the file beside the store: it is free again when its owner is gone, however that
/// came about. It is a file of its own because closing the store's would lift the locks SQLite holds on it.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock, and writes down who has it.
    pub(super) fn take(store: &Path) -> Result<Self, StoreError> {
        let path = beside(store, ".lock");
        let mut file = open_lock(&path)?;
        match file.try_lock() {
            Ok(()) => sign(&mut file).map_err(|error| StoreError::of_io(&path, &error))?,
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path: store.into(), by: owner(&file) }),
            Err(TryLockError::Error(error)) => return Err(StoreError::of_io(&path, &error)),
        }
        Ok(Self { file })
    }
}

impl Drop for Lock {
    /// Closing the file would not do: a child that this program starts at the same moment has it open until it has become
    /// another program.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "the lock of a store was not given back before its file is closed");
        }
    }
}

/// Writes down who we are.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(me().as_bytes())
}

/// Program, process, since when.
fn me() -> String {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| "a program".to_string());
    format!("{name} (process {}) since {}", std::process::id(), Utc(SystemClock::default().now().wall))
}

/// What the owner wrote. Where a lock keeps others from reading too, nobody knows.
fn owner(file: &File) -> String {
    let mut written = Vec::new();
    let read = file.take(MOST_SHOWN).read_to_end(&mut written);
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
    fn a_lock_is_free_again_although_a_child_still_has_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let store = directory.path().join("store");
        let lock = Lock::take(&store).unwrap();
        let _inherited = lock.file.try_clone().unwrap();
        assert!(matches!(Lock::take(&store), Err(StoreError::InUse { .. })));
        drop(lock);
        Lock::take(&store).unwrap();
    }

    #[test]
    fn the_owner_says_its_program_its_process_and_since_when() {
        let me = me();
        assert!(me.contains(&format!("(process {})", std::process::id())), "{me}");
        assert!(me.contains("since 20") && me.ends_with('Z'), "{me}");
    }
}
