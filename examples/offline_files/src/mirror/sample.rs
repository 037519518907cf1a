//! A file in TO on which times and permissions are tried, because some file systems store others than they are given.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::fs::{Mode, Timespec, fchmod, fstat, futimens};

use super::directory::Directory;
use super::entry::{Entry, modified_at};
use super::temporary::random_name;

/// A scratch file, created when the first difference needs an explanation.
#[derive(Debug)]
pub(crate) struct Sample {
    directory: Directory,
    name: OsString,
    trial: OnceLock<Option<Trial>>,
    is_reported: AtomicBool,
}

/// The file, and the results of the first trials.
#[derive(Debug)]
struct Trial {
    file: Mutex<File>,
    keeps_times: bool,
    keeps_modes: bool,
}

impl Sample {
    /// A sample that will be in the directory `directory`.
    pub(crate) fn new(directory: Directory) -> Self {
        Self { directory, name: random_name(), trial: OnceLock::new(), is_reported: AtomicBool::new(false) }
    }

    /// The name of the file in TO.
    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    /// Returns `true` if TO gives back the time of `to` for the time of `from`. If it stores no times, a copy is up to date if it
    /// was made after the last change of its original.
    pub(super) fn same_time(&self, from: &Entry, to: &Entry) -> bool {
        if to.modified == from.modified {
            return true;
        }
        let Some(trial) = self.trial() else { return false };
        let is_newer = || to.is_directory() || to.modified > from.changed;
        if trial.keeps_times { trial.time(from.modified) == Some(to.modified) } else { is_newer() }
    }

    /// Returns `false` if TO cannot store modification times.
    pub(super) fn keeps_times(&self) -> bool {
        self.trial().is_none_or(|trial| trial.keeps_times)
    }

    /// Returns `false` if TO cannot store permission bits.
    pub(super) fn keeps_modes(&self) -> bool {
        self.trial().is_none_or(|trial| trial.keeps_modes)
    }

    /// Describes what TO cannot store, once.
    pub(crate) fn report(&self) -> Option<&'static str> {
        let trial = self.trial.get()?.as_ref()?;
        let text = match (trial.keeps_times, trial.keeps_modes) {
            (true, true) => return None,
            (false, true) => {
                "TO stores no modification times: a copy counts as equal if it is newer and has the same size"
            }
            (true, false) => "TO stores no permissions",
            (false, false) => {
                "TO stores no permissions and no modification times: a copy counts as equal if it is newer and has the same size"
            }
        };
        (!self.is_reported.swap(true, Ordering::Relaxed)).then_some(text)
    }

    /// Removes the file, if it was created.
    pub(crate) fn remove(&self) {
        if self.trial.get().is_some_and(Option::is_some) {
            // If this fails, the next run removes the file.
            let _ = self.directory.remove(&self.name);
        }
    }

    fn trial(&self) -> Option<&Trial> {
        self.trial
            .get_or_init(|| Some(Trial::new(self.directory.create_file(&self.name, Mode::RUSR | Mode::WUSR).ok()?)))
            .as_ref()
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Trial {
    fn new(file: File) -> Self {
        /// A date that every file system with times can store.
        const DATE: Timespec = Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 };
        let mode = |bits| {
            let set = fchmod(&file, bits).and_then(|()| fstat(&file));
            set.is_ok_and(|stat| Entry::from(stat).mode == bits)
        };
        let keeps_modes = mode(Mode::RUSR | Mode::WUSR | Mode::RGRP) && mode(Mode::RUSR | Mode::WUSR);
        let mut trial = Self { file: Mutex::new(file), keeps_times: true, keeps_modes };
        trial.keeps_times = trial.time(DATE) == Some(DATE);
        trial
    }

    /// The time that TO gives back for `time`.
    fn time(&self, time: Timespec) -> Option<Timespec> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        futimens(file.as_fd(), &modified_at(time)).ok()?;
        Some(Entry::from(fstat(file.as_fd()).ok()?).modified)
    }
}
