//! The final phase of every script: all faults are removed, time advances, and every item must become up to date.

use std::time::Duration;

use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::environment::{Battery, Connectivity, Network, Power, Presence};
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::log::Question;
use syncmgr_core::retry::RetryStatus;
use syncmgr_core::store::StateStore;
use syncmgr_core::trigger::{RunFlags, Trigger};
use syncmgr_runtime::report::Report;
use tokio::time::timeout;

use crate::answers::question;
use crate::model::{MergeTerms, ModelSession};
use crate::peer::Key;
use crate::perform::manual_request;
use crate::process::Process;
use crate::script::Setting;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The maximum number of rounds of questions. An item may ask for a retry, for a decision, and for permission to delete.
const MAX_ROUNDS: usize = 12;

impl Process<'_> {
    /// Removes all faults, waits, and checks that the manager reaches the expected final state.
    pub(crate) async fn settle(&mut self) {
        self.sim.try_with(|state| (state.model.step, state.model.agenda) = (None, None));
        self.remove_faults();
        self.advance(3 * DAY).await;
        self.check_retried();
        self.check_connected();
        self.check_promises();
        if self.script.settings().any(|setting| *setting == Setting::ResumeImmediately) {
            self.check_resumed();
        }
        self.run_scheduled().await;
        self.check_resumed();
        self.complete_everything().await;
        self.check_idempotent().await;
        self.check_nothing_held().await;
        self.shut_down().await;
    }

    fn remove_faults(&mut self) {
        self.recover_store();
        self.sim.try_with(|state| state.sides.remove_faults());
        let now = self.sim.with(|state| state.wall());
        let healthy = |environment: syncmgr_core::environment::Environment| {
            let healthy =
                environment.with_network(Network::Online).with_power(Power::Mains).with_user(Presence::Present);
            let healthy = healthy.with_connectivity(Connectivity::Full).with_battery(Battery::Normal);
            // The user is present and idle, which meets all requirements.
            healthy.with_idle_since(now)
        };
        self.withdraw();
        self.set_environment(healthy);
        self.resume();
        for handler in self.handlers.keys() {
            self.reregister(*handler);
        }
        self.enable_all();
    }

    /// Checks that every item in backoff was retried.
    fn check_retried(&self) {
        // Records that could not be stored exist only in the manager's memory.
        if self.sim.with(|state| state.model.store_failed) {
            return;
        }
        for key in self.peer_items() {
            let record = self.disk.store.record(key.0, key.1).ok().flatten().unwrap_or_default();
            let is_waiting =
                |status| matches!(status, RetryStatus::Backoff | RetryStatus::Interrupted | RetryStatus::NotBefore);
            let was_absent = self.sim.with(|state| state.model.item(key).was_absent);
            let excused = was_absent || self.needs_request(key.0);
            if let Some(retry) = record.retry.filter(|retry| is_waiting(retry.status) && !excused) {
                let details = format!("{key:?} was not retried, days after {retry:?}");
                self.sim.report_violation("an item in backoff is retried automatically", details);
            }
        }
    }

    /// Checks that the handlers which run when the network comes up have run.
    fn check_connected(&self) {
        let to_connect = self.sim.with(|state| state.model.to_connect.clone());
        let missing: Vec<_> = to_connect.into_iter().filter(|handler| !self.needs_request(*handler)).collect();
        if !missing.is_empty() {
            let details = format!("{missing:?} did not run, days after the network came up");
            self.sim.report_violation("a handler registered for the event runs when the network comes up", details);
        }
    }

    /// Runs a scheduled session with the preferred and the interrupted items.
    async fn run_scheduled(&mut self) {
        let request = self.manager.session(Trigger::Scheduled);
        let terms =
            MergeTerms { trigger: Trigger::Scheduled.event(), flags: RunFlags::empty(), uses_preferences: true };
        let model_session = ModelSession { requested_by: RequestedBy::Automatic, terms, attempts_before: 0 };
        let Some(session) = self.begin_session(request, model_session) else { return };
        if timeout(DAY, session.finish()).await.is_err() {
            self.sim.report_violation(
                "every request gets a report",
                format!("no report after a day: {:?}", self.manager.held()),
            );
        }
        self.run_until_idle().await;
    }

    /// Checks that every interrupted item was resumed.
    fn check_resumed(&self) {
        self.sim.try_with(|state| {
            let must_resume = |key: &Key| {
                state.sides.peer.contains_key(key)
                    && !state.model.items.get(key).is_some_and(|item| item.was_absent)
                    && !self.needs_request(key.0)
            };
            let to_resume: Vec<_> = state.model.to_resume.iter().filter(|key| must_resume(key)).collect();
            if !to_resume.is_empty() {
                let details = format!("{to_resume:?} were not resumed");
                state.report_violation("interrupted items are resumed", details);
            }
        });
    }

    /// Returns `true` if the handler has failed to start so often that the manager runs it only on request.
    pub(crate) fn needs_request(&self, handler: HandlerId) -> bool {
        let itself = self.disk.store.record(handler, ItemId::from_u128(0)).ok().flatten().unwrap_or_default();
        itself.retry.is_some_and(|retry| retry.status != RetryStatus::Backoff)
    }

    fn peer_items(&self) -> Vec<Key> {
        self.sim.with(|state| state.sides.peer.keys().copied().collect())
    }

    /// Forces all items and answers all questions until both sides are equal.
    async fn complete_everything(&mut self) {
        for _ in 0..MAX_ROUNDS {
            let report = self.run_all(true).await;
            if report.as_ref().is_none_or(Report::is_success) {
                break;
            }
            let open = self.open_questions();
            for (key, question) in open {
                self.answer_to(key.0, key.1, &question, None);
            }
            self.advance(Duration::from_secs(600)).await;
        }
        let unequal = self.sim.with(|state| state.sides.unequal_items());
        if !unequal.is_empty() {
            self.sim.report_violation("in the end both sides are equal", format!("{unequal:?} differ"));
        }
    }

    /// Returns the open questions without duplicates.
    fn open_questions(&self) -> Vec<(Key, Question)> {
        let mut open = Vec::new();
        for handler in &self.handler_ids {
            let log = self.disk.store.log(*handler).unwrap_or_default();
            for (item, question) in log.iter().filter_map(|logged| question(&logged.entry)) {
                if !open.contains(&((*handler, item), question.clone())) {
                    open.push(((*handler, item), question));
                }
            }
        }
        open
    }

    /// Runs a session of all items that the peer has.
    async fn run_all(&mut self, force: bool) -> Option<Report> {
        let mut request = self.manager.session(Trigger::Manual).may_bother_user();
        for (handler, item) in self.peer_items() {
            request = request.items(handler, [item]);
        }
        let mut model_session = manual_request(RunFlags::MAY_BOTHER_USER);
        if force {
            request = request.force();
            model_session.requested_by = RequestedBy::UserForced;
        }
        let session = self.begin_session(request, model_session)?;
        let report = timeout(DAY, session.finish()).await;
        if report.is_err() {
            let held = self.manager.held();
            self.sim.report_violation("every request gets a report", format!("no report after a day: {held:?}"));
        }
        report.ok()
    }

    async fn check_idempotent(&mut self) {
        if self.sim.has_violation() {
            return;
        }
        let before = self.sim.with(|state| state.sides.writes());
        let Some(report) = self.run_all(false).await else { return };
        if !report.is_success() {
            self.sim.report_violation("a finished item stays finished", crate::reports::summary(&report));
        }
        let after = self.sim.with(|state| state.sides.writes());
        if before != after {
            self.sim.report_violation(
                "an item that is up to date is not written again",
                format!("{} more writes", after - before),
            );
        }
    }

    /// Checks that an idle manager holds no items, connections or permits.
    async fn check_nothing_held(&self) {
        self.advance(DAY).await;
        let held = self.manager.held();
        if !held.is_empty() {
            self.sim.report_violation("an idle manager holds no items", format!("{held:?}"));
        }
        self.sim.try_with(|state| {
            let (connections, prompts) = (state.model.open_connections, state.model.open_prompts);
            if connections + prompts > 0 {
                let details = format!("{connections} connections and {prompts} permits are still open");
                state.report_violation("connections and permits are returned", details);
            }
        });
    }
}
