//! Counting and removal of entries that only TO has.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::directory::Directory;
use super::entry::Kind;
use super::monitor::{Done, Failure, FileContext, FileError, Location, Monitor};
use super::pair::Pair;
use super::plan::Plan;

/// Counts the entries of the directory at `path` recursively, including the directory.
pub(crate) fn count_tree(root: &Pair, path: &Path, monitor: &dyn Monitor) -> Result<u64, Failure> {
    let mut others = 0;
    let directories = walk(root, path, monitor, |_, _, names| {
        others += names.len();
        Ok(())
    })?;
    Ok((directories.len() + others) as u64)
}

/// Removes `path` from TO recursively. Stops at the first entry that cannot be removed.
pub(crate) fn remove_tree(root: &Pair, path: &Path, monitor: &dyn Monitor) -> Result<(), Failure> {
    let (parent, name) = locate(&root.to, path)?;
    match parent.entry(name).file_context("cannot read the metadata", Location::To, path)?.map(|entry| entry.kind) {
        None => Ok(()),
        Some(Kind::Directory) => remove_directory(root, path, monitor),
        Some(_) => remove_file(&parent, name, path, monitor),
    }
}

/// Removes the files below `path`, then the empty directories from the bottom up.
fn remove_directory(root: &Pair, path: &Path, monitor: &dyn Monitor) -> Result<(), Failure> {
    let directories = walk(root, path, monitor, |directory, path, names| {
        directory.unlock().file_context("cannot add write permission", Location::To, path)?;
        names.iter().try_for_each(|name| remove_file(directory, name, &path.join(name), monitor))
    })?;
    for path in directories.iter().rev() {
        let (parent, name) = locate(&root.to, path)?;
        parent.remove_directory(name).file_context("cannot be deleted", Location::To, path)?;
        monitor.done(Done::Deleted);
        monitor.advance(0)?;
    }
    Ok(())
}

/// Says that the deletions of `plan` are not made, if it has any.
pub(super) fn warn_of_kept(plan: &Plan, monitor: &dyn Monitor) {
    const TEXT: &str = "nothing was deleted because of the errors, as TO may have the last copy of a file that failed; \
                        --delete --yes deletes all the same";
    let deletions = plan.deletions.iter().map(|deletion| deletion.path.clone());
    let replaced =
        plan.changes().filter(|(_, change)| change.removes_entries() && !change.is_made.load(Ordering::Relaxed));
    let replaced = replaced.map(|(directory, change)| directory.path.join(directory.name_of(change)));
    if let Some(path) = deletions.chain(replaced).next() {
        let item = path.components().next().filter(|_| path.components().count() > 1);
        monitor.warn(item.map_or(Path::new("."), |item| Path::new(item.as_os_str())), TEXT);
    }
}

fn remove_file(parent: &Directory, name: &OsStr, path: &Path, monitor: &dyn Monitor) -> Result<(), Failure> {
    parent.remove(name).file_context("cannot be deleted", Location::To, path)?;
    monitor.done(Done::Deleted);
    Ok(monitor.advance(0)?)
}

/// Calls `visit` for each directory from `path` down, with the names of its entries that are not directories. Returns the
/// directories, parents before their children.
fn walk(
    root: &Pair,
    path: &Path,
    monitor: &dyn Monitor,
    mut visit: impl FnMut(&Directory, &Path, Vec<OsString>) -> Result<(), Failure>,
) -> Result<Vec<PathBuf>, Failure> {
    let mut directories = vec![path.to_owned()];
    let mut next = 0;
    while let Some(path) = directories.get(next).cloned() {
        let directory = enter(root, &path)?;
        let mut others = Vec::new();
        for name in directory.names().file_context("cannot be listed", Location::To, &path)? {
            monitor.advance(0)?;
            let entry =
                directory.entry(&name).file_context("cannot read the metadata", Location::To, &path.join(&name))?;
            match entry.map(|entry| entry.kind) {
                Some(Kind::Directory) => directories.push(path.join(name)),
                Some(_) => others.push(name),
                None => {}
            }
        }
        visit(&directory, &path, others)?;
        next += 1;
    }
    Ok(directories)
}

/// Opens a directory whose entries are to be deleted. Fails if it is on another mount or device than its parent: an
/// unrelated disk, another place that is mounted there too, or a subvolume with snapshots.
pub(super) fn enter(root: &Pair, path: &Path) -> Result<Directory, FileError> {
    let (parent, name) = locate(&root.to, path)?;
    let mount = |name| parent.mount_of(name).file_context("cannot be read", Location::To, path);
    if mount(name)? != mount(OsStr::new("."))? {
        let cause = io::Error::other("it is a mount or a subvolume");
        return Err(FileError::new(path.to_owned(), "is not deleted", cause));
    }
    Ok(root.descend_in_target(path).file_context("cannot be opened", Location::To, path)?.0)
}

/// Opens the parent directory of `path`. Returns it with the file name.
pub(crate) fn locate<'a>(to: &Directory, path: &'a Path) -> Result<(Directory, &'a OsStr), FileError> {
    let parent =
        to.descend(path.parent().unwrap_or(Path::new(""))).file_context("cannot be opened", Location::To, path)?;
    Ok((parent, path.file_name().unwrap_or_default()))
}
