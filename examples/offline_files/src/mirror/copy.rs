//! Copying of one file or link, through a temporary entry.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::thread;

use rustix::fs::{self, Mode};
use rustix::io::{Errno, read, retry_on_intr};

use super::attributes::Attributes;
use super::entry::{Entry, Kind};
use super::monitor::{Failure, FileContext, FileError, Location, Monitor, Stopped};
use super::pair::Pair;
use super::temporary::Temporary;

/// Files of at least this size are copied by the kernel, which shares blocks if the file system supports it. So are sparse files of
/// any size.
const LARGE: u64 = 256 * 1024;

/// The size of the buffer of a thread.
const BUFFER: usize = 128 * 1024;

/// A copy under a temporary name.
pub(crate) struct Copied<'a> {
    pub(crate) temporary: Temporary<'a>,
    pub(crate) inode: u64,
    /// The inode number of the file in FROM.
    pub(crate) source: u64,
}

impl<'a> Copied<'a> {
    /// Looks up the inode number of `temporary`.
    pub(crate) fn found(pair: &Pair, temporary: Temporary<'a>, source: u64) -> io::Result<Self> {
        let entry = pair.to.entry(temporary.name())?.ok_or(Errno::NOENT)?;
        Ok(Self { temporary, inode: entry.inode(), source })
    }
}

/// Copies the file `name` with its attributes and modification time. A file that changes meanwhile is copied again.
pub(crate) fn copy_file<'a>(
    pair: &'a Pair,
    name: &OsStr,
    path: &Path,
    monitor: &dyn Monitor,
) -> Result<Copied<'a>, Failure> {
    /// The number of copies of a file that changes all the time.
    const ATTEMPTS: usize = 3;
    let source = || open_source(pair, name, path);
    for _ in 1..ATTEMPTS {
        if let (copied, Version::Whole) = copy_once(pair, source()?, path, monitor)? {
            return Ok(copied);
        }
    }
    let (copied, version) = copy_once(pair, source()?, path, monitor)?;
    if version == Version::Mixed {
        // The copy has the earlier time, so that the next run sees a difference.
        monitor.warn(path, "changed while it was copied; the next run copies it again");
    }
    Ok(copied)
}

/// Copies the file `name` once, if it is the version that `is_expected` accepts. Returns the copy and the version that was copied;
/// `None` if it is another version, or changes meanwhile.
pub(crate) fn copy_version<'a>(
    pair: &'a Pair,
    name: &OsStr,
    path: &Path,
    is_expected: impl Fn(&Entry) -> bool,
    monitor: &dyn Monitor,
) -> Result<Option<(Copied<'a>, Entry)>, Failure> {
    let source = open_source(pair, name, path)?;
    let before = source.1;
    if !is_expected(&before) {
        return Ok(None);
    }
    let (copied, version) = copy_once(pair, source, path, monitor)?;
    Ok((version == Version::Whole).then_some((copied, before)))
}

/// The contents of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// The contents that the file had at one time.
    Whole,
    /// The file changed while it was copied.
    Mixed,
}

/// Opens a file in FROM, with its metadata.
fn open_source(pair: &Pair, name: &OsStr, path: &Path) -> Result<(File, Entry), FileError> {
    let source = pair.from.open_file(name).file_context("cannot be opened", Location::From, path)?;
    let before = regular_metadata(&source).file_context("cannot be read", Location::From, path)?;
    Ok((source, before))
}

fn copy_once<'a>(
    pair: &'a Pair,
    (source, before): (File, Entry),
    path: &Path,
    monitor: &dyn Monitor,
) -> Result<(Copied<'a>, Version), Failure> {
    wait_until_settled(&before, monitor);
    let attributes =
        Attributes::of(&source, &before, pair.file_system.kept).file_context("cannot be read", Location::From, path)?;
    let attributes = pair.file_system.for_copy(attributes);
    let mode = pair.creation_mode(&attributes, pair.gives_acls);
    let create = |name: &OsStr| pair.to.create_file(name, mode.unwrap_or(Mode::RUSR | Mode::WUSR));
    let (temporary, target) =
        Temporary::create(&pair.to, create).file_context("cannot be written", Location::To, path)?;
    if before.size < LARGE && !before.is_sparse {
        copy_through(&source, &target, before.size, path, monitor)?;
    } else {
        copy_data(&source, &target, before.size, path, monitor)?;
    }
    let created = regular_metadata(&target).file_context("cannot be read", Location::To, path)?;
    let finalized = pair.file_system.finalize_new(&target, &attributes, &before, (mode, &created));
    finalized.file_context("cannot set the permissions and time", Location::To, path)?;
    let after = regular_metadata(&source).file_context("cannot be read", Location::From, path)?;
    let version = if after.is_same_version(&before) { Version::Whole } else { Version::Mixed };
    Ok((Copied { temporary, inode: created.inode(), source: before.inode() }, version))
}

/// Waits for the clock of the file system: until it advances, a change would not show.
#[expect(
    clippy::disallowed_methods,
    reason = "blocking code may wait, for 10 ms unless the file system has coarse times"
)]
pub(crate) fn wait_until_settled(entry: &Entry, monitor: &dyn Monitor) {
    thread::sleep(entry.settling_time(monitor.now()));
}

/// Copies the link `name` with its modification time.
pub(crate) fn copy_link<'a>(pair: &'a Pair, name: &OsStr, path: &Path, entry: &Entry) -> Result<Copied<'a>, FileError> {
    let target = pair.from.link_target(name).file_context("cannot read the link", Location::From, path)?;
    let (temporary, ()) = Temporary::create(&pair.to, |name| pair.to.create_link(name, &target)).file_context(
        "cannot be written",
        Location::To,
        path,
    )?;
    if pair.file_system.kept.owners {
        let owned = pair.to.own_link(temporary.name(), entry);
        owned.or_else(|error| pair.file_system.sample.excuse_owner(error)).file_context(
            "cannot set the owner",
            Location::To,
            path,
        )?;
    }
    match pair.to.date_link(temporary.name(), entry) {
        Err(_) if !pair.file_system.sample.keeps_times() => {}
        result => result.file_context("cannot set the time", Location::To, path)?,
    }
    Copied::found(pair, temporary, entry.inode()).file_context("cannot be read", Location::To, path)
}

/// Returns the metadata of an open file. Fails if the file is no longer a regular one.
fn regular_metadata(file: &File) -> io::Result<Entry> {
    let entry = Entry::from(fs::fstat(file)?);
    if entry.kind == Kind::File { Ok(entry) } else { Err(Errno::INVAL.into()) }
}

/// Copies a file of `size` bytes, without its holes.
fn copy_data(source: &File, mut target: &File, size: u64, path: &Path, monitor: &dyn Monitor) -> Result<(), Failure> {
    let mut copied = 0;
    while let Some(data) = data_after(source, copied, size).file_context("cannot be read", Location::From, path)? {
        monitor.advance(data.start - copied)?;
        target.seek(SeekFrom::Start(data.start)).file_context("cannot be written", Location::To, path)?;
        let length = data.end - data.start;
        let by_kernel = copy_in_kernel(source, target, length, monitor)?;
        copy_through(source, target, length - by_kernel, path, monitor)?;
        copied = data.end;
    }
    monitor.advance(size - copied)?;
    target.set_len(size).file_context("cannot be written", Location::To, path).map_err(Failure::from)
}

/// Returns the next data at `offset` or later, with the position of the file at its start; `None` if only a hole is left.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn data_after(mut file: &File, offset: u64, size: u64) -> io::Result<Option<Range<u64>>> {
    if offset >= size {
        return Ok(None);
    }
    let data = match fs::seek(file, fs::SeekFrom::Data(offset)) {
        Err(Errno::NXIO) => return Ok(None),
        // A file system without holes.
        Err(Errno::INVAL) => offset..size,
        start => start?..fs::seek(file, fs::SeekFrom::Hole(start?))?.min(size),
    };
    file.seek(SeekFrom::Start(data.start))?;
    Ok((data.start < data.end).then_some(data))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn data_after(_: &File, offset: u64, size: u64) -> io::Result<Option<Range<u64>>> {
    Ok((offset < size).then_some(offset..size))
}

/// Copies up to `size` bytes inside the kernel. An error only ends this attempt: the rest is copied through the buffer, and that
/// copy reports the error if it persists.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn copy_in_kernel(source: &File, target: &File, size: u64, monitor: &dyn Monitor) -> Result<u64, Stopped> {
    /// The number of bytes between two calls of the monitor.
    const CHUNK: u64 = 1024 * 1024;
    let mut copied = 0;
    while copied < size {
        match fs::copy_file_range(source, None, target, None, CHUNK.min(size - copied) as usize) {
            Ok(0) | Err(_) => break,
            Ok(bytes) => {
                copied += bytes as u64;
                monitor.advance(bytes as u64)?;
            }
        }
    }
    Ok(copied)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn copy_in_kernel(_: &File, _: &File, _: u64, _: &dyn Monitor) -> Result<u64, Stopped> {
    Ok(0)
}

/// Copies up to `size` bytes through the buffer of the thread, fewer if the file has become shorter.
fn copy_through(source: &File, target: &File, size: u64, path: &Path, monitor: &dyn Monitor) -> Result<(), Failure> {
    thread_local!(static BUFFER_OF_THREAD: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]));
    BUFFER_OF_THREAD.with_borrow_mut(|buffer| copy_through_buffer(source, target, size, path, monitor, buffer))
}

fn copy_through_buffer(
    source: &File,
    mut target: &File,
    size: u64,
    path: &Path,
    monitor: &dyn Monitor,
    buffer: &mut [u8],
) -> Result<(), Failure> {
    monitor.advance(0)?;
    let mut left = size;
    while left > 0 {
        let limit = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let bytes = retry_on_intr(|| read(source, &mut buffer[..limit])).file_context(
            "cannot be read",
            Location::From,
            path,
        )?;
        if bytes == 0 {
            break;
        }
        target.write_all(&buffer[..bytes]).file_context("cannot be written", Location::To, path)?;
        monitor.advance(bytes as u64)?;
        left -= bytes as u64;
    }
    Ok(())
}
