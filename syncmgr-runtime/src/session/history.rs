//! A session as it is remembered.

use std::collections::BTreeMap;

use syncmgr_core::decision::run::Phase;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::error::one_line;
use syncmgr_core::request::RunRequest;
use syncmgr_core::store::{Course, SessionEnd, SessionRecord, StateChange};

use super::life::SessionShared;
use crate::ending::RunEnding;
use crate::host::Records;

impl SessionShared {
    /// Remembers that the session began: if its process ends before it does, it was interrupted.
    pub(super) fn record_begin(&self, asked: Vec<RunRequest>) {
        if self.is_remembered() {
            let record = SessionRecord::new(self.id, self.host.id, self.terms.trigger, self.began.wall, asked);
            self.host.store(StateChange::SessionBegan(record));
        }
    }

    /// Remembers how the session went, and waits until that is stored.
    pub(super) async fn record_end(&self) {
        if !self.is_remembered() {
            return;
        }
        let mut changes = vec![self.ended(self.course())];
        changes.extend(self.host.histograms());
        if let Err(error) = self.host.write(changes).await {
            tracing::error!(manager = %self.host.id, error = %one_line(&error), "the end of a session was not stored");
        }
    }

    /// The session was cut short in order: its manager is gone, and the process is not.
    pub(super) fn record_cut(&self) {
        if self.is_remembered() {
            self.host.store(self.ended(Course::Eventful));
        }
    }

    /// Whether the store keeps a history: where it ends with the manager there is nobody to read it.
    fn is_remembered(&self) -> bool {
        self.host.records == Records::All
    }

    fn ended(&self, course: Course) -> StateChange {
        let end = SessionEnd::new(self.host.now().wall, course, self.outcomes());
        StateChange::SessionEnded { session: self.id, manager: self.host.id, end }
    }

    fn course(&self) -> Course {
        let as_it_should = |ending: Option<RunEnding>| {
            matches!(ending, Some(RunEnding::Completed | RunEnding::Declined | RunEnding::NothingToDo))
        };
        let smooth = self.outcomes().keys().all(|outcome| *outcome == Outcome::Succeeded);
        match smooth && self.runs().iter().all(|run| as_it_should(run.ending())) {
            true => Course::Smooth,
            false => Course::Eventful,
        }
    }

    fn outcomes(&self) -> BTreeMap<Outcome, u64> {
        let mut outcomes = BTreeMap::new();
        for run in self.runs() {
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
