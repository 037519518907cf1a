//! Execution of a plan, in this order: directories, changes, deletions, and last the permissions and times of directories.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::attributes::Attributes;
use super::copy::{Buffer, copy_file, copy_link};
use super::delete::{locate, remove_tree};
use super::directory::{Directory, Pair};
use super::monitor::{Done, Failure, FileContext, FileError, Monitor, Stopped, tolerate};
use super::plan::{Action, Change, Deletion, Occupant, Plan, PlannedDirectory, Respelling};
use super::temporary::Temporary;

/// Removes the temporary files of a killed run, corrects the spelling of names, and creates the missing directories in TO.
pub(crate) fn prepare(to: &Directory, plan: &mut Plan, monitor: &dyn Monitor) -> Result<(), Stopped> {
    remove_leftovers(to, &plan.leftovers, monitor)?;
    for Respelling { directory, from, to: name } in &plan.respellings {
        monitor.advance(0)?;
        let respelled = to.descend(directory).and_then(|directory| directory.respell(from, name));
        if tolerate(monitor, respelled.file_context("cannot be renamed in TO", &directory.join(name)))?.is_some() {
            monitor.done(Done::Adjusted);
        }
    }
    make_directories(to, plan, monitor)
}

fn remove_leftovers(to: &Directory, leftovers: &[PathBuf], monitor: &dyn Monitor) -> Result<(), Stopped> {
    for path in leftovers {
        monitor.advance(0)?;
        if !has_other_run(to, path) {
            let removed = locate(to, path)
                .and_then(|(parent, name)| parent.remove(name).file_context("cannot be deleted in TO", path));
            tolerate(monitor, removed)?;
        }
    }
    Ok(())
}

/// Returns `true` if another run mirrors into a directory of TO that contains `path`.
fn has_other_run(to: &Directory, path: &Path) -> bool {
    let inner = path.ancestors().skip(1).filter(|ancestor| !ancestor.as_os_str().is_empty());
    // A new handle, because the lock lasts as long as its handle.
    let open = |path| locate(to, path).ok().and_then(|(parent, name)| parent.enter(name).ok());
    inner.filter_map(open).any(|directory| !directory.try_lock())
}

/// Creates the missing directories in TO, and makes existing ones writable for their owner until they are finalized. If a
/// directory cannot be created, reports one error and removes it from the plan with everything below it.
fn make_directories(to: &Directory, plan: &mut Plan, monitor: &dyn Monitor) -> Result<(), Stopped> {
    let mut failed = HashSet::new();
    for directory in std::mem::take(&mut plan.directories) {
        monitor.advance(0)?;
        let parent_failed = directory.path.parent().is_some_and(|parent| failed.contains(parent));
        if !parent_failed && tolerate(monitor, make_directory(to, &directory, monitor))?.is_some() {
            plan.directories.push(directory);
        } else {
            failed.insert(directory.path);
        }
    }
    plan.changes.retain(|change| !failed.contains(&*change.directory));
    Ok(())
}

/// Makes the changes of one batch.
pub(crate) fn make_changes(root: &Pair, batch: &[Change], monitor: &dyn Monitor) -> Result<(), Stopped> {
    let mut buffer = Buffer::new();
    for group in batch.chunk_by(|one, next| one.directory == next.directory) {
        let Some(pair) = root.tolerate(monitor, root.descend(&group[0].directory))? else { continue };
        for change in group {
            monitor.advance(0)?;
            if let Some(done) = root.tolerate(monitor, make_change(root, &pair, change, &mut buffer, monitor))? {
                monitor.done(done);
            }
        }
    }
    Ok(())
}

/// Removes the entries that only TO has.
pub(crate) fn delete_entries(root: &Pair, deletions: &[Deletion], monitor: &dyn Monitor) -> Result<(), Stopped> {
    for deletion in deletions {
        tolerate(monitor, remove_tree(root, &deletion.path, monitor))?;
    }
    Ok(())
}

/// Sets the attributes and times of the planned directories, children first, so that no later change inside a directory modifies them.
pub(crate) fn finalize_directories(
    root: &Pair,
    directories: &[PlannedDirectory],
    monitor: &dyn Monitor,
) -> Result<(), Stopped> {
    for PlannedDirectory { path, from, attributes, .. } in directories.iter().rev() {
        monitor.advance(0)?;
        let Some(attributes) = attributes else { continue };
        let result = root.to.descend(path).and_then(|directory| root.finalize(&directory, attributes, from));
        tolerate(monitor, result.file_context("cannot set the permissions and time in TO", path))?;
    }
    Ok(())
}

fn make_directory(to: &Directory, planned: &PlannedDirectory, monitor: &dyn Monitor) -> Result<(), FileError> {
    let path = &planned.path;
    if planned.exists() {
        return to
            .descend(path)
            .and_then(|directory| directory.unlock())
            .file_context("cannot add write permission in TO", path);
    }
    let (parent, name) = locate(to, path)?;
    if planned.to.is_some() {
        parent.remove(name).file_context("cannot be replaced in TO", path)?;
    }
    parent
        .create_directory(name)
        .map_err(|cause| explain(&parent, name, cause))
        .file_context("cannot be created in TO", path)?;
    monitor.done(Done::Created);
    Ok(())
}

fn make_change(
    root: &Pair,
    pair: &Pair,
    change: &Change,
    buffer: &mut Buffer,
    monitor: &dyn Monitor,
) -> Result<Done, Failure> {
    let (name, path) = (&change.name, change.path());
    let copy = match &change.action {
        Action::SetAttributes(attributes) if set_attributes(pair, name, attributes).is_ok() => {
            return Ok(Done::Adjusted);
        }
        Action::SetAttributes(_) | Action::CopyFile => copy_file(pair, name, &path, buffer, monitor)?,
        Action::MakeLink(from) => copy_link(pair, name, &path, from)?,
        Action::LinkTo(first) => match link_file(root, pair, first) {
            Ok(link) => link,
            Err(_) => copy_file(pair, name, &path, buffer, monitor)?,
        },
    };
    match change.occupant {
        Occupant::None | Occupant::Entry => {}
        // Without `--delete` only an empty directory may be replaced. Fails if entries were added since the scan.
        Occupant::Directory(1) => pair.to.remove_directory(name).file_context("cannot be replaced in TO", &path)?,
        Occupant::Directory(_) => remove_tree(root, &path, monitor)?,
    }
    let published = copy.publish(name, change.occupant).map_err(|cause| explain(&pair.to, name, cause));
    published.file_context("cannot be written in TO", &path)?;
    Ok(Done::Copied)
}

/// Gives the file at `first` in TO a temporary name in the directory of `pair`.
fn link_file<'a>(root: &Pair, pair: &'a Pair, first: &Path) -> io::Result<Temporary<'a>> {
    let (parent, name) = locate(&root.to, first).map_err(|error| error.cause)?;
    Ok(Temporary::create(&pair.to, |temporary| parent.link(name, &pair.to, temporary))?.0)
}

fn set_attributes(pair: &Pair, name: &OsStr, attributes: &Attributes) -> io::Result<()> {
    attributes.apply(pair.to.open_file(name)?, pair.kept)
}

/// Names the entry that has the free name `name` after all, if it has another spelling.
fn explain(directory: &Directory, name: &OsStr, cause: io::Error) -> io::Error {
    let spelling = || directory.spelling(name, &directory.entry(name).ok()??).ok()?;
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
