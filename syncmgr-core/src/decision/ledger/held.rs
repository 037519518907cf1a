//! Runs that wait for the environment: for a network, an unmetered network, or mains power.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::effect::StartReason;
use crate::decision::hold::Hold;
use crate::decision::retry::RequestedBy;
use crate::id::{HandlerId, ItemId};
use crate::register::RegisterFlags;
use crate::request::RunRequest;
use crate::requirements::Requirements;
use crate::trigger::Trigger;

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

/// The items that a held run runs, and when. Runs with equal scopes are merged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Preferred(When),
    /// Given items, all with these requirements.
    Given(When, Requirements),
}

/// The time at which a held run may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum When {
    Anytime,
    /// While the user is idle.
    Idle,
}

impl Scope {
    const FIRST: Self = Self::Preferred(When::Anytime);

    fn of(run: &HeldRun) -> Self {
        let when = if run.request.trigger == Trigger::Idle { When::Idle } else { When::Anytime };
        match run.request.items {
            Some(_) => Self::Given(when, run.requirements.clone()),
            None => Self::Preferred(when),
        }
    }
}

/// Returns `true` if two runs have the same reason. Runs for different events have not.
fn is_same_reason(one: &HeldRun, other: &HeldRun) -> bool {
    let is_event = one.reason == StartReason::HoldLifted;
    one.reason == other.reason && (!is_event || one.request.trigger == other.request.trigger)
}

/// The held runs of each handler: one for the preferred items, one for given items, which may be others, and one for each set of
/// items that wait for the same requirements; each of them once more for an idle user. Each starts once the environment allows it.
/// The preferred items are first, so that given items among them do not run twice.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldRuns {
    runs: BTreeMap<(HandlerId, Scope), HeldRun>,
    /// The number of changes.
    version: u64,
    /// The handlers whose runs have changed since they were stored.
    pub(super) unstored: BTreeSet<HandlerId>,
    /// The handlers with stored runs.
    pub(super) stored: BTreeSet<HandlerId>,
}

impl HeldRuns {
    /// Adds a held run. A run of the same handler with the same scope that already waits is merged into it.
    pub(super) fn add(&mut self, mut run: HeldRun) {
        // A run without items, such as one that explains a log entry, has nothing to do later.
        if run.request.items.as_ref().is_some_and(|items| items.is_empty()) {
            return;
        }
        let key = (run.request.handler, Scope::of(&run));
        if let Some(earlier) = self.remove_one(&key) {
            run.requested_by = run.requested_by.max(earlier.requested_by);
            // A run with the reason `Resumed` runs only interrupted items, which would leave out other items of the merged request.
            run.reason = if is_same_reason(&earlier, &run) { run.reason } else { StartReason::Requested };
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
        self.changed(key.0);
        self.runs.insert(key, run);
    }

    fn changed(&mut self, handler: HandlerId) {
        self.version += 1;
        self.unstored.insert(handler);
    }

    fn remove_one(&mut self, key: &(HandlerId, Scope)) -> Option<HeldRun> {
        let removed = self.runs.remove(key)?;
        self.changed(key.0);
        Some(removed)
    }

    /// Returns a number that is larger after each change.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Removes from the held runs everything that this request covers. A request for the preferred items does not name them, so
    /// it covers only held runs for the preferred items.
    pub(super) fn begins(&mut self, request: &RunRequest) {
        match &request.items {
            Some(items) => self.runs(request.handler, items.iter().copied()),
            None => [When::Anytime, When::Idle].into_iter().for_each(|when| self.begins_preferred(request, when)),
        }
    }

    fn begins_preferred(&mut self, request: &RunRequest, when: When) {
        let key = (request.handler, Scope::Preferred(when));
        let held = self.runs.get_mut(&key).and_then(|held| held.request.schedules.as_mut());
        match (&request.schedules, held) {
            (None, _) => drop(self.remove_one(&key)),
            (Some(_), None) => {}
            (Some(begins), Some(held)) => {
                Arc::make_mut(held).retain(|schedule| !begins.contains(schedule));
                if held.is_empty() {
                    self.runs.remove(&key);
                }
                self.changed(request.handler);
            }
        }
    }

    /// Removes items that run now from the held runs for given items.
    pub(super) fn runs(&mut self, handler: HandlerId, running: impl IntoIterator<Item = ItemId>) {
        if self.of(handler).all(|held| held.request.items.is_none()) {
            return;
        }
        let running: BTreeSet<_> = running.into_iter().collect();
        let of_handler = self.runs.range_mut((handler, Scope::FIRST)..).take_while(|((of, _), _)| *of == handler);
        let given = of_handler.filter_map(|(_, held)| held.request.items.as_mut());
        let mut changes = false;
        for held in given.filter(|held| !held.is_disjoint(&running)) {
            Arc::make_mut(held).retain(|item| !running.contains(item));
            changes = true;
        }
        if !changes {
            return;
        }
        self.changed(handler);
        let is_empty = |held: &HeldRun| held.request.items.as_ref().is_some_and(|items| items.is_empty());
        self.runs.retain(|(of, _), held| *of != handler || !is_empty(held));
    }

    /// Lets the items that wait for requirements wait for others, and returns these. An item for which there are none waits on.
    pub(super) fn set_requirements(
        &mut self,
        handler: HandlerId,
        of_item: impl Fn(ItemId) -> Option<Requirements>,
    ) -> BTreeSet<Requirements> {
        let waiting = self.of(handler).filter(|held| !held.requirements.is_empty());
        let waiting: Vec<_> = waiting.map(|held| (handler, Scope::of(held))).collect();
        let waiting: Vec<_> = waiting.iter().filter_map(|key| self.remove_one(key)).collect();
        let mut all = BTreeSet::new();
        for run in waiting {
            let mut groups = BTreeMap::<_, BTreeSet<_>>::new();
            for item in run.request.items.iter().flat_map(|items| items.iter()) {
                let requirements = of_item(*item).unwrap_or_else(|| run.requirements.clone());
                groups.entry(requirements).or_default().insert(*item);
            }
            all.extend(groups.keys().cloned());
            let of_group = |(requirements, items)| run.clone().with_items(items).with_requirements(requirements);
            groups.into_iter().map(of_group).for_each(|run| self.add(run));
        }
        all
    }

    /// Removes the runs of a handler that is no longer registered. What is stored stays.
    pub(super) fn remove(&mut self, handler: HandlerId) {
        let count = self.runs.len();
        self.runs.retain(|(of, _), _| *of != handler);
        self.unstored.remove(&handler);
        self.stored.remove(&handler);
        self.version += u64::from(self.runs.len() < count);
    }

    /// Removes the runs that were started for an event which is not in `events`.
    pub(super) fn remove_events(&mut self, handler: HandlerId, events: RegisterFlags) {
        let is_removed = |run: &HeldRun| {
            let event = match run.request.trigger {
                Trigger::Connect => RegisterFlags::CONNECT,
                Trigger::Idle => RegisterFlags::IDLE,
                _ => return false,
            };
            // An event starts runs with this reason and trigger.
            run.request.handler == handler && run.reason == StartReason::HoldLifted && !events.contains(event)
        };
        let count = self.runs.len();
        self.runs.retain(|_, run| !is_removed(run));
        if self.runs.len() < count {
            self.changed(handler);
        }
    }

    /// Returns the run with an item that waits for its requirements, if it does.
    pub(super) fn with_item(&self, handler: HandlerId, item: ItemId) -> Option<&HeldRun> {
        let waits = |held: &&HeldRun| held.request.items.as_ref().is_some_and(|items| items.contains(&item));
        self.of(handler).filter(|held| !held.requirements.is_empty()).find(waits)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &HeldRun> {
        self.runs.values()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Removes and returns the runs that may start. A run for the preferred items also covers the one for an idle user.
    ///
    /// `is_lifted` also sets the hold of a run that still waits.
    pub(super) fn take_lifted(&mut self, mut is_lifted: impl FnMut(&mut HeldRun) -> bool) -> Vec<HeldRun> {
        let (mut lifted, mut preferred) = (Vec::new(), None);
        for ((handler, scope), mut held) in std::mem::take(&mut self.runs) {
            if scope == Scope::Preferred(When::Idle) && preferred == Some(handler) {
                continue;
            }
            let before = held.hold.clone();
            if is_lifted(&mut held) {
                self.changed(handler);
                let covers_all = scope == Scope::FIRST && held.request.schedules.is_none();
                preferred = if covers_all { Some(handler) } else { preferred };
                lifted.push(held);
            } else {
                self.version += u64::from(held.hold != before);
                self.runs.insert((handler, scope), held);
            }
        }
        lifted
    }

    /// Returns the held runs of a handler.
    pub(super) fn of(&self, handler: HandlerId) -> impl Iterator<Item = &HeldRun> {
        let from = self.runs.range((handler, Scope::FIRST)..);
        from.take_while(move |((of, _), _)| *of == handler).map(|(_, held)| held)
    }
}
