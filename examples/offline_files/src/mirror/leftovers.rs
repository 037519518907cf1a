//! The temporary files of killed runs.

use std::path::{Path, PathBuf};

use super::delete::locate;
use super::directory::Directory;
use super::monitor::{FileContext, Location, Monitor, Stopped, tolerate};
use super::update::recover;

/// Completes the updates in place that killed runs have begun, and removes temporary files, except for those of another run. One
/// warning names the first of these: any program may hold the lock.
pub(super) fn remove_leftovers(to: &Directory, leftovers: &[PathBuf], monitor: &dyn Monitor) -> Result<(), Stopped> {
    let mut kept = None;
    for path in leftovers {
        monitor.advance(0)?;
        if has_other_run(to, path) {
            kept.get_or_insert(path);
            continue;
        }
        let removed = locate(to, path).and_then(|(parent, name)| {
            // The file that an update was for is copied again if that fails.
            let _ = recover(&parent, name, |_| Vec::new());
            parent.remove(name).file_context("cannot be deleted", Location::To, path)
        });
        tolerate(monitor, removed)?;
    }
    if let Some(path) = kept {
        monitor.warn(path, "temporary files are kept while a directory that contains them or TO is locked");
    }
    Ok(())
}

/// Returns `true` if another run mirrors into a directory that contains `path`, inside or outside TO.
fn has_other_run(to: &Directory, path: &Path) -> bool {
    let inner = path.ancestors().skip(1).filter(|ancestor| !ancestor.as_os_str().is_empty());
    // A new handle, because the lock lasts as long as its handle.
    let open = |path| locate(to, path).ok().and_then(|(parent, name)| parent.enter(name).ok());
    inner.filter_map(open).chain(to.outer()).any(|directory| directory.is_locked())
}
