//! Test fixtures: two directories with files.

use std::collections::BTreeMap;
use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

/// FROM and TO in one temporary directory.
pub(crate) struct Trees {
    pub(crate) base: TempDir,
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
}

impl Trees {
    /// Creates empty trees.
    pub(crate) fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let (from, to) = (base.path().join("from"), base.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::create_dir(&to).unwrap();
        Self { base, from, to }
    }

    /// Creates a FROM with every kind of entry that is mirrored, in the items `docs` and `tools` and at the top level.
    pub(crate) fn full() -> Self {
        let trees = Self::new();
        file(&trees.from.join("top.txt"), "top", 1);
        file(&trees.from.join("docs/plan.txt"), "plan", 2);
        file(&trees.from.join("docs/deep/er/empty"), "", 3);
        file(&trees.from.join("tools/run.sh"), "#!/bin/sh", 4);
        chmod(&trees.from.join("tools/run.sh"), 0o755);
        chmod(&trees.from.join("tools"), 0o750);
        fs::create_dir(trees.from.join("docs/empty")).unwrap();
        link(&trees.from.join("docs/latest"), "plan.txt");
        link(&trees.from.join("docs/dangling"), "no/such/place");
        link(&trees.from.join("elsewhere"), "/");
        trees
    }
}

/// Writes a file and its parent directories. The file is last modified `age` seconds after a fixed date.
pub(crate) fn file(path: &Path, text: &str, age: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    let date = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000 + age, 123_456_789);
    fs::File::options().write(true).open(path).unwrap().set_modified(date).unwrap();
}

pub(crate) fn link(path: &Path, target: impl AsRef<Path>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The mirrored data by path: kind and permission bits, modification time, and contents or link target.
pub(crate) fn snapshot(root: &Path) -> BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let about = fs::symlink_metadata(&path).unwrap();
            let state = (about.mode(), about.mtime(), about.mtime_nsec(), contents(&path, &about));
            if about.is_dir() {
                pending.push(path.clone());
            }
            found.insert(path.strip_prefix(root).unwrap().to_owned(), state);
        }
    }
    found
}

fn contents(path: &Path, about: &Metadata) -> Vec<u8> {
    if about.is_symlink() {
        fs::read_link(path).unwrap().into_os_string().into_encoded_bytes()
    } else if about.is_file() {
        fs::read(path).unwrap()
    } else {
        Vec::new()
    }
}
