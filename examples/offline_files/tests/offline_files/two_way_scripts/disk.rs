//! What is on a side.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::trees::snapshot;

/// Kinds, permissions and contents by path.
pub(super) type Described = BTreeMap<PathBuf, (u32, String)>;

pub(super) fn described(root: &Path) -> Described {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    snapshot(root).into_iter().map(|(path, (mode, _, _, contents))| (path, (mode, text(contents)))).collect()
}

/// All entries below a directory, and all directories including it.
pub(super) fn entries(root: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut all, mut directories, mut next) = (Vec::new(), vec![root.to_owned()], 0);
    while let Some(directory) = directories.get(next).cloned() {
        let mut paths: Vec<_> =
            fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| !path.to_string_lossy().contains(".offline-files-"));
        paths.sort();
        for path in paths {
            directories.extend(is_directory(&path).then(|| path.clone()));
            all.push(path);
        }
        next += 1;
    }
    (all, directories)
}

/// The contents of the files and links at and below a path.
pub(super) fn contents(path: &Path) -> BTreeSet<String> {
    let of = |path: &Path| {
        let link = fs::read_link(path).ok().map(|target| target.to_string_lossy().into_owned());
        link.or_else(|| fs::read_to_string(path).ok())
    };
    std::iter::once(path.to_owned()).chain(entries(path).0).filter_map(|path| of(&path)).collect()
}

pub(super) fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_dir())
}

pub(super) fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_file())
}
