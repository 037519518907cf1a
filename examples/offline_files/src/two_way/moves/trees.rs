//! Moves made in the agreed state and in the tree of the other side.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::search::{Moved, Search};
use super::{Move, Relocation};
use crate::two_way::entry::{Agreed, Change, Found, Version};
use crate::two_way::side::Both;
use crate::two_way::tree::{Id, Tree};

impl Search<'_> {
    /// Makes the move in the agreed state alone.
    pub(super) fn adopt(&mut self, id: Id, agreed: Id, to: &Path) -> Moved {
        if self.is_agreed_place(to) {
            return Moved::Waits;
        }
        let there = self.other().find(to);
        self.state.found[self.side].entry_mut(id).is_moved = true;
        there.into_iter().for_each(|there| self.state.found[self.side.other()].entry_mut(there).is_moved = true);
        self.relocate_agreed(agreed, to);
        Moved::Yes(agreed)
    }

    pub(super) fn relocate(
        &mut self,
        (id, source, agreed): (Id, Id, Id),
        from: PathBuf,
        to: PathBuf,
        versions: &Both<Version>,
    ) {
        let side = self.side.other();
        let parent = self.make_directories(to.parent().unwrap_or(Path::new("")));
        let is_agreed = self.other().entry(source).version.change_since(&versions[side]) == Change::None;
        self.state.found[self.side].entry_mut(id).is_moved = true;
        self.state.found[side].relocate(source, parent, name_of(&to));
        self.relocate_agreed(agreed, &to);
        self.relocations.push(Relocation::Move(Move { side, id: source, agreed, from, to, is_agreed }));
    }

    /// The directory at `path` on the other side. Makes those that are missing.
    fn make_directories(&mut self, path: &Path) -> Id {
        let (side, mut parent, mut own) = (self.side.other(), Tree::<Found>::ROOT, Tree::<Found>::ROOT);
        for name in path {
            own = self.own().child(own, name).expect("the directories of a moved entry exist on its side");
            parent = self.other().child(parent, name).unwrap_or_else(|| {
                let mode = self.own().entry(own).version.mode;
                let made = Found::new(Version { mode, ..Version::default() });
                let id = self.state.found[side].add(parent, name, made);
                self.relocations.push(Relocation::Make { side, id, path: self.other().path(id), mode });
                id
            });
        }
        parent
    }

    fn relocate_agreed(&mut self, agreed: Id, to: &Path) {
        let tree = &mut self.state.agreed;
        let mut parent = Tree::<Agreed>::ROOT;
        for name in to.parent().unwrap_or(Path::new("")) {
            parent = tree.child(parent, name).unwrap_or_else(|| tree.add(parent, name, None));
        }
        tree.child(parent, name_of(to)).into_iter().for_each(|place| tree.remove(place));
        tree.relocate(agreed, parent, name_of(to));
        self.state.has_moved = true;
    }
}

fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}
