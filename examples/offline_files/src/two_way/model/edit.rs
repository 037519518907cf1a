//! Random edits of a side.

use std::ffi::OsString;

use fastrand::Rng;

use super::disk::{Disk, ROOT};
use crate::two_way::entry::Kind;
use crate::two_way::side::Side;
use crate::two_way::tree::Id;

/// An edit of one side. The numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edit {
    pub(super) side: Side,
    kind: EditKind,
    which: u32,
    other: u32,
}

#[derive(Clone, Copy, Debug)]
enum EditKind {
    Create,
    MakeDirectory,
    MakeLink,
    Write,
    WriteSameSize,
    /// A new file takes the place of the old one, as editors save.
    Replace,
    Delete,
    Move,
    Chmod,
    /// Only the time of change is new, as after a hard link to the file was made.
    Touch,
    FileToDirectory,
    Swap,
}

const KINDS: [EditKind; 15] = [
    EditKind::Create,
    EditKind::Create,
    EditKind::MakeDirectory,
    EditKind::MakeLink,
    EditKind::Write,
    EditKind::WriteSameSize,
    EditKind::Replace,
    EditKind::Delete,
    EditKind::Delete,
    EditKind::Move,
    EditKind::Move,
    EditKind::Chmod,
    EditKind::Touch,
    EditKind::FileToDirectory,
    EditKind::Swap,
];
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The edits between the runs.
pub(super) type Script = Vec<Vec<Edit>>;

pub(super) fn script(seed: u64) -> Script {
    let mut random = Rng::with_seed(seed);
    let rounds = random.usize(1..5);
    let edit = |random: &mut Rng| Edit {
        side: if random.bool() { Side::A } else { Side::B },
        kind: KINDS[random.usize(..KINDS.len())],
        which: random.u32(..1000),
        other: random.u32(..1000),
    };
    (0..rounds).map(|_| (0..random.usize(1..12)).map(|_| edit(&mut random)).collect()).collect()
}

impl Edit {
    /// Returns `true` if it changes nothing that is synchronized.
    pub(super) fn is_touch(&self) -> bool {
        matches!(self.kind, EditKind::Touch)
    }
}

impl Disk {
    pub(super) fn edit(&mut self, edit: Edit, token: &str) {
        let Edit { kind, which, other, .. } = edit;
        let name = || OsString::from(NAMES[other as usize / 7 % NAMES.len()]);
        let parent = self.pick_directory(which);
        let is_free = self.tree.child(parent, &name()).is_none();
        let file = self.pick(which, |id| self.tree.entry(id).version.kind == Kind::File);
        let any = self.pick(which, |_| true);
        match (kind, file, any) {
            (EditKind::Create, ..) if is_free => drop(self.add(parent, name(), Kind::File, token)),
            (EditKind::MakeDirectory, ..) if is_free => drop(self.add(parent, name(), Kind::Directory, "")),
            (EditKind::MakeLink, ..) if is_free => drop(self.add(parent, name(), Kind::Link, token)),
            (EditKind::Write, Some(file), _) => self.write(file, &format!("{token}{}", "+".repeat(other as usize % 3))),
            (EditKind::WriteSameSize, Some(file), _) => {
                let size = self.tree.entry(file).contents.len();
                if size == token.len() {
                    self.write(file, token);
                }
            }
            (EditKind::Replace, Some(file), _) => {
                let (parent, name) = (self.tree.parent(file), self.tree.name(file).to_owned());
                self.tree.remove(file);
                self.add(parent, name, Kind::File, token);
            }
            (EditKind::Delete, _, Some(any)) => self.tree.remove(any),
            (EditKind::Chmod, _, Some(any)) if self.tree.entry(any).version.kind != Kind::Link => {
                self.chmod(any, [0o755, 0o700, 0o775][other as usize % 3]);
            }
            (EditKind::Touch, Some(file), _) => self.touch(file),
            (EditKind::FileToDirectory, Some(file), _) => {
                let (parent, name) = (self.tree.parent(file), self.tree.name(file).to_owned());
                self.tree.remove(file);
                let directory = self.add(parent, name, Kind::Directory, "");
                self.add(directory, "a".into(), Kind::File, token);
            }
            (EditKind::Move, _, Some(any)) => self.move_over(any, self.pick_directory(other), name()),
            (EditKind::Swap, _, Some(any)) => {
                let twin = self.pick(other, |id| !self.tree.ancestors(id).any(|above| above == any));
                if let Some(twin) = twin.filter(|twin| !self.tree.ancestors(any).any(|above| above == *twin)) {
                    self.exchange(any, twin);
                }
            }
            _ => {}
        }
    }

    fn move_over(&mut self, id: Id, parent: Id, name: OsString) {
        if self.tree.ancestors(parent).any(|above| above == id) {
            return;
        }
        match self.tree.child(parent, &name) {
            Some(there) if there == id || self.is_directory(there) || self.is_directory(id) => {}
            there => {
                there.into_iter().for_each(|there| self.tree.remove(there));
                self.relocate(id, parent, name);
            }
        }
    }

    fn pick(&self, number: u32, matches: impl Fn(Id) -> bool) -> Option<Id> {
        let all: Vec<Id> = self.tree.below(ROOT).filter(|id| matches(*id)).collect();
        (!all.is_empty()).then(|| all[number as usize % all.len()])
    }

    fn pick_directory(&self, number: u32) -> Id {
        let all: Vec<Id> =
            std::iter::once(ROOT).chain(self.tree.below(ROOT).filter(|id| self.is_directory(*id))).collect();
        all[number as usize % all.len()]
    }
}
