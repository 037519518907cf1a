//! Completion of an update that a killed run has begun.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};

use rustix::fs::{Mode, futimens};
use rustix::process::geteuid;

use super::apply::{Applied, apply, is_applied};
use super::journal::{FileId, Journal};
use super::usage::Watch;
use crate::mirror::copy::regular_metadata;
use crate::mirror::directory::Directory;
use crate::mirror::entry::{Entry, Kind, modified_at};

/// What a temporary file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// Nothing that is needed.
    Useless,
    /// The journal of an update, which is complete now.
    Journal,
}

/// An entry of a directory.
pub(crate) type Named = (Directory, OsString);

/// Writes a complete journal of this name into its file. That is in the same directory, perhaps under another name, or one of those with
/// its inode number `elsewhere`. If it is nowhere, it was deleted, and the journal is useless. Afterwards the journal is no longer needed.
/// Fails if another program has the file open.
pub(crate) fn recover(
    directory: &Directory,
    name: &OsStr,
    elsewhere: impl Fn(u64) -> Vec<Named>,
) -> io::Result<Leftover> {
    let is_file = directory.entry(name)?.is_some_and(|entry| entry.kind == Kind::File);
    let file = match directory.open_file(name) {
        _ if !is_file => return Ok(Leftover::Useless),
        // A temporary file that may not be read is none of this program, which may always read its own.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
            return Ok(Leftover::Useless);
        }
        opened => opened?,
    };
    let about = regular_metadata(&file)?;
    let Some(journal) = Journal::open(file)? else { return Ok(Leftover::Useless) };
    let Some(target) = find(directory, &about, &journal, elsewhere)? else { return Ok(Leftover::Useless) };
    complete(&target, &journal)
}

fn complete((directory, name): &Named, journal: &Journal) -> io::Result<Leftover> {
    let target = directory.open_to_update(name);
    if is_applied(journal, &directory.open_file(name)?)? {
        // Only its time may be missing. A later run finds what cannot be set here.
        let target = target.ok().filter(|target| Watch::begin(target, name).is_some());
        let _ = target.map(|target| futimens(&target, &modified_at(journal.header.modified)));
        return Ok(Leftover::Journal);
    }
    let target = target?;
    if Watch::begin(&target, name).is_none() {
        return Err(io::Error::other("another program may have it open; close that and run again"));
    }
    if apply(journal, &target)? == Applied::Whole {
        futimens(&target, &modified_at(journal.header.modified))?;
    }
    target.sync_all()?;
    Ok(Leftover::Journal)
}

/// Finds the file of a journal. `about` is the metadata of the journal.
fn find(
    directory: &Directory,
    about: &Entry,
    journal: &Journal,
    elsewhere: impl Fn(u64) -> Vec<Named>,
) -> io::Result<Option<Named>> {
    let id = journal.header.id;
    let is_it = |(directory, name): &Named| {
        let entry = directory.entry(name)?;
        let may_be = entry
            .is_some_and(|entry| entry.kind == Kind::File && entry.inode() == id.inode && may_change(about, &entry));
        Ok::<_, io::Error>(may_be && FileId::of(&directory.open_file(name)?)? == id)
    };
    let here = |name| (directory.clone(), name);
    let beside = std::iter::once(journal.header.name.clone()).chain(directory.names()?).map(here);
    for named in beside.chain(elsewhere(id.inode)) {
        if is_it(&named)? {
            return Ok(Some(named));
        }
    }
    Ok(None)
}

/// Returns `true` if no other user can have written the journal, to change a file with the rights of this process.
fn may_change(journal: &Entry, target: &Entry) -> bool {
    let is_private = !journal.mode.intersects(Mode::WGRP | Mode::WOTH);
    is_private && [geteuid(), target.owner.0].contains(&journal.owner.0)
}
