//! A tree of named entries in which directories can be moved without a look at what they contain.

use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The number of an entry in its tree. It stays when the entry is moved.
pub(crate) type Id = u32;

/// Entries of the type `E`, below a root without a name.
#[derive(Clone, Debug)]
pub(crate) struct Tree<E> {
    nodes: Vec<Node<E>>,
    /// The bytes of all names: one allocation instead of one for each entry.
    names: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Node<E> {
    /// The place of its name.
    name: Range<usize>,
    parent: Id,
    /// Sorted by name.
    children: Vec<Id>,
    entry: E,
}

impl<E> Tree<E> {
    /// The number of the root.
    pub(crate) const ROOT: Id = 0;

    /// Creates a tree that has only a root.
    pub(crate) fn new(root: E) -> Self {
        let root = Node { name: 0..0, parent: Self::ROOT, children: Vec::new(), entry: root };
        Self { nodes: vec![root], names: Vec::new() }
    }

    /// Adds an entry. Its name must be free.
    pub(crate) fn add(&mut self, parent: Id, name: impl AsRef<OsStr>, entry: E) -> Id {
        self.add_new(parent, name.as_ref(), entry).expect("the name is free")
    }

    /// Adds an entry, unless there is one of this name.
    pub(crate) fn add_new(&mut self, parent: Id, name: &OsStr, entry: E) -> Option<Id> {
        let place = self.position(parent, name).err()?;
        let id = Id::try_from(self.nodes.len()).expect("a tree has fewer than 2^32 entries");
        let name = self.store(name);
        self.nodes.push(Node { name, parent, children: Vec::new(), entry });
        self.nodes[parent as usize].children.insert(place, id);
        Some(id)
    }

    /// The number of entries that were ever added, with the root. It is greater than each number of an entry.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn entry(&self, id: Id) -> &E {
        &self.node(id).entry
    }

    pub(crate) fn entry_mut(&mut self, id: Id) -> &mut E {
        &mut self.nodes[id as usize].entry
    }

    pub(crate) fn name(&self, id: Id) -> &OsStr {
        OsStr::from_bytes(&self.names[self.node(id).name.clone()])
    }

    pub(crate) fn parent(&self, id: Id) -> Id {
        self.node(id).parent
    }

    /// The entries of a directory, sorted by name.
    pub(crate) fn children(&self, id: Id) -> &[Id] {
        &self.node(id).children
    }

    pub(crate) fn child(&self, parent: Id, name: &OsStr) -> Option<Id> {
        self.position(parent, name).ok().map(|index| self.children(parent)[index])
    }

    /// The entry at `path`.
    pub(crate) fn find(&self, path: &Path) -> Option<Id> {
        path.iter().try_fold(Self::ROOT, |parent, name| self.child(parent, name))
    }

    /// The path of an entry; empty for the root.
    pub(crate) fn path(&self, id: Id) -> PathBuf {
        let mut names: Vec<_> = self.ancestors(id).filter(|id| *id != Self::ROOT).map(|id| self.name(id)).collect();
        names.reverse();
        names.into_iter().collect()
    }

    /// The entry and the directories that contain it, up to the root.
    pub(crate) fn ancestors(&self, id: Id) -> impl Iterator<Item = Id> {
        let above = |id: &Id| (*id != Self::ROOT).then(|| self.parent(*id));
        std::iter::successors(Some(id), above)
    }

    /// Moves an entry with everything in it. The new name must be free, and `parent` must not be inside the entry.
    pub(crate) fn relocate(&mut self, id: Id, parent: Id, name: impl AsRef<OsStr>) {
        self.remove(id);
        let name = self.store(name.as_ref());
        self.put(id, parent, name);
    }

    /// Lets two entries change places, each with everything in it. Neither may be inside the other.
    pub(crate) fn exchange(&mut self, one: Id, other: Id) {
        let place = |id: Id| (self.parent(id), self.node(id).name.clone());
        let (of_one, of_other) = (place(one), place(other));
        self.remove(one);
        self.remove(other);
        self.put(other, of_one.0, of_one.1);
        self.put(one, of_other.0, of_other.1);
    }

    /// Takes an entry out of its directory. Its number and what it contains stay.
    pub(crate) fn remove(&mut self, id: Id) {
        let parent = self.parent(id);
        let children = &mut self.nodes[parent as usize].children;
        children.retain(|child| *child != id);
    }

    /// Copies what is in a directory to a directory of another tree, except for names that this has already.
    pub(crate) fn copy_into(&self, directory: Id, to: &mut Self, place: Id)
    where
        E: Clone,
    {
        let mut pending = vec![(directory, place)];
        while let Some((from, place)) = pending.pop() {
            for child in self.children(from) {
                let added = to.add_new(place, self.name(*child), self.entry(*child).clone());
                pending.extend(added.map(|id| (*child, id)));
            }
        }
    }

    /// All entries below `top`, parents before their children.
    pub(crate) fn below(&self, top: Id) -> impl Iterator<Item = Id> {
        let mut pending: Vec<Id> = self.children(top).iter().rev().copied().collect();
        std::iter::from_fn(move || {
            let id = pending.pop()?;
            pending.extend(self.children(id).iter().rev());
            Some(id)
        })
    }

    /// Puts an entry that is nowhere into a directory, in which its name is free.
    fn put(&mut self, id: Id, parent: Id, name: Range<usize>) {
        let node = &mut self.nodes[id as usize];
        (node.parent, node.name) = (parent, name);
        let place = self.position(parent, self.name(id)).expect_err("the name is free");
        self.nodes[parent as usize].children.insert(place, id);
    }

    fn store(&mut self, name: &OsStr) -> Range<usize> {
        let start = self.names.len();
        self.names.extend(name.as_bytes());
        start..self.names.len()
    }

    /// The index of the child of this name, or the one that it would have.
    fn position(&self, parent: Id, name: &OsStr) -> Result<usize, usize> {
        let children = self.children(parent);
        match children.last() {
            // Most trees are built in order.
            Some(last) if self.name(*last) >= name => children.binary_search_by(|child| self.name(*child).cmp(name)),
            _ => Err(children.len()),
        }
    }

    fn node(&self, id: Id) -> &Node<E> {
        &self.nodes[id as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree<u8> {
        let mut tree = Tree::new(0);
        let b = tree.add(Tree::<u8>::ROOT, "b", 1);
        tree.add(Tree::<u8>::ROOT, "a", 2);
        tree.add(b, "x", 3);
        tree
    }

    fn paths(tree: &Tree<u8>) -> Vec<String> {
        tree.below(Tree::<u8>::ROOT).map(|id| tree.path(id).display().to_string()).collect()
    }

    #[test]
    fn entries_are_found_by_path_and_listed_by_name() {
        let tree = tree();
        assert_eq!(paths(&tree), ["a", "b", "b/x"]);
        assert_eq!(tree.find(Path::new("b/x")).map(|id| *tree.entry(id)), Some(3));
        assert_eq!(tree.find(Path::new("a/x")), None);
    }

    #[test]
    fn a_directory_moves_with_what_it_contains() {
        let mut tree = tree();
        let [a, b] = ["a", "b"].map(|name| tree.find(Path::new(name)).unwrap());
        tree.relocate(b, a, "c");
        assert_eq!(paths(&tree), ["a", "a/c", "a/c/x"]);
        tree.remove(b);
        assert_eq!(paths(&tree), ["a"]);
    }

    #[test]
    fn two_entries_change_places_with_what_they_contain() {
        let mut tree = tree();
        let y = tree.add(tree.find(Path::new("a")).unwrap(), "y", 4);
        let b = tree.find(Path::new("b")).unwrap();
        tree.exchange(b, y);
        assert_eq!(paths(&tree), ["a", "a/y", "a/y/x", "b"]);
        assert_eq!(*tree.entry(tree.find(Path::new("b")).unwrap()), 4);
        tree.exchange(b, y);
        assert_eq!(paths(&tree), ["a", "a/y", "b", "b/x"]);
    }
}
