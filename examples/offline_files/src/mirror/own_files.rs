//! The program's own files, which a mirror never touches.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The paths of the state's files, relative to FROM or TO. They are neither mirrored nor deleted, on either side.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnFiles(Vec<PathBuf>);

impl OwnFiles {
    /// The files of the state at `state` that are inside one of `roots`.
    pub(crate) fn of(state: Option<&Path>, roots: [&Path; 2]) -> Self {
        const SUFFIXES: [&str; 5] = ["", "-wal", "-shm", "-journal", ".lock"];
        let state = || state.into_iter().flat_map(|state| roots.map(|root| state.strip_prefix(root).ok()));
        let with_suffix = |path: &Path, suffix: &str| {
            let mut name = OsString::from(path);
            name.push(suffix);
            PathBuf::from(name)
        };
        Self(state().flatten().flat_map(|path| SUFFIXES.map(|suffix| with_suffix(path, suffix))).collect())
    }

    /// The names of the own files in `directory`.
    pub(super) fn names_in<'a>(&'a self, directory: &'a Path) -> impl Iterator<Item = &'a OsStr> {
        self.0.iter().filter(move |path| path.parent() == Some(directory)).filter_map(|path| path.file_name())
    }

    /// Returns `true` if `path` is an own file or a directory that contains one.
    pub(super) fn are_in(&self, path: &Path) -> bool {
        self.0.iter().any(|own| own.starts_with(path))
    }

    /// Returns `true` if `path` is an own file.
    pub(super) fn contains(&self, path: &Path) -> bool {
        self.0.iter().any(|own| own == path)
    }
}
