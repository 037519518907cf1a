//! Both sides in memory, and runs on them.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::disk::{Disk, ROOT};
use crate::two_way::conflict::Conflicts;
use crate::two_way::entry::{Agreed, Kind, Time, Version};
use crate::two_way::moves::{Relocation, detect};
use crate::two_way::plan::{PartPlan, Plan, Verdict};
use crate::two_way::reconcile::{Comparison, Rules, reconcile, reconcile_part};
use crate::two_way::settled::{Outcome, settled};
use crate::two_way::side::{Both, Side};
use crate::two_way::state::State;
use crate::two_way::tree::Tree;

/// Both sides, and what they agreed on.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) disks: Both<Disk>,
    agreed: Tree<Agreed>,
}

impl World {
    /// Creates two empty sides. For some numbers of rounds, B stores whole seconds.
    pub(super) fn new(rounds: usize) -> Self {
        let mut b = Disk::new(2);
        if rounds.is_multiple_of(3) {
            b.nanos = 0;
        }
        Self { disks: Both { a: Disk::new(1), b }, agreed: Tree::new(None) }
    }

    /// Runs once. Returns the plan.
    pub(super) fn run(&mut self, policy: Conflicts) -> Plan {
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
            settled(&state, &part, &outcomes, []).copy_into(ROOT, &mut agreed, ROOT);
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
            Verdict::Unchanged | Verdict::Compare | Verdict::Leave(_) => Outcome::Undone,
        }
    }
}
