//! What TO cannot store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What the file systems of TO turned out not to store, each with the paths of their first directories.
#[derive(Debug, Default)]
pub(super) struct Losses(Mutex<BTreeMap<&'static str, BTreeSet<PathBuf>>>);

impl Losses {
    /// Notes that the file system at `path` cannot store `what`, if `is_lost`.
    pub(super) fn add(&self, is_lost: bool, what: &'static str, path: &Path) {
        if !is_lost {
            return;
        }
        let mut losses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = losses.entry(what).or_default();
        if !paths.contains(path) {
            paths.insert(path.to_owned());
        }
    }

    /// Describes the losses that are known by now.
    pub(super) fn report(&self) -> Option<String> {
        let losses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut places: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for (what, paths) in &*losses {
            places.entry(place(paths)).or_default().push(what);
        }
        let sentences: Vec<_> = places.into_iter().map(|(place, losses)| sentence(&place, losses)).collect();
        (!sentences.is_empty()).then(|| sentences.join("; "))
    }
}

fn sentence(place: &str, mut losses: Vec<&str>) -> String {
    // The description of the loss of times ends the sentence.
    losses.sort_by_key(|what| what.starts_with("modification"));
    format!("{place} no {}", losses.join(" and no "))
}

/// Names the file systems at `paths`, of which the one of TO itself stands for all.
fn place(paths: &BTreeSet<PathBuf>) -> String {
    let first = paths.first().filter(|path| !path.as_os_str().is_empty());
    match (first, paths.len()) {
        (None, _) => "TO stores".into(),
        (Some(first), 1) => format!("{} in TO stores", first.display()),
        (Some(first), count) => format!("{} and {} more file systems in TO store", first.display(), count - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(losses: &[(&'static str, &str)]) -> Option<String> {
        let known = Losses::default();
        losses.iter().for_each(|(what, path)| known.add(true, what, Path::new(path)));
        known.add(false, "names", Path::new(""));
        known.report()
    }

    #[test]
    fn a_loss_of_a_mounted_file_system_is_none_of_all_of_the_target() {
        assert_eq!(report(&[]), None);
        let of_disk = [("permissions", "docs/disk"), ("owners", "docs/disk"), ("owners", "docs/disk")];
        assert_eq!(report(&of_disk).unwrap(), "docs/disk in TO stores no owners and no permissions");
        let of_both = [("permissions", "docs/disk"), ("permissions", ""), ("owners", "docs/disk")];
        assert_eq!(report(&of_both).unwrap(), "TO stores no permissions; docs/disk in TO stores no owners");
        let of_disks = [("owners", "a"), ("owners", "b"), ("owners", "c")];
        assert_eq!(report(&of_disks).unwrap(), "a and 2 more file systems in TO store no owners");
    }
}
