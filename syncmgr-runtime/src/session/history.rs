//! The session's records in the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::attempt::Phase;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::error::one_line;
use syncmgr_core::request::RunRequest;
use syncmgr_core::store::{SessionEnd, SessionOutcome, SessionRecord, StateChange};

use super::lifecycle::SessionShared;
use crate::ending::RunEnding;
use crate::host::Records;
use crate::outbox::Written;
use crate::report::is_disabled;
use crate::run::Run;

impl SessionShared {
    /// Records the start of the session, atomically with these changes. A session without a recorded end was interrupted.
    pub(super) fn record_begin(&self, requests: Vec<RunRequest>, changes: Vec<StateChange>) {
        let written = self.queue_begin(requests, changes);
        self.host.finish_write(written);
    }

    /// Records the start of a session that the scheduler has started. Returns the runs whose handlers are registered as they were when
    /// the session was decided: a later registration did not read these changes from the store, so it starts the others itself.
    pub(super) fn record_scheduled(
        &self,
        runs: Vec<Arc<Run>>,
        mut requests: Vec<RunRequest>,
        mut changes: Vec<StateChange>,
    ) -> Vec<Arc<Run>> {
        // The others are dropped after the lock is released: a drop is foreign code.
        let (runs, _others, written) = {
            // A registration waits for this lock before it reads the store.
            let state = self.host.manager_state();
            let (runs, others): (Vec<_>, Vec<_>) =
                runs.into_iter().partition(|run| state.is_registered(run.id().handler, run.generation()));
            let running: BTreeSet<_> = runs.iter().map(|run| run.id().handler).collect();
            requests.retain(|request| running.contains(&request.handler));
            changes.retain(|change| match change {
                StateChange::Fired { handler, .. } | StateChange::Waiting { handler, .. } => running.contains(handler),
                _ => true,
            });
            (runs, others, self.queue_begin(requests, changes))
        };
        self.host.finish_write(written);
        runs
    }

    fn queue_begin(&self, requests: Vec<RunRequest>, mut changes: Vec<StateChange>) -> Option<Written> {
        if self.is_recorded() {
            let record = SessionRecord::new(self.id, self.host.id, self.terms.trigger, self.began.wall, requests);
            changes.push(StateChange::SessionBegan(record));
        }
        (!changes.is_empty()).then(|| self.host.queue_write(changes))
    }

    /// Records the outcome of the session, and waits until it is stored. A session that the end of its manager cut short has no
    /// end: it was interrupted, as by a kill, and is resumed later.
    pub(super) async fn record_end(&self) {
        if !self.is_recorded() || self.was_cut_short() {
            return;
        }
        let mut changes = vec![self.end_change(self.outcome())];
        changes.extend(self.host.histograms());
        if let Err(error) = self.host.write(changes).await {
            tracing::error!(manager = %self.host.id, error = %one_line(&error), "the end of a session was not stored");
        }
    }

    /// Records the end of a session whose task was dropped after a stop. Otherwise the drop interrupts the session.
    pub(super) fn record_dropped(&self) {
        let was_stopped = self.lock().stop.is_some_and(|reason| reason != CancelReason::ShuttingDown);
        if self.is_recorded() && was_stopped {
            self.host.store(self.end_change(SessionOutcome::WithProblems));
        }
    }

    /// Returns `true` if the manager was shut down or dropped before every item of the session had ended.
    fn was_cut_short(&self) -> bool {
        self.runs().iter().any(|run| run.was_cut_short())
    }

    /// Returns `true` if the store keeps a history. A store that ends with the manager needs no history.
    fn is_recorded(&self) -> bool {
        self.host.records == Records::All
    }

    fn end_change(&self, outcome: SessionOutcome) -> StateChange {
        let end = SessionEnd::new(self.host.now().wall, outcome, self.outcomes());
        StateChange::SessionEnded { session: self.id, manager: self.host.id, end }
    }

    fn outcome(&self) -> SessionOutcome {
        let ended_cleanly = |run: &Arc<Run>| match run.ending() {
            Some(RunEnding::Completed | RunEnding::Declined | RunEnding::NothingToDo) => true,
            Some(RunEnding::Held) => is_disabled(run.held().as_ref()),
            _ => false,
        };
        let all_succeeded = self.outcomes().keys().all(|outcome| *outcome == Outcome::Succeeded);
        match all_succeeded && self.runs().iter().all(ended_cleanly) {
            true => SessionOutcome::Clean,
            false => SessionOutcome::WithProblems,
        }
    }

    fn outcomes(&self) -> BTreeMap<Outcome, u64> {
        let mut outcomes = BTreeMap::new();
        for run in self.runs().iter() {
            run.attempt().with_phases(|phases| {
                for phase in phases {
                    if let Phase::Ended(outcome) = phase {
                        *outcomes.entry(*outcome).or_default() += 1;
                    }
                }
            });
        }
        outcomes
    }
}
