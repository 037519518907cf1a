//! The walk that makes directories and copies files, by several threads from the top down.

use super::Run;
use super::modes::has_other_modes;
use crate::mirror::{Queue, Stopped, share};
use crate::two_way::plan::{Step, Verdict};
use crate::two_way::side::Side;

/// The number of tasks that one thread does faster than several.
const FEW: usize = 4;

/// The limits of the files that a thread copies in one go.
const BATCH_FILES: usize = 256;
const BATCH_BYTES: u64 = 8 * 1024 * 1024;

/// The steps of an item as a tree.
pub(super) struct Walk<'a> {
    run: &'a Run<'a>,
    /// The steps of the root's entries, and of those of each step.
    top: Vec<usize>,
    children: Vec<Vec<usize>>,
    /// Tells of each step if it or any below it has something to do before the deletions.
    busy: Vec<bool>,
}

/// A part of the work that a thread does at once.
enum Task {
    /// Makes a directory if need be, and goes through what is in it. `None` is the root.
    Enter(Option<usize>),
    /// Does these steps in a directory.
    Files(Option<usize>, Vec<usize>),
}

impl<'a> Walk<'a> {
    pub(super) fn new(run: &'a Run<'a>) -> Self {
        let steps = &run.part.steps;
        let (mut top, mut children, mut busy) = (Vec::new(), vec![Vec::new(); steps.len()], vec![false; steps.len()]);
        for (index, step) in steps.iter().enumerate() {
            step.parent.map_or(&mut top, |parent| &mut children[parent]).push(index);
        }
        for (index, step) in steps.iter().enumerate().rev() {
            busy[index] |= is_early(step);
            if let (Some(parent), true) = (step.parent, busy[index]) {
                busy[parent] = true;
            }
        }
        Self { run, top, children, busy }
    }

    pub(super) fn copy_all(&self) -> Result<(), Stopped> {
        if !self.busy.contains(&true) {
            return Ok(());
        }
        share(&self.run.disks.jobs, FEW, vec![Task::Enter(None)], |task, queue| self.perform(task, queue))
    }

    fn perform(&self, task: Task, queue: &Queue<'_, Task>) -> Result<(), Stopped> {
        self.run.failures.monitor.advance(0)?;
        match task {
            Task::Enter(directory) => self.enter(directory, queue),
            Task::Files(directory, files) => self.run.do_files(directory, &files),
        }
    }

    fn enter(&self, directory: Option<usize>, queue: &Queue<'_, Task>) -> Result<(), Stopped> {
        if let Some(index) = directory
            && let Verdict::Copy(to) = self.run.part.steps[index].verdict
            && self.run.failures.tolerate(self.run.make_directory(index, to))?.is_none()
        {
            return Ok(());
        }
        let steps = directory.map_or(&self.top, |index| &self.children[index]);
        let busy = steps.iter().copied().filter(|index| self.busy[*index]);
        let (directories, files): (Vec<_>, Vec<_>) = busy.partition(|index| self.run.part.steps[*index].is_entered());
        let mut batches = self.batches(files);
        let own = if batches.len() == 1 { batches.pop() } else { None };
        let batches = batches.into_iter().map(|files| Task::Files(directory, files));
        queue.add(batches.chain(directories.into_iter().map(|index| Task::Enter(Some(index)))));
        own.map_or(Ok(()), |own| self.run.do_files(directory, &own))
    }

    fn batches(&self, files: Vec<usize>) -> Vec<Vec<usize>> {
        let mut batches: Vec<Vec<usize>> = Vec::new();
        let mut bytes = u64::MAX;
        for index in files {
            let step = &self.run.part.steps[index];
            let size = Side::BOTH.into_iter().map(|side| step.size_on(side)).max().unwrap_or(0);
            match batches.last_mut().filter(|batch| bytes < BATCH_BYTES && batch.len() < BATCH_FILES) {
                Some(batch) => {
                    bytes += size;
                    batch.push(index);
                }
                None => {
                    bytes = size;
                    batches.push(vec![index]);
                }
            }
        }
        batches
    }
}

/// Returns `true` for what is to be done before the deletions.
fn is_early(step: &Step) -> bool {
    match step.verdict {
        Verdict::Copy(_) => !step.is_late(),
        Verdict::Keep => !step.is_directory_on(Side::A) && has_other_modes(step),
        Verdict::Unchanged | Verdict::Compare | Verdict::Delete(_) | Verdict::Leave(_) => false,
    }
}
