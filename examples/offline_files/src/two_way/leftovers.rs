//! The temporary files of killed runs.

use std::path::{Path, PathBuf};

use super::disks::Disks;
use super::side::{Both, Side};
use crate::mirror::{Monitor, Stopped};

/// Removes the temporary files of killed runs. Both roots are locked, so that no other run has made them.
pub(crate) fn remove_leftovers(
    disks: &Disks,
    leftovers: &Both<Vec<PathBuf>>,
    monitor: &dyn Monitor,
) -> Result<(), Stopped> {
    for side in Side::BOTH {
        for path in &leftovers[side] {
            monitor.advance(0)?;
            let name = path.file_name().unwrap_or_default();
            // What cannot be removed is left out of every run.
            let parent = disks.descend(side, path.parent().unwrap_or(Path::new("")));
            let _ = parent.map(|parent| parent.remove(name));
        }
    }
    Ok(())
}
