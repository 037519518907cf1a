//! The manager's part of the scheduler: starts scheduled sessions.

use std::sync::Arc;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::host::Priority;
use syncmgr_core::decision::ledger::{Start, Targets, Work};
use syncmgr_core::environment::{EndingKind, Environment};
use syncmgr_core::id::SessionId;
use syncmgr_core::trigger::Trigger;

use super::Launcher;
use crate::manager::Caller;
use crate::owner::Owner;
use crate::session::{Session, SessionRequest};

impl Launcher for Owner {
    /// Starts a session and drops its handle.
    fn launch(self: Arc<Self>, start: Start) {
        let host = self.host.clone();
        let handlers = start.targets.handlers();
        let is_automatic = Start::is_automatic(start.reason, start.requested_by);
        let session = self.clone().start(start);
        // A run reports its own end. A handler that was unregistered meanwhile has no run, also if it was registered again.
        let runs = |handler| session.as_ref().is_some_and(|session| session.run(handler).is_ok());
        for handler in handlers.into_iter().filter(|handler| is_automatic && !runs(*handler)) {
            let mut effects = host.decide(|ledger, now| ledger.postpone_changes(handler, &host.retry, now));
            effects.extend(host.ledger().automatic_run_ended(handler));
            host.apply(effects);
        }
    }

    fn check_conditions(&self, environment: &Environment) {
        let sessions = self.sessions.all();
        sessions.iter().flat_map(|session| session.runs()).for_each(|run| run.check_conditions(environment));
    }

    fn stop_runs(&self, hold: &Hold) {
        let Hold::Ending { kind } = *hold else { return };
        let sessions = self.sessions.all();
        let runs = sessions.iter().flat_map(|session| session.runs());
        runs.filter(|run| run.is_stopped_by(kind)).for_each(|run| run.stop_for(hold));
    }

    fn work_before(&self, kind: EndingKind) -> Work {
        let sessions = self.sessions.all();
        let is_busy = sessions.iter().flat_map(|session| session.runs()).any(|run| run.is_work_before(kind));
        if is_busy { Work::Busy } else { Work::Done }
    }

    fn claims_of_callers(&self, session: SessionId) -> Vec<Claim> {
        self.callers_of(session).iter().flat_map(Caller::claims).collect()
    }

    fn callers_have_attention(&self, session: SessionId) -> bool {
        self.callers_of(session).iter().any(Caller::has_attention)
    }
}

impl Owner {
    /// Starts a session of the handlers that are still registered as they were at the decision.
    fn start(self: Arc<Self>, start: Start) -> Option<Session> {
        let manager = self.host.id;
        let request =
            SessionRequest::new(self, start.trigger).scheduled(start.reason, start.requested_by, start.latest);
        let request = request.priority(background_or_urgent(start.trigger)).storing_with_start(start.changes);
        let request = match start.targets {
            Targets::Handlers(handlers) => request.handlers(handlers),
            Targets::Items(items) => {
                items.into_iter().fold(request, |request, (handler, items)| request.shared_items(handler, items))
            }
            Targets::Schedules(schedules) => request.schedules(schedules),
        };
        let session = request.start();
        session.inspect_err(|error| tracing::warn!(%manager, %error, "a scheduled session could not be started")).ok()
    }
}

/// Returns the priority of a scheduled session: there is little time before a disconnect.
fn background_or_urgent(trigger: Trigger) -> Priority {
    if trigger == Trigger::PendingDisconnect { Priority::Foreground } else { Priority::Background }
}
