//! A directory that is compared entry by entry.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::io::Errno;

use super::entry::{Entry, FileId};
use super::listing::Listing;
use super::monitor::FileError;
use super::spelling::{Spellings, temporary_name};
use super::temporary::is_leftover;
use super::visit::{TargetEntry, Visit};

/// The names in a directory on both sides.
pub(super) struct Sides<'a> {
    pub(super) visit: &'a Visit,
    /// The names in FROM.
    pub(super) names: &'a Listing,
    /// The names in TO, without `hidden`.
    pub(super) listed: &'a Listing,
    hidden: &'a [&'a OsStr],
    spellings: OnceLock<Option<Spellings<'a>>>,
    aliases: Mutex<Aliases>,
}

/// The entries of TO that names in FROM find although TO lists them under other names.
#[derive(Default)]
struct Aliases {
    /// The first name in FROM that finds an entry, by the listed name.
    owners: HashMap<OsString, OsString>,
    ids: HashSet<FileId>,
    /// The error of a look-up that failed: it may be that of any entry.
    failed: Option<String>,
}

impl<'a> Sides<'a> {
    pub(super) fn new(visit: &'a Visit, names: &'a Listing, listed: &'a Listing, hidden: &'a [&'a OsStr]) -> Self {
        Self { visit, names, listed, hidden, spellings: OnceLock::new(), aliases: Mutex::default() }
    }

    /// Looks up a name of FROM in TO. What it finds is no extra entry.
    pub(super) fn find<'n>(&self, name: &'n OsStr) -> Result<TargetEntry<'n>, FileError> {
        let found = self.visit.find(name);
        if self.listed.contains(name) {
            return found;
        }
        let mut aliases = self.aliases();
        match &found {
            Ok(target) => aliases.add(target, self.spelling(target)),
            Err(error) if is_impossible(error) => {}
            Err(error) => {
                aliases.failed.get_or_insert_with(|| format!("{}: {}", name.display(), error.cause));
            }
        }
        found
    }

    /// Completes the renaming of an entry of TO to `name` in a run that was killed. Returns `false` if there was none.
    pub(super) fn complete_respell(&self, name: &OsStr) -> bool {
        let temporary = temporary_name(name);
        let is_interrupted = !self.listed.contains(name) && self.listed.contains(&temporary);
        // At the top level, an item with the name in another spelling may be renaming it now.
        let is_other = |other: &OsStr| other != name && temporary_name(other) == temporary;
        let is_shared = || self.visit.is_top() && self.names.names().any(is_other);
        is_interrupted && !is_shared() && self.visit.complete_respell(name)
    }

    /// Returns the name that TO lists for `target`; `None` if it lists the name in FROM.
    pub(super) fn spelling(&self, target: &TargetEntry<'_>) -> Option<&'a OsStr> {
        let names = || self.listed.names().chain(self.hidden.iter().copied());
        let entry = target.to.filter(|_| !self.listed.contains(target.name))?;
        self.spellings.get_or_init(|| self.visit.spellings(names())).as_ref()?.of(target.name, &entry)
    }

    /// Returns `true` if `target`, which TO lists as `spelling`, is the entry of no other name in FROM.
    pub(super) fn is_free(&self, target: &TargetEntry<'_>, spelling: &OsStr) -> bool {
        let is_first = self.aliases().owners.get(spelling).is_some_and(|owner| owner == target.name);
        is_first && !self.names.contains(spelling) && self.listed.contains(spelling)
    }

    /// The names that only TO has, without other spellings of names in FROM.
    pub(super) fn only_in_target(&self) -> impl Iterator<Item = &OsStr> {
        let is_alias = |name| self.aliases().owners.contains_key(name) || self.is_being_renamed(name);
        self.listed.without(self.names).filter(move |name| !is_alias(name))
    }

    /// Returns `true` if a name in FROM finds the entry `to` of TO.
    pub(super) fn keeps(&self, to: &Entry) -> bool {
        self.aliases().ids.contains(&to.id())
    }

    /// The name and the error of a look-up that failed. It is not known which entry of TO the name would find.
    pub(super) fn failed(&self) -> Option<String> {
        self.aliases().failed.clone()
    }

    /// Returns `true` if `name` is the temporary name of an entry whose new name is in FROM. Another item may be renaming it.
    fn is_being_renamed(&self, name: &OsStr) -> bool {
        let is_for = |from: &OsStr| !self.listed.contains(from) && temporary_name(from) == name;
        is_leftover(name) && self.names.names().any(is_for)
    }

    fn aliases(&self) -> MutexGuard<'_, Aliases> {
        self.aliases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Aliases {
    fn add(&mut self, target: &TargetEntry<'_>, spelling: Option<&OsStr>) {
        self.ids.extend(target.to.map(|to| to.id()));
        if let Some(spelling) = spelling {
            self.owners.entry(spelling.to_owned()).or_insert_with(|| target.name.to_owned());
        }
    }
}

/// Returns `true` if no entry of TO can have the name that was looked up: it is too long, or has characters that TO does not store.
fn is_impossible(error: &FileError) -> bool {
    let errno = Errno::from_io_error(&error.cause);
    matches!(errno, Some(Errno::NAMETOOLONG | Errno::INVAL | Errno::ILSEQ))
}
