//! A file in a file system of TO on which times, permissions and owners are tried, because some file systems store others than they
//! are given.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustix::fs::{Gid, Mode, Timespec, Uid, fchmod, fchown, fstat, futimens};
use rustix::process::{getegid, geteuid};

use super::directory::Directory;
use super::entry::{Entry, modified_at};
use super::losses::Losses;

/// A scratch file, created when the first difference needs an explanation. It is closed between trials, as is its directory: TO may
/// have more file systems than a process may have open files.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The root of TO, and the path of the directory with the file.
    root: Directory,
    path: PathBuf,
    name: OsString,
    trial: OnceLock<Option<Trial>>,
    losses: Arc<Losses>,
}

/// The results of the first trials.
#[derive(Debug)]
struct Trial {
    /// Held while a time is tried.
    lock: Mutex<()>,
    keeps_times: bool,
    keeps_modes: bool,
    keeps_owners: bool,
}

impl Sample {
    /// A sample that will be in the directory at `path` in `root` as `name`.
    pub(super) fn new((root, path): (&Directory, &Path), name: OsString, losses: Arc<Losses>) -> Self {
        Self { root: root.separate(0), path: path.to_owned(), name, trial: OnceLock::new(), losses }
    }

    /// Returns `true` if TO gives back the time of `to` for the time of `from`. If it stores no times, a copy is up to date if it
    /// was made after the last change of its original.
    pub(super) fn same_time(&self, from: &Entry, to: &Entry) -> bool {
        if to.modified == from.modified {
            return true;
        }
        let Some(trial) = self.trial() else { return false };
        let is_newer = || to.is_directory() || to.modified > from.changed;
        if trial.keeps_times { self.time(trial, from.modified) == Some(to.modified) } else { is_newer() }
    }

    /// Returns `false` if TO cannot store modification times.
    pub(super) fn keeps_times(&self) -> bool {
        self.trial().is_none_or(|trial| trial.keeps_times)
    }

    /// Returns `false` if TO cannot store permission bits.
    pub(crate) fn keeps_modes(&self) -> bool {
        self.trial().is_none_or(|trial| trial.keeps_modes)
    }

    /// Returns `false` if TO cannot store owners.
    pub(super) fn keeps_owners(&self) -> bool {
        let keeps = self.trial().is_none_or(|trial| trial.keeps_owners);
        self.lose(!keeps, "owners");
        keeps
    }

    /// Ignores the failure to set an owner if TO cannot store owners.
    pub(super) fn excuse_owner<E>(&self, error: E) -> Result<(), E> {
        if self.keeps_owners() { Err(error) } else { Ok(()) }
    }

    /// Notes that TO cannot store `what`, if `is_lost`.
    pub(super) fn lose(&self, is_lost: bool, what: &'static str) {
        self.losses.add(is_lost, what, &self.path);
    }

    /// Removes the file, if it was created.
    pub(crate) fn remove(&self) {
        if self.trial.get().is_some_and(Option::is_some) {
            // If this fails, the next run removes the file.
            let _ = self.unnoticed(|directory| directory.remove(&self.name));
        }
    }

    fn trial(&self) -> Option<&Trial> {
        self.trial.get_or_init(|| self.begin().ok()).as_ref()
    }

    fn begin(&self) -> io::Result<Trial> {
        let trial =
            Trial::new(&self.unnoticed(|directory| directory.create_file(&self.name, Mode::RUSR | Mode::WUSR))?);
        self.lose(!trial.keeps_modes, "permissions");
        self.lose(
            !trial.keeps_times,
            "modification times: a copy counts as equal if it is newer and has the same size",
        );
        Ok(trial)
    }

    /// Changes the directory, and sets its modification time back: the next run would take the change for one by another program.
    fn unnoticed<T>(&self, change: impl FnOnce(&Directory) -> io::Result<T>) -> io::Result<T> {
        let directory = self.root.descend(&self.path)?;
        let before = directory.about()?;
        let changed = change(&directory)?;
        // If this fails, the next run compares the directory.
        let _ = futimens(&directory, &modified_at(before.modified));
        Ok(changed)
    }

    /// The time that TO gives back for `time`.
    fn time(&self, trial: &Trial, time: Timespec) -> Option<Timespec> {
        let _lock = trial.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.root.descend(&self.path).and_then(|directory| directory.open_file(&self.name));
        time_of(&file.ok()?, time)
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Trial {
    fn new(file: &File) -> Self {
        /// A date that every file system with times can store.
        const DATE: Timespec = Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 };
        let mode = |bits| {
            let set = fchmod(file, bits).and_then(|()| fstat(file));
            set.is_ok_and(|stat| Entry::from(stat).mode == bits)
        };
        let keeps_modes = mode(Mode::RUSR | Mode::WUSR | Mode::RGRP) && mode(Mode::RUSR | Mode::WUSR);
        let keeps_times = time_of(file, DATE) == Some(DATE);
        let keeps_owners = if geteuid().is_root() { takes_owner(file) } else { keeps_modes };
        Self { lock: Mutex::default(), keeps_times, keeps_modes, keeps_owners }
    }
}

/// The time that the file gives back for `time`.
fn time_of(file: &File, time: Timespec) -> Option<Timespec> {
    futimens(file, &modified_at(time)).ok()?;
    Some(Entry::from(fstat(file).ok()?).modified)
}

/// Returns `true` if the file can be given to another user. Only root can try that. Takes the file back, because not every root may
/// set the times of a file of another user.
fn takes_owner(file: &File) -> bool {
    let (user, group) = (Uid::from_raw(1), Gid::from_raw(1));
    let given = fchown(file, Some(user), Some(group)).and_then(|()| fstat(file));
    let _ = fchown(file, Some(geteuid()), Some(getegid()));
    given.is_ok_and(|stat| Entry::from(stat).owner == (user, group))
}
