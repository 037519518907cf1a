//! The temporary files of killed runs.

use std::path::{Path, PathBuf};

use super::disks::Disks;
use super::side::{Both, Side};
use crate::mirror::{Failure, FileContext, Leftover, Monitor, recover};

/// Removes the temporary files of killed runs, and completes the updates that these have begun. Both roots are locked, so that no other
/// run has made them. Returns `true` if an update was completed, so that the scan is out of date.
pub(crate) fn remove_leftovers(
    disks: &Disks,
    leftovers: &Both<Vec<PathBuf>>,
    monitor: &dyn Monitor,
) -> Result<bool, Failure> {
    let mut has_recovered = false;
    for side in Side::BOTH {
        for path in &leftovers[side] {
            monitor.advance(0)?;
            let name = path.file_name().unwrap_or_default();
            // What cannot be opened or removed is left out of every run.
            let Ok(parent) = disks.descend(side, path.parent().unwrap_or(Path::new(""))) else { continue };
            let recovered = recover(&parent, name);
            let recovered = recovered.file_context("cannot complete an update of a file beside it", side.into(), path);
            let recovered = recovered?;
            let is_removed = parent.remove(name).is_ok();
            has_recovered |= is_removed && recovered == Leftover::Journal;
        }
    }
    Ok(has_recovered)
}
