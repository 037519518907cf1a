//! The items of a run whose requirements are not met, and the runs that the end of a condition stops.

use std::time::SystemTime;

use super::{Effect, HeldRun, RetryLedger, StartReason};
use crate::decision::environment_holds::hold_that_stops;
use crate::decision::hold::Hold;
use crate::decision::needs::{Needs, hold_of_windows, unmet, unmet_condition};
use crate::decision::retry::RequestedBy;
use crate::environment::Environment;
use crate::id::ItemId;
use crate::requirements::{ConditionPolicy, Requirements};
use crate::trigger::Trigger;

impl RetryLedger {
    /// Checks the requirements of an item that a run is about to select. Returns the reason if it may not run now. Such an item is
    /// no longer due, and starts once its requirements are met.
    ///
    /// `run` describes the run, with the item as its only one, and the requirements of the handler and the item. `requested_by` is
    /// the origin of the request for the item: that of an interrupted item overrules its wait, and no requirement.
    #[must_use = "perform the effects"]
    pub fn check_requirements(
        &mut self,
        (item, requested_by): (ItemId, RequestedBy),
        run: HeldRun,
        environment: &Environment,
        now: SystemTime,
    ) -> (Option<Hold>, Vec<Effect>) {
        let handler = run.request.handler;
        let before = self.windows.next();
        self.windows.add(handler, &run.requirements, now);
        // The scheduler may not know yet that it has to look when the window closes.
        let wake = (self.windows.next() != before).then_some(Effect::Wake);
        let is_held_anyway = self.disabled.hold_of(handler, item).is_some()
            || self.hold(handler, item, &[], requested_by, now).is_some();
        let hold = unmet_condition(&run.requirements, &self.surroundings(environment, now));
        let hold = hold.or_else(|| hold_of_windows(self.windows.opening(&run.requirements, now)));
        let Some(hold) = hold.filter(|_| run.is_automatic() && !is_held_anyway) else {
            return (None, wake.into_iter().collect());
        };
        self.retry_queue.forget_item(handler, item);
        self.due_without_state.remove(&(handler, item));
        self.changes.forget_items(handler, [item]);
        if hold != Hold::Contradictory && run.reason != StartReason::Ending {
            self.held.add(HeldRun { hold: hold.clone(), ..run });
        }
        // The environment may have changed since it was read.
        (Some(hold), vec![Effect::Wake])
    }

    /// Returns the hold that stops an automatic run, because a condition has ended while it runs.
    pub fn stops(
        &self,
        needs: Needs,
        (trigger, policy): (Trigger, ConditionPolicy),
        environment: &Environment,
        now: SystemTime,
    ) -> Option<Hold> {
        hold_that_stops(self.surroundings(environment, now), needs, trigger, policy)
    }

    /// Returns the hold for the first of these requirements that is not met.
    pub fn unmet(&self, requirements: &Requirements, environment: &Environment, now: SystemTime) -> Option<Hold> {
        unmet(requirements, &self.surroundings(environment, now))
    }

    /// Sets aside a run that the end of a condition has stopped, or the rest of one: it starts once the conditions are met. A run
    /// for a pending disconnect is not repeated.
    #[must_use = "perform the effects"]
    pub fn set_aside(&mut self, run: HeldRun) -> Vec<Effect> {
        let is_registered = self.needs(run.request.handler).is_some();
        if !is_registered || run.request.trigger == Trigger::PendingDisconnect {
            return Vec::new();
        }
        self.held.add(run);
        vec![Effect::Wake]
    }
}
