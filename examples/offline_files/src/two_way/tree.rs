//! A tree of named entries in which directories can be moved without a look at what they contain.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The number of an entry in its tree. It stays when the entry is moved.
pub(crate) type Id = u32;

/// Entries of the type `E`, below a root without a name.
#[derive(Clone, Debug)]
pub(crate) struct Tree<E> {
    nodes: Vec<Node<E>>,
}

#[derive(Clone, Debug)]
struct Node<E> {
    name: OsString,
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
        let root = Node { name: OsString::new(), parent: Self::ROOT, children: Vec::new(), entry: root };
        Self { nodes: vec![root] }
    }

    /// Adds an entry. Its name must be free.
    pub(crate) fn add(&mut self, parent: Id, name: OsString, entry: E) -> Id {
        let id = Id::try_from(self.nodes.len()).expect("a tree has fewer than 2^32 entries");
        self.nodes.push(Node { name, parent, children: Vec::new(), entry });
        self.insert(id);
        id
    }

    pub(crate) fn entry(&self, id: Id) -> &E {
        &self.node(id).entry
    }

    pub(crate) fn entry_mut(&mut self, id: Id) -> &mut E {
        &mut self.nodes[id as usize].entry
    }

    pub(crate) fn name(&self, id: Id) -> &OsStr {
        &self.node(id).name
    }

    pub(crate) fn parent(&self, id: Id) -> Id {
        self.node(id).parent
    }

    /// The entries of a directory, sorted by name.
    pub(crate) fn children(&self, id: Id) -> &[Id] {
        &self.node(id).children
    }

    pub(crate) fn child(&self, parent: Id, name: &OsStr) -> Option<Id> {
        let children = self.children(parent);
        children.binary_search_by(|child| self.name(*child).cmp(name)).ok().map(|index| children[index])
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
    pub(crate) fn relocate(&mut self, id: Id, parent: Id, name: OsString) {
        self.remove(id);
        let node = &mut self.nodes[id as usize];
        (node.parent, node.name) = (parent, name);
        self.insert(id);
    }

    /// Lets two entries change places, each with everything in it. Neither may be inside the other.
    pub(crate) fn exchange(&mut self, one: Id, other: Id) {
        let place = |id: Id| (self.parent(id), self.name(id).to_owned());
        let (of_one, of_other) = (place(one), place(other));
        self.remove(one);
        self.relocate(other, of_one.0, of_one.1);
        (self.nodes[one as usize].parent, self.nodes[one as usize].name) = of_other;
        self.insert(one);
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
                if to.child(place, self.name(*child)).is_none() {
                    let id = to.add(place, self.name(*child).to_owned(), self.entry(*child).clone());
                    pending.push((*child, id));
                }
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

    fn insert(&mut self, id: Id) {
        let (parent, name) = (self.parent(id), self.name(id));
        // Most trees are built in order.
        let place = match self.children(parent).last() {
            Some(last) if self.name(*last) >= name => {
                self.children(parent).partition_point(|child| self.name(*child) < name)
            }
            _ => self.children(parent).len(),
        };
        self.nodes[parent as usize].children.insert(place, id);
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
        let b = tree.add(Tree::<u8>::ROOT, "b".into(), 1);
        tree.add(Tree::<u8>::ROOT, "a".into(), 2);
        tree.add(b, "x".into(), 3);
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
        tree.relocate(b, a, "c".into());
        assert_eq!(paths(&tree), ["a", "a/c", "a/c/x"]);
        tree.remove(b);
        assert_eq!(paths(&tree), ["a"]);
    }

    #[test]
    fn two_entries_change_places_with_what_they_contain() {
        let mut tree = tree();
        let y = tree.add(tree.find(Path::new("a")).unwrap(), "y".into(), 4);
        let b = tree.find(Path::new("b")).unwrap();
        tree.exchange(b, y);
        assert_eq!(paths(&tree), ["a", "a/y", "a/y/x", "b"]);
        assert_eq!(*tree.entry(tree.find(Path::new("b")).unwrap()), 4);
        tree.exchange(b, y);
        assert_eq!(paths(&tree), ["a", "a/y", "b", "b/x"]);
    }
}
