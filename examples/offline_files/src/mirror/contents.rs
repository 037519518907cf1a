//! Comparison of the contents of two files.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::directory::Directory;
use super::monitor::{Failure, FileContext, Location, Monitor};

/// The number of bytes compared at a time.
const CHUNK: usize = 128 * 1024;

/// Returns `true` if both files `name` have the same contents. A file that cannot be read in TO differs.
pub(crate) fn are_equal(
    from: &Directory,
    to: &Directory,
    name: &OsStr,
    path: &Path,
    monitor: &dyn Monitor,
) -> Result<bool, Failure> {
    let from = from.open_file(name).file_context("cannot be opened", Location::From, path)?;
    let Ok(to) = to.open_file(name) else { return Ok(false) };
    let mut chunks = [Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK)];
    loop {
        monitor.advance(0)?;
        let [one, other] = &mut chunks;
        fill(one, &from).file_context("cannot be read", Location::From, path)?;
        if fill(other, &to).is_err() || one != other {
            return Ok(false);
        }
        if one.is_empty() {
            return Ok(true);
        }
    }
}

/// Reads the next chunk, which is shorter only at the end of the file.
fn fill(chunk: &mut Vec<u8>, file: &File) -> io::Result<usize> {
    chunk.clear();
    file.take(CHUNK as u64).read_to_end(chunk)
}
