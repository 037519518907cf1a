//! The history of sessions.

use syncmgr::request::RunRequest;
use syncmgr::store::{StateChange, StateStore};
use syncmgr::{Outcome, SessionId, Trigger};
use syncmgr_core::store::{SessionEnd, SessionOutcome, SessionRecord};

use crate::common::*;

cases! {
    a_session_is_stored_when_it_begins,
    an_end_is_stored_with_its_outcomes,
    the_end_of_an_unknown_session_changes_nothing,
    the_last_session_number_increases,
    the_session_number_of_a_fence_counts_as_used,
    clean_sessions_are_deleted_first,
    an_open_session_is_never_deleted,
    a_page_has_the_last_sessions_before_a_number,
}

fn new_session(session: u64) -> SessionRecord {
    let runs = vec![
        RunRequest::new(HANDLER).with_items([ITEM]).with_trigger(Trigger::Invoke).with_cookie(*b"\0\xff"),
        RunRequest::new(OTHER).with_deadline(at(9)),
    ];
    SessionRecord::new(SessionId(session), MANAGER, Trigger::PendingDisconnect, at(session), runs)
}

fn end(session: u64, outcome: SessionOutcome) -> SessionEnd {
    SessionEnd::new(at(session + 1), outcome, map([(Outcome::Succeeded, 3), (Outcome::NeedsUser, 1)]))
}

fn ended_as(session: u64, outcome: SessionOutcome) -> StateChange {
    StateChange::SessionEnded { session: SessionId(session), manager: MANAGER, end: end(session, outcome) }
}

fn a_session_is_stored_when_it_begins(store: &dyn StateStore) {
    put(store, [StateChange::SessionBegan(new_session(1)), StateChange::SessionBegan(new_session(2))]);
    assert_eq!(store.sessions().expect("the read succeeds"), [new_session(1), new_session(2)]);
    assert_eq!(store.interrupted().expect("the read succeeds"), []);
}

fn an_end_is_stored_with_its_outcomes(store: &dyn StateStore) {
    put(store, [StateChange::SessionBegan(new_session(1)), ended_as(1, SessionOutcome::WithProblems)]);
    let mut expected = new_session(1);
    expected.end = Some(end(1, SessionOutcome::WithProblems));
    assert_eq!(store.sessions().expect("the read succeeds"), [expected]);
    put(store, [StateChange::SessionBegan(new_session(2)), ended_as(2, SessionOutcome::Interrupted)]);
    assert_eq!(store.sessions().expect("the read succeeds")[1].end, Some(end(2, SessionOutcome::Interrupted)));
}

fn the_end_of_an_unknown_session_changes_nothing(store: &dyn StateStore) {
    put(store, [ended_as(5, SessionOutcome::Clean)]);
    assert_eq!(store.sessions().expect("the read succeeds"), []);
    assert_eq!(store.last_session().expect("the read succeeds"), SessionId(0));
}

fn the_last_session_number_increases(store: &dyn StateStore) {
    assert_eq!(store.last_session().expect("the read succeeds"), SessionId(0));
    for session in 1..=250 {
        put(store, [StateChange::SessionBegan(new_session(session)), ended_as(session, SessionOutcome::Clean)]);
    }
    assert_eq!(store.last_session().expect("the read succeeds"), SessionId(250));
}

fn the_session_number_of_a_fence_counts_as_used(store: &dyn StateStore) {
    put(store, [commit_change(ITEM, fence(3, 1), "state")]);
    assert_eq!(store.last_session().expect("the read succeeds"), SessionId(3));
    put(store, [end_change(5, [(ITEM, item_end(Outcome::Succeeded))]), StateChange::SessionBegan(new_session(4))]);
    assert_eq!(store.last_session().expect("the read succeeds"), SessionId(5));
}

fn clean_sessions_are_deleted_first(store: &dyn StateStore) {
    let run = |session, outcome| [StateChange::SessionBegan(new_session(session)), ended_as(session, outcome)];
    let numbers = || store.sessions().expect("the read succeeds").iter().map(|kept| kept.session.0).collect::<Vec<_>>();
    put(store, (1..=3).flat_map(|session| run(session, SessionOutcome::WithProblems)));
    put(store, (4..=250).flat_map(|session| run(session, SessionOutcome::Clean)));
    assert_eq!(numbers(), (1..=3).chain(54..=250).collect::<Vec<_>>());
    put(store, (251..=500).flat_map(|session| run(session, SessionOutcome::WithProblems)));
    assert_eq!(numbers(), (301..=500).collect::<Vec<_>>());
}

fn an_open_session_is_never_deleted(store: &dyn StateStore) {
    put(store, (1..=205).map(|session| StateChange::SessionBegan(new_session(session))));
    put(store, [ended_as(3, SessionOutcome::WithProblems)]);
    let kept = store.sessions().expect("the read succeeds");
    assert_eq!(kept.len(), 204);
    assert!(kept.iter().all(|kept| kept.end.is_none()));
}

fn a_page_has_the_last_sessions_before_a_number(store: &dyn StateStore) {
    let page = |before: Option<u64>, limit| {
        let sessions = store.sessions_before(before.map(SessionId), limit).expect("the read succeeds");
        sessions.iter().map(|kept| (kept.session.0, kept.end.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 10), []);
    put(store, (1..=20).map(|session| StateChange::SessionBegan(new_session(session))));
    put(store, (1..=18).map(|session| ended_as(session, SessionOutcome::WithProblems)));
    assert_eq!(page(None, 3), [(18, true), (19, false), (20, false)]);
    assert_eq!(page(Some(18), 2), [(16, true), (17, true)]);
    assert_eq!(page(Some(3), 10), [(1, true), (2, true)]);
    assert_eq!(page(Some(1), 10), []);
    assert_eq!(page(Some(5), 0), []);
    drop(store.write(vec![StateChange::SessionBegan(new_session(21)), ended_as(20, SessionOutcome::Clean)]));
    assert_eq!(page(None, 2), [(20, true), (21, false)], "a write need not be stored yet");
}
