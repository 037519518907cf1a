//! Kills at moments whose damage the general checks would not find.

use std::collections::BTreeSet;
use std::time::SystemTime;

use futures::executor::block_on;
use rusqlite::Connection;
use syncmgr::item::ItemState;
use syncmgr::request::RunRequest;
use syncmgr::retry::Resume;
use syncmgr::store::{SessionRecord, SqliteStore, StateChange, StateStore};
use syncmgr::{SessionId, SyncManager, Trigger, Uuid};

use crate::child::{ChildConfig, ExitKind, ResumeMode};
use crate::copying::{Copying, HANDLER, id};
use crate::folder::NAMES;
use crate::random::times;
use crate::trial::Trial;

/// Runs a child with [`Resume::Immediately`] and returns the items that began before it did anything else.
fn resumed(trial: &Trial) -> BTreeSet<String> {
    let noted = trial.folder.notes(0).len();
    let config = ChildConfig { resume: ResumeMode::AtOnce, ..ChildConfig::default() };
    assert_eq!(config.run(&trial.folder).0, ExitKind::Done);
    let notes = trial.folder.notes(noted);
    let automatic = notes.iter().take_while(|note| *note != "resumed");
    automatic.filter_map(|note| note.strip_prefix("begin ")).map(str::to_string).collect()
}

fn killed(trial: &mut Trial, step: &str, hit: usize, resume: ResumeMode) {
    let config = ChildConfig { resume, ..ChildConfig::killed_at(step, hit) };
    assert_eq!(config.run(&trial.folder).0, ExitKind::Killed);
    trial.check();
}

#[test]
fn an_answer_is_stored_atomically_with_the_end_of_its_question() {
    for hit in 0..times(3, 30) {
        let mut trial = Trial::new();
        killed(&mut trial, "before log deleted", hit % 3 + 1, ResumeMode::AtNextTrigger);
        let snapshot = trial.last();
        let both: Vec<_> = snapshot.answers.iter().filter(|name| snapshot.questions(name) > 0).collect();
        assert!(both.is_empty(), "{both:?} have an answer and an open question");
    }
}

#[test]
fn the_log_of_a_failure_is_stored_atomically_with_the_end() {
    for hit in 3..times(9, 60) {
        let mut trial = Trial::new();
        killed(&mut trial, "after commit", hit % 15 + 3, ResumeMode::AtNextTrigger);
        let snapshot = trial.last();
        assert_eq!(
            snapshot.asks_to_reset(),
            snapshot.has_unreadable_state(),
            "the question and the end that raised it"
        );
    }
}

#[test]
fn a_kill_while_creating_the_file_leaves_a_file_that_opens() {
    let (trial, killed) = (Trial::new(), Trial::new());
    let made = Connection::open(trial.folder.state()).expect("an empty file");
    made.execute_batch("BEGIN IMMEDIATE; CREATE TABLE a (x)").and_then(|()| made.cache_flush()).expect("half written");
    for name in ["state", "state-journal"] {
        std::fs::copy(trial.folder.0.join(name), killed.folder.0.join(name)).expect("copied as a kill leaves it");
    }
    SqliteStore::open(killed.folder.state()).expect("the file opens");
}

#[test]
fn answered_items_resume_immediately_after_a_kill() {
    let mut trial = Trial::new();
    killed(&mut trial, "before answer consumed", 1, ResumeMode::AtNextTrigger);
    let answered: BTreeSet<_> = trial.last().answers.iter().map(|name| name.to_string()).collect();
    let resumed = resumed(&trial);
    assert!(answered.is_subset(&resumed), "answered: {answered:?}, resumed: {resumed:?}");
}

#[test]
fn items_requested_by_name_resume_alone_after_a_second_kill() {
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
    killed(&mut trial, "after record committed", 1, ResumeMode::AtOnce);
    let resumed = resumed(&trial);
    assert_eq!(resumed, BTreeSet::from(["unwanted".to_string()]));
}

#[test]
fn items_left_out_of_a_killed_session_do_not_resume() {
    let mut trial = Trial::new();
    killed(&mut trial, "before items chosen", 1, ResumeMode::AtNextTrigger);
    let noted = trial.folder.notes(0).len();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(resume_interrupted(&trial));
    let begun = trial.folder.notes(noted);
    assert!(!begun.contains(&"begin unwanted".to_string()), "{begun:?}");
}

/// Resumes interrupted runs in this process.
async fn resume_interrupted(trial: &Trial) {
    let store = SqliteStore::open(trial.folder.state()).expect("the file opens");
    let manager = SyncManager::builder().store(store.clone()).resume(Resume::Immediately).build();
    manager.register(Copying { folder: trial.folder.clone(), store: store.clone() }).expect("registered");
    crate::scenario::resume_interrupted(&manager, &store).await.expect("read");
}
