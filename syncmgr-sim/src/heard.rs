//! What has to hold of every report.

use std::collections::BTreeSet;

use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::store::{SessionRecord, StateStore};
use syncmgr_runtime::RunEnding;
use syncmgr_runtime::report::{Report, RunReport};

use crate::peer::Key;
use crate::world::State;
use syncmgr_test::FaultyStore;

/// A report in one line.
pub(crate) fn said(report: &Report) -> String {
    let of_run = |run: &RunReport| {
        let items = run.items().map(|item| format!("{} {}", item.item.name(), item.outcome));
        format!("{} {:?} [{}]", run.name, run.ending, items.collect::<Vec<_>>().join(", "))
    };
    report.runs.iter().map(of_run).collect::<Vec<_>>().join("; ")
}

/// What a report says is what happened, and is stored.
pub(crate) fn of_report(state: &mut State, store: &FaultyStore, report: &Report) {
    let newest = state.books.sessions.keys().next_back().is_none_or(|last| *last <= report.session);
    if !state.books.heard.insert(report.session) {
        return;
    }
    state.note(&format!("session {} rests: {}", report.session, said(report)));
    let durable = (!state.books.store_trouble && !state.books.lies).then(|| store.left_behind());
    if let Some(store) = &durable {
        has_end(state, store, report);
    }
    for run in &report.runs {
        let mut seen = BTreeSet::new();
        for item in run.items() {
            let key = (run.handler, item.item.id());
            state.books.owed.remove(&key);
            if !seen.insert(key) {
                state.breaks("every item ends once", format!("{key:?} is reported twice in {}", report.session));
            }
            if matches!(item.hold, Some(Hold::Merged { .. })) {
                ran_since(state, report, key);
            }
            as_it_happened(state, report, key, item.outcome, item.hold.is_some());
            let began = |attempt: &crate::books::Attempt| attempt.key == key && attempt.session == report.session;
            if state.books.attempts.iter().any(began)
                && let Some(store) = &durable
            {
                is_stored(state, store, report, key, item.outcome, newest);
            }
        }
        if run.ending.is_none() {
            state.breaks("whoever asked is answered", format!("a run of {} has no ending", report.session));
        }
        if run.ending == Some(RunEnding::Held) && state.books.sessions.contains_key(&report.session) {
            state.books.lifted.insert(run.handler);
        }
    }
}

/// The outcome follows from what the handler returned; one that ran for somebody ran after they had asked.
fn as_it_happened(state: &mut State, report: &Report, key: Key, outcome: Outcome, is_apart: bool) {
    let of_session = |attempt: &&crate::books::Attempt| attempt.key == key && attempt.session == report.session;
    let last = state.books.attempts.iter().rev().find(of_session).cloned();
    if is_apart {
        return;
    }
    match last.as_ref().map(|attempt| attempt.end) {
        Some(None) => state.breaks("every item ends once", format!("{key:?} ended as {outcome}, and goes on")),
        Some(Some(end)) if end.outcome().is_some_and(|expected| expected != outcome) => {
            state.breaks("an item ends as its handler says", format!("{key:?} ended as {outcome} after {end:?}"));
        }
        None if outcome == Outcome::Succeeded => {
            let how = format!("{key:?} is said to have succeeded in session {}, and never ran", report.session);
            state.breaks("nothing asked for is lost", how);
        }
        _ => {}
    }
}

/// Who hears of a session's end will not hear that it was interrupted.
fn has_end(state: &mut State, store: &dyn StateStore, report: &Report) {
    let interrupted = store.interrupted().unwrap_or_default();
    let is_it = |left: &SessionRecord| left.session == report.session && Some(left.manager) == state.books.manager;
    if interrupted.iter().any(is_it) {
        let how = format!("session {} was reported, and its end is not stored", report.session);
        state.breaks("a report is told once its records are stored", how);
    }
}

/// What another session did for this one was begun after this one was asked for.
fn ran_since(state: &mut State, report: &Report, key: Key) {
    let Some(asked) = state.books.sessions.get(&report.session) else { return };
    if !state.books.attempts.iter().skip(asked.after).any(|attempt| attempt.key == key) {
        let how =
            format!("{key:?} was merged in session {}, and has not begun since that was asked for", report.session);
        state.breaks("nothing asked for is lost", how);
    }
}

fn is_stored(state: &mut State, store: &dyn StateStore, report: &Report, key: Key, outcome: Outcome, newest: bool) {
    let record = store.record(key.0, key.1).ok().flatten();
    let lies = state.books.lies;
    let item = state.books.item(key);
    if item.forgetting > 0 || item.forgotten_in.is_some_and(|forgotten| report.session <= forgotten) {
        return;
    }
    match record {
        Some(record) if record.outcome.is_some() && record.fence.session >= report.session => {
            let same = record.outcome == Some(outcome);
            item.told = (same && newest && !lies).then_some((report.session, outcome));
        }
        _ if item.running.is_some() => {}
        _ => {
            let how = format!("{key:?} ended as {outcome} in session {}, and that is not stored", report.session);
            state.breaks("a report is told once its records are stored", how);
        }
    }
}
