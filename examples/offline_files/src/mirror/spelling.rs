//! Names in a TO that does not tell upper from lower case, or that stores other forms of the same letters.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::OnceLock;

use super::directory::Directory;
use super::entry::{Entry, FileId};
use super::temporary::name_for;

/// The names of a directory in TO, to look up the one that it lists for an entry which it finds under another name.
pub(super) struct Spellings<'a> {
    directory: &'a Directory,
    names: Vec<&'a OsStr>,
    by_folded_name: OnceLock<HashMap<String, &'a OsStr>>,
    by_id: OnceLock<HashMap<FileId, (&'a OsStr, Entry)>>,
}

impl<'a> Spellings<'a> {
    pub(super) fn new(directory: &'a Directory, names: impl Iterator<Item = &'a OsStr>) -> Self {
        Self { directory, names: names.collect(), by_folded_name: OnceLock::new(), by_id: OnceLock::new() }
    }

    /// Returns the listed name of `entry`, which was found as `name`. `None` if no listed entry is like it.
    ///
    /// The metadata of all is read only if `entry` is not that with the name in another case, and then once: there may be many.
    pub(super) fn of(&self, name: &OsStr, entry: &Entry) -> Option<&'a OsStr> {
        let fold_all = || self.names.iter().rev().map(|name| (fold(name), *name)).collect();
        let folded = self.by_folded_name.get_or_init(fold_all).get(&fold(name)).copied();
        let found = folded.and_then(|listed| self.directory.entry(listed).ok()?);
        if found.is_some_and(|found| found.id() == entry.id()) {
            return folded;
        }
        // An entry that is being changed is like itself no more, but TO does not list both spellings.
        let lists = || self.directory.list(&[]).is_ok_and(|listed| listed.contains(name));
        let may_be = || found.is_some_and(|found| found.likeness(entry) > 0) || !lists();
        self.same(entry).or_else(|| folded.filter(|_| may_be())).or_else(|| self.similar(entry))
    }

    fn same(&self, entry: &Entry) -> Option<&'a OsStr> {
        self.by_id().get(&entry.id()).map(|(name, _)| *name)
    }

    /// Some network file systems give each spelling an inode number of its own, so that all other metadata count too.
    fn similar(&self, entry: &Entry) -> Option<&'a OsStr> {
        self.by_id().values().filter(|(_, other)| other.likeness(entry) > 0).map(|(name, _)| *name).min()
    }

    fn by_id(&self) -> &HashMap<FileId, (&'a OsStr, Entry)> {
        let read = |name: &&'a OsStr| Some((*name, self.directory.entry(name).ok()??));
        let read_all = || self.names.iter().filter_map(read).map(|(name, entry)| (entry.id(), (name, entry))).collect();
        self.by_id.get_or_init(read_all)
    }
}

impl Directory {
    /// Returns the listed name of the entry that is found as `name`. `None` if `name` itself is listed.
    pub(crate) fn spelling(&self, name: &OsStr) -> io::Result<Option<OsString>> {
        let Some(entry) = self.entry(name)? else { return Ok(None) };
        let listed = self.list(&[])?;
        let is_listed = listed.contains(name);
        let spelling = || Spellings::new(self, listed.names()).of(name, &entry).map(OsStr::to_owned);
        Ok(if is_listed { None } else { spelling() })
    }

    /// Renames the entry `from` to another spelling of the same name. Both spellings are the same entry for some kernels, which
    /// then ignore a direct rename.
    pub(super) fn respell(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let temporary = temporary_name(to);
        self.rename_new(from, &temporary)?;
        self.rename_new(&temporary, to).inspect_err(|_| drop(self.rename(&temporary, from)))
    }

    /// Completes a `respell` that was killed. Returns `false` if there was none.
    pub(super) fn complete_respell(&self, to: &OsStr) -> bool {
        self.rename_new(&temporary_name(to), to).is_ok()
    }
}

/// The temporary name of an entry that is renamed to any spelling of `name`.
pub(super) fn temporary_name(name: &OsStr) -> OsString {
    name_for(&fold(name))
}

fn fold(name: &OsStr) -> String {
    name.to_string_lossy().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_differs_by_case_alone_is_found_without_its_metadata() {
        let names = ["a", "README", "b"].map(OsStr::new);
        let (_tree, directory) = directory_with(&names);
        let spellings = Spellings::new(&directory, names.into_iter());
        let entry = directory.entry(names[1]).unwrap().unwrap();
        assert_eq!(spellings.of(OsStr::new("ReadMe"), &entry), Some(names[1]));
        assert!(spellings.by_id.get().is_none());
    }

    #[test]
    fn a_name_that_differs_by_case_alone_may_be_that_of_another_entry() {
        // The decomposed form of the upper case letter, and the composed one of the lower case letter.
        let names = ["E\u{301}", "\u{e9}"].map(OsStr::new);
        let (_tree, directory) = directory_with(&names);
        let of = |name, listed: &[&'static OsStr]| {
            let entry = directory.entry(names[0]).unwrap().unwrap();
            Spellings::new(&directory, listed.iter().copied()).of(OsStr::new(name), &entry)
        };
        assert_eq!(of("\u{c9}", &names), Some(names[0]));
        // TO had only the other name when it was listed.
        assert_eq!(of("E\u{301}", &[OsStr::new("e\u{301}"), names[1]]), None);
    }

    fn directory_with(names: &[&OsStr]) -> (tempfile::TempDir, Directory) {
        let tree = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| std::fs::write(tree.path().join(name), name.as_encoded_bytes()).unwrap());
        let directory = Directory::open(tree.path()).unwrap();
        (tree, directory)
    }
}
