//! Moments at which a kill could do harm that looks like nothing afterwards.

use std::collections::BTreeSet;
use std::time::SystemTime;

use futures::executor::block_on;
use rusqlite::Connection;
use syncmgr::item::ItemState;
use syncmgr::request::RunRequest;
use syncmgr::retry::Resume;
use syncmgr::store::{SessionRecord, SqliteStore, StateChange, StateStore};
use syncmgr::{SessionId, SyncManager, Trigger, Uuid};

use crate::child::{Fate, GoingOn, Orders};
use crate::copying::{Copying, HANDLER, id};
use crate::dice::times;
use crate::folder::NAMES;
use crate::trial::Trial;

/// What began in a child that goes on at once, before it did anything else.
fn went_on(trial: &Trial) -> BTreeSet<String> {
    let noted = trial.folder.notes(0).len();
    let orders = Orders { going_on: GoingOn::AtOnce, ..Orders::default() };
    assert_eq!(orders.run(&trial.folder).0, Fate::Done);
    let notes = trial.folder.notes(noted);
    let by_itself = notes.iter().take_while(|note| *note != "went on");
    by_itself.filter_map(|note| note.strip_prefix("begin ")).map(str::to_string).collect()
}

fn killed(trial: &mut Trial, step: &str, passing: usize, going_on: GoingOn) {
    let orders = Orders { going_on, ..Orders::killed_at(step, passing) };
    assert_eq!(orders.run(&trial.folder).0, Fate::Killed);
    trial.look();
}

#[test]
fn an_answer_is_stored_together_with_the_end_of_its_question() {
    for passing in 0..times(3, 30) {
        let mut trial = Trial::new();
        killed(&mut trial, "before log deleted", passing % 3 + 1, GoingOn::AtNextTrigger);
        let seen = trial.last();
        let both: Vec<_> = seen.answers.iter().filter(|name| seen.questions(name) > 0).collect();
        assert!(both.is_empty(), "{both:?} are answered and asked");
    }
}

#[test]
fn how_an_item_failed_is_told_together_with_its_end() {
    for passing in 3..times(9, 60) {
        let mut trial = Trial::new();
        killed(&mut trial, "after commit", passing % 15 + 3, GoingOn::AtNextTrigger);
        let seen = trial.last();
        assert_eq!(seen.asks_to_reset(), seen.is_spoilt(), "the question, and the end that led to it");
    }
}

#[test]
fn a_process_killed_while_it_makes_the_file_leaves_one_that_opens() {
    let (trial, killed) = (Trial::new(), Trial::new());
    let made = Connection::open(trial.folder.state()).expect("an empty file");
    made.execute_batch("BEGIN IMMEDIATE; CREATE TABLE a (x)").and_then(|()| made.cache_flush()).expect("half written");
    for name in ["state", "state-journal"] {
        std::fs::copy(trial.folder.0.join(name), killed.folder.0.join(name)).expect("copied as a kill leaves it");
    }
    SqliteStore::open(killed.folder.state()).expect("the file opens");
}

#[test]
fn what_was_answered_goes_on_at_once_after_a_kill() {
    let mut trial = Trial::new();
    killed(&mut trial, "before answer consumed", 1, GoingOn::AtNextTrigger);
    let answered: BTreeSet<_> = trial.last().answers.iter().map(|name| name.to_string()).collect();
    let went_on = went_on(&trial);
    assert!(answered.is_subset(&went_on), "{answered:?} were answered, and {went_on:?} went on");
}

#[test]
fn what_was_asked_for_by_name_goes_on_alone_after_a_second_kill() {
    let mut trial = Trial::new();
    let store = SqliteStore::open(trial.folder.state()).expect("made");
    let checked = |name: &&str| if **name == *"unwanted" { ItemState::Unchecked } else { ItemState::Checked };
    let items = NAMES.iter().map(|name| (id(name), Some(checked(name)))).collect();
    let runs = vec![RunRequest::new(HANDLER).with_items([id("unwanted")])];
    let began = SystemTime::UNIX_EPOCH;
    let session = SessionRecord::new(SessionId(1), Uuid::from_u128(1), Trigger::Manual, began, runs);
    let changes = vec![StateChange::Choices { handler: HANDLER, items }, StateChange::SessionBegan(session)];
    block_on(store.write(changes)).expect("stored");
    drop(store);
    killed(&mut trial, "after record committed", 1, GoingOn::AtOnce);
    let went_on = went_on(&trial);
    assert_eq!(went_on, BTreeSet::from(["unwanted".to_string()]));
}

#[test]
fn what_was_left_out_of_a_session_that_was_killed_does_not_go_on_with_it() {
    let mut trial = Trial::new();
    killed(&mut trial, "before items chosen", 1, GoingOn::AtNextTrigger);
    let noted = trial.folder.notes(0).len();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(go_on(&trial));
    let begun = trial.folder.notes(noted);
    assert!(!begun.contains(&"begin unwanted".to_string()), "{begun:?}");
}

/// Goes on at once, in this process.
async fn go_on(trial: &Trial) {
    let store = SqliteStore::open(trial.folder.state()).expect("the file opens");
    let manager = SyncManager::builder().store(store.clone()).resume(Resume::AtOnce).build();
    manager.register(Copying { folder: trial.folder.clone(), store: store.clone() }).expect("registered");
    crate::story::go_on(&manager, &store).await.expect("read");
}
