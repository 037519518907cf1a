//! The core against a model: random edits of two sides in memory, runs between them, and what must hold after each.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use fastrand::Rng;

use super::conflict::Conflicts;
use super::entry::{Agreed, Found, Kind, Time, Version};
use super::moves::{Relocation, detect};
use super::plan::{PartPlan, Plan, Reason, Verdict};
use super::reconcile::{Comparison, Rules, reconcile, reconcile_part};
use super::settled::{Outcome, settled};
use super::side::{Both, Side};
use super::state::State;
use super::tree::{Id, Tree};

const ROOT: Id = 0;

/// An entry of a disk in memory.
#[derive(Clone, Debug, Default)]
struct Entry {
    version: Version,
    contents: String,
}

/// A side in memory.
#[derive(Clone, Debug)]
struct Disk {
    tree: Tree<Entry>,
    inodes: u64,
    clock: i64,
    /// The part of a second of all its times. Zero on a side that stores whole seconds.
    nanos: u32,
}

/// Both sides, and what they agreed on.
#[derive(Clone, Debug)]
pub(super) struct World {
    disks: Both<Disk>,
    agreed: Tree<Agreed>,
}

/// An edit of one side. The numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
struct Edit {
    side: Side,
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
    FileToDirectory,
    Swap,
}

const KINDS: [EditKind; 14] = [
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
    EditKind::FileToDirectory,
    EditKind::Swap,
];
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

impl Disk {
    fn new(nanos: u32) -> Self {
        let root = Entry {
            version: Version { inode: u64::from(nanos) * 1000, mode: 0o755, ..Version::default() },
            ..Entry::default()
        };
        Self { tree: Tree::new(root), inodes: u64::from(nanos) * 1000, clock: 0, nanos }
    }

    fn now(&mut self) -> Time {
        self.clock += 1;
        // No two modifications have the same time, on either side.
        Time { seconds: self.clock, nanos: self.nanos }
    }

    fn add(&mut self, parent: Id, name: OsString, kind: Kind, contents: &str) -> Id {
        self.inodes += 1;
        let (now, size) = (self.now(), contents.len() as u64);
        let mode = if kind == Kind::Directory { 0o755 } else { 0o644 };
        let version = Version { kind, inode: self.inodes, size, modified: now, changed: now, mode, is_mount: false };
        self.tree.add(parent, name, Entry { version, contents: contents.into() })
    }

    fn write(&mut self, id: Id, contents: &str) {
        let now = self.now();
        let entry = self.tree.entry_mut(id);
        (entry.contents, entry.version.size) = (contents.into(), contents.len() as u64);
        (entry.version.modified, entry.version.changed) = (now, now);
    }

    fn chmod(&mut self, id: Id, mode: u16) {
        let now = self.now();
        let version = &mut self.tree.entry_mut(id).version;
        if version.mode != mode {
            (version.mode, version.changed) = (mode, now);
        }
    }

    /// Moves an entry to a free name.
    fn relocate(&mut self, id: Id, parent: Id, name: OsString) {
        let now = self.now();
        self.tree.relocate(id, parent, name);
        self.tree.entry_mut(id).version.changed = now;
    }

    fn exchange(&mut self, one: Id, other: Id) {
        let now = self.now();
        self.tree.exchange(one, other);
        [one, other].iter().for_each(|id| self.tree.entry_mut(*id).version.changed = now);
    }

    /// The directory and name of a path that has no entry.
    fn free_place(&self, path: &Path) -> (Id, OsString) {
        assert!(self.tree.find(path).is_none(), "{} is occupied", path.display());
        let parent = self.tree.find(path.parent().unwrap()).expect("the directory of a new name exists");
        (parent, path.file_name().unwrap().to_owned())
    }

    fn is_directory(&self, id: Id) -> bool {
        self.tree.entry(id).version.is_directory()
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

    fn edit(&mut self, edit: Edit, token: &str) {
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
                    let place = |id| (self.tree.parent(id), self.tree.name(id).to_owned());
                    let [one, two] = [place(any), place(twin)];
                    self.tree.remove(twin);
                    self.relocate(any, two.0, two.1);
                    self.relocate(twin, one.0, one.1);
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

    fn scan(&self) -> Tree<Found> {
        let mut tree = Tree::new(Found::new(self.tree.entry(ROOT).version));
        let mut pending = vec![(ROOT, ROOT)];
        while let Some((from, to)) = pending.pop() {
            for child in self.tree.children(from) {
                let id = tree.add(to, self.tree.name(*child).to_owned(), Found::new(self.tree.entry(*child).version));
                pending.push((*child, id));
            }
        }
        tree
    }

    /// Everything by path: the kind, the permissions and the contents.
    fn snapshot(&self) -> BTreeMap<PathBuf, (String, u16)> {
        let describe = |id: Id| {
            let Entry { version, contents } = self.tree.entry(id);
            (self.tree.path(id), (format!("{:?} {contents}", version.kind), version.mode))
        };
        self.tree.below(ROOT).map(describe).collect()
    }

    /// The contents that only one entry has.
    fn unique_contents(&self) -> BTreeSet<String> {
        let all: Vec<_> = self.tree.below(ROOT).map(|id| &self.tree.entry(id).contents).collect();
        self.contents().into_iter().filter(|one| all.iter().filter(|other| **other == one).count() == 1).collect()
    }

    /// The contents of files and links.
    fn contents(&self) -> BTreeSet<String> {
        let of = |id: Id| Some(self.tree.entry(id).contents.clone()).filter(|contents| !contents.is_empty());
        self.tree.below(ROOT).filter_map(of).collect()
    }
}

impl World {
    /// Creates two empty sides. For some numbers of rounds, B stores whole seconds.
    fn new(rounds: usize) -> Self {
        let b = Disk { nanos: if rounds.is_multiple_of(3) { 0 } else { 2 }, ..Disk::new(2) };
        Self { disks: Both { a: Disk::new(1), b }, agreed: Tree::new(None) }
    }

    /// Runs once. Returns the plan.
    fn run(&mut self, policy: Conflicts) -> Plan {
        let found = Both::from_fn(|side| self.disks[side].scan());
        let mut state = State::new(self.agreed.clone(), found);
        for relocation in detect(&mut state, &HashSet::new()) {
            let now = self.relocate(&relocation);
            relocation.settle(&mut state, &now);
        }
        let mut rules = Rules { policy, ..Rules::default() };
        let first = reconcile(&state, &rules);
        rules.compared = self.compare(&first);
        let mut plan = Plan::default();
        let mut agreed = Tree::new(None);
        for name in first.parts.keys() {
            let part = reconcile_part(&state, &rules, name);
            let outcomes = self.apply(&part);
            graft(&settled(&state, &part, &outcomes), &mut agreed);
            plan.parts.insert(name.clone(), part);
        }
        self.agreed = agreed;
        plan
    }

    fn relocate(&mut self, relocation: &Relocation) -> Vec<Version> {
        match relocation {
            Relocation::Make { side, path, mode, .. } => {
                let disk = &mut self.disks[*side];
                let (parent, name) = disk.free_place(path);
                let id = disk.add(parent, name, Kind::Directory, "");
                disk.chmod(id, *mode);
                vec![disk.tree.entry(id).version]
            }
            Relocation::Move(moved) => {
                let disk = &mut self.disks[moved.side];
                let (parent, name) = disk.free_place(&moved.to);
                let id = disk.tree.find(&moved.from).expect("what is moved exists");
                disk.relocate(id, parent, name);
                vec![disk.tree.entry(id).version]
            }
            Relocation::Exchange(moves) => {
                let disk = &mut self.disks[moves[0].side];
                let ids = moves.each_ref().map(|moved| disk.tree.find(&moved.from).expect("what is moved exists"));
                disk.exchange(ids[0], ids[1]);
                ids.iter().map(|id| disk.tree.entry(*id).version).collect()
            }
        }
    }

    fn compare(&self, plan: &Plan) -> HashMap<PathBuf, Comparison> {
        let mut compared = HashMap::new();
        for part in plan.parts.values() {
            for index in (0..part.steps.len()).filter(|index| part.steps[*index].verdict == Verdict::Compare) {
                let path = part.path(index);
                let contents = |side: Side| {
                    let tree = &self.disks[side].tree;
                    &tree.entry(tree.find(&path).expect("what is compared exists")).contents
                };
                let is_equal = contents(Side::A) == contents(Side::B);
                compared.insert(path, if is_equal { Comparison::Equal } else { Comparison::Different });
            }
        }
        compared
    }

    /// Carries out the steps as the disks do: renamings, copies, deletions from the bottom up, late copies.
    fn apply(&mut self, part: &PartPlan) -> Vec<Outcome> {
        for renaming in &part.renamings {
            let disk = &mut self.disks[renaming.side];
            let parent = disk.tree.find(&part.parent_path(renaming.parent)).unwrap();
            let id = disk.tree.child(parent, &renaming.from).unwrap();
            assert!(disk.tree.child(parent, &renaming.to).is_none());
            disk.relocate(id, parent, renaming.to.clone());
        }
        let late = |index: &usize| part.steps[*index].is_late();
        let all = || 0..part.steps.len();
        all().filter(|index| !late(index)).for_each(|index| self.copy(part, index));
        for index in all().rev() {
            if let Verdict::Delete(side) = part.steps[index].verdict {
                let tree = &mut self.disks[side].tree;
                let id = tree.find(&part.path(index)).expect("what is deleted exists");
                assert!(tree.children(id).is_empty(), "{:?} is deleted with entries", part.path(index));
                tree.remove(id);
            }
        }
        all().filter(late).for_each(|index| self.copy(part, index));
        all().map(|index| self.outcome(part, index)).collect()
    }

    fn copy(&mut self, part: &PartPlan, index: usize) {
        let (step, path) = (&part.steps[index], part.path(index));
        if let Verdict::Copy(to) = step.verdict {
            let from = &self.disks[to.other()].tree;
            let source = from.entry(from.find(&path).expect("what is copied exists")).clone();
            let disk = &mut self.disks[to];
            let parent = disk.tree.find(path.parent().unwrap()).expect("the directory of a copy exists");
            let there = disk.tree.child(parent, path.file_name().unwrap());
            assert_eq!(there.is_some(), step.found[to].is_some(), "{path:?}");
            let is_kept = there.is_some_and(|there| disk.is_directory(there)) && source.version.is_directory();
            if !is_kept {
                if let Some(there) = there {
                    assert!(disk.tree.children(there).is_empty());
                    disk.tree.remove(there);
                }
                let name = path.file_name().unwrap().to_owned();
                let id = disk.add(parent, name, source.version.kind, &source.contents);
                let modified = source.version.modified;
                let nanos = if disk.nanos == 0 { 0 } else { modified.nanos };
                disk.tree.entry_mut(id).version.modified = Time { nanos, ..modified };
            }
        }
        if matches!(step.verdict, Verdict::Keep | Verdict::Copy(_)) {
            for side in Side::BOTH {
                let disk = &mut self.disks[side];
                let id = disk.tree.find(&path).unwrap();
                if disk.tree.entry(id).version.kind != Kind::Link {
                    disk.chmod(id, step.modes[side]);
                }
            }
        }
    }

    fn outcome(&self, part: &PartPlan, index: usize) -> Outcome {
        match part.steps[index].verdict {
            Verdict::Keep | Verdict::Copy(_) => {
                let path = part.path(index);
                let version = |side: Side| {
                    let tree = &self.disks[side].tree;
                    tree.entry(tree.find(&path).unwrap()).version
                };
                Outcome::Agreed(Both::from_fn(version))
            }
            Verdict::Delete(_) => Outcome::Gone,
            Verdict::Compare | Verdict::Leave(_) => Outcome::Undone,
        }
    }
}

/// Adds the agreed state of an item to that of all.
fn graft(from: &Tree<Agreed>, to: &mut Tree<Agreed>) {
    let mut pending = vec![(ROOT, ROOT)];
    while let Some((from_id, to_id)) = pending.pop() {
        for child in from.children(from_id) {
            let id = to.add(to_id, from.name(*child).to_owned(), *from.entry(*child));
            pending.push((*child, id));
        }
    }
}

/// The edits between the runs.
type Script = Vec<Vec<Edit>>;

fn script(seed: u64) -> Script {
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

fn is_open(plan: &Plan) -> bool {
    let steps = plan.parts.values().flat_map(|part| &part.steps);
    steps.into_iter().any(|step| matches!(step.verdict, Verdict::Leave(Reason::Conflict(_))))
}

fn is_quiet(plan: &Plan) -> bool {
    let is_quiet = |verdict: &Verdict| matches!(verdict, Verdict::Keep | Verdict::Leave(_));
    plan.parts.values().all(|part| part.renamings.is_empty() && part.steps.iter().all(|step| is_quiet(&step.verdict)))
}

/// Runs a script. Returns what is wrong, if anything.
fn check(script: &Script, policy: Conflicts) -> Result<(), String> {
    let (mut world, mut number, mut was_open) = (World::new(script.len()), 100, false);
    for edits in script {
        let before = Both::from_fn(|side| world.disks[side].contents());
        let unique = Both::from_fn(|side| world.disks[side].unique_contents());
        for edit in edits {
            number += 1;
            world.disks[edit.side].edit(*edit, &format!("t{number}"));
        }
        let edited = Both::from_fn(|side| world.disks[side].contents());
        let plan = world.run(policy);
        let after = Both::from_fn(|side| world.disks[side].contents());
        if matches!(policy, Conflicts::Ask | Conflicts::KeepBoth) {
            let lost = |side: Side| edited[side].difference(&before[side]).find(|new| !after[side].contains(*new));
            let all_after: BTreeSet<_> = after.a.union(&after.b).collect();
            let has = |side: Side, one: &String| unique[side].contains(one) && edited[side].contains(one);
            let kept = |one: &&String| Side::BOTH.iter().all(|side| has(*side, one));
            let vanished = || unique.a.iter().filter(kept).find(|one| !all_after.contains(one));
            // A side may have ended an open conflict by putting back the agreed version.
            let vanished = if was_open { None } else { vanished() };
            if let Some(lost) = lost(Side::A).or_else(|| lost(Side::B)).or(vanished) {
                return Err(format!("{lost} is lost"));
            }
        }
        was_open = is_open(&plan);
        let snapshots = Both::from_fn(|side| world.disks[side].snapshot());
        if !was_open && snapshots.a != snapshots.b {
            return Err(format!("the sides differ: {snapshots:#?}"));
        }
        let again = world.run(policy);
        let repeated = Both::from_fn(|side| world.disks[side].snapshot());
        if !is_quiet(&again) || repeated != snapshots {
            return Err("a second run does something".into());
        }
    }
    Ok(())
}

/// Removes edits from a failing script as long as it fails.
fn shrink(mut script: Script, fails: impl Fn(&Script) -> bool) -> Script {
    loop {
        let places: Vec<(usize, usize)> = script
            .iter()
            .enumerate()
            .flat_map(|(round, edits)| (0..edits.len()).map(move |edit| (round, edit)))
            .collect();
        let smaller = places.into_iter().find_map(|(round, edit)| {
            let mut smaller = script.clone();
            smaller[round].remove(edit);
            fails(&smaller).then_some(smaller)
        });
        match smaller {
            Some(smaller) => script = smaller,
            None => return script,
        }
    }
}

fn fails(script: &Script, policy: Conflicts) -> Option<String> {
    std::panic::catch_unwind(|| check(script, policy)).unwrap_or_else(|_| Err("it panicked".into())).err()
}

/// Checks scripts from many seeds. `TWO_WAY_SCRIPTS` sets their number, `TWO_WAY_SEED` the first one.
#[test]
fn random_edits_are_never_lost_and_both_sides_converge() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (first, count) = (number("TWO_WAY_SEED").unwrap_or(1), number("TWO_WAY_SCRIPTS").unwrap_or(2_000));
    for seed in first..first + count {
        for policy in [Conflicts::Ask, Conflicts::KeepBoth, Conflicts::A, Conflicts::Newer] {
            let script = script(seed);
            if let Some(error) = fails(&script, policy) {
                let small = shrink(script, |script| fails(script, policy).is_some());
                let error = fails(&small, policy).unwrap_or(error);
                panic!("seed {seed}, {policy:?}: {error}\n{small:#?}");
            }
        }
    }
}
