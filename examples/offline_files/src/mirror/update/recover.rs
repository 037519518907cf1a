//! Completion of an update that a killed run has begun.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;

use rustix::fs::Timespec;
use rustix::fs::{Timestamps, UTIME_OMIT, futimens};

use super::apply::{Applied, apply};
use super::journal::{Header, Journal};
use super::usage::Watch;
use crate::mirror::directory::Directory;
use crate::mirror::entry::Kind;

/// What a temporary file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// Nothing that is needed.
    Useless,
    /// The journal of an update, which is complete now.
    Journal,
}

/// Writes a complete journal of this name into its file, if that is still in the directory. Afterwards the journal is no longer needed.
/// Fails if another program has the file open.
pub(crate) fn recover(directory: &Directory, name: &OsStr) -> io::Result<Leftover> {
    let is_file = directory.entry(name)?.is_some_and(|entry| entry.kind == Kind::File);
    // A temporary file that cannot be read is none of this program, which can always read its own.
    let Some(file) = is_file.then(|| directory.open_file(name).ok()).flatten() else { return Ok(Leftover::Useless) };
    let Some(journal) = Journal::open(file)? else { return Ok(Leftover::Useless) };
    let Some((name, target)) = find(directory, &journal.header)? else { return Ok(Leftover::Useless) };
    let watch = Watch::begin(&target, &name);
    watch.ok_or_else(|| io::Error::other("another program has it open; close that and run again"))?;
    let applied = apply(&journal, &target)?;
    if applied == Applied::Whole {
        let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        futimens(&target, &Timestamps { last_access, last_modification: journal.header.modified })?;
    }
    target.sync_all()?;
    Ok(Leftover::Journal)
}

/// Finds the file of a journal, which may have another name by now.
fn find(directory: &Directory, header: &Header) -> io::Result<Option<(OsString, File)>> {
    let is_it = |name: &OsStr| {
        let entry = directory.entry(name)?;
        Ok::<_, io::Error>(entry.is_some_and(|now| now.kind == Kind::File && now.inode() == header.inode))
    };
    let mut names = vec![header.name.clone()];
    if !is_it(&header.name)? {
        names = directory.names()?;
    }
    for name in names {
        if is_it(&name)? {
            let file = directory.open_to_update(&name)?;
            return Ok(Some((name, file)));
        }
    }
    Ok(None)
}
