//! The directories at the top level of TO that it finds under other names than it lists, and the items that own them.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::directory::Directory;
use super::listing::Listing;

/// The items of a run by the directories that they mirror into, so that no two items share one.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// The names that TO listed when the first item began.
    listed: OnceLock<Listing>,
    /// The items by the listed names of their directories, where these differ.
    items: Mutex<HashMap<OsString, OsString>>,
    /// Written to while a directory at the top level is renamed.
    renaming: RwLock<()>,
}

impl Claims {
    /// Lets no item rename its directory while another looks up its own. Between the two steps of a renaming, TO finds nothing, and
    /// the other item would take the directory over.
    pub(super) fn look_up(&self) -> RwLockReadGuard<'_, ()> {
        self.renaming.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets no item look up its directory while one is renamed.
    pub(super) fn rename(&self) -> RwLockWriteGuard<'_, ()> {
        self.renaming.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` if TO listed `name`, so that no other item has this directory. A directory of this run is not listed.
    pub(super) fn lists(&self, to: &Directory, name: &OsStr) -> bool {
        self.listed.get_or_init(|| to.list(&[]).unwrap_or_default()).contains(name)
    }

    /// Gives the directory that TO lists as `listed` to `item`. Fails with the name of the item that has it already.
    pub(super) fn claim(&self, listed: &OsStr, item: &OsStr) -> Result<(), OsString> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = items.entry(listed.to_owned()).or_insert_with(|| item.to_owned());
        if owner == item { Ok(()) } else { Err(owner.clone()) }
    }

    /// Returns `true` if an item has the directory that TO listed as `listed`. The item renames it only after that.
    pub(super) fn has(&self, listed: &OsStr) -> bool {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).contains_key(listed)
    }
}
