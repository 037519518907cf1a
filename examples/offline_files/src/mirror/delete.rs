//! Removing what only TO has, and counting it first.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::directory::Directory;
use super::entry::Kind;
use super::monitor::{Doing, Done, Failure, FileError, Monitor};

/// The entries of the directory at `path` and below, itself included.
pub(crate) fn count_tree(to: &Directory, path: &Path, monitor: &dyn Monitor) -> Result<u64, Failure> {
    let mut others = 0;
    let directories = walk(to, path, monitor, |_, _, names| {
        others += names.len();
        Ok(())
    })?;
    Ok((directories.len() + others) as u64)
}

/// Removes `path` from TO with all that is in it. The first entry that cannot be removed ends it.
pub(crate) fn remove_tree(to: &Directory, path: &Path, monitor: &dyn Monitor) -> Result<(), Failure> {
    let (parent, name) = locate(to, path)?;
    match parent.entry(name).doing("cannot look at in TO", path)?.map(|entry| entry.kind) {
        None => Ok(()),
        Some(Kind::Directory) => remove_directory(to, path, monitor),
        Some(_) => remove_file(&parent, name, path, monitor),
    }
}

/// Removes what is in the directory at `path`, then the emptied directories from the bottom up.
fn remove_directory(to: &Directory, path: &Path, monitor: &dyn Monitor) -> Result<(), Failure> {
    let directories = walk(to, path, monitor, |directory, path, names| {
        directory.unlock().doing("cannot unlock in TO", path)?;
        names.iter().try_for_each(|name| remove_file(directory, name, &path.join(name), monitor))
    })?;
    for path in directories.iter().rev() {
        let (parent, name) = locate(to, path)?;
        parent.remove_directory(name).doing("cannot delete in TO", path)?;
        monitor.done(Done::Deleted);
        monitor.moved(0)?;
    }
    Ok(())
}

fn remove_file(parent: &Directory, name: &OsStr, path: &Path, monitor: &dyn Monitor) -> Result<(), Failure> {
    parent.remove(name).doing("cannot delete in TO", path)?;
    monitor.done(Done::Deleted);
    Ok(monitor.moved(0)?)
}

/// Shows `visit` each directory from `path` down, with the names in it that are no directories. Returns the directories,
/// parents before their children.
fn walk(
    to: &Directory,
    path: &Path,
    monitor: &dyn Monitor,
    mut visit: impl FnMut(&Directory, &Path, Vec<OsString>) -> Result<(), Failure>,
) -> Result<Vec<PathBuf>, Failure> {
    let mut directories = vec![path.to_owned()];
    let mut at = 0;
    while let Some(path) = directories.get(at).cloned() {
        let directory = to.descend(&path).doing("cannot open in TO", &path)?;
        let mut others = Vec::new();
        for name in directory.names().doing("cannot list in TO", &path)? {
            monitor.moved(0)?;
            let entry = directory.entry(&name).doing("cannot look at in TO", &path.join(&name))?;
            match entry.map(|entry| entry.kind) {
                Some(Kind::Directory) => directories.push(path.join(name)),
                Some(_) => others.push(name),
                None => {}
            }
        }
        visit(&directory, &path, others)?;
        at += 1;
    }
    Ok(directories)
}

/// The directory that holds `path`, and its name there.
pub(crate) fn locate<'a>(to: &Directory, path: &'a Path) -> Result<(Directory, &'a OsStr), FileError> {
    let parent = to.descend(path.parent().unwrap_or(Path::new(""))).doing("cannot open in TO", path)?;
    Ok((parent, path.file_name().unwrap_or_default()))
}
