//! Runs that the environment holds: no network, a metered one, battery.

use std::collections::{BTreeMap, BTreeSet};

use super::effect::StartReason;
use crate::decision::hold::Hold;
use crate::decision::retry::Ask;
use crate::id::{HandlerId, ItemId};
use crate::request::RunRequest;

/// A run that was held.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HeldRun {
    /// What it was to do.
    pub request: RunRequest,
    /// What held it.
    pub hold: Hold,
    /// How firmly it was asked for.
    pub ask: Ask,
    /// Why there was a session.
    pub reason: StartReason,
}

/// The run of each handler that is started once nothing holds it any more.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldRuns(BTreeMap<HandlerId, HeldRun>);

impl HeldRuns {
    /// A run was held. One for each handler does what both ask for.
    pub(super) fn add(&mut self, mut run: HeldRun) {
        let handler = run.request.handler;
        if let Some(earlier) = self.0.remove(&handler) {
            run.ask = run.ask.max(earlier.ask);
            // What takes up an interrupted session does less than what was asked for besides.
            run.reason = if earlier.reason == run.reason { run.reason } else { StartReason::Asked };
            run.request.items = union(earlier.request.items, run.request.items);
        }
        self.0.insert(handler, run);
    }

    /// This begins. Where it is about what is preferred, nobody knows yet which items those are.
    pub(super) fn begins(&mut self, request: &RunRequest) {
        match &request.items {
            Some(items) => self.runs(request.handler, items.iter().copied()),
            None if self.0.get(&request.handler).is_some_and(|held| held.request.items.is_none()) => {
                self.remove(request.handler);
            }
            None => {}
        }
    }

    /// These items run now.
    pub(super) fn runs(&mut self, handler: HandlerId, running: impl IntoIterator<Item = ItemId>) {
        let held = self.0.get_mut(&handler).and_then(|held| held.request.items.as_mut());
        let Some(held) = held else { return };
        let running: BTreeSet<_> = running.into_iter().collect();
        held.retain(|item| !running.contains(item));
        if held.is_empty() {
            self.remove(handler);
        }
    }

    pub(super) fn remove(&mut self, handler: HandlerId) {
        self.0.remove(&handler);
    }

    /// What holds the handler's next run, if one waits.
    pub(super) fn hold_of(&self, handler: HandlerId) -> Option<&Hold> {
        self.0.get(&handler).map(|held| &held.hold)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the runs that nothing holds any more.
    pub(super) fn take_lifted(&mut self, is_lifted: impl Fn(&HeldRun) -> bool) -> Vec<HeldRun> {
        let (lifted, held) = std::mem::take(&mut self.0).into_iter().partition(|(_, held)| is_lifted(held));
        self.0 = held;
        BTreeMap::into_values(lifted).collect()
    }
}

/// What both ask for; `None` is what is preferred.
fn union(one: Option<BTreeSet<ItemId>>, other: Option<BTreeSet<ItemId>>) -> Option<BTreeSet<ItemId>> {
    let mut both = one?;
    both.append(&mut other?);
    Some(both)
}
