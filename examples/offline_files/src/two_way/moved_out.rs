//! What was agreed about entries that a run moves from one item to another.
//!
//! Each item stores its agreed state when it ends. If the run is stopped after the item that had the entries and before the one that gets
//! them, what was agreed about them would be lost. So the first one keeps it until the next run.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::archive::decode;
use super::entry::{Agreed, Kind, Version};
use super::plan::PartName;
use super::side::Side;
use super::tree::{Id, Tree};

const ROOT: Id = Tree::<Agreed>::ROOT;

/// The entries of the agreed state `before` the moves that are in another item `after` them, under their old paths, by the item that had
/// them. `item_before` and `item_after` tell the item of a path.
pub(crate) fn moved_out(
    before: &Tree<Agreed>,
    after: &Tree<Agreed>,
    item_before: impl Fn(&Path) -> PartName,
    item_after: impl Fn(&Path) -> PartName,
) -> HashMap<PartName, Tree<Agreed>> {
    let mut moved = HashMap::new();
    let place = |tree: &Tree<Agreed>, id: Id| (tree.parent(id), tree.name(id).to_owned());
    for id in before.below(ROOT).filter(|id| place(before, *id) != place(after, *id)) {
        let (from, to) = (before.path(id), after.path(id));
        let had = item_before(&from);
        if had != item_after(&to) {
            put(moved.entry(had).or_insert_with(|| Tree::new(None)), before, id);
        }
    }
    moved
}

/// Adds what the items have kept in `texts` to the agreed state, unless another item has stored it by now.
pub(crate) fn take_back<'a>(texts: impl Iterator<Item = &'a str>, agreed: &mut Tree<Agreed>) {
    let mut known = None;
    for text in texts {
        let mut kept = Tree::new(None);
        if !decode(text, &mut kept) {
            continue;
        }
        let known = known
            .get_or_insert_with(|| agreed.below(ROOT).filter_map(|id| identity(agreed, id)).collect::<HashSet<_>>());
        let is_top = |id: &Id| kept.entry(*id).is_some() && kept.entry(kept.parent(*id)).is_none();
        let tops: Vec<_> = kept.below(ROOT).filter(is_top).collect();
        for top in tops {
            if identity(&kept, top).is_some_and(|identity| !known.contains(&identity)) {
                put(agreed, &kept, top);
            }
        }
    }
}

fn identity(tree: &Tree<Agreed>, id: Id) -> Option<(Kind, u64)> {
    let version: Version = tree.entry(id).as_ref()?[Side::A];
    Some((version.kind, version.inode))
}

/// Copies an entry with everything in it to its path in another tree, except for what this has already.
fn put(to: &mut Tree<Agreed>, from: &Tree<Agreed>, id: Id) {
    let path = from.path(id);
    let mut place = ROOT;
    for name in path.parent().unwrap_or(Path::new("")) {
        place = to.child(place, name).unwrap_or_else(|| to.add(place, name, None));
    }
    if let Some(added) = to.add_new(place, from.name(id), *from.entry(id)) {
        from.copy_into(id, to, added);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::two_way::archive::encode;
    use crate::two_way::side::Both;

    fn version(inode: u64) -> Agreed {
        Some(Both { a: inode, b: inode + 100 }.map(|inode| Version { inode, ..Version::default() }))
    }

    fn item(path: &Path) -> PartName {
        path.iter().next().map(ToOwned::to_owned)
    }

    #[test]
    fn what_another_item_gets_is_kept_until_that_item_has_stored_it() {
        let mut before = Tree::new(None);
        let old = before.add(ROOT, "old", version(1));
        let moved = before.add(old, "moved", version(2));
        before.add(moved, "x", version(3));
        before.add(old, "y", version(4));
        let mut after = before.clone();
        let new = after.add(ROOT, "new", None);
        after.relocate(moved, new, "moved");
        let kept = moved_out(&before, &after, item, item);
        let text = encode(&kept[&item(Path::new("old"))]);
        let paths = |tree: &Tree<Agreed>| tree.below(ROOT).map(|id| tree.path(id)).collect::<Vec<_>>();

        let mut stopped = Tree::new(None);
        let place = stopped.add(ROOT, "old", version(1));
        stopped.add(place, "y", version(4));
        let mut stored = stopped.clone();
        let place = stored.add(ROOT, "new", version(9));
        stored.add(place, "moved", version(2));

        take_back([&*text].into_iter(), &mut stopped);
        assert_eq!(paths(&stopped), ["old", "old/moved", "old/moved/x", "old/y"].map(Path::new));
        take_back([&*text].into_iter(), &mut stored);
        assert_eq!(paths(&stored), ["new", "new/moved", "old", "old/y"].map(Path::new));
    }
}
