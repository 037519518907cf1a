//! Finds the outcomes and log entries of a run by item.

use std::collections::BTreeMap;

use syncmgr_core::decision::attempt::Phase;
use syncmgr_core::id::ItemId;

use super::{ItemReport, RunReport};

/// The places of each item's last outcome and last log entry.
#[derive(Clone, Debug)]
pub(super) struct ReportIndex {
    outcomes: BTreeMap<ItemId, Place>,
    /// The last entry about each item, and the last one about no item.
    entries: BTreeMap<Option<ItemId>, usize>,
}

/// The place of an outcome.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// An item of an attempt.
    Attempt { attempt: usize, index: usize },
    /// An item that was left out.
    NotRun(usize),
}

impl ReportIndex {
    pub(super) fn of(run: &RunReport) -> Self {
        let mut outcomes = BTreeMap::new();
        let mut not_run = run.not_run.iter().enumerate().peekable();
        for (attempt, number) in (0..run.attempts.len()).zip(0..) {
            let mut add_not_run = |outcomes: &mut BTreeMap<_, _>| {
                while let Some((place, (_, left_out))) = not_run.next_if(|(_, (of, _))| *of == number) {
                    outcomes.insert(left_out.item.id(), Place::NotRun(place));
                }
            };
            if attempt == 0 {
                add_attempt(run, attempt, &mut outcomes);
                add_not_run(&mut outcomes);
            } else {
                add_not_run(&mut outcomes);
                add_attempt(run, attempt, &mut outcomes);
            }
        }
        let entries = run.log.iter().enumerate().map(|(place, entry)| (entry.item, place)).collect();
        Self { outcomes, entries }
    }

    pub(super) fn item<'a>(&self, run: &'a RunReport, id: ItemId) -> Option<ItemReport<'a>> {
        match *self.outcomes.get(&id)? {
            Place::Attempt { attempt, index } => run.attempts.get(attempt)?.item(index),
            Place::NotRun(place) => run.not_run.get(place).map(|(_, not_run)| ItemReport::not_run(not_run)),
        }
    }

    /// Returns the place of the last log entry about an item, or about none.
    pub(super) fn last_entry(&self, about: Option<ItemId>) -> Option<usize> {
        self.entries.get(&about).copied()
    }
}

fn add_attempt(run: &RunReport, attempt: usize, outcomes: &mut BTreeMap<ItemId, Place>) {
    let of_attempt = &run.attempts[attempt];
    for (index, phase) in of_attempt.phases.iter().enumerate() {
        if matches!(phase, Phase::Ended(_)) {
            outcomes.insert(of_attempt.selection[index].id(), Place::Attempt { attempt, index });
        }
    }
}
