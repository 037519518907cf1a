//! The invariants that are checked after every step.

use futures::FutureExt;
use std::collections::BTreeSet;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::explain::{Condition, Next};
use syncmgr_core::retry::RetryStatus;
use syncmgr_core::store::{SessionOutcome, SessionRecord, StateStore};

use crate::model::{Finding, Wait};
use crate::peer::Key;
use crate::process::Process;
use crate::sim::State;

impl Process<'_> {
    /// Checks the current state. Other invariants are checked at the event itself.
    pub(crate) fn check(&self) -> Vec<Finding> {
        let mut findings = self.check_graces();
        findings.extend(self.check_history());
        findings.extend(self.check_schedules());
        findings.extend(self.check_release());
        findings.extend(self.check_kept_promises());
        for (handler, item) in self.keys() {
            findings.extend(self.check_explanation((handler, item)));
            findings.extend(self.check_record((handler, item)));
        }
        findings
    }

    /// Returns all known items, including those of added handlers.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let all = |state: &mut State| state.sides.peer.keys().chain(state.model.items.keys()).copied().collect();
        let keys: BTreeSet<Key> = self.sim.with(all);
        keys.into_iter().collect()
    }

    fn check_graces(&self) -> Vec<Finding> {
        let overdue = self.sim.try_with(|state| state.model.overdue_items(state.elapsed())).unwrap_or_default();
        overdue
            .into_iter()
            .map(|key| ("a cancelled item ends within its grace", format!("{key:?} is still running")))
            .collect()
    }

    /// Checks that no session of the running process is recorded as interrupted.
    fn check_history(&self) -> Option<Finding> {
        if self.sim.with(|state| state.model.store_failed || state.model.machine_shuts_down) {
            return None;
        }
        let history = self.manager.history().now_or_never()?.ok()?;
        let outcome = |record: &SessionRecord| record.end.as_ref().map(|end| end.outcome);
        let lost = |record: &&SessionRecord| {
            record.manager == self.manager.id() && outcome(record) == Some(SessionOutcome::Interrupted)
        };
        let lost = history.iter().find(lost)?;
        Some(("a session of the running process is not recorded as interrupted", format!("session {}", lost.session)))
    }

    /// Checks that the explanation of an item matches the actual state: the item is shown as running exactly while it runs, a
    /// waiting item has a reason, and the handler of a due item is active.
    fn check_explanation(&self, key: Key) -> Option<Finding> {
        const EXPLAIN: &str = "explain matches the actual state";
        let explanation = self.manager.explain_item(key.0, key.1).ok()?;
        let is_running = self.sim.try_with(|state| {
            state.digest(&format!("{explanation:?}"));
            state.model.is_running(key)
        })?;
        let shown_running = matches!(explanation.condition, Condition::Running { .. });
        let is_about_to_begin = shown_running && self.is_suspect(key);
        if shown_running != is_running && !is_about_to_begin {
            return Some((EXPLAIN, format!("{key:?} running: {is_running}, explained as: {explanation}")));
        }
        let (wall, clock_stale, is_ending) = self.sim.with(|state| {
            let is_stale = state.elapsed() < state.model.clock_stale_until;
            (state.wall(), is_stale, state.environment.ending.is_some())
        });
        match explanation.next {
            Next::At { time } if time < wall => {
                Some((EXPLAIN, format!("the next run of {key:?} is in the past: {explanation}")))
            }
            Next::Now if matches!(explanation.condition, Condition::Waiting { .. }) => {
                self.check_waiting(key, &explanation.to_string())
            }
            Next::Now if !shown_running && !clock_stale && !is_ending && !self.is_active(key) => {
                Some(("a due item is started", format!("{key:?} is due, but its handler is not active: {explanation}")))
            }
            _ => None,
        }
    }

    /// Checks that an item whose explanation shows no reason to wait has one: its handler runs the maximum number of items, is in
    /// `prepare`, or is not in a call.
    fn check_waiting(&self, key: Key, explanation: &str) -> Option<Finding> {
        let is_full = self.sim.with(|state| {
            let limit = state.model.settings.handlers.get(&key.0).map_or(0, |info| info.limits().items());
            state.model.lingering.retain(|(_, item)| item.cell().is_working());
            state.model.count_running_of(key.0) + state.model.lingering.len() >= limit
        });
        let (is_preparing, is_called) = self
            .sim
            .with(|state| (state.model.preparing.contains(&key.0), state.model.active_calls.contains_key(&key.0)));
        // Items that were interrupted run one at a time, and each is counted in the store before it begins.
        let has_suspects = self.keys().into_iter().any(|other| other.0 == key.0 && self.is_suspect(other));
        let has_reason = is_full || is_preparing || !is_called || has_suspects;
        (!has_reason).then(|| ("a waiting item has a reason", format!("{key:?} waits without a reason: {explanation}")))
    }

    /// Returns `true` if the item may have ended its process: it is counted in the store before it begins.
    fn is_suspect(&self, key: Key) -> bool {
        self.sim.with(|state| state.model.is_suspect(key)) || self.is_counted(key)
    }

    /// Returns `true` if the store holds the state that the item has if the process ends now.
    fn is_counted(&self, key: Key) -> bool {
        let record = self.disk.store.record(key.0, key.1).ok().flatten().unwrap_or_default();
        let counted = |status| matches!(status, RetryStatus::Interrupted | RetryStatus::NeedsAttention);
        record.retry.is_some_and(|retry| counted(retry.status))
    }

    /// Returns `true` if the item's handler runs or waits.
    fn is_active(&self, key: Key) -> bool {
        let condition = self.manager.explain_handler(key.0).map(|explanation| explanation.condition);
        matches!(condition, Ok(Condition::Running { .. } | Condition::Waiting { .. }))
    }

    /// Checks that a record is consistent and contains the acknowledged state.
    fn check_record(&self, key: Key) -> Option<Finding> {
        const RECORD: &str = "a record is consistent";
        let record = self.disk.store.record(key.0, key.1).ok()?.unwrap_or_default();
        let checkpoint = record.checkpoint.as_ref().map(|checkpoint| &*checkpoint.state);
        let contradicted = self.sim.try_with(|state| state.contradicts(key, checkpoint))?;
        if let Some(details) = contradicted {
            return Some(("committed state is stored", format!("{key:?}: {details}")));
        }
        if record.outcome == Some(Outcome::Succeeded) && record.retry.is_some() && !self.is_counted(key) {
            return Some((RECORD, format!("{key:?} succeeded but has a retry state: {record:?}")));
        }
        let must_wait = self.sim.with(|state| {
            let is_certain = !state.model.store_failed && state.model.item(key).pending_forgets == 0;
            is_certain && !matches!(state.model.item(key).wait, Wait::Unknown | Wait::Ready)
        });
        if record.outcome == Some(Outcome::Failed) && must_wait && record.retry.is_none() {
            return Some((RECORD, format!("{key:?} failed but has no retry state: {record:?}")));
        }
        // An answer removes both the question from the log and the retry state, unless the store refuses that write and stores a
        // later deletion of the entry. An item that may have ended its process gets a retry state before it begins.
        let is_stored = !self.sim.with(|state| state.model.store_failed) && !self.is_counted(key);
        let must_be_logged = is_stored && record.outcome == Some(Outcome::Failed) && record.retry.is_some();
        let log = self.disk.store.log(key.0).ok()?;
        if must_be_logged && !log.iter().any(|logged| logged.entry.item.is_none_or(|item| item == key.1)) {
            return Some((RECORD, format!("{key:?} failed, but the log has no entry for it")));
        }
        None
    }
}

impl State {
    /// Returns the reason why this cannot be the stored state of an item; `None` if it can. Added handlers are not checked.
    pub(crate) fn contradicts(&mut self, key: Key, checkpoint: Option<&str>) -> Option<String> {
        let is_simulated = self.sides.peer.contains_key(&key);
        self.model.item(key).contradicts(checkpoint).filter(|_| is_simulated)
    }
}
