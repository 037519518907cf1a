//! A file that outlives its store.

use std::path::Path;

use futures::executor::block_on;
use syncmgr::request::RunRequest;
use syncmgr::store::{SqliteOptions, SqliteStore, StateChange, StateStore, StoreError};
use syncmgr::{Outcome, SessionId, Trigger};
use syncmgr_core::store::{Course, Durability, SessionEnd, SessionRecord};
use tempfile::tempdir;

use crate::common::*;

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path).expect("the store opens")
}

fn begun(session: u64) -> SessionRecord {
    SessionRecord::new(SessionId(session), MANAGER, Trigger::Manual, at(session), vec![RunRequest::new(HANDLER)])
}

#[test]
fn a_store_that_is_opened_again_has_everything() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("state");
    let store = open(&path);
    put(&store, [committed(ITEM, fence(3, 1), "1"), retry(ITEM, Some(backoff(2))), log(3, &[named("x", "k")])]);
    put(&store, [StateChange::SessionBegan(begun(3))]);
    let before = (record(&store, ITEM), texts(&store), store.sessions().expect("read"));
    drop(store);
    let store = open(&path);
    assert_eq!((record(&store, ITEM), texts(&store), store.sessions().expect("read")), before);
    assert_eq!(store.last_session().expect("read"), SessionId(3));
}

#[test]
fn dropping_the_last_handle_stores_what_nobody_waited_for() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("state");
    let store = open(&path);
    for number in 0..5_000 {
        drop(store.clone().write(vec![committed(ITEM, fence(1, number), "1")]));
    }
    drop(store);
    assert_eq!(record(&open(&path), ITEM).expect("stored").fence, fence(1, 4_999));
}

#[test]
fn a_session_without_an_end_is_interrupted_once_the_store_is_opened_again_and_until_it_is_ended() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("state");
    put(&open(&path), [StateChange::SessionBegan(begun(1))]);
    let store = open(&path);
    put(&store, [StateChange::SessionBegan(begun(2))]);
    assert_eq!(store.interrupted().expect("read"), [begun(1)]);
    let end = SessionEnd::new(at(9), Course::Interrupted, map([(Outcome::Stopped, 1)]));
    put(&store, [StateChange::SessionEnded { session: SessionId(1), manager: MANAGER, end }]);
    assert_eq!(store.interrupted().expect("read"), []);
    assert_eq!(store.sessions().expect("read").len(), 2);
}

#[test]
fn a_second_opener_is_refused_and_told_who_was_first() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("state");
    let first = open(&path);
    let again = first.clone();
    drop(first);
    let Err(StoreError::InUse { by, .. }) = SqliteStore::open(&path) else { panic!("the store is in use") };
    assert!(by.contains(&format!("(process {})", std::process::id())), "{by}");
    assert!(by.contains(" since 20"), "{by}");
    drop(again);
    open(&path);
}

#[test]
fn stores_in_one_directory_do_not_meet() {
    let directory = tempdir().expect("a directory");
    let (one, other) = (open(&directory.path().join("one")), open(&directory.path().join("other")));
    put(&one, [committed(ITEM, fence(1, 0), "1")]);
    assert_eq!(record(&other, ITEM), None);
}

#[test]
fn a_store_says_what_its_changes_survive() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("state");
    assert_eq!(open(&path).durability(), Durability::Process);
    let store = SqliteOptions::new().durability(Durability::Power).open(&path).expect("the store opens");
    assert_eq!(store.durability(), Durability::Power);
    put(&store, [committed(ITEM, fence(1, 0), "1")]);
}

#[test]
fn how_many_sessions_are_remembered_can_be_said() {
    let directory = tempdir().expect("a directory");
    let store = SqliteOptions::new().sessions(2).open(directory.path().join("state")).expect("the store opens");
    for session in 1..=5 {
        let end = SessionEnd::new(at(session), Course::Smooth, map([]));
        let ended = StateChange::SessionEnded { session: SessionId(session), manager: MANAGER, end };
        put(&store, [StateChange::SessionBegan(begun(session)), ended]);
    }
    assert_eq!(store.sessions().expect("read").len(), 2);
}

#[test]
fn a_forgotten_item_is_taken_out_of_what_sessions_were_asked_for() {
    let directory = tempdir().expect("a directory");
    let store = open(&directory.path().join("state"));
    let asked = |items: &[_]| RunRequest::new(HANDLER).with_items(items.iter().copied());
    let mut session = begun(1);
    session.runs = vec![asked(&[ITEM, NEXT]), asked(&[ITEM]), RunRequest::new(HANDLER)];
    put(&store, [StateChange::SessionBegan(session)]);
    put(&store, [StateChange::ForgetItem { handler: HANDLER, item: ITEM }]);
    assert_eq!(store.sessions().expect("read")[0].runs, [asked(&[NEXT]), RunRequest::new(HANDLER)]);
}

#[test]
fn nothing_of_what_is_forgotten_is_left_in_the_files() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("state");
    let store = open(&path);
    put(&store, [committed(ITEM, fence(1, 0), r#""a secret of theirs""#), log(1, &[plain("a secret of theirs")])]);
    put(&store, [StateChange::Forget { handler: HANDLER }]);
    drop(store);
    for file in directory.path().read_dir().expect("listed") {
        let bytes = std::fs::read(file.expect("listed").path()).expect("read");
        assert!(!String::from_utf8_lossy(&bytes).contains("a secret"));
    }
}

#[test]
fn what_cannot_be_stored_is_the_callers_mistake_and_undoes_its_write() {
    let directory = tempdir().expect("a directory");
    let store = open(&directory.path().join("state"));
    let error = refused(&store, [log(1, &[plain("undone")]), committed(ITEM, fence(u64::MAX, 0), "1")]);
    assert!(matches!(error.downcast_ref(), Some(StoreError::Unstorable { .. })), "{error:#}");
    assert_eq!(texts(&store), [""; 0]);
}

#[test]
fn a_write_goes_on_when_its_future_is_waited_for_after_the_store_is_gone() {
    let directory = tempdir().expect("a directory");
    let store = open(&directory.path().join("state"));
    let written = store.write(vec![committed(ITEM, fence(1, 0), "1")]);
    drop(store);
    block_on(written).expect("stored");
}
