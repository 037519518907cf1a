//! Names in a TO that does not tell upper from lower case, or that stores other forms of the same letters.

use std::ffi::{OsStr, OsString};
use std::io;

use super::directory::Directory;
use super::entry::Entry;
use super::temporary::random_name;

impl Directory {
    /// Returns the listed name of `entry`, which was found as `name`. `None` if `name` itself is listed.
    ///
    /// Some network file systems give each spelling an inode number of its own, so the name and the metadata count too.
    pub(super) fn spelling(&self, name: &OsStr, entry: &Entry) -> io::Result<Option<OsString>> {
        let names = self.names()?;
        if names.iter().any(|listed| listed == name) {
            return Ok(None);
        }
        let mut found = None;
        for listed in names {
            let Some(other) = self.entry(&listed)? else { continue };
            let likeness = if fold(&listed) == fold(name) { 3 } else { other.likeness(entry) };
            if likeness > found.as_ref().map_or(0, |(found, _)| *found) {
                found = Some((likeness, listed));
            }
        }
        Ok(found.map(|(_, listed)| listed))
    }

    /// Renames the entry `from` to another spelling of the same name. Both spellings are the same entry for some kernels, which
    /// then ignore a direct rename.
    pub(super) fn respell(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let temporary = random_name();
        self.rename(from, &temporary)?;
        self.rename(&temporary, to).inspect_err(|_| drop(self.rename(&temporary, from)))
    }
}

/// The name with upper and lower case exchanged; `None` if it has no letters.
pub(super) fn swap_case(name: &OsStr) -> Option<OsString> {
    let text = name.to_str()?;
    let swapped: String = text
        .chars()
        .flat_map(|letter| {
            if letter.is_lowercase() {
                letter.to_uppercase().collect::<Vec<_>>()
            } else {
                letter.to_lowercase().collect()
            }
        })
        .collect();
    (swapped != text).then(|| swapped.into())
}

fn fold(name: &OsStr) -> String {
    name.to_string_lossy().to_lowercase()
}
