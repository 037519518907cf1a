//! Runs that wait for the environment: for a network, an unmetered network, or mains power.

use std::collections::{BTreeMap, BTreeSet};

use super::effect::StartReason;
use crate::decision::hold::Hold;
use crate::decision::retry::RequestedBy;
use crate::id::{HandlerId, ItemId};
use crate::request::RunRequest;

/// A run that the environment holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HeldRun {
    /// The request.
    pub request: RunRequest,
    /// The reason for the wait.
    pub hold: Hold,
    /// The origin of the request.
    pub requested_by: RequestedBy,
    /// The reason for its session.
    pub reason: StartReason,
}

impl HeldRun {
    /// Returns `true` if no caller waits for the run.
    pub(super) fn is_automatic(&self) -> bool {
        self.requested_by == RequestedBy::Automatic
    }
}

/// The held run of each handler. It starts once the environment allows it.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldRuns(BTreeMap<HandlerId, HeldRun>);

impl HeldRuns {
    /// Adds a held run. A run of the same handler that already waits is merged into it.
    pub(super) fn add(&mut self, mut run: HeldRun) {
        let handler = run.request.handler;
        if let Some(earlier) = self.0.remove(&handler) {
            run.requested_by = run.requested_by.max(earlier.requested_by);
            // A run with the reason `Resumed` runs only interrupted items, which would leave out other items of the merged request.
            run.reason = if earlier.reason == run.reason { run.reason } else { StartReason::Requested };
            run.request.items = union(earlier.request.items, run.request.items);
        }
        self.0.insert(handler, run);
    }

    /// Removes from the held run everything that this request covers. A request for the preferred items does not name them, so
    /// it covers a held run only if that run is for the preferred items too.
    pub(super) fn begins(&mut self, request: &RunRequest) {
        match &request.items {
            Some(items) => self.runs(request.handler, items.iter().copied()),
            None if self.0.get(&request.handler).is_some_and(|held| held.request.items.is_none()) => {
                self.remove(request.handler);
            }
            None => {}
        }
    }

    /// Removes items that run now from the held run.
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

    /// Returns the reason why the handler's next run waits, if one does.
    pub(super) fn hold_of(&self, handler: HandlerId) -> Option<&Hold> {
        self.0.get(&handler).map(|held| &held.hold)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes and returns the runs that may start.
    pub(super) fn take_lifted(&mut self, is_lifted: impl Fn(&HeldRun) -> bool) -> Vec<HeldRun> {
        let (lifted, held) = std::mem::take(&mut self.0).into_iter().partition(|(_, held)| is_lifted(held));
        self.0 = held;
        BTreeMap::into_values(lifted).collect()
    }
}

/// Returns the items of both requests; `None` stands for the preferred items.
fn union(one: Option<BTreeSet<ItemId>>, other: Option<BTreeSet<ItemId>>) -> Option<BTreeSet<ItemId>> {
    let mut both = one?;
    both.append(&mut other?);
    Some(both)
}
