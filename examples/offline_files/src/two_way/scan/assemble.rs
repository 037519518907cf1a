//! The tree of a scan.

use std::collections::HashMap;
use std::path::PathBuf;

use super::Results;
use crate::two_way::entry::{Found, Version};
use crate::two_way::side::Side;
use crate::two_way::tree::Tree;

/// Makes a tree from the entries of each directory.
pub(super) fn assemble(top: Version, results: &Results, side: Side) -> Tree<Found> {
    let mut tree = Tree::new(Found::new(top));
    let mut ids = HashMap::from([(PathBuf::new(), Tree::<Found>::ROOT)]);
    for (path, entries) in &results.entries[side] {
        let Some(parent) = ids.get(&**path).copied() else { continue };
        let mut entries: Vec<_> = entries.iter().collect();
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        for (name, found) in entries {
            let id = tree.add(parent, name, *found);
            if found.version.is_directory() {
                ids.insert(path.join(name), id);
            }
        }
    }
    for path in &results.unreadable[side] {
        ids.get(&**path).into_iter().for_each(|id| tree.entry_mut(*id).is_unreadable = true);
    }
    for path in &results.hiding[side] {
        ids.get(&**path).into_iter().for_each(|id| tree.entry_mut(*id).hides = true);
    }
    tree
}
