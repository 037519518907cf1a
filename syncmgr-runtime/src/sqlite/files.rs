//! The files of an open store, which other programs must not delete, move or replace.

use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::location::{FileId, file_id, with_suffix};

/// The identities of the file, its write-ahead log and the index of that log.
pub(super) struct OpenFiles([(PathBuf, FileId); 3]);

impl OpenFiles {
    /// Identifies the files of a store that has been written.
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        let identify = |suffix| {
            let path = with_suffix(path, suffix);
            let id = file_id(&path).map_err(|error| StoreError::of_io(&path, &error))?;
            Ok((path, id))
        };
        Ok(Self([identify("")?, identify("-wal")?, identify("-shm")?]))
    }

    /// Fails if a file is no longer in its place. SQLite would write to the old file, which no program can open again.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let replaced = self.0.iter().find(|(path, id)| file_id(path).ok() != Some(*id));
        replaced.map_or(Ok(()), |(path, _)| Err(StoreError::Replaced { path: path.clone() }))
    }
}
