//! The held runs, as they are stored: a restart does not lose them.

use super::{Effect, HeldRun, RetryLedger, StartReason, writes};
use crate::decision::hold::Hold;
use crate::decision::retry::RequestedBy;
use crate::environment::EndingKind;
use crate::id::HandlerId;
use crate::register::Generation;
use crate::request::RunRequest;
use crate::store::StateChange;

impl RetryLedger {
    /// Lets the runs of a registered handler wait that waited when it was last registered. Call it before
    /// [`set_events`](Self::set_events): a run for an event at which the handler no longer runs does not start.
    #[must_use = "perform the effects"]
    pub fn restore_waiting(&mut self, handler: HandlerId, runs: Vec<RunRequest>) -> Option<Effect> {
        let any = !runs.is_empty();
        for run in runs {
            let origin = (RequestedBy::Automatic, StartReason::HoldLifted);
            self.held.add(HeldRun::new(RunRequest { handler, ..run }, origin));
        }
        self.held.unstored.remove(&handler);
        any.then(|| {
            self.held.stored.insert(handler);
            Effect::Wake
        })
    }

    /// Stores the runs of this registration of a handler that wait, if they have changed since they were stored. Call it at the end of
    /// each run, before the end of its session is stored.
    #[must_use = "perform the effects"]
    pub fn store_waiting(&mut self, handler: HandlerId, generation: Generation) -> Vec<Effect> {
        let is_current = self.handlers.get(&handler).is_some_and(|known| known.generation == generation);
        if is_current { writes(self.waiting_change(handler)) } else { Vec::new() }
    }

    /// Returns the change that stores the waiting runs of a registered handler, if they have changed since they were stored.
    pub(super) fn waiting_change(&mut self, handler: HandlerId) -> Option<StateChange> {
        self.needs(handler)?;
        if !self.held.unstored.remove(&handler) {
            return None;
        }
        let runs = self.held.of(handler).filter(|run| is_stored(run)).map(request_of);
        // A store refuses a request that is not valid, and all changes with it.
        let runs: Vec<_> = runs.filter(|run| run.check().is_ok()).collect();
        let changes = match runs.is_empty() {
            true => self.held.stored.remove(&handler),
            false => {
                self.held.stored.insert(handler);
                true
            }
        };
        changes.then_some(StateChange::Waiting { handler, runs })
    }
}

/// Returns `true` for an automatic run, unless an interrupted session has it already.
fn is_stored(run: &HeldRun) -> bool {
    let is_interrupted = run.reason == StartReason::Resumed || run.hold == Hold::Ending { kind: EndingKind::Shutdown };
    run.is_automatic() && !is_interrupted
}

/// Returns the request of a held run. If it has items, these are of its schedules.
fn request_of(run: &HeldRun) -> RunRequest {
    let RunRequest { handler, items, schedules, trigger, .. } = run.request.clone();
    let mut request = RunRequest::new(handler).with_trigger(trigger);
    request.schedules = schedules.filter(|_| items.is_none());
    request.items = items;
    request
}
