//! The failpoints of writing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;

use futures::executor::block_on;
use syncmgr::log::{ErrorScope, Question};
use syncmgr::request::{RegisterFlags, Registration, RunRequest};
use syncmgr::schedule::OverrideKind;
use syncmgr::store::sqlite::FAILPOINTS;
use syncmgr::store::{SqliteOptions, SqliteStore, StateChange, StateStore, StoreError};
use syncmgr::{Claim, Outcome, SessionId, Subject, Trigger};
use syncmgr_core::store::{Histogram, SessionEnd, SessionOutcome, SessionRecord};
use tempfile::{TempDir, tempdir};

use crate::common::*;

/// Creates one change of every kind.
fn every_change() -> Vec<StateChange> {
    let (handler, item, session, manager) = (HANDLER, ITEM, SessionId(1), MANAGER);
    let end = SessionEnd::new(at(2), SessionOutcome::Clean, map([]));
    let question = Question::new("k", "Which?", [Arc::from("a")]);
    let registration = Registration::new(RegisterFlags::all());
    let many: Vec<_> = (0..10_001).map(|number| plain(&number.to_string())).collect();
    vec![
        StateChange::Registered { handler, registration },
        StateChange::Flags { handler, flags: RegisterFlags::empty() },
        StateChange::Waiting { handler, runs: vec![RunRequest::new(handler)] },
        StateChange::Choices { handler, items: map([(item, None)]) },
        StateChange::Names { handler, items: map([(item, None)]) },
        StateChange::Disabled { handler, subject: Subject::Handler, reason: None },
        override_change(Subject::Handler, OverrideKind::Schedule, None),
        fired_change("every 1h"),
        StateChange::SessionBegan(SessionRecord::new(session, manager, Trigger::Manual, at(1), Vec::new())),
        StateChange::Answered { handler, item, question, choice: 0 },
        commit_change(item, fence(1, 0), "1"),
        end_change(1, [(item, item_end(Outcome::Succeeded).with_consumed(vec![Arc::from("k")]))]),
        retry(item, None),
        StateChange::Resource { claim: Claim::new("a"), retry: None },
        StateChange::Absent { handler, items: map([(item, None)]) },
        StateChange::Reset { handler, item },
        StateChange::LogDeleted { handler, scope: ErrorScope::All },
        StateChange::Settled { handler, item },
        StateChange::ForgetItem { handler, item },
        StateChange::Forget { handler },
        StateChange::Histogram { name: Arc::from("stop"), histogram: Histogram::default() },
        StateChange::SessionEnded { session, manager, end },
        add_log_change(1, &many),
    ]
}

#[test]
fn writing_every_change_passes_every_listed_failpoint() {
    let directory = tempdir().expect("the directory is created");
    let passed = Arc::<Mutex<BTreeSet<&'static str>>>::default();
    let record_step = passed.clone();
    let step = Arc::new(move |name| {
        record_step.lock().expect("not poisoned").insert(name);
    });
    let store = SqliteOptions::new().on_failpoint(step).open(directory.path().join("state")).expect("the store opens");
    put(&store, every_change());
    drop(store);
    assert_eq!(*passed.lock().expect("not poisoned"), BTreeSet::from_iter(FAILPOINTS.iter().copied()));
}

/// A store whose writer waits with each batch until the sender is dropped.
fn store_held_at_a_batch(directory: &TempDir) -> (SqliteStore, Sender<()>) {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let step = Arc::new(move |name| {
        if name == "batch taken" {
            let _ = wait.lock().expect("not poisoned").recv();
        }
    });
    let store = SqliteOptions::new().on_failpoint(step).open(directory.path().join("state")).expect("the store opens");
    (store, go)
}

#[test]
fn queued_writes_are_stored_in_one_transaction() {
    let directory = tempdir().expect("the directory is created");
    let commits = Arc::new(AtomicUsize::new(0));
    let (counted, (go, wait)) = (commits.clone(), channel::<()>());
    let wait = Mutex::new(wait);
    let step = Arc::new(move |name| {
        if name == "batch taken" {
            wait.lock().expect("not poisoned").recv().expect("the test sends a signal");
        }
        counted.fetch_add(usize::from(name == "after commit"), Ordering::Relaxed);
    });
    let store = SqliteOptions::new().on_failpoint(step).open(directory.path().join("state")).expect("the store opens");
    let writes: Vec<_> = (0..100).map(|n| store.write(vec![commit_change(ITEM, fence(1, n), "1")])).collect();
    // The first batch has the write that the idle writer found, the second has all other writes.
    go.send(()).and_then(|()| go.send(())).expect("the writer waits");
    for written in writes {
        block_on(written).expect("the write succeeds");
    }
    drop(go);
    assert!(commits.load(Ordering::Relaxed) <= 2);
}

#[test]
fn the_write_ahead_log_is_bounded_by_size() {
    let directory = tempdir().expect("the directory is created");
    let (store, go) = store_held_at_a_batch(&directory);
    let large = format!("\"{}\"", "x".repeat(1_000_000));
    let writes: Vec<_> = (0..30).map(|n| store.write(vec![commit_change(ITEM, fence(1, n), &large)])).collect();
    drop(go);
    for written in writes {
        block_on(written).expect("the write succeeds");
    }
    let log = std::fs::metadata(directory.path().join("state-wal")).expect("the file exists");
    assert!(log.len() < 16 << 20, "{} bytes", log.len());
}

#[test]
fn reading_an_item_does_not_wait_for_writes_of_another() {
    let directory = tempdir().expect("the directory is created");
    let (store, go) = store_held_at_a_batch(&directory);
    let written = store.write(vec![commit_change(ITEM, fence(1, 0), "1")]);
    assert_eq!(record(&store, NEXT), None);
    drop(go);
    assert!(record(&store, ITEM).is_some());
    block_on(written).expect("the write succeeds");
}

#[test]
fn write_capacity_is_pending_while_the_queue_is_too_long() {
    let directory = tempdir().expect("the directory is created");
    let (store, go) = store_held_at_a_batch(&directory);
    let items: Vec<_> = (1..=16_384).map(|n| (syncmgr::ItemId::from_u128(n), item_end(Outcome::Succeeded))).collect();
    drop(store.write(vec![end_change(1, items)]));
    assert!(store.write_capacity().is_none());
    drop(store.write(vec![commit_change(ITEM, fence(1, 0), "1")]));
    let room = store.write_capacity().expect("the queue is too long");
    drop(go);
    block_on(room);
    assert!(store.write_capacity().is_none());
}

#[test]
fn a_writer_panic_fails_its_callers_and_keeps_the_store_intact() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let step = Arc::new(|name| assert_ne!(name, "before commit", "a panic"));
    let store = SqliteOptions::new().on_failpoint(step).open(&path).expect("the store opens");
    let error = expect_refused(&store, [commit_change(ITEM, fence(1, 0), "1")]);
    assert!(matches!(error.downcast_ref(), Some(StoreError::Stopped { .. })), "{error:#}");
    assert_eq!(record(&store, ITEM), None);
    expect_refused(&store, [commit_change(ITEM, fence(1, 0), "1")]);
    drop(store);
    assert_eq!(record(&SqliteStore::open(&path).expect("the store opens"), ITEM), None);
}

/// Panics when it is woken, after it has sent the name of its thread.
struct Panics(Mutex<Sender<Option<String>>>);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        let name = thread::current().name().map(str::to_owned);
        self.0.lock().expect("not poisoned").send(name).expect("the test waits");
        panic!("the fault")
    }
}

#[test]
fn a_waker_that_panics_does_not_run_on_the_writing_thread() {
    let directory = tempdir().expect("the directory is created");
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let step = Arc::new(move |name| {
        if name == "batch taken" {
            wait.lock().expect("not poisoned").recv().expect("the test sends a signal");
        }
    });
    let store = SqliteOptions::new().on_failpoint(step).open(directory.path().join("state")).expect("the store opens");
    let (woken, threads) = channel();
    let mut written = store.write(vec![commit_change(ITEM, fence(1, 0), "1")]);
    let waker = Waker::from(Arc::new(Panics(Mutex::new(woken))));
    assert!(written.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    go.send(()).expect("the writer waits");
    let name = threads.recv().expect("the waker is called");
    assert_ne!(name.as_deref(), Some("syncmgr-store"));
    go.send(()).expect("the writer waits");
    block_on(store.write(vec![commit_change(ITEM, fence(1, 0), "2")])).expect("the writer is alive");
    block_on(written).expect("the write succeeds");
}

/// Drops a store when it is woken.
struct DropOnWake(Mutex<Option<SqliteStore>>);

impl Wake for DropOnWake {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().expect("not poisoned").take());
    }
}

#[test]
fn the_last_handle_may_be_dropped_by_the_waker_of_a_write() {
    let directory = tempdir().expect("the directory is created");
    let (alive, thread) = channel::<()>();
    let (go, wait) = channel::<()>();
    let wait = Mutex::new((wait, alive));
    let step = Arc::new(move |name| {
        if name == "batch taken" {
            wait.lock().expect("not poisoned").0.recv().expect("the test sends a signal");
        }
    });
    let store = SqliteOptions::new().on_failpoint(step).open(directory.path().join("state")).expect("the store opens");
    let mut written = store.write(vec![commit_change(ITEM, fence(1, 0), "1")]);
    let waker = Waker::from(Arc::new(DropOnWake(Mutex::new(Some(store)))));
    assert!(written.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    go.send(()).expect("the writer waits");
    thread.recv().expect_err("the thread exits and drops its sender");
    block_on(written).expect("the write succeeds");
}
