//! Runs that wait for the environment: for a network, an unmetered network, or mains power.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::effect::StartReason;
use crate::decision::hold::Hold;
use crate::decision::retry::RequestedBy;
use crate::id::{HandlerId, ItemId};
use crate::request::RunRequest;
use crate::requirements::Requirements;

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
    /// What its items require, if the run waits for that.
    pub requirements: Requirements,
}

impl HeldRun {
    /// Creates a run with this origin. The decision that holds it sets the hold.
    pub fn new(request: RunRequest, (requested_by, reason): (RequestedBy, StartReason)) -> Self {
        Self { request, hold: Hold::Paused, requested_by, reason, requirements: Requirements::NONE }
    }

    /// Sets the items.
    #[must_use]
    pub fn with_items(self, items: impl IntoIterator<Item = ItemId>) -> Self {
        Self { request: self.request.with_items(items), ..self }
    }

    /// Sets the hold.
    #[must_use]
    pub fn with_hold(self, hold: Hold) -> Self {
        Self { hold, ..self }
    }

    /// Sets the requirements.
    #[must_use]
    pub fn with_requirements(self, requirements: Requirements) -> Self {
        Self { requirements, ..self }
    }

    /// Returns `true` if no caller waits for the run.
    pub(super) fn is_automatic(&self) -> bool {
        self.requested_by == RequestedBy::Automatic
    }
}

/// The items that a held run runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Preferred,
    /// Given items, all with these requirements.
    Given(Requirements),
}

/// The held runs of each handler: one for the preferred items, one for given items, which may be others, and one for each set of
/// items that wait for the same requirements. Each starts once the environment allows it. The preferred items are first, so that given items among them do not run twice.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldRuns {
    runs: BTreeMap<(HandlerId, Scope), HeldRun>,
    /// The number of changes.
    version: u64,
}

impl HeldRuns {
    /// Adds a held run. A run of the same handler with the same scope that already waits is merged into it.
    pub(super) fn add(&mut self, mut run: HeldRun) {
        let scope = match run.request.items {
            Some(_) => Scope::Given(run.requirements.clone()),
            None => Scope::Preferred,
        };
        let key = (run.request.handler, scope);
        if let Some(earlier) = self.remove_one(&key) {
            run.requested_by = run.requested_by.max(earlier.requested_by);
            // A run with the reason `Resumed` runs only interrupted items, which would leave out other items of the merged request.
            run.reason = if earlier.reason == run.reason { run.reason } else { StartReason::Requested };
            // Without schedules, a run covers those of any schedule.
            run.request.schedules = run.request.schedules.zip(earlier.request.schedules).map(|(mut run, earlier)| {
                Arc::make_mut(&mut run).extend(earlier.iter().cloned());
                run
            });
            let mut earlier = earlier.request.items.unwrap_or_default();
            if let Some(items) = &mut run.request.items {
                // The smaller set is added to the larger one: items may be added one by one.
                if items.len() < earlier.len() {
                    std::mem::swap(items, &mut earlier);
                }
                Arc::make_mut(items).extend(&*earlier);
            }
        }
        self.runs.insert(key, run);
        self.version += 1;
    }

    fn remove_one(&mut self, key: &(HandlerId, Scope)) -> Option<HeldRun> {
        let removed = self.runs.remove(key)?;
        self.version += 1;
        Some(removed)
    }

    /// Returns a number that is larger after each change.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Removes from the held runs everything that this request covers. A request for the preferred items does not name them, so
    /// it covers only a held run for the preferred items.
    pub(super) fn begins(&mut self, request: &RunRequest) {
        match &request.items {
            Some(items) => self.runs(request.handler, items.iter().copied()),
            None => self.begins_preferred(request),
        }
    }

    fn begins_preferred(&mut self, request: &RunRequest) {
        let key = (request.handler, Scope::Preferred);
        let held = self.runs.get_mut(&key).and_then(|held| held.request.schedules.as_mut());
        match (&request.schedules, held) {
            (None, _) => drop(self.remove_one(&key)),
            (Some(_), None) => {}
            (Some(begins), Some(held)) => {
                Arc::make_mut(held).retain(|schedule| !begins.contains(schedule));
                self.version += 1;
                if held.is_empty() {
                    self.remove_one(&key);
                }
            }
        }
    }

    /// Removes items that run now from the held runs for given items.
    pub(super) fn runs(&mut self, handler: HandlerId, running: impl IntoIterator<Item = ItemId>) {
        let first = (handler, Scope::Given(Requirements::NONE));
        let of_handler = self.runs.range_mut(first..).take_while(|((of, _), _)| *of == handler);
        let mut given = of_handler.filter_map(|(_, held)| held.request.items.as_mut()).peekable();
        if given.peek().is_none() {
            return;
        }
        let running: BTreeSet<_> = running.into_iter().collect();
        for held in given.filter(|held| !held.is_disjoint(&running)) {
            Arc::make_mut(held).retain(|item| !running.contains(item));
            self.version += 1;
        }
        self.runs
            .retain(|(of, _), held| *of != handler || held.request.items.as_ref().is_none_or(|held| !held.is_empty()));
    }

    pub(super) fn remove(&mut self, handler: HandlerId) {
        let count = self.runs.len();
        self.runs.retain(|(of, _), _| *of != handler);
        self.version += u64::from(self.runs.len() < count);
    }

    /// Returns the reason why the handler's next run waits, if one does.
    pub(super) fn hold_of(&self, handler: HandlerId) -> Option<&Hold> {
        let last = (handler, Scope::Given(Requirements::NONE));
        self.runs.range((handler, Scope::Preferred)..=last).next().map(|(_, held)| &held.hold)
    }

    /// Returns the reason why an item waits for its requirements, if it does.
    pub(super) fn hold_of_item(&self, handler: HandlerId, item: ItemId) -> Option<&Hold> {
        let of_handler = self.runs.range((handler, Scope::Preferred)..).take_while(|((of, _), _)| *of == handler);
        let mut with_requirements = of_handler.filter(|(_, held)| !held.requirements.is_empty());
        let waits = |held: &HeldRun| held.request.items.as_ref().is_some_and(|items| items.contains(&item));
        with_requirements.find(|(_, held)| waits(held)).map(|(_, held)| &held.hold)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &HeldRun> {
        self.runs.values()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Removes and returns the runs that may start.
    pub(super) fn take_lifted(&mut self, mut is_lifted: impl FnMut(&HeldRun) -> bool) -> Vec<HeldRun> {
        let (lifted, held) = std::mem::take(&mut self.runs).into_iter().partition(|(_, held)| is_lifted(held));
        self.runs = held;
        self.version += u64::from(!lifted.is_empty());
        BTreeMap::into_values(lifted).collect()
    }
}
