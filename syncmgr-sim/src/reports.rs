//! Checks of session reports.

use std::collections::BTreeSet;

use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::store::{SessionRecord, StateStore};
use syncmgr_runtime::RunEnding;
use syncmgr_runtime::report::{Report, RunReport};

use crate::peer::Key;
use crate::sim::State;
use syncmgr_test::FaultyStore;

/// Formats a report as one line.
pub(crate) fn summary(report: &Report) -> String {
    let of_run = |run: &RunReport| {
        let items = run.items().map(|item| format!("{} {}", item.item.name(), item.outcome));
        format!("{} {:?} [{}]", run.name, run.ending, items.collect::<Vec<_>>().join(", "))
    };
    report.runs.iter().map(of_run).collect::<Vec<_>>().join("; ")
}

/// Checks that a report matches the model and that its records are stored.
pub(crate) fn check_report(state: &mut State, store: &FaultyStore, report: &Report) {
    let is_newest = state.model.sessions.keys().next_back().is_none_or(|last| *last <= report.session);
    if !state.model.checked_reports.insert(report.session) {
        return;
    }
    state.note(&format!("session {} is idle: {}", report.session, summary(report)));
    let durable = (!state.model.store_failed && !state.model.writes_lost).then(|| store.after_crash());
    if let Some(store) = &durable {
        check_end_stored(state, store, report);
    }
    if report.is_success() {
        state.model.completed.insert(report.session);
    }
    for run in &report.runs {
        let mut seen = BTreeSet::new();
        for item in run.items() {
            let key = (run.handler, item.item.id());
            state.model.to_resume.remove(&key);
            if let Some(hold) = &item.hold {
                state.model.observe_hold(key, report.session, hold);
            }
            if !seen.insert(key) {
                state.report_violation(
                    "every item ends exactly once",
                    format!("{key:?} is reported twice in session {}", report.session),
                );
            }
            if matches!(item.hold, Some(Hold::Merged { .. })) {
                check_merged(state, report, key);
            }
            check_outcome(state, report, key, item.outcome, item.hold.is_some());
            let is_own = |attempt: &crate::model::Attempt| attempt.key == key && attempt.session == report.session;
            if state.model.attempts.iter().any(is_own)
                && let Some(store) = &durable
            {
                check_stored(state, store, report, key, item.outcome, is_newest);
            }
        }
        if run.ending.is_none() {
            state.report_violation(
                "every request gets a report",
                format!("a run of session {} has no ending", report.session),
            );
        }
        if run.ending == Some(RunEnding::Held) && state.model.sessions.contains_key(&report.session) {
            state.model.deferred.insert(run.handler);
        }
    }
}

/// Checks that a session that resumes interrupted runs leaves out none of their items.
pub(crate) fn check_resumed(state: &mut State, report: &Report) {
    let is_complete = |run: &&RunReport| matches!(run.ending, Some(RunEnding::Completed | RunEnding::NothingToDo));
    let handlers: BTreeSet<_> = report.runs.iter().filter(is_complete).map(|run| run.handler).collect();
    let is_listed = |key: &Key| {
        let was_absent = state.model.items.get(key).is_some_and(|item| item.was_absent);
        state.sides.peer.contains_key(key) && !was_absent
    };
    let left = state.model.to_resume.iter().filter(|key| handlers.contains(&key.0) && is_listed(key));
    let left: Vec<_> = left.copied().collect();
    if !left.is_empty() {
        let details = format!("session {} has left out {left:?}", report.session);
        state.report_violation("interrupted items are resumed", details);
    }
}

/// Checks that a reported outcome matches the result of the last attempt in that session.
fn check_outcome(state: &mut State, report: &Report, key: Key, outcome: Outcome, has_hold: bool) {
    let of_session = |attempt: &&crate::model::Attempt| attempt.key == key && attempt.session == report.session;
    let last = state.model.attempts.iter().rev().find(of_session).cloned();
    if has_hold {
        return;
    }
    match last.as_ref().map(|attempt| attempt.end) {
        Some(None) => state.report_violation(
            "every item ends exactly once",
            format!("{key:?} is reported as {outcome} but is still running"),
        ),
        // An automatic run takes an item along again once its wait is over, and may be stopped before that attempt.
        Some(Some(_))
            if matches!(outcome, Outcome::Stopped | Outcome::Skipped)
                && !state.model.sessions.contains_key(&report.session) => {}
        Some(Some(end)) if end.outcome().is_some_and(|expected| expected != outcome) => {
            state.report_violation(
                "an outcome matches the handler's result",
                format!("{key:?} is reported as {outcome} after {end:?}"),
            );
        }
        None if outcome == Outcome::Succeeded => {
            let details = format!("{key:?} is reported as succeeded in session {} but never ran", report.session);
            state.report_violation("no request is lost", details);
        }
        _ => {}
    }
}

/// Checks that the end of a reported session is stored, so that no later process finds the session interrupted. A shutdown
/// interrupts the sessions that it cuts short.
fn check_end_stored(state: &mut State, store: &dyn StateStore, report: &Report) {
    if state.model.may_interrupt() && !report.is_success() {
        return;
    }
    let interrupted = store.interrupted().unwrap_or_default();
    let is_reported =
        |record: &SessionRecord| record.session == report.session && Some(record.manager) == state.model.manager;
    if interrupted.iter().any(is_reported) {
        let details = format!("session {} was reported, but its end is not stored", report.session);
        state.report_violation("records are stored before the session is reported", details);
    }
}

/// Checks that a merged item was attempted after its session was requested.
fn check_merged(state: &mut State, report: &Report, key: Key) {
    let Some(request) = state.model.sessions.get(&report.session) else { return };
    if !state.model.attempts.iter().skip(request.attempts_before).any(|attempt| attempt.key == key) {
        let details = format!("{key:?} was merged in session {} but has not started since its request", report.session);
        state.report_violation("no request is lost", details);
    }
}

/// Checks that the outcome of an attempt was stored before it was reported.
fn check_stored(
    state: &mut State,
    store: &dyn StateStore,
    report: &Report,
    key: Key,
    outcome: Outcome,
    is_newest: bool,
) {
    let record = store.record(key.0, key.1).ok().flatten();
    let writes_lost = state.model.writes_lost;
    let cut_short = state.model.may_interrupt() && outcome == Outcome::Stopped;
    let item = state.model.item(key);
    if cut_short || item.pending_forgets > 0 || item.forgotten_in.is_some_and(|forgotten| report.session <= forgotten) {
        return;
    }
    match record {
        Some(record) if record.outcome.is_some() && record.fence.session >= report.session => {
            // A commit of a later session's attempt, which may still run, has replaced the fence but not the outcome.
            let same = record.outcome == Some(outcome) && record.fence.session == report.session;
            item.reported = (same && is_newest && !writes_lost).then_some((record.fence, outcome));
        }
        _ if item.running.is_some() => {}
        _ => {
            let details = format!(
                "{key:?} is reported as {outcome} in session {}, but this outcome is not stored",
                report.session
            );
            state.report_violation("records are stored before the session is reported", details);
        }
    }
}
