//! Comparison of two files by aligned pages. What differs goes to a journal.
//!
//! Chunks that follow the contents would find bytes that were inserted, but in place an insertion moves everything after it on the disk
//! anyway, so that only pages which stay where they are can be left alone.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::journal::{LONGEST, Writer};
use crate::mirror::monitor::{Failure, FileContext, Location, Monitor};

/// The unit of comparison, in which systems cache files.
const PAGE: usize = 4096;

/// The part of a file that may have changed: one of this number of parts. With more, a whole copy takes about as long.
const SHARE: u64 = 8;

/// The maximum of changed bytes, which are written within seconds.
const MOST: u64 = 1024 * 1024 * 1024;

/// The number of pages that are looked at first, evenly distributed.
const SAMPLES: u64 = 32;

/// Two open files with their sizes.
pub(super) struct Comparison<'a> {
    pub(super) source: (&'a File, u64),
    pub(super) target: (&'a File, u64),
}

impl Comparison<'_> {
    /// Returns `true` if many of a few pages differ.
    pub(super) fn seem_different(&self) -> io::Result<bool> {
        let size = self.source.1.min(self.target.1);
        let mut pages = [vec![0; PAGE], vec![0; PAGE]];
        let mut different = 0;
        for index in 0..SAMPLES {
            let offset = size / SAMPLES * index / PAGE as u64 * PAGE as u64;
            let [one, other] = &mut pages;
            self.source.0.read_exact_at(one, offset)?;
            self.target.0.read_exact_at(other, offset)?;
            different += u64::from(one != other);
        }
        Ok(different > 2 * SAMPLES / SHARE)
    }

    /// Writes the pages of the source that differ to the journal. Returns `false` if too many do, or if one of the files gets shorter
    /// meanwhile.
    pub(super) fn record(&self, journal: &mut Writer<'_>, path: &Path, monitor: &dyn Monitor) -> Result<bool, Failure> {
        let (mut new, mut old) = (vec![0; LONGEST], vec![0; LONGEST]);
        let (size, mut left) = (self.source.1, MOST.min(self.source.1 / SHARE));
        for offset in (0..size).step_by(LONGEST) {
            let length = LONGEST.min(usize::try_from(size - offset).unwrap_or(LONGEST));
            let (new, old) = (&mut new[..length], &mut old[..length]);
            match self.source.0.read_exact_at(new, offset) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                read => read.file_context("cannot be read", Location::From, path)?,
            }
            if self.read_target(old, offset).is_err() {
                return Ok(false);
            }
            for run in differences(new, old) {
                let Some(rest) = left.checked_sub(run.len() as u64) else { return Ok(false) };
                left = rest;
                let added = journal.add(offset + run.start as u64, &old[run.clone()], &new[run]);
                added.file_context("cannot be written", Location::To, path)?;
            }
            monitor.advance(length as u64)?;
        }
        Ok(true)
    }

    /// Reads from the target as if it ended with zeros.
    fn read_target(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let length = self.target.1.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let (present, missing) = buffer.split_at_mut(length);
        missing.fill(0);
        self.target.0.read_exact_at(present, offset)
    }
}

/// The runs of pages that differ. Both slices have the same length.
fn differences(new: &[u8], old: &[u8]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    if new == old {
        return runs;
    }
    for (index, (one, other)) in new.chunks(PAGE).zip(old.chunks(PAGE)).enumerate() {
        let page = index * PAGE..index * PAGE + one.len();
        match runs.last_mut() {
            _ if one == other => {}
            Some(last) if last.end == page.start => last.end = page.end,
            _ => runs.push(page),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_pages_are_one_run() {
        let old = vec![0; 5 * PAGE + 10];
        let mut new = old.clone();
        for index in [0, 2 * PAGE, 3 * PAGE + 7, 5 * PAGE + 9] {
            new[index] = 1;
        }
        let end = 5 * PAGE;
        assert_eq!(differences(&new, &old), [0..PAGE, 2 * PAGE..4 * PAGE, end..end + 10]);
        assert!(differences(&old, &old).is_empty());
    }
}
