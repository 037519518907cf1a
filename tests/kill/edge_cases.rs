//! Kills at moments whose damage the general checks would not find.

use std::collections::BTreeSet;
use std::time::SystemTime;

use futures::executor::block_on;
use rusqlite::Connection;
use syncmgr::item::ItemState;
use syncmgr::request::RunRequest;
use syncmgr::retry::{Resume, RetryStatus};
use syncmgr::store::{SessionRecord, SqliteStore, StateChange, StateStore};
use syncmgr::{SessionId, SyncManager, Trigger, Uuid};

use crate::child::{ChildConfig, ExitKind, ResumeMode};
use crate::copying::{Copying, HANDLER, id};
use crate::folder::NAMES;
use crate::random::times;
use crate::trial::Trial;

/// Runs a child with [`Resume::Immediately`] and returns the items that it resumed before it continued the scenario.
fn run_and_collect_resumed(trial: &Trial) -> BTreeSet<String> {
    let noted = trial.folder.notes(0).len();
    let config = ChildConfig { resume: ResumeMode::Immediately, ..ChildConfig::default() };
    assert_eq!(config.run(&trial.folder).0, ExitKind::Done);
    let notes = trial.folder.notes(noted);
    let automatic = notes.iter().take_while(|note| *note != "resumed");
    automatic.filter_map(|note| note.strip_prefix("begin ")).map(str::to_string).collect()
}

/// Runs a child that is killed at this hit of a failpoint, and checks the state that it leaves.
fn kill_at(trial: &mut Trial, step: &str, hit: usize, resume: ResumeMode) {
    let config = ChildConfig { resume, ..ChildConfig::killed_at(step, hit) };
    assert_eq!(config.run(&trial.folder).0, ExitKind::Killed);
    trial.check();
}

#[test]
fn an_answer_is_stored_atomically_with_the_end_of_its_question() {
    for hit in 0..times(3, 30) {
        let mut trial = Trial::new();
        kill_at(&mut trial, "before log deleted", hit % 3 + 1, ResumeMode::AtNextTrigger);
        let snapshot = trial.last();
        let both: Vec<_> = snapshot.answers.iter().filter(|name| snapshot.questions(name) > 0).collect();
        assert!(both.is_empty(), "{both:?} have an answer and an open question");
    }
}

#[test]
fn the_log_of_a_failure_is_stored_atomically_with_the_end() {
    for hit in 3..times(9, 60) {
        let mut trial = Trial::new();
        kill_at(&mut trial, "after commit", hit % 15 + 3, ResumeMode::AtNextTrigger);
        let snapshot = trial.last();
        assert_eq!(
            snapshot.asks_to_reset(),
            snapshot.has_unreadable_state(),
            "only one of the question and the end that raised it is stored"
        );
    }
}

#[test]
fn a_kill_while_creating_the_file_leaves_a_file_that_opens() {
    let (trial, killed) = (Trial::new(), Trial::new());
    let connection = Connection::open(trial.folder.state()).expect("the database opens");
    connection
        .execute_batch("BEGIN IMMEDIATE; CREATE TABLE a (x)")
        .and_then(|()| connection.cache_flush())
        .expect("the transaction is written");
    for name in ["state", "state-journal"] {
        std::fs::copy(trial.folder.0.join(name), killed.folder.0.join(name)).expect("the file is copied");
    }
    SqliteStore::open(killed.folder.state()).expect("the file opens");
}

#[test]
fn answered_items_resume_immediately_after_a_kill() {
    let mut trial = Trial::new();
    kill_at(&mut trial, "before answer consumed", 1, ResumeMode::AtNextTrigger);
    let answered: BTreeSet<_> = trial.last().answers.iter().map(|name| name.to_string()).collect();
    let resumed = run_and_collect_resumed(&trial);
    assert!(answered.is_subset(&resumed), "answered: {answered:?}, resumed: {resumed:?}");
}

#[test]
fn an_item_that_ran_at_a_second_kill_waits_before_it_resumes() {
    let mut trial = Trial::new();
    let store = SqliteStore::open(trial.folder.state()).expect("the store opens");
    let checked = |name: &&str| if **name == *"unwanted" { ItemState::Unchecked } else { ItemState::Checked };
    let items = NAMES.iter().map(|name| (id(name), Some(checked(name)))).collect();
    let runs = vec![RunRequest::new(HANDLER).with_items([id("unwanted")])];
    let began = SystemTime::UNIX_EPOCH;
    let session = SessionRecord::new(SessionId(1), Uuid::from_u128(1), Trigger::Manual, began, runs);
    let changes = vec![StateChange::Choices { handler: HANDLER, items }, StateChange::SessionBegan(session)];
    block_on(store.write(changes)).expect("the write succeeds");
    drop(store);
    kill_at(&mut trial, "after record committed", 1, ResumeMode::Immediately);
    assert_eq!(trial.last().record("unwanted").retry.map(|retry| retry.status), Some(RetryStatus::Interrupted));
    assert_eq!(run_and_collect_resumed(&trial), BTreeSet::new());
}

#[test]
fn items_left_out_of_a_killed_session_do_not_resume() {
    let mut trial = Trial::new();
    kill_at(&mut trial, "before items chosen", 1, ResumeMode::AtNextTrigger);
    let noted = trial.folder.notes(0).len();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("the runtime is built");
    runtime.block_on(resume_interrupted(&trial));
    let begun = trial.folder.notes(noted);
    assert!(!begun.contains(&"begin unwanted".to_string()), "{begun:?}");
}

/// Resumes interrupted runs in this process.
async fn resume_interrupted(trial: &Trial) {
    let store = SqliteStore::open(trial.folder.state()).expect("the file opens");
    let manager = SyncManager::builder().store(store.clone()).resume(Resume::Immediately).build();
    manager
        .register(Copying { folder: trial.folder.clone(), store: store.clone() })
        .expect("the handler can be registered");
    crate::scenario::resume_interrupted(&manager, &store).await.expect("the read succeeds");
}
