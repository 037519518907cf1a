//! The program's own files, which a mirror never touches.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustix::fs::stat;

use super::directory::Directory;
use super::entry::{Entry, FileId};
use super::spelling::Spellings;

/// The files of the state. They are neither mirrored nor deleted, on either side.
///
/// Their directory is recognised by its path, and by its identity too: a bind mount or another spelling gives it other paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnFiles {
    names: Vec<OsString>,
    /// The path of their directory relative to FROM and to TO.
    paths: [Option<PathBuf>; 2],
    /// The identities of their directory and of those that contain it, from the nearest on.
    ids: Vec<FileId>,
}

impl OwnFiles {
    /// The files of the state at `state`, which exists, for these roots.
    pub(crate) fn of(state: Option<&Path>, roots: [&Path; 2]) -> Self {
        let Some((directory, name)) = state.and_then(|state| state.parent().zip(state.file_name())) else {
            return Self::default();
        };
        let paths = roots.map(|root| directory.strip_prefix(root).ok().map(Path::to_owned));
        let ids = directory.ancestors().filter_map(|path| Some(Entry::from(stat(path).ok()?).id())).collect();
        Self { names: names(directory, name), paths, ids }
    }

    /// The names of the own files in the directory at `path`, which is `from` in FROM and `to` in TO.
    pub(crate) fn names_in(&self, path: &Path, from: &Entry, to: Option<&Entry>) -> &[OsString] {
        let are_here = self.are_in(0, path, Some(from)) || self.are_in(1, path, to);
        if are_here { &self.names } else { &[] }
    }

    /// The names of the own files in the directory at `path` of TO, which is `to`.
    pub(super) fn names_in_target(&self, path: &Path, to: Option<&Entry>) -> &[OsString] {
        if self.are_in(1, path, to) { &self.names } else { &[] }
    }

    fn are_in(&self, side: usize, path: &Path, entry: Option<&Entry>) -> bool {
        self.paths[side].as_deref() == Some(path) || entry.is_some_and(|entry| self.ids.first() == Some(&entry.id()))
    }

    /// Returns `true` if own files are in the directory at `path` in TO, which is `to`, or anywhere below it.
    pub(super) fn are_below(&self, path: &Path, to: &Entry) -> bool {
        self.paths[1].as_ref().is_some_and(|own| own.starts_with(path)) || self.ids.contains(&to.id())
    }
}

/// The names of the state's files, and the spellings of them that `directory` lists.
fn names(directory: &Path, name: &OsStr) -> Vec<OsString> {
    const SUFFIXES: [&str; 5] = ["", "-wal", "-shm", "-journal", ".lock"];
    let with_suffix = |suffix: &str| [name, OsStr::new(suffix)].into_iter().collect::<OsString>();
    let mut names = SUFFIXES.map(with_suffix).to_vec();
    if let Ok(directory) = Directory::open(directory) {
        names.extend(spellings(&directory, &names));
    }
    names
}

/// The names that `directory` lists for the entries it finds under other spellings, `names`.
fn spellings(directory: &Directory, names: &[OsString]) -> Vec<OsString> {
    let found: Vec<_> = names.iter().filter_map(|name| Some((name, directory.entry(name).ok()??))).collect();
    let Ok(listed) = directory.list(&[]) else { return Vec::new() };
    let spellings = Spellings::new(directory, listed.names());
    let unlisted = found.into_iter().filter(|(name, _)| !listed.contains(name));
    unlisted.filter_map(|(name, entry)| spellings.of(name, &entry)).map(OsStr::to_owned).collect()
}
