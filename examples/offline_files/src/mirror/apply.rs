//! Carrying out a plan, in this order: directories, changes, deletions, and the directories' own bits and times last.

use std::collections::HashSet;
use std::path::PathBuf;

use super::copy::{Buffer, copy_file, copy_link};
use super::delete::{locate, remove_tree};
use super::directory::{Directory, Pair};
use super::monitor::{Doing, Done, Failure, FileError, Monitor, Stopped, tolerate};
use super::plan::{Action, Change, Deletion, Plan, PlannedDirectory};

/// Removes what a killed run left behind.
pub(crate) fn remove_leftovers(to: &Directory, leftovers: &[PathBuf], monitor: &dyn Monitor) -> Result<(), Stopped> {
    for path in leftovers {
        monitor.moved(0)?;
        let removed =
            locate(to, path).and_then(|(parent, name)| parent.remove(name).doing("cannot delete in TO", path));
        tolerate(monitor, removed)?;
    }
    Ok(())
}

/// Makes the directories TO lacks, and opens the others to their owner until they are settled. One that cannot be made
/// is one error: the plan forgets it with everything below it.
pub(crate) fn make_directories(to: &Directory, plan: &mut Plan, monitor: &dyn Monitor) -> Result<(), Stopped> {
    let mut lost = HashSet::new();
    for directory in std::mem::take(&mut plan.directories) {
        monitor.moved(0)?;
        let parent_is_lost = directory.path.parent().is_some_and(|parent| lost.contains(parent));
        if !parent_is_lost && tolerate(monitor, make_directory(to, &directory, monitor))?.is_some() {
            plan.directories.push(directory);
        } else {
            lost.insert(directory.path);
        }
    }
    plan.changes.retain(|change| !lost.contains(&*change.directory));
    Ok(())
}

/// Makes the changes of one batch.
pub(crate) fn make_changes(root: &Pair, batch: &[Change], monitor: &dyn Monitor) -> Result<(), Stopped> {
    let mut buffer = Buffer::new();
    for group in batch.chunk_by(|one, next| one.directory == next.directory) {
        let Some(pair) = tolerate(monitor, root.descend(&group[0].directory))? else { continue };
        for change in group {
            monitor.moved(0)?;
            if let Some(done) = tolerate(monitor, make_change(root, &pair, change, &mut buffer, monitor))? {
                monitor.done(done);
            }
        }
    }
    Ok(())
}

/// Removes what only TO has.
pub(crate) fn delete_entries(to: &Directory, deletions: &[Deletion], monitor: &dyn Monitor) -> Result<(), Stopped> {
    for deletion in deletions {
        tolerate(monitor, remove_tree(to, &deletion.path, monitor))?;
    }
    Ok(())
}

/// Gives the planned directories their bits and times, children first: nothing below them changes after that.
pub(crate) fn settle_directories(
    to: &Directory,
    directories: &[PlannedDirectory],
    monitor: &dyn Monitor,
) -> Result<(), Stopped> {
    for PlannedDirectory { path, from, .. } in directories.iter().rev() {
        monitor.moved(0)?;
        let settled = to.descend(path).and_then(|directory| directory.settle(from));
        tolerate(monitor, settled.doing("cannot set the permissions and time in TO", path))?;
    }
    Ok(())
}

fn make_directory(to: &Directory, planned: &PlannedDirectory, monitor: &dyn Monitor) -> Result<(), FileError> {
    let path = &planned.path;
    if planned.exists() {
        return to.descend(path).and_then(|directory| directory.unlock()).doing("cannot unlock in TO", path);
    }
    let (parent, name) = locate(to, path)?;
    if planned.to.is_some() {
        parent.remove(name).doing("cannot replace in TO", path)?;
    }
    parent.create_directory(name).doing("cannot create in TO", path)?;
    monitor.done(Done::Made);
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
    let copy = match change.action {
        Action::SetPermissions(from) if pair.to.set_permissions(name, &from).is_ok() => return Ok(Done::Adjusted),
        Action::SetPermissions(_) | Action::CopyFile => copy_file(pair, name, &path, buffer, monitor)?,
        Action::MakeLink(from) => copy_link(pair, name, &path, &from)?,
    };
    match change.displaced {
        0 => {}
        // Without `--delete` only an empty directory gives way, even if it no longer is one.
        1 => pair.to.remove_directory(name).doing("cannot replace in TO", &path)?,
        _ => remove_tree(&root.to, &path, monitor)?,
    }
    copy.publish(name).doing("cannot replace in TO", &path)?;
    Ok(Done::Copied)
}
