//! Execution of a plan, in this order: directories and changes in [`batches`](mod@super::batches), changes that wait for others by
//! [stage](super::stage), deletions unless an entry failed, and last the permissions and times of directories.

use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use rustix::fs::Mode;

use super::attributes::Attributes;
use super::batches::{BATCH_BYTES, batches};
use super::copy::{Copied, copy_file, copy_link};
use super::delete::{locate, remove_tree, warn_of_kept};
use super::directory::Directory;
use super::failures::Failures;
use super::file_system::FileSystem;
use super::forest::Forest;
use super::leftovers::remove_leftovers;
use super::monitor::{Done, Failure, FileContext, FileError, Location, Monitor, Stopped, tolerate};
use super::narrow::narrow_file;
use super::own_files::OwnFiles;
use super::pair::Pair;
use super::plan::{Action, Change, Occupant, Plan, PlannedDirectory, Respelling};
use super::queue::{Queue, share};
use super::scan_cache::{Both, ScanCache};
use super::stage::Stage;
use super::temporary::Temporary;
use super::update::{Counted, Expected, LARGE, Updated, update};

/// The number of directories that one thread changes faster than several.
const FEW_DIRECTORIES: usize = 16;

/// Carries out the plan. Returns the directories that are in sync afterwards.
pub(crate) fn carry_out(
    root: &Pair,
    mut plan: Plan,
    own_files: &OwnFiles,
    monitor: &dyn Monitor,
) -> Result<ScanCache, Stopped> {
    if plan.is_empty() {
        return Ok(plan.in_sync);
    }
    // For some network file systems, an open directory has gone once it is renamed.
    let reopened = (!plan.respellings.is_empty()).then(|| root.separate());
    let root = reopened.as_ref().unwrap_or(root);
    let in_sync = Mutex::new(std::mem::take(&mut plan.in_sync));
    let forest = Forest::of(&plan);
    let monitor = &Failures::new(monitor);
    let run = Run { root, plan: &plan, forest: &forest, own_files, monitor, in_sync };
    run.prepare()?;
    run.make_all()?;
    run.make_late_changes()?;
    run.delete()?;
    for index in (0..plan.directories.len()).rev().filter(|&index| forest.is_late(index)) {
        let directory = &plan.directories[index];
        let to = root.to.descend(&directory.path).file_context("cannot be opened", Location::To, &directory.path);
        let to = if forest.is_made(index) { tolerate(monitor, to)? } else { None };
        to.map_or(Ok(()), |to| run.finalize(index, &to))?;
    }
    let mut in_sync = run.in_sync.into_inner().unwrap_or_else(PoisonError::into_inner);
    in_sync.sort();
    Ok(in_sync)
}

/// A plan that is being carried out.
struct Run<'a> {
    root: &'a Pair,
    plan: &'a Plan,
    forest: &'a Forest,
    own_files: &'a OwnFiles,
    monitor: &'a Failures<'a>,
    in_sync: Mutex<ScanCache>,
}

/// A part of the work that a thread does at once.
enum Task {
    /// Creates the directory at this index and changes it.
    Make(usize),
    /// Makes some changes in the directory at this index.
    Change(usize, Range<usize>),
}

/// What a change has done.
struct Made {
    /// `None` if nothing was left to do.
    done: Option<Done>,
    /// The inode number of a new entry in TO.
    inode: Option<u64>,
    /// The inode number of its original in FROM.
    source: u64,
}

impl Run<'_> {
    /// Removes the temporary files of a killed run, corrects the spelling of names, and narrows directories that cannot be compared.
    fn prepare(&self) -> Result<(), Stopped> {
        // An error here affects no copy of an entry.
        let (to, monitor) = (&self.root.to, self.monitor.monitor);
        remove_leftovers(to, &self.plan.leftovers, monitor)?;
        for Respelling { directory, from, to: name } in &self.plan.respellings {
            monitor.advance(0)?;
            let is_top = directory.as_os_str().is_empty();
            let renaming = is_top.then(|| self.root.claims.rename());
            let respelled = to.descend(directory).and_then(|directory| directory.respell(from, name));
            drop(renaming);
            if tolerate(monitor, respelled.file_context("cannot be renamed", Location::To, &directory.join(name)))?
                .is_some()
            {
                monitor.done(Done::Adjusted);
            }
        }
        // That they cannot be read is reported already.
        let narrowed = self.plan.unreadable.iter().filter(|directory| directory.narrow(self.root).unwrap_or(false));
        narrowed.for_each(|_| monitor.done(Done::Adjusted));
        Ok(())
    }

    fn make_all(&self) -> Result<(), Stopped> {
        let few = if self.plan.bytes() > BATCH_BYTES { 0 } else { FEW_DIRECTORIES };
        let tasks = self.forest.roots().map(Task::Make).collect();
        share(&self.root.jobs, few, tasks, |task, queue| match task {
            Task::Make(index) => self.make(index, queue),
            Task::Change(index, range) => {
                let directory = &self.plan.directories[index];
                let pair = self.root.tolerate(self.monitor, self.open(directory))?;
                pair.map_or(Ok(()), |pair| self.change(directory, &pair, &directory.changes[range]))
            }
        })
    }

    /// Creates a directory and changes it. If it cannot be created, one error is reported, and everything below it is left out.
    fn make(&self, index: usize, queue: &Queue<Task>) -> Result<(), Stopped> {
        self.monitor.advance(0)?;
        let directory = &self.plan.directories[index];
        let Some(to) = tolerate(self.monitor, self.make_directory(index))? else { return Ok(()) };
        let gives_acls = to.gives_acls();
        self.forest.set_made(index, gives_acls);
        let batches = batches(&directory.changes);
        let is_small = batches.len() == 1;
        let tasks = batches.into_iter().filter(|_| !is_small).map(|range| Task::Change(index, range));
        queue.add(tasks.chain(self.forest.children(index).map(Task::Make)));
        if is_small {
            let path = &directory.path;
            let from = self.root.from.descend(path).file_context("cannot be opened", Location::From, path);
            if let Some(from) = self.root.tolerate(self.monitor, from)? {
                let file_system = directory.file_system.clone();
                let pair = Pair { from, to: to.clone(), file_system, gives_acls, ..self.root.clone() };
                self.change(directory, &pair, &directory.changes)?;
            }
        }
        if self.forest.is_late(index) { Ok(()) } else { self.finalize(index, &to) }
    }

    /// Creates a directory, or prepares an existing one for changes until it is finalized.
    fn make_directory(&self, index: usize) -> Result<Directory, FileError> {
        let (to, planned) = (&self.root.to, &self.plan.directories[index]);
        let path = &planned.path;
        let Some(attributes) = &planned.attributes else {
            return to.descend(path).file_context("cannot be opened", Location::To, path);
        };
        if planned.exists() {
            let prepare = |directory| planned.file_system.prepare(&directory, attributes).map(|()| directory);
            return to.descend(path).and_then(prepare).file_context("cannot set the permissions", Location::To, path);
        }
        let (parent, name) = locate(to, path)?;
        if planned.to.is_some() {
            parent.remove(name).file_context("cannot be replaced", Location::To, path)?;
        }
        let mode = self.creation_mode(index).unwrap_or(Mode::RWXU);
        let created = parent.create_directory(name, mode).map_err(|cause| explain(&parent, name, cause));
        created.file_context("cannot be created", Location::To, path)?;
        self.monitor.done(Done::Created);
        let directory = to.descend(path).file_context("cannot be opened", Location::To, path)?;
        if let Some(parent) = self.forest.parent(index) {
            let inode = directory.about().file_context("cannot be read", Location::To, path)?.inode();
            self.plan.directories[parent].outcome.made(name, inode);
        }
        Ok(directory)
    }

    /// The permissions of a new directory; `None` if they have to be set at the end.
    fn creation_mode(&self, index: usize) -> Option<Mode> {
        let directory = &self.plan.directories[index];
        let gives_acls =
            self.forest.parent(index).map_or(self.root.gives_acls, |parent| self.forest.gives_acls(parent));
        let attributes = directory.attributes.as_ref().filter(|_| !directory.exists())?;
        self.root.creation_mode(attributes, gives_acls)
    }

    /// Opens a directory that exists on both sides.
    fn open(&self, directory: &PlannedDirectory) -> Result<Pair, FileError> {
        Ok(Pair { file_system: directory.file_system.clone(), ..self.root.descend(&directory.path)? })
    }

    /// Makes some changes in `directory`, which is open as `pair`.
    fn change(&self, directory: &PlannedDirectory, pair: &Pair, changes: &[Change]) -> Result<(), Stopped> {
        for change in changes.iter().filter(|change| Stage::of(self.plan, change) == Stage::First) {
            self.make_change(directory, pair, change)?;
        }
        Ok(())
    }

    /// Makes the changes that wait for others.
    fn make_late_changes(&self) -> Result<(), Stopped> {
        for stage in Stage::LATE {
            for (directory, change) in self.plan.changes().filter(|(_, change)| Stage::of(self.plan, change) == stage) {
                if !change.removes_entries() || self.may_delete() {
                    self.change_alone(directory, change)?;
                }
            }
        }
        Ok(())
    }

    /// Makes a change in a directory that is opened for it.
    fn change_alone(&self, directory: &PlannedDirectory, change: &Change) -> Result<(), Stopped> {
        let Some(pair) = self.root.tolerate(self.monitor, self.open(directory))? else { return Ok(()) };
        match &change.action {
            Action::LinkTo(first) => self.link(directory, &pair, change, first),
            _ => self.make_change(directory, &pair, change),
        }
    }

    /// Returns `false` if an entry failed, whose last copy may be in TO under an older name.
    fn may_delete(&self) -> bool {
        self.plan.deletes_after_errors || !(self.plan.has_failed || self.monitor.has_failed())
    }

    fn delete(&self) -> Result<(), Stopped> {
        if !self.may_delete() {
            warn_of_kept(self.plan, self.monitor);
            return Ok(());
        }
        for deletion in &self.plan.deletions {
            tolerate(self.monitor, remove_tree(self.root, &deletion.path, self.monitor))?;
        }
        Ok(())
    }

    /// Makes the file at `first` have another name. If either name has another file in FROM by now, a copy replaces the link.
    fn link(&self, directory: &PlannedDirectory, pair: &Pair, change: &Change, first: &Path) -> Result<(), Stopped> {
        let entry = pair.from.entry(directory.name_of(change)).ok().flatten();
        let is_scanned = entry.is_some_and(|entry| entry.inode() == change.source);
        if is_scanned && self.plan.is_current(first) {
            return self.make_change(directory, pair, change);
        }
        // The next run compares the directory again to make the link.
        directory.outcome.expect(1);
        self.make_change(directory, pair, &change.as_copy())
    }

    fn make_change(&self, directory: &PlannedDirectory, pair: &Pair, change: &Change) -> Result<(), Stopped> {
        self.monitor.advance(0)?;
        let name = directory.name_of(change);
        let made = self.try_change(pair, change, name, &directory.path.join(name));
        if matches!(made, Err(Failure::File(_))) && narrow_file(pair, name).unwrap_or(false) {
            self.monitor.done(Done::Adjusted);
        }
        if let Some(Made { done, inode, source }) = self.root.tolerate(self.monitor, made)? {
            done.into_iter().for_each(|done| self.monitor.done(done));
            change.is_made.store(source == change.source, Ordering::Relaxed);
            inode.map_or_else(|| directory.outcome.kept(), |inode| directory.outcome.made(name, inode));
        }
        Ok(())
    }

    /// Makes a change, unless nothing is left to do.
    fn try_change(&self, pair: &Pair, change: &Change, name: &OsStr, path: &Path) -> Result<Made, Failure> {
        if let Some(adjusted) = self.adjust(pair, change, name) {
            return Ok(adjusted);
        }
        let monitor = &Counted::new(self.monitor);
        if let Some(updated) = update_in_place(pair, change, name, path, monitor)? {
            return Ok(updated);
        }
        monitor.restart();
        let Copied { temporary, inode, source } = self.make_temporary(pair, change, name, path, monitor)?;
        match change.occupant {
            Occupant::None | Occupant::Entry => {}
            // Without `--delete` only an empty directory may be replaced. Fails if entries were added since the scan.
            Occupant::Directory(1) => {
                pair.to.remove_directory(name).file_context("cannot be replaced", Location::To, path)?
            }
            Occupant::Directory(_) => remove_tree(self.root, path, self.monitor)?,
        }
        let published = temporary.publish(name, change.occupant).map_err(|cause| explain(&pair.to, name, cause));
        published.file_context("cannot be written", Location::To, path)?;
        Ok(Made { done: Some(Done::Copied), inode: Some(inode), source })
    }

    /// Makes a change without a new entry; `None` if it needs one.
    fn adjust(&self, pair: &Pair, change: &Change, name: &OsStr) -> Option<Made> {
        let made = |done, inode| Made { done, inode, source: change.source };
        match &change.action {
            Action::SetAttributes(attributes) => {
                set_attributes(pair, name, attributes).is_ok().then(|| made(Some(Done::Adjusted), None))
            }
            // A rename of one name of a file to another would do nothing.
            Action::LinkTo(first) => common_inode(self.root, pair, name, first).map(|inode| made(None, Some(inode))),
            _ => None,
        }
    }

    /// Makes the new entry of a change under a temporary name.
    fn make_temporary<'a>(
        &self,
        pair: &'a Pair,
        change: &Change,
        name: &OsStr,
        path: &Path,
        monitor: &dyn Monitor,
    ) -> Result<Copied<'a>, Failure> {
        match &change.action {
            Action::MakeLink(from) => Ok(copy_link(pair, name, path, from)?),
            Action::LinkTo(first) => {
                link_file(self.root, pair, first, change.source).or_else(|_| copy_file(pair, name, path, monitor))
            }
            Action::SetAttributes(_) | Action::CopyFile(_) => copy_file(pair, name, path, monitor),
        }
    }

    /// Sets the attributes and times of a directory, after all changes inside, and records it if it is in sync.
    fn finalize(&self, index: usize, to: &Directory) -> Result<(), Stopped> {
        self.monitor.advance(0)?;
        let directory = &self.plan.directories[index];
        let PlannedDirectory { path, from, file_system, .. } = directory;
        let finalize = |attributes| {
            let created = to.about()?;
            file_system.finalize_new(to, attributes, from, (self.creation_mode(index), &created))
        };
        let finalized = directory.attributes.as_ref().map_or(Ok(()), finalize);
        let finalized = finalized.file_context("cannot set the permissions and time", Location::To, path);
        let is_done = match finalized {
            Ok(()) => true,
            // The directory fails for the same reason as an entry in it, which is reported.
            Err(error) if self.monitor.explain(path, &error.cause) => false,
            Err(error) => {
                self.monitor.report(error);
                false
            }
        };
        if is_done && directory.is_adjusted {
            self.monitor.done(Done::Adjusted);
        }
        let digest = self.digest(directory, to).filter(|_| is_done);
        let mut in_sync = self.in_sync.lock().unwrap_or_else(PoisonError::into_inner);
        in_sync.extend(digest);
        directory.place().into_iter().for_each(|place| in_sync.add_place(place));
        Ok(())
    }

    /// The digest of a directory in which all changes were made; `None` if other programs have changed it in TO meanwhile.
    fn digest(&self, directory: &PlannedDirectory, to: &Directory) -> Option<u64> {
        let PlannedDirectory { path, from, file_system, outcome, .. } = directory;
        let about = outcome.is_complete().then(|| to.about().ok()).flatten()?;
        let both = Both { path, from, to: &about, file_system };
        let digest = both.digest(outcome.source, outcome.has_extra, self.plan.began?)?;
        let own_names = self.own_files.names_in(path, from, Some(&about)).iter().map(OsString::as_os_str);
        let hidden: Vec<_> = own_names.chain([self.root.file_systems.sample_name()]).collect();
        outcome.matches(to.list(&hidden).ok()?.checksum).then_some(digest)
    }
}

/// Updates a large file in place; `None` if it is to be copied. A file that another program has opened meanwhile is copied too.
fn update_in_place(
    pair: &Pair,
    change: &Change,
    name: &OsStr,
    path: &Path,
    monitor: &dyn Monitor,
) -> Result<Option<Made>, Failure> {
    match change.action {
        Action::CopyFile(size) if size >= LARGE && change.occupant == Occupant::Entry => {}
        _ => return Ok(None),
    }
    let expected = Expected { source: &|_| true, target: &|_| true };
    let Updated::To { source, target } = update(pair, name, path, &expected, monitor)? else { return Ok(None) };
    Ok(Some(Made { done: Some(Done::Copied), inode: Some(target.inode()), source: source.inode() }))
}

/// Gives the file at `first` in TO a temporary name in the directory of `pair`.
fn link_file<'a>(root: &Pair, pair: &'a Pair, first: &Path, source: u64) -> io::Result<Copied<'a>> {
    let (parent, name) = locate(&root.to, first).map_err(|error| error.cause)?;
    let temporary = Temporary::create(&pair.to, |temporary| parent.link(name, &pair.to, temporary))?.0;
    Copied::found(pair, temporary, source)
}

/// The inode number of the file `name` in TO if `first` is another of its names.
fn common_inode(root: &Pair, pair: &Pair, name: &OsStr, first: &Path) -> Option<u64> {
    let (parent, first) = locate(&root.to, first).ok()?;
    let entries = [pair.to.entry(name).ok()??, parent.entry(first).ok()??];
    (entries[0].id() == entries[1].id()).then(|| entries[0].inode())
}

fn set_attributes(pair: &Pair, name: &OsStr, attributes: &Attributes) -> io::Result<()> {
    let FileSystem { kept, sample, .. } = &*pair.file_system;
    attributes.apply(pair.to.open_file(name)?, *kept, sample)
}

/// Names the entry that has the free name `name` after all, if it has another spelling.
fn explain(directory: &Directory, name: &OsStr, cause: io::Error) -> io::Error {
    let spelling = || directory.spelling(name).ok()?;
    match (cause.kind() == io::ErrorKind::AlreadyExists).then(spelling).flatten() {
        Some(other) => collision(&other),
        None => cause,
    }
}

/// The error for a name that TO does not distinguish from `other`.
pub(super) fn collision(other: &OsStr) -> io::Error {
    let text = format!("TO does not distinguish it from {}", other.display());
    io::Error::new(io::ErrorKind::AlreadyExists, text)
}
