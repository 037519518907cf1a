//! The directories of a plan as trees.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use super::batches::is_large;
use super::plan::Plan;

/// The directories of a plan by index, where the directories below one follow it. A directory without changes is no part of the
/// plan, so that there may be several trees.
pub(super) struct Forest(Vec<Node>);

struct Node {
    /// The index after the last directory below this one.
    end: usize,
    /// The index of the directory that contains this one, if it is planned.
    parent: Option<usize>,
    /// `true` if the directory changes until the deletions are made.
    is_late: bool,
    is_made: AtomicBool,
    gives_acls: AtomicBool,
}

impl Forest {
    pub(super) fn of(plan: &Plan) -> Self {
        let deletions: HashSet<_> = plan.deletions.iter().filter_map(|deletion| deletion.path.parent()).collect();
        let mut nodes: Vec<Node> = Vec::with_capacity(plan.directories.len());
        let mut open: Vec<usize> = Vec::new();
        for (index, directory) in plan.directories.iter().enumerate() {
            let path = |index: usize| &*plan.directories[index].path;
            while let Some(last) = open.pop_if(|last| !directory.path.starts_with(path(*last))) {
                nodes[last].end = index;
            }
            let last = open.last().copied();
            if let Some(last) = last {
                nodes[last].is_late = true;
            }
            let parent = last.filter(|&last| directory.path.parent() == Some(path(last)));
            let has_late = || directory.changes.iter().any(|change| change.is_link() || change.removes_entries());
            let is_late = deletions.contains(&*directory.path) || is_large(&directory.changes) || has_late();
            nodes.push(Node {
                end: plan.directories.len(),
                parent,
                is_late,
                is_made: false.into(),
                gives_acls: true.into(),
            });
            open.push(index);
        }
        let forest = Self(nodes);
        forest.expect_all(plan);
        forest
    }

    /// Tells each directory how many changes it will have.
    fn expect_all(&self, plan: &Plan) {
        for (index, directory) in plan.directories.iter().enumerate() {
            directory.outcome.expect(directory.changes.len());
            if let Some(parent) = self.parent(index).filter(|_| !directory.exists()) {
                plan.directories[parent].outcome.expect(1);
            }
        }
    }

    pub(super) fn roots(&self) -> impl Iterator<Item = usize> {
        self.within(0, self.0.len())
    }

    pub(super) fn children(&self, index: usize) -> impl Iterator<Item = usize> {
        self.within(index + 1, self.0[index].end)
    }

    pub(super) fn parent(&self, index: usize) -> Option<usize> {
        self.0[index].parent
    }

    /// Returns `true` if the directory is finalized after everything else.
    pub(super) fn is_late(&self, index: usize) -> bool {
        self.0[index].is_late
    }

    /// Records that the directory is made, and whether its new entries inherit an access control list.
    pub(super) fn set_made(&self, index: usize, gives_acls: bool) {
        self.0[index].gives_acls.store(gives_acls, Ordering::Relaxed);
        self.0[index].is_made.store(true, Ordering::Relaxed);
    }

    pub(super) fn gives_acls(&self, index: usize) -> bool {
        self.0[index].gives_acls.load(Ordering::Relaxed)
    }

    pub(super) fn is_made(&self, index: usize) -> bool {
        self.0[index].is_made.load(Ordering::Relaxed)
    }

    /// The uppermost directories from `start` to `end`.
    fn within(&self, start: usize, end: usize) -> impl Iterator<Item = usize> {
        let next = move |index: usize| (index < end).then_some(index);
        std::iter::successors(next(start), move |&index| next(self.0[index].end))
    }
}
