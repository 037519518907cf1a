//! Execution of the steps of an item, in this order: renamings; copies, by several threads from the top down; deletions from the bottom
//! up, unless an entry failed; copies that take the places of deleted directories; permissions of directories.
//!
//! Before an entry is replaced or deleted, it must still be the version that the scan found. A copy is made under a temporary name and
//! must be of that version too. What has changed meanwhile is left for the next run.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::Mode;
use rustix::io::Errno;

use super::disks::{Disks, Here, explain, failure_in, in_direction};
use super::entry::{Kind, Version};
use super::kept::Keeper;
use super::plan::{PartPlan, Reason, Renaming, Step, Verdict};
use super::scan::version;
use super::settled::Outcome;
use super::side::{Both, Side};
use crate::mirror::{
    Attributes, Directory, Done, Failure, FileContext, FileError, Monitor, Occupant, Queue, Stopped, copy_link,
    copy_version, share,
};

/// The number of tasks that one thread does faster than several.
const FEW: usize = 4;

/// The limits of the files that a thread copies in one go.
const BATCH_FILES: usize = 256;
const BATCH_BYTES: u64 = 8 * 1024 * 1024;

/// Carries out the steps of an item. Returns an outcome for each step. Nothing is deleted if the run `has_failed` before.
pub(crate) fn carry_out(
    disks: &Disks,
    part: &mut PartPlan,
    keeper: &Keeper,
    has_failed: &AtomicBool,
    monitor: &dyn Monitor,
) -> Result<Vec<Outcome>, Stopped> {
    let failures = Failures { monitor, has_failed };
    rename_all(disks, part, &failures)?;
    let run = Run::new(disks, part, keeper, failures);
    if run.busy.iter().any(|busy| *busy) {
        share(&disks.jobs, FEW, vec![Task::Enter(None)], |task, queue| run.run(task, queue))?;
    }
    run.delete_all()?;
    run.copy_late()?;
    run.finish_directories()?;
    Ok(run.outcomes())
}

/// Where errors go.
struct Failures<'a> {
    monitor: &'a dyn Monitor,
    has_failed: &'a AtomicBool,
}

impl Failures<'_> {
    /// Reports an entry that failed, so that the others go on.
    fn tolerate<T>(&self, result: Result<T, impl Into<Failure>>) -> Result<Option<T>, Stopped> {
        match result.map_err(Into::into) {
            Ok(value) => Ok(Some(value)),
            Err(Failure::Stopped) => Err(Stopped),
            Err(Failure::File(error)) => {
                self.has_failed.store(true, Ordering::Relaxed);
                self.monitor.fail(error);
                Ok(None)
            }
        }
    }

    fn leave(&self, path: &Path) {
        self.monitor.warn(path, "changed during the run; the next run looks at it again");
    }

    fn have_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

fn rename_all(disks: &Disks, part: &mut PartPlan, failures: &Failures<'_>) -> Result<(), Stopped> {
    for renaming in part.renamings.clone() {
        failures.monitor.advance(0)?;
        let renamed = failures.tolerate(rename(disks, part, &renaming))?;
        let Renaming { side, step, parent, from, .. } = renaming;
        match renamed {
            Some(now) => {
                failures.monitor.done(Done::Moved);
                part.steps[step].found[side].iter_mut().for_each(|found| found.version = now);
            }
            None => {
                let is_either = |(index, other): &(usize, &mut Step)| {
                    *index == step || other.parent == parent && other.name == from
                };
                let left = part.steps.iter_mut().enumerate().filter(is_either);
                left.for_each(|(_, step)| step.verdict = Verdict::Leave(Reason::Unstable));
            }
        }
    }
    Ok(())
}

fn rename(disks: &Disks, part: &PartPlan, renaming: &Renaming) -> Result<Version, FileError> {
    let Renaming { side, parent, from, to, step } = renaming;
    let path = part.parent_path(*parent);
    let directory = disks.descend(*side, &path)?;
    let look = |name: &OsStr| directory.entry(name)?.ok_or_else(|| io::Error::from(Errno::NOENT));
    let found = part.steps[*step].found[*side];
    let rename = || {
        let now = version(&look(from)?);
        if !found.is_some_and(|found| found.version.is_still(&now)) {
            return Err(io::Error::other("it changed during the run"));
        }
        directory.rename_new(from, to)?;
        Ok(version(&look(to)?))
    };
    let renamed = rename().file_context("cannot be renamed in TO", &path.join(from));
    renamed.map_err(|error| in_direction(error, *side))
}

/// A part of the work that a thread does at once.
enum Task {
    /// Makes a directory if need be, and goes through what is in it. `None` is the root.
    Enter(Option<usize>),
    /// Does these steps in a directory.
    Files(Option<usize>, Vec<usize>),
}

/// Steps that are being carried out.
struct Run<'a> {
    disks: &'a Disks,
    part: &'a PartPlan,
    keeper: &'a Keeper,
    failures: Failures<'a>,
    /// The steps of the root's entries, and of those of each step.
    top: Vec<usize>,
    children: Vec<Vec<usize>>,
    /// Tells of each step if it or any below it has something to do before the deletions.
    busy: Vec<bool>,
    results: Vec<OnceLock<Outcome>>,
}

impl<'a> Run<'a> {
    fn new(disks: &'a Disks, part: &'a PartPlan, keeper: &'a Keeper, failures: Failures<'a>) -> Self {
        let count = part.steps.len();
        let (mut top, mut children, mut busy) = (Vec::new(), vec![Vec::new(); count], vec![false; count]);
        for (index, step) in part.steps.iter().enumerate() {
            step.parent.map_or(&mut top, |parent| &mut children[parent]).push(index);
        }
        for (index, step) in part.steps.iter().enumerate().rev() {
            busy[index] |= is_early(step);
            if let (Some(parent), true) = (step.parent, busy[index]) {
                busy[parent] = true;
            }
        }
        let results = (0..count).map(|_| OnceLock::new()).collect();
        Self { disks, part, keeper, failures, top, children, busy, results }
    }

    fn run(&self, task: Task, queue: &Queue<'_, Task>) -> Result<(), Stopped> {
        self.failures.monitor.advance(0)?;
        match task {
            Task::Enter(directory) => self.enter(directory, queue),
            Task::Files(directory, files) => {
                let here = self.failures.tolerate(self.disks.open(&self.part.parent_path(directory)))?;
                here.map_or(Ok(()), |here| self.do_files(&here, directory, &files))
            }
        }
    }

    fn enter(&self, directory: Option<usize>, queue: &Queue<'_, Task>) -> Result<(), Stopped> {
        if let Some(index) = directory
            && let Verdict::Copy(to) = self.part.steps[index].verdict
            && self.failures.tolerate(self.make_directory(index, to))?.is_none()
        {
            return Ok(());
        }
        let steps = directory.map_or(&self.top, |index| &self.children[index]);
        let busy = steps.iter().copied().filter(|index| self.busy[*index]);
        let (directories, files): (Vec<_>, Vec<_>) = busy.partition(|index| is_entered(&self.part.steps[*index]));
        let mut batches = self.batches(files);
        let own = if batches.len() == 1 { batches.pop() } else { None };
        let batches = batches.into_iter().map(|files| Task::Files(directory, files));
        queue.add(batches.chain(directories.into_iter().map(|index| Task::Enter(Some(index)))));
        let Some(own) = own else { return Ok(()) };
        let here = self.failures.tolerate(self.disks.open(&self.part.parent_path(directory)))?;
        here.map_or(Ok(()), |here| self.do_files(&here, directory, &own))
    }

    fn batches(&self, files: Vec<usize>) -> Vec<Vec<usize>> {
        let mut batches: Vec<Vec<usize>> = Vec::new();
        let mut bytes = u64::MAX;
        for index in files {
            let size = Side::BOTH.into_iter().map(|side| self.part.steps[index].size_on(side)).max().unwrap_or(0);
            match batches.last_mut().filter(|batch| bytes < BATCH_BYTES && batch.len() < BATCH_FILES) {
                Some(batch) => {
                    bytes += size;
                    batch.push(index);
                }
                None => {
                    bytes = size;
                    batches.push(vec![index]);
                }
            }
        }
        batches
    }

    fn do_files(&self, here: &Here, directory: Option<usize>, files: &[usize]) -> Result<(), Stopped> {
        let parent = self.part.parent_path(directory);
        for index in files {
            self.failures.monitor.advance(0)?;
            let step = &self.part.steps[*index];
            let path = parent.join(&step.name);
            let done = match step.verdict {
                Verdict::Copy(to) => self.copy(here, step, &path, to).map_err(|failure| failure_in(failure, to)),
                _ => Ok(step.found.map(|found| found.map(|found| found.version)).together()),
            };
            let done = match self.failures.tolerate(done)?.flatten() {
                Some(versions) => self.failures.tolerate(self.set_modes(here, step, &path, versions))?,
                None => None,
            };
            done.into_iter().for_each(|versions| self.settle(*index, Outcome::Agreed(versions)));
        }
        Ok(())
    }

    /// Copies a file or link to one side. Returns the versions of both sides; `None` if one of them has changed since the scan.
    fn copy(&self, here: &Here, step: &Step, path: &Path, to: Side) -> Result<Option<Both<Version>>, Failure> {
        let (pair, name) = (&here.to[to], &*step.name);
        let Some(scanned) = step.found[to.other()].map(|found| found.version) else { return Ok(None) };
        let copied = if scanned.kind == Kind::Link {
            let entry = pair.from.entry(name).file_context("cannot be read in FROM", path)?;
            let entry = entry.filter(|entry| scanned.is_still(&version(entry)));
            entry.map(|entry| Ok::<_, FileError>((copy_link(pair, name, path, &entry)?, entry))).transpose()?
        } else {
            copy_version(pair, name, path, |now| scanned.is_still(&version(now)), self.failures.monitor)?
        };
        let Some((copied, source)) = copied else {
            self.failures.leave(path);
            return Ok(None);
        };
        let Some(occupant) = self.occupant(&pair.to, step, to, path)? else {
            self.failures.leave(path);
            return Ok(None);
        };
        let published = copied.temporary.publish(name, occupant).map_err(|cause| explain(&pair.to, name, to, cause));
        published.file_context("cannot be written in TO", path)?;
        self.failures.monitor.done(Done::Copied);
        let target = pair.to.entry(name).file_context("cannot be read in TO", path)?;
        let target = target.map(|target| version(&target)).unwrap_or_default();
        let source = version(&source);
        Ok(Some(Both::from_fn(|side| if side == to { target } else { source })))
    }

    /// What a copy replaces; `None` if it is not what the scan found. A directory must be empty by now, and is removed.
    fn occupant(&self, to: &Directory, step: &Step, side: Side, path: &Path) -> Result<Option<Occupant>, FileError> {
        let now = to.entry(&step.name).file_context("cannot be read in TO", path)?.map(|now| version(&now));
        let scanned = step.found[side].map(|found| found.version);
        match (scanned, now) {
            (None, None) => Ok(Some(Occupant::None)),
            (Some(scanned), Some(now)) if !scanned.is_still(&now) => Ok(None),
            (Some(_), Some(now)) if now.is_directory() => match to.remove_directory(&step.name) {
                Err(cause) if cause.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(None),
                removed => removed.map(|()| Some(Occupant::None)).file_context("cannot be replaced in TO", path),
            },
            (Some(_), Some(_)) if matches!(self.keeper, Keeper::None) => Ok(Some(Occupant::Entry)),
            (Some(_), Some(_)) => {
                let kept = self.keeper.retire(self.disks, side, to, path);
                kept.map(|()| Some(Occupant::None)).file_context("cannot be kept in TO", path)
            }
            _ => Ok(None),
        }
    }

    /// Sets the permissions of both sides, unless they have them. Returns the versions afterwards.
    fn set_modes(
        &self,
        here: &Here,
        step: &Step,
        path: &Path,
        mut versions: Both<Version>,
    ) -> Result<Both<Version>, FileError> {
        for side in Side::BOTH {
            let directory = here.directory(side);
            if versions[side].kind != Kind::Link && versions[side].mode != step.modes[side] {
                let keeps_modes = || here.to[side].file_system.sample.keeps_modes();
                let now = set_mode(directory, &step.name, step.modes[side], &versions[side], keeps_modes);
                let now = now.file_context("cannot set the permissions in TO", path);
                match now.map_err(|error| in_direction(error, side))? {
                    Some(now) => versions[side] = now,
                    None => self.failures.leave(path),
                }
                if !matches!(step.verdict, Verdict::Copy(_)) {
                    self.failures.monitor.done(Done::Adjusted);
                }
            }
        }
        Ok(versions)
    }

    /// Creates a directory on one side. Its owner has all permissions until the end.
    fn make_directory(&self, index: usize, to: Side) -> Result<(), Failure> {
        let (step, path) = (&self.part.steps[index], self.part.path(index));
        let here = self.disks.open(&self.part.parent_path(step.parent))?;
        self.make_directory_in(&here, step, &path, to).map_err(|error| in_direction(error, to).into())
    }

    fn make_directory_in(&self, here: &Here, step: &Step, path: &Path, to: Side) -> Result<(), FileError> {
        let (pair, name) = (&here.to[to], &*step.name);
        match self.occupant(&pair.to, step, to, path)? {
            None => {
                let cause = io::Error::other("it changed during the run; the next run looks at it again");
                return Err(FileError::new(path.to_owned(), "cannot be replaced in TO", cause));
            }
            Some(Occupant::None) => {}
            Some(_) => pair.to.remove(name).file_context("cannot be replaced in TO", path)?,
        }
        let created = pair.to.create_directory(name, Mode::RWXU).map_err(|cause| explain(&pair.to, name, to, cause));
        created.file_context("cannot be created in TO", path)?;
        self.failures.monitor.done(Done::Created);
        let copy_attributes = || {
            let from = pair.from.enter(name)?;
            let attributes = Attributes::of(&from, &from.about()?, pair.file_system.kept)?;
            let attributes = pair.file_system.for_copy(attributes);
            if attributes.mode().contains(Mode::RWXU) {
                attributes.apply(pair.to.enter(name)?, pair.file_system.kept, &pair.file_system.sample)?;
            }
            Ok::<_, io::Error>(())
        };
        copy_attributes().file_context("cannot set the permissions in TO", path)
    }

    fn delete_all(&self) -> Result<(), Stopped> {
        for (index, step) in self.part.steps.iter().enumerate().rev() {
            let Verdict::Delete(side) = step.verdict else { continue };
            if self.failures.have_failed() {
                let text = "nothing was deleted because of the errors; the next run without errors deletes";
                self.failures.monitor.warn(&self.part.path(index), text);
                return Ok(());
            }
            self.failures.monitor.advance(0)?;
            let deleted = self.delete(index, step, side).map_err(|error| in_direction(error, side));
            if self.failures.tolerate(deleted)? == Some(true) {
                self.settle(index, Outcome::Gone);
            }
        }
        Ok(())
    }

    /// Deletes an entry. Returns `false` if it has changed since the scan.
    fn delete(&self, index: usize, step: &Step, side: Side) -> Result<bool, FileError> {
        let path = self.part.path(index);
        let directory = self.disks.descend(side, &self.part.parent_path(step.parent))?;
        let now = directory.entry(&step.name).file_context("cannot be read in TO", &path)?.map(|now| version(&now));
        let Some(now) = now else { return Ok(true) };
        let is_still = step.found[side].is_some_and(|found| found.version.is_still(&now));
        let removed = match is_still {
            false => Ok(false),
            true if now.is_directory() => match directory.remove_directory(&step.name) {
                Err(cause) if cause.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
                removed => removed.map(|()| true),
            },
            true => self.keeper.retire(self.disks, side, &directory, &path).map(|()| true),
        };
        let removed = removed.file_context("cannot be deleted in TO", &path)?;
        match removed {
            true => self.failures.monitor.done(Done::Deleted),
            false => self.failures.leave(&path),
        }
        Ok(removed)
    }

    fn copy_late(&self) -> Result<(), Stopped> {
        for (index, step) in self.part.steps.iter().enumerate().filter(|(_, step)| step.is_late()) {
            if self.failures.have_failed() {
                return Ok(());
            }
            let here = self.failures.tolerate(self.disks.open(&self.part.parent_path(step.parent)))?;
            here.map_or(Ok(()), |here| self.do_files(&here, step.parent, &[index]))?;
        }
        Ok(())
    }

    /// Sets the permissions of directories, from the bottom up: they may take the right to change what is in them.
    fn finish_directories(&self) -> Result<(), Stopped> {
        for (index, step) in self.part.steps.iter().enumerate().rev() {
            if is_entered(step) && (matches!(step.verdict, Verdict::Copy(_)) || has_other_modes(step)) {
                self.failures.monitor.advance(0)?;
                let finished = self.finish_directory(step, &self.part.path(index));
                let finished = self.failures.tolerate(finished)?.flatten();
                finished.into_iter().for_each(|versions| self.settle(index, Outcome::Agreed(versions)));
            }
        }
        Ok(())
    }

    fn finish_directory(&self, step: &Step, path: &Path) -> Result<Option<Both<Version>>, FileError> {
        let Ok(here) = self.disks.open(&self.part.parent_path(step.parent)) else { return Ok(None) };
        let look = |side: Side| Some(version(&here.directory(side).entry(&step.name).ok()??));
        let Some(versions) = Both::from_fn(look).together() else { return Ok(None) };
        if !versions.a.is_directory() || !versions.b.is_directory() {
            return Ok(None);
        }
        let is_mount = |side: Side| step.found[side].is_some_and(|found| found.version.is_mount);
        let versions = self.set_modes(&here, step, path, versions)?;
        Ok(Some(Both::from_fn(|side| Version { is_mount: is_mount(side), ..versions[side] })))
    }

    fn settle(&self, index: usize, outcome: Outcome) {
        // Each step is done once.
        let _ = self.results[index].set(outcome);
    }

    fn outcomes(self) -> Vec<Outcome> {
        let kept = |step: &Step| {
            let versions = step.found.map(|found| found.map(|found| found.version)).together();
            let is_kept = step.verdict == Verdict::Keep && !has_other_modes(step);
            versions.filter(|_| is_kept).map_or(Outcome::Undone, Outcome::Agreed)
        };
        let steps = self.part.steps.iter().zip(self.results);
        steps.map(|(step, result)| result.into_inner().unwrap_or_else(|| kept(step))).collect()
    }
}

/// Returns `true` for what is to be done before the deletions.
fn is_early(step: &Step) -> bool {
    match step.verdict {
        Verdict::Copy(_) => !step.is_late(),
        Verdict::Keep => !step.is_directory_on(Side::A) && has_other_modes(step),
        Verdict::Compare | Verdict::Delete(_) | Verdict::Leave(_) => false,
    }
}

/// Returns `true` for a directory that both sides have or get.
fn is_entered(step: &Step) -> bool {
    match step.verdict {
        Verdict::Copy(to) => step.is_directory_on(to.other()),
        Verdict::Keep => step.is_directory_on(Side::A),
        Verdict::Compare | Verdict::Delete(_) | Verdict::Leave(_) => false,
    }
}

/// Returns `true` if permissions of an entry that both sides have are to be changed.
fn has_other_modes(step: &Step) -> bool {
    let differs = |side: Side| {
        let version = step.found[side].map(|found| found.version);
        version.is_some_and(|version| version.kind != Kind::Link && version.mode != step.modes[side])
    };
    Side::BOTH.into_iter().any(differs)
}

/// Sets the permissions of an entry that is still this version. Returns its new version; `None` if it has changed.
fn set_mode(
    directory: &Directory,
    name: &OsStr,
    mode: u16,
    scanned: &Version,
    keeps_modes: impl Fn() -> bool,
) -> io::Result<Option<Version>> {
    let look = || Ok::<_, io::Error>(directory.entry(name)?.map(|entry| version(&entry)));
    match look()? {
        Some(now) if scanned.is_still(&now) => {}
        _ => return Ok(None),
    }
    match directory.set_mode(name, Mode::from_raw_mode(mode.into())) {
        Err(_) if !keeps_modes() => {}
        set => set?,
    }
    look()
}

/// Removes the temporary files of killed runs. Both roots are locked, so that no other run has made them.
pub(crate) fn remove_leftovers(
    disks: &Disks,
    leftovers: &Both<Vec<PathBuf>>,
    monitor: &dyn Monitor,
) -> Result<(), Stopped> {
    for side in Side::BOTH {
        for path in &leftovers[side] {
            monitor.advance(0)?;
            let name: OsString = path.file_name().unwrap_or_default().to_owned();
            // What cannot be removed is left out of every run.
            let parent = disks.descend(side, path.parent().unwrap_or(Path::new("")));
            let _ = parent.map(|parent| parent.remove(&name));
        }
    }
    Ok(())
}
