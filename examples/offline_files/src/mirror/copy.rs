//! One file or link, written beside its target.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::fs;
use rustix::io::{Errno, read, retry_on_intr};

use super::directory::Pair;
use super::entry::{Entry, Kind, modified_at};
use super::monitor::{Doing, Failure, FileError, Monitor, Stopped};
use super::temporary::Temporary;

/// From this size on the kernel is asked to copy, which shares the blocks where the file system can.
const LARGE: u64 = 256 * 1024;

/// Scratch space for copies, to be kept from file to file.
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    pub(crate) fn new() -> Self {
        Self(vec![0; 128 * 1024])
    }
}

/// Copies the file `name` with its permission bits and modification time.
pub(crate) fn copy_file<'a>(
    pair: &'a Pair,
    name: &OsStr,
    path: &Path,
    buffer: &mut Buffer,
    monitor: &dyn Monitor,
) -> Result<Temporary<'a>, Failure> {
    let source = pair.from.open_file(name).doing("cannot open in FROM", path)?;
    let before = regular(&source).doing("cannot read in FROM", path)?;
    let (temporary, target) =
        Temporary::create(&pair.to, |name| pair.to.create_file(name)).doing("cannot write in TO", path)?;
    let by_kernel = if before.size < LARGE { 0 } else { copy_in_kernel(&source, &target, before.size, monitor)? };
    copy_through(&source, &target, before.size - by_kernel, path, buffer, monitor)?;
    fs::fchmod(&target, before.permissions()).doing("cannot set the permissions in TO", path)?;
    fs::futimens(&target, &modified_at(before.modified)).doing("cannot set the time in TO", path)?;
    // The copy carries the older time, so that the next run sees a difference.
    if !regular(&source).doing("cannot read in FROM", path)?.looks_like(&before) {
        monitor.warn(path, "changed while it was copied; the next run copies it again");
    }
    Ok(temporary)
}

/// Makes a link like the one called `name`, with its modification time.
pub(crate) fn copy_link<'a>(
    pair: &'a Pair,
    name: &OsStr,
    path: &Path,
    entry: &Entry,
) -> Result<Temporary<'a>, FileError> {
    let target = pair.from.link_target(name).doing("cannot read the link in FROM", path)?;
    let (temporary, ()) =
        Temporary::create(&pair.to, |name| pair.to.create_link(name, &target)).doing("cannot write in TO", path)?;
    pair.to.date_link(temporary.name(), entry).doing("cannot set the time in TO", path)?;
    Ok(temporary)
}

/// What an open file is now, provided it is still a regular file.
fn regular(file: &File) -> io::Result<Entry> {
    let entry = Entry::from(fs::fstat(file)?);
    if entry.kind == Kind::File { Ok(entry) } else { Err(Errno::INVAL.into()) }
}

/// Copies up to `size` bytes without bringing them into this program. Any error only ends the attempt: what is left is
/// copied the plain way, which meets the same error if it is a real one.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn copy_in_kernel(source: &File, target: &File, size: u64, monitor: &dyn Monitor) -> Result<u64, Stopped> {
    /// Bytes between two looks at the monitor.
    const CHUNK: u64 = 1024 * 1024;
    let mut copied = 0;
    while copied < size {
        match fs::copy_file_range(source, None, target, None, CHUNK.min(size - copied) as usize) {
            Ok(0) | Err(_) => break,
            Ok(bytes) => {
                copied += bytes as u64;
                monitor.moved(bytes as u64)?;
            }
        }
    }
    Ok(copied)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn copy_in_kernel(_: &File, _: &File, _: u64, _: &dyn Monitor) -> Result<u64, Stopped> {
    Ok(0)
}

/// Copies up to `size` bytes through `buffer`; fewer if the file became shorter.
fn copy_through(
    source: &File,
    mut target: &File,
    size: u64,
    path: &Path,
    buffer: &mut Buffer,
    monitor: &dyn Monitor,
) -> Result<(), Failure> {
    monitor.moved(0)?;
    let mut left = size;
    while left > 0 {
        let room = buffer.0.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let bytes = retry_on_intr(|| read(source, &mut buffer.0[..room])).doing("cannot read in FROM", path)?;
        if bytes == 0 {
            break;
        }
        target.write_all(&buffer.0[..bytes]).doing("cannot write in TO", path)?;
        monitor.moved(bytes as u64)?;
        left -= bytes as u64;
    }
    Ok(())
}
