//! Moves on disk.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::Mode;

use super::disks::{Disks, explain};
use super::entry::Version;
use super::moves::{Move, Relocation};
use super::scan::version;
use super::side::Side;
use super::state::State;
use crate::mirror::{Directory, FileContext, FileError};

/// Makes a move or a directory for it. Returns the versions that the entries have afterwards.
pub(crate) fn relocate(disks: &Disks, relocation: &Relocation, state: &State) -> Result<Vec<Version>, FileError> {
    match relocation {
        Relocation::Make { side, path, mode, .. } => make(disks, *side, path, *mode).map(|made| vec![made]),
        Relocation::Move(moved) => carry(disks, moved, state).map(|moved| vec![moved]),
        Relocation::Exchange([one, other]) => exchange(disks, one, other, state),
    }
}

fn make(disks: &Disks, side: Side, path: &Path, mode: u16) -> Result<Version, FileError> {
    let (parent, name) = locate(disks, side, path)?;
    let made = parent.create_directory(name, Mode::RWXU).map_err(|cause| explain(&parent, name, side, cause));
    let made = made.and_then(|()| parent.set_mode(name, Mode::from_raw_mode(mode.into()) | Mode::RWXU));
    let made = made.file_context("cannot be created", side.into(), path);
    made.and_then(|()| look(&parent, name, side, path))
}

fn carry(disks: &Disks, moved: &Move, state: &State) -> Result<Version, FileError> {
    let Move { side, from, to, .. } = moved;
    let ((old, old_name), (new, new_name)) = (locate(disks, *side, from)?, locate(disks, *side, to)?);
    let renamed = check(&old, old_name, moved, state)
        .and_then(|()| rename(&old, old_name, &new, new_name).map_err(|cause| explain(&new, new_name, *side, cause)));
    let renamed = renamed.file_context("cannot be moved", (*side).into(), to);
    renamed.and_then(|()| look(&new, new_name, *side, to))
}

fn exchange(disks: &Disks, one: &Move, other: &Move, state: &State) -> Result<Vec<Version>, FileError> {
    let side = one.side;
    let (first, second) = (locate(disks, side, &one.from)?, locate(disks, side, &other.from)?);
    let exchanged = check(&first.0, first.1, one, state)
        .and_then(|()| check(&second.0, second.1, other, state))
        .and_then(|()| first.0.exchange(first.1, &second.0, second.1));
    exchanged.file_context("cannot be moved", side.into(), &one.to)?;
    Ok(vec![look(&second.0, second.1, side, &one.to)?, look(&first.0, first.1, side, &other.to)?])
}

/// Fails if the entry is not what the scan found.
fn check(directory: &Directory, name: &OsStr, moved: &Move, state: &State) -> io::Result<()> {
    let now = directory.entry(name)?.ok_or(io::ErrorKind::NotFound)?;
    let is_still = state.found[moved.side].entry(moved.id).version.is_still(&version(&now));
    if is_still { Ok(()) } else { Err(io::Error::other("it changed during the run")) }
}

/// Renames to a free name, or to another spelling of the same name.
fn rename(old: &Directory, from: &OsStr, new: &Directory, to: &OsStr) -> io::Result<()> {
    let is_spelling = || new.spelling(to).is_ok_and(|listed| listed.as_deref() == Some(from)) && is_same(old, new);
    match old.move_new(from, new, to) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && is_spelling() => respell(new, from, to),
        renamed => renamed,
    }
}

/// Renames to another spelling of the same name. Both are the same entry for some kernels, which then ignore a direct rename. If the run
/// is killed between the two steps, the next one sees a new name, because the one in between is not that of a temporary file.
fn respell(directory: &Directory, from: &OsStr, to: &OsStr) -> io::Result<()> {
    let between = [to, OsStr::new(" (renamed)")].into_iter().collect::<OsString>();
    directory.rename_new(from, &between)?;
    directory.rename_new(&between, to).inspect_err(|_| drop(directory.rename_new(&between, from)))
}

fn is_same(one: &Directory, other: &Directory) -> bool {
    let identity = |directory: &Directory| directory.metadata().ok().map(|about| (about.dev(), about.ino()));
    identity(one).is_some() && identity(one) == identity(other)
}

fn look(directory: &Directory, name: &OsStr, side: Side, path: &Path) -> Result<Version, FileError> {
    let entry = directory.entry(name).and_then(|entry| entry.ok_or_else(|| io::ErrorKind::NotFound.into()));
    let entry = entry.file_context("cannot be read", side.into(), path)?;
    Ok(version(&entry))
}

/// Opens the directory of an entry.
fn locate<'a>(disks: &Disks, side: Side, path: &'a Path) -> Result<(Directory, &'a OsStr), FileError> {
    let parent = disks.descend(side, path.parent().unwrap_or(Path::new("")))?;
    Ok((parent, path.file_name().unwrap_or_default()))
}
