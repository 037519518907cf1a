//! Checks at the start of a process.

use futures::FutureExt;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::record::{Fence, ItemRecord};
use syncmgr_core::request::RunRequest;
use syncmgr_core::retry::{RetryState, RetryStatus};
use syncmgr_core::store::{SessionOutcome, StateStore};

use crate::model::Wait;
use crate::peer::Key;
use crate::process::Process;
use crate::script::Setting;

impl Process<'_> {
    /// Checks that the stored state matches what the previous process reported. Must be called before any work starts.
    pub(crate) fn check_recovery(&self, end: ProcessEnd) {
        let keys = self.keys();
        let unfinished = self.unfinished_items(&keys, |_| true);
        // A firing may have been for other items.
        let to_resume = self.unfinished_items(&keys, |run| run.schedules.is_none());
        self.sim.try_with(|state| {
            state.model.to_resume = if self.has_chooser() { BTreeSet::new() } else { to_resume };
            state.model.unfinished = unfinished;
            state.model.suspect_handlers = self.interrupted_handlers();
            state.model.suspect_handlers.retain(|handler| keys.iter().all(|key| key.0 != *handler));
        });
        for key in keys {
            let record = self.disk.store.record(key.0, key.1).ok().flatten().unwrap_or_default();
            self.check_stored_record(key, &record);
            self.expect_continued(key, &record);
        }
        self.sim.try_with(|state| state.model.killed_by = None);
        self.check_interrupted(end);
    }

    /// Sets the state from which an item continues, according to its record.
    fn expect_continued(&self, key: Key, record: &ItemRecord) {
        let (wait, failures) = self.stored_wait(record);
        let is = |of: RetryStatus| record.retry.is_some_and(|retry| retry.status == of);
        let is_counted = is(RetryStatus::Interrupted) || is(RetryStatus::NeedsAttention);
        self.sim.try_with(|state| {
            let model = &mut state.model;
            let is_unfinished = model.unfinished.contains(&key);
            // The item may have ended the process, so it does not continue by itself.
            if wait == Wait::NeedsRequest && is_counted {
                model.to_resume.remove(&key);
            }
            if is_counted {
                model.count_kill(key);
            }
            let is_suspect = is_unfinished || is(RetryStatus::Interrupted) && wait != Wait::NeedsRequest;
            model.suspects.extend(is_suspect.then_some(key));
            let item = model.item(key);
            (item.wait, item.failures) = if is_unfinished { (Wait::Unknown, 0) } else { (wait, failures) };
        });
    }

    /// Returns `true` if a chooser decides which items run, including the interrupted ones.
    pub(crate) fn has_chooser(&self) -> bool {
        self.script.settings().any(|setting| *setting == Setting::Chooser)
    }

    fn interrupted_handlers(&self) -> BTreeSet<HandlerId> {
        let interrupted = self.disk.store.interrupted().unwrap_or_default();
        interrupted.iter().flat_map(|session| &session.runs).map(|run| run.handler).collect()
    }

    /// Returns the unfinished items of these runs of interrupted sessions. These items may run regardless of their wait.
    fn unfinished_items(&self, keys: &[Key], wanted: impl Fn(&RunRequest) -> bool) -> BTreeSet<Key> {
        let mut unfinished = BTreeSet::new();
        for session in self.disk.store.interrupted().unwrap_or_default() {
            for run in session.runs.iter().filter(|run| wanted(run)) {
                let ended = self.disk.store.ended_since(run.handler, session.session).unwrap_or_default();
                let is_requested = |item| run.items.as_ref().is_none_or(|items| items.contains(item));
                let left =
                    keys.iter().filter(|key| key.0 == run.handler && is_requested(&key.1) && !ended.contains(&key.1));
                unfinished.extend(left.copied());
            }
        }
        unfinished
    }

    /// Checks that a stored record contains the acknowledged state and the reported outcome.
    fn check_stored_record(&self, key: Key, record: &ItemRecord) {
        self.sim.try_with(|state| {
            let checkpoint = record.checkpoint.as_ref().map(|checkpoint| &*checkpoint.state);
            let contradicted = state.contradicts(key, checkpoint);
            let reported = state.model.item(key).reported.filter(|reported| is_older(record, *reported));
            if let Some(details) = contradicted {
                state.report_violation("committed state survives a restart", format!("{key:?}: {details}"));
            }
            if let Some((fence, outcome)) = reported {
                let details = format!("{key:?} was reported as {outcome} by {fence}, but its record is {record:?}");
                state.report_violation("a reported outcome survives a restart", details);
            }
        });
    }

    /// Returns the wait of an item and its number of failures, according to its record.
    fn stored_wait(&self, record: &ItemRecord) -> (Wait, u32) {
        let Some(retry) = record.retry else {
            let known = if record.outcome.is_some() { Wait::Ready } else { Wait::Unknown };
            return (known, 0);
        };
        let (now, wall) = self.sim.with(|state| (state.elapsed(), state.wall()));
        let until = |until: Option<SystemTime>| {
            now + until.and_then(|until| until.duration_since(wall).ok()).unwrap_or_default()
        };
        let RetryState { status, failures, since, until: time, .. } = retry;
        let wait = match status {
            // The clock was set back, so the manager may have ended the wait and cleared the failures.
            _ if since > wall => return (Wait::Unknown, 0),
            // The interruptions have used up the retry budget.
            RetryStatus::Interrupted if time.is_none() => Wait::NeedsRequest,
            RetryStatus::Backoff | RetryStatus::Interrupted => {
                Wait::Backoff(until(time).saturating_sub(Duration::from_millis(1)))
            }
            RetryStatus::NotBefore => Wait::NotBefore(until(time).saturating_sub(Duration::from_millis(1))),
            _ => Wait::NeedsRequest,
        };
        (wait, failures)
    }

    /// Checks that sessions without an end are recorded as interrupted, and that a shutdown interrupts no session that succeeded.
    fn check_interrupted(&self, end: ProcessEnd) {
        let history = self.manager.history().now_or_never().expect("the store is in memory").unwrap_or_default();
        if let Some(open) = history.iter().find(|session| session.end.is_none()) {
            self.sim.report_violation(
                "the history shows no session of an earlier process as running",
                format!("session {}", open.session),
            );
        }
        let interrupted = self.disk.store.interrupted().unwrap_or_default();
        let outcome = |id: SessionId| {
            let found = history.iter().find(|session| session.session == id);
            found.and_then(|session| session.end.as_ref()).map(|end| end.outcome)
        };
        let (last, completed) = self
            .sim
            .with(|state| (state.model.manager.replace(self.manager.id()), std::mem::take(&mut state.model.completed)));
        for session in &interrupted {
            let has_completed = Some(session.manager) == last && completed.contains(&session.session);
            if end == ProcessEnd::Clean && has_completed {
                let details = format!("session {} is interrupted, but it was reported as a success", session.session);
                self.sim.report_violation("a shutdown interrupts no session that succeeded", details);
            }
            if outcome(session.session) != Some(SessionOutcome::Interrupted) {
                self.sim.report_violation(
                    "a killed session is recorded as interrupted",
                    format!("session {}", session.session),
                );
            }
        }
    }
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessEnd {
    /// There was no earlier process.
    NoProcess,
    /// The process was shut down, and its store stored all writes.
    Clean,
    /// The process was killed, or its store failed.
    Unclean,
}

/// Returns `true` if a record is older than a reported outcome.
fn is_older(record: &ItemRecord, reported: (Fence, Outcome)) -> bool {
    let (fence, outcome) = reported;
    // Only a later attempt may replace the outcome, and a later attempt has a later fence.
    record.outcome.is_none() || record.fence < fence || record.fence == fence && record.outcome != Some(outcome)
}
