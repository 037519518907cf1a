//! The file systems of TO: that of its root, and those that are mounted in it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attributes::Kept;
use super::directory::Directory;
use super::file_system::FileSystem;
use super::losses::Losses;
use super::sample::Sample;
use super::temporary::random_name;

/// The file systems that have been found in TO, by device number.
#[derive(Debug)]
pub(crate) struct FileSystems {
    asked: Kept,
    /// The name of every sample, so that one name is hidden in all directories.
    sample_name: OsString,
    losses: Arc<Losses>,
    found: Mutex<HashMap<u64, Arc<FileSystem>>>,
}

impl FileSystems {
    /// Creates an empty list for a mirror that keeps the attributes `asked`.
    pub(super) fn new(asked: Kept) -> Self {
        Self { asked, sample_name: random_name(), losses: Arc::default(), found: Mutex::default() }
    }

    /// The file system with the number `device`. If it is new, `to` at `path` in `root` is its first directory.
    pub(super) fn get(&self, device: u64, (root, path): (&Directory, &Path), to: &Directory) -> Arc<FileSystem> {
        let sample = || Sample::new((root, path), self.sample_name.clone(), self.losses.clone());
        let new = || Arc::new(FileSystem::new(device, path, self.asked, self.asked.storable_in(to), sample()));
        self.lock().entry(device).or_insert_with(new).clone()
    }

    /// The name of the samples in TO.
    pub(crate) fn sample_name(&self) -> &OsStr {
        &self.sample_name
    }

    /// Describes what TO cannot store, as far as that is known by now.
    pub(crate) fn report(&self) -> Option<String> {
        self.losses.report()
    }

    /// Removes the samples.
    pub(crate) fn remove_samples(&self) {
        self.lock().values().for_each(|file_system| file_system.sample.remove());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<FileSystem>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
