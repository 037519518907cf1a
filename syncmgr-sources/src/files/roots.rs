//! The watched paths, and the items that a change of a path concerns.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use syncmgr_core::id::ItemId;

/// The number of an item in a watch.
pub(super) type Index = usize;

/// The watched paths of a watch. They are called roots here, because everything below them is watched too.
#[derive(Debug)]
pub(super) struct Roots {
    items: Vec<ItemId>,
    /// The items of each root, in the order of paths, in which a directory is directly before everything below it.
    roots: BTreeMap<PathBuf, Vec<Index>>,
    /// The same for look-ups: the comparison of paths is slow.
    by_name: HashMap<OsString, Vec<Index>>,
    /// The directories above roots.
    above: BTreeSet<PathBuf>,
}

impl Roots {
    pub(super) fn new(paths: BTreeMap<PathBuf, BTreeSet<ItemId>>) -> Self {
        let items: BTreeSet<_> = paths.values().flatten().copied().collect();
        let items: Vec<_> = items.into_iter().collect();
        let indices = |of: BTreeSet<ItemId>| of.iter().filter_map(|item| items.binary_search(item).ok()).collect();
        // Without `.` and a separator at the end, as the paths of events are.
        let plain = |path: PathBuf| path.components().collect::<PathBuf>();
        let roots: BTreeMap<PathBuf, Vec<Index>> =
            paths.into_iter().map(|(path, of)| (plain(path), indices(of))).collect();
        let by_name = roots.iter().map(|(path, of)| (path.clone().into_os_string(), of.clone())).collect();
        let above = roots.keys().flat_map(|root| root.ancestors().skip(1)).map(Path::to_owned).collect();
        Self { items, roots, by_name, above }
    }

    /// Returns the number of items.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn item(&self, index: Index) -> ItemId {
        self.items[index]
    }

    /// Returns the items with a root that is this path or above it.
    pub(super) fn items_at(&self, path: &Path) -> Vec<Index> {
        path.ancestors().filter_map(|path| self.by_name.get(path.as_os_str())).flatten().copied().collect()
    }

    /// Returns the items that have this path as a root.
    pub(super) fn items_of(&self, path: &OsStr) -> &[Index] {
        self.by_name.get(path).map_or(&[], |items| items)
    }

    /// Returns the roots that are this path or below it, with their items.
    pub(super) fn below(&self, path: &Path) -> impl Iterator<Item = (&Path, &[Index])> {
        let from = self.roots.range::<Path, _>((Bound::Included(path), Bound::Unbounded));
        from.take_while(move |(root, _)| root.starts_with(path)).map(|(root, items)| (root.as_path(), &items[..]))
    }

    /// Returns all roots.
    pub(super) fn all(&self) -> impl Iterator<Item = &Path> {
        self.roots.keys().map(PathBuf::as_path)
    }

    /// Returns the directories above roots.
    pub(super) fn above(&self) -> impl Iterator<Item = &Path> {
        self.above.iter().map(PathBuf::as_path)
    }

    /// Returns `true` if this path is a root or above one.
    pub(super) fn leads_to_root(&self, path: &Path) -> bool {
        self.above.contains(path) || self.by_name.contains_key(path.as_os_str())
    }

    /// Returns `true` if the path is the parent of a root.
    pub(super) fn has_root_in(&self, path: &Path) -> bool {
        self.above.contains(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(paths: &[(&str, u128)]) -> Roots {
        let mut of = BTreeMap::<_, BTreeSet<_>>::new();
        paths.iter().for_each(|(path, item)| _ = of.entry(path.into()).or_default().insert(ItemId::from_u128(*item)));
        Roots::new(of)
    }

    #[test]
    fn a_path_concerns_the_items_whose_roots_contain_it() {
        let roots = roots(&[("/a", 1), ("/a/b/", 2), ("/ab", 3), ("/a/b", 4)]);
        let items_at =
            |path| roots.items_at(Path::new(path)).iter().map(|index| roots.item(*index)).collect::<BTreeSet<_>>();
        assert_eq!(items_at("/a/b/c"), [1, 2, 4].map(ItemId::from_u128).into());
        assert_eq!(items_at("/a/bc"), [1].map(ItemId::from_u128).into());
        assert_eq!(items_at("/abc"), BTreeSet::new());
    }

    #[test]
    fn the_roots_below_a_path_include_the_path_itself() {
        let roots = roots(&[("/a", 1), ("/a/b", 2), ("/a-c", 3), ("/a/b/c", 4)]);
        let below = |path| roots.below(Path::new(path)).map(|(root, _)| root.to_owned()).collect::<Vec<_>>();
        assert_eq!(below("/a"), [Path::new("/a"), Path::new("/a/b"), Path::new("/a/b/c")]);
        assert_eq!(below("/a/b/c/d"), Vec::<PathBuf>::new());
        assert!(roots.leads_to_root(Path::new("/")) && !roots.leads_to_root(Path::new("/b")));
    }
}
