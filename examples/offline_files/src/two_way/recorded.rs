//! What the items of a pair have stored in earlier runs.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use syncmgr::prelude::*;
use syncmgr::store::{SqliteStore, StateStore};
use syncmgr::{HandlerId, ItemId};

use super::archive::decode;
use super::entry::{Agreed, Version};
use super::record::Record;
use super::side::Both;
use super::tree::Tree;

/// The records of a pair.
pub(crate) struct Recorded<'a> {
    pub(crate) store: Option<&'a SqliteStore>,
    pub(crate) handler: HandlerId,
}

impl Recorded<'_> {
    /// Returns `true` if the pair has run before.
    pub(crate) fn has_run(&self) -> SyncResult<bool> {
        let items = self.store.map(|store| store.recorded_items(self.handler)).transpose()?;
        Ok(items.is_some_and(|items| !items.is_empty()))
    }

    /// What the sides agreed on about an entry at the top level. `None` if there is none, or its item cannot be read, which fails later.
    pub(crate) fn agreed(&self, path: &Path) -> Option<Both<Version>> {
        let record = self.record(top_level())?;
        let mut tree = Tree::new(None);
        let is_read = decode(&record.agreed, &mut tree);
        *tree.entry(tree.find(path).filter(|_| is_read)?)
    }

    /// The directories at the top level that were agreed, and of which neither side has any, which has these `names`. Their items run once
    /// more, so that the agreed state is not that of a directory that gets the name later.
    pub(crate) fn vanished(&self, names: &BTreeSet<OsString>) -> SyncResult<Vec<OsString>> {
        let Some(store) = self.store else { return Ok(Vec::new()) };
        let listed: BTreeSet<_> = names.iter().map(|name| id(name)).chain([top_level()]).collect();
        let mut vanished = Vec::new();
        for item in store.recorded_items(self.handler)?.into_keys().filter(|item| !listed.contains(item)) {
            let mut agreed = Tree::<Agreed>::new(None);
            let record = self.record(item).unwrap_or_default();
            let _ = [&record.agreed, &record.moved].map(|text| decode(text, &mut agreed));
            let names = agreed.children(Tree::<Agreed>::ROOT).iter().map(|child| agreed.name(*child).to_owned());
            vanished.extend(names.filter(|name| id(name) == item));
        }
        Ok(vanished)
    }

    fn record(&self, item: ItemId) -> Option<Record> {
        let checkpoint = self.store?.record(self.handler, item).ok()??.checkpoint?;
        serde_json::from_str(&checkpoint.state).ok()
    }
}

/// The item of a directory at the top level.
fn id(name: &OsStr) -> ItemId {
    ItemId::from_name_bytes(name.as_bytes())
}

/// The item of all other entries there.
fn top_level() -> ItemId {
    id(OsStr::new("."))
}
