//! Writing of a complete journal into its file. What was written before is written again to the same effect.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::checksum::Checksum;
use super::journal::{Header, Journal, Run, SECTOR};

/// What a file is after a journal was written into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// The new version.
    Whole,
    /// The new version with changes of another program, which stay.
    Edited,
}

/// Writes all runs into `target`, which is open for reading and writing. A sector that is neither the old nor the new one has been written
/// by another program, and stays.
pub(super) fn apply(journal: &Journal, target: &File) -> io::Result<Applied> {
    let Header { old_size, new_size, .. } = journal.header;
    let size = target.metadata()?.len();
    if size != old_size && size != new_size {
        return Ok(Applied::Edited);
    }
    if size != new_size {
        target.set_len(new_size)?;
    }
    if new_size < old_size {
        // A shorter file must not get its old length back after a power failure.
        target.sync_all()?;
    }
    let (mut applied, mut buffer) = (Applied::Whole, Vec::new());
    for run in journal.runs()? {
        if write_run(&mut run?, target, &mut buffer)? == Applied::Edited {
            applied = Applied::Edited;
        }
    }
    Ok(applied)
}

/// Returns `true` if all runs have been written into `target` already.
pub(super) fn is_applied(journal: &Journal, target: &File) -> io::Result<bool> {
    if target.metadata()?.len() != journal.header.new_size {
        return Ok(false);
    }
    let mut buffer = Vec::new();
    for run in journal.runs()? {
        let run = run?;
        buffer.resize(run.new.len(), 0);
        target.read_exact_at(&mut buffer, run.offset)?;
        if buffer != run.new {
            return Ok(false);
        }
    }
    Ok(true)
}

fn write_run(run: &mut Run, target: &File, now: &mut Vec<u8>) -> io::Result<Applied> {
    now.resize(run.new.len(), 0);
    target.read_exact_at(now, run.offset)?;
    let mut applied = Applied::Whole;
    let sectors = run.new.chunks_mut(SECTOR).zip(now.chunks(SECTOR)).zip(&run.old);
    for ((new, now), old) in sectors {
        if new != now && Checksum::of(now) != *old {
            new.copy_from_slice(now);
            applied = Applied::Edited;
        }
    }
    if run.new != *now {
        target.write_all_at(&run.new, run.offset)?;
    }
    Ok(applied)
}
