//! Reads while the writer is busy: they see the queued writes and do not wait for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};

use futures::executor::block_on;
use futures::future::join_all;
use rusqlite::Connection;
use syncmgr::item::ItemState;
use syncmgr::log::{ErrorId, ErrorScope, Question};
use syncmgr::request::{RegisterFlags, Registration, RunRequest};
use syncmgr::schedule::OverrideKind;
use syncmgr::store::{MemoryStore, SqliteOptions, SqliteStore, StateChange, StateStore};
use syncmgr::{Claim, ItemId, Outcome, SessionId, Subject, Trigger};
use syncmgr_core::store::{Histogram, SessionEnd, SessionOutcome, SessionRecord};
use tempfile::tempdir;

use crate::common::*;

/// Stops the writer at a failpoint while it is closed.
#[derive(Default)]
struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn close(&self) {
        *self.closed.lock().expect("not poisoned") = true;
    }

    fn open(&self) {
        *self.closed.lock().expect("not poisoned") = false;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let closed = self.closed.lock().expect("not poisoned");
        drop(self.opened.wait_while(closed, |closed| *closed).expect("not poisoned"));
    }
}

/// Opens a gate also if an assertion fails, because the store waits for its writer when it is dropped.
struct OpenOnDrop<'a>(&'a Gate);

impl Drop for OpenOnDrop<'_> {
    fn drop(&mut self) {
        self.0.open();
    }
}

fn question() -> Question {
    Question::new("k", "Which?", [Arc::from("a"), Arc::from("b")])
}

/// Returns writes of every kind of change. One of them is refused.
fn every_write() -> Vec<Vec<StateChange>> {
    let (handler, item, manager) = (HANDLER, ITEM, MANAGER);
    let session = |number| {
        let runs = vec![RunRequest::new(handler).with_items([ITEM, NEXT])];
        StateChange::SessionBegan(SessionRecord::new(SessionId(number), manager, Trigger::Manual, at(number), runs))
    };
    let ended = StateChange::SessionEnded {
        session: SessionId(1),
        manager,
        end: SessionEnd::new(at(2), SessionOutcome::WithProblems, map([(Outcome::Failed, 1)])),
    };
    let choose = |item, state| StateChange::Choices { handler, items: map([(item, state)]) };
    let name = |item, name: Option<&str>| StateChange::Names { handler, items: map([(item, name.map(item_name))]) };
    let disable =
        |subject, reason: Option<&str>| StateChange::Disabled { handler, subject, reason: reason.map(Arc::from) };
    let answer = StateChange::Answered { handler, item, question: question(), choice: 1 };
    let asking = plain("asks").with_item(item).with_question(ErrorId::from_key("q"), question());
    vec![
        vec![StateChange::Registered { handler, registration: Registration::new(RegisterFlags::IDLE) }, session(1)],
        vec![StateChange::Flags { handler, flags: RegisterFlags::CONNECT }],
        vec![choose(ITEM, Some(ItemState::Unchecked)), choose(NEXT, Some(ItemState::Checked))],
        vec![commit_change(ITEM, fence(1, 1), "1"), commit_change(NEXT, fence(1, 1), "1")],
        vec![add_log_change(1, &[plain("one"), plain("two").with_item(ITEM)]), answer],
        vec![end_change(1, [(NEXT, item_end(Outcome::Failed)), (ITEM, item_end(Outcome::Succeeded))])],
        vec![commit_change(ITEM, fence(1, 0), "refused"), add_log_change(1, &[plain("refused")])],
        vec![retry(NEXT, Some(backoff(2))), StateChange::Resource { claim: Claim::new("c"), retry: Some(backoff(3)) }],
        vec![StateChange::Absent { handler, items: map([(NEXT, Some(at(5)))]) }, session(2)],
        vec![add_log_change(2, &[plain("three"), asking]), StateChange::Reset { handler, item }],
        vec![end_change(2, [(ITEM, item_end(Outcome::Succeeded).with_consumed(vec![Arc::from("k")]))])],
        vec![StateChange::Settled { handler, item }, ended],
        vec![log(2, &[named("four", "x")]), choose(NEXT, None)],
        vec![StateChange::LogDeleted { handler, scope: ErrorScope::One(ErrorId::from_key("x")) }],
        vec![StateChange::Histogram { name: Arc::from("stop"), histogram: Histogram::default() }],
        vec![StateChange::Resource { claim: Claim::new("c"), retry: None }, retry(NEXT, None)],
        vec![name(ITEM, Some("Inbox")), name(NEXT, Some("Sent"))],
        vec![disable(Subject::Handler, Some("moves house")), disable(Subject::Item(ITEM), Some("too large"))],
        vec![name(ITEM, None), disable(Subject::Handler, None), disable(Subject::Item(NEXT), Some("private"))],
        vec![fired_change("every 1h"), fired_change("every 2h")],
        vec![override_change(Subject::Item(NEXT), OverrideKind::Schedule, Some("every 1h"))],
        vec![override_change(Subject::Handler, OverrideKind::Window, Some("always"))],
        vec![StateChange::ForgetItem { handler, item: NEXT }],
        vec![StateChange::Forget { handler }, commit_change(ITEM, fence(3, 0), "3")],
    ]
}

/// Returns the choices of the handler as a session reads them.
fn few_choices(store: &dyn StateStore) -> BTreeMap<ItemId, ItemState> {
    let few = store.few_choices(HANDLER).expect("the read succeeds");
    few.unwrap_or_else(|| store.choices(HANDLER).expect("the read succeeds"))
}

/// Returns the results of all reads, as text.
fn read_all(store: &dyn StateStore) -> String {
    let items = [ITEM, NEXT].map(|item| (record(store, item), store.log_about(HANDLER, item).expect("a read")));
    let handler = (store.handlers(), few_choices(store), store.choices(HANDLER), store.log(HANDLER));
    let answer = store.answer(HANDLER, ITEM, &question());
    let one = (store.handler(HANDLER), store.choice(HANDLER, ITEM), store.log_entry(HANDLER, ErrorId::from_key("q")));
    let has_ended = [ITEM, NEXT].map(|item| store.has_ended_since(HANDLER, item, SessionId(2)));
    let named = (
        store.records(HANDLER).map(BTreeMap::into_keys).map(Vec::from_iter),
        store.names(HANDLER),
        store.disabled(HANDLER),
        store.firings(HANDLER),
        store.overrides(HANDLER),
    );
    let lists = (store.retry_states(HANDLER), store.recorded_items(HANDLER), store.ended_since(HANDLER, SessionId(2)));
    let manager = (store.resources(), store.sessions(), store.interrupted(), store.last_session());
    format!(
        "{items:#?}{handler:#?}{one:#?}{named:#?}{has_ended:?}{answer:?}{lists:#?}{manager:#?}{:?}",
        store.histogram("stop")
    )
}

/// Opens a store with some of the writes, queues the others while the writer is stopped at this failpoint, and compares
/// all reads.
fn check_reads(failpoint: &'static str) {
    for stored in 0..every_write().len() {
        let (directory, gate) = (tempdir().expect("the directory is created"), Arc::<Gate>::default());
        let (memory, writer_gate) = (MemoryStore::new(), gate.clone());
        let step = Arc::new(move |name| {
            if name == failpoint {
                writer_gate.pass();
            }
        });
        let options = SqliteOptions::new().on_failpoint(step);
        let store = options.open(directory.path().join("state")).expect("the store opens");
        let (first, second) = {
            let mut all = every_write();
            let second = all.split_off(stored);
            (all, second)
        };
        for changes in first {
            assert_eq!(block_on(store.write(changes.clone())).is_ok(), block_on(memory.write(changes)).is_ok());
        }
        assert_eq!(read_all(&store), read_all(&memory), "with {stored} stored writes, none queued");
        gate.close();
        let opener = OpenOnDrop(&gate);
        let queued: Vec<_> = second.iter().map(|changes| store.write(changes.clone())).collect();
        second.into_iter().for_each(|changes| drop(memory.write(changes)));
        assert_eq!(read_all(&store), read_all(&memory), "with {stored} stored writes");
        drop(opener);
        block_on(join_all(queued));
        assert_eq!(read_all(&store), read_all(&memory), "with all writes stored");
    }
}

#[test]
fn reads_see_writes_that_the_writer_has_not_begun() {
    check_reads("batch taken");
}

#[test]
fn reads_see_writes_once_while_the_writer_commits_them() {
    check_reads("after commit");
}

fn unchecked(count: u128) -> BTreeMap<ItemId, ItemState> {
    (0..count).map(|item| (ItemId::from_u128(item), ItemState::Unchecked)).collect()
}

fn choose_unchecked(count: u128) -> StateChange {
    let items = unchecked(count).into_iter().map(|(item, state)| (item, Some(state))).collect();
    StateChange::Choices { handler: HANDLER, items }
}

#[test]
fn up_to_64_stored_choices_are_read_without_the_others() {
    let directory = tempdir().expect("the directory is created");
    let store = SqliteStore::open(directory.path().join("state")).expect("the store opens");
    let few = || store.few_choices(HANDLER).expect("the read succeeds");
    assert_eq!(few(), Some(BTreeMap::new()));
    put(&store, [choose_unchecked(64)]);
    assert_eq!(few(), Some(unchecked(64)));
    put(&store, [choose_unchecked(65)]);
    assert_eq!(few(), None);
}

#[test]
fn queued_choices_are_not_read_as_few() {
    let (directory, gate) = (tempdir().expect("the directory is created"), Arc::<Gate>::default());
    let writer_gate = gate.clone();
    let step = Arc::new(move |name| {
        if name == "batch taken" {
            writer_gate.pass()
        }
    });
    let store = SqliteOptions::new().on_failpoint(step).open(directory.path().join("state")).expect("the store opens");
    gate.close();
    let opener = OpenOnDrop(&gate);
    let queued = store.write(vec![choose_unchecked(1)]);
    assert_eq!(store.few_choices(HANDLER).expect("the read succeeds"), None);
    assert_eq!(store.few_choices(OTHER).expect("the read succeeds"), Some(BTreeMap::new()));
    drop(opener);
    block_on(queued).expect("the write succeeds");
    assert_eq!(store.few_choices(HANDLER).expect("the read succeeds"), Some(unchecked(1)));
}

/// Returns a random change to one of these items, or to all.
fn random_change(random: &mut fastrand::Rng, items: u128, attempt: u32) -> StateChange {
    let (handler, item) = (HANDLER, ItemId::from_u128(random.u128(1..=items)));
    match random.u32(0..40) {
        0 => StateChange::Forget { handler },
        1 => StateChange::ForgetItem { handler, item },
        2 => StateChange::Reset { handler, item },
        3..8 => retry(item, Some(backoff(attempt))),
        8..20 => end_change(attempt.into(), [(item, item_end(Outcome::Succeeded))]),
        _ => commit_change(item, fence(attempt.into(), 0), &attempt.to_string()),
    }
}

#[test]
fn reads_in_order_see_every_write_that_is_made_between_them() {
    const ITEMS: u128 = 300;
    let directory = tempdir().expect("the directory is created");
    let store = SqliteStore::open(directory.path().join("state")).expect("the store opens");
    let (memory, mut random) = (MemoryStore::new(), fastrand::Rng::with_seed(15));
    let write = |change: StateChange| {
        drop(memory.write(vec![change.clone()]));
        store.write(vec![change])
    };
    let commit = |item| commit_change(ItemId::from_u128(item), fence(1, 0), "first");
    block_on(join_all((1..=ITEMS).map(|item| write(commit(item)))));
    for attempt in 2..40 {
        for item in 1..=ITEMS {
            if random.u32(0..20) == 0 {
                drop(write(random_change(&mut random, ITEMS, attempt)));
            }
            let item = ItemId::from_u128(item);
            assert_eq!(record(&store, item), record(&memory, item), "item {item} in round {attempt}");
        }
        block_on(join_all((1..=ITEMS).map(|item| write(retry(ItemId::from_u128(item), Some(backoff(1)))))));
    }
}

#[test]
fn a_read_does_not_wait_while_another_program_locks_the_file() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let store = SqliteStore::open(&path).expect("the store opens");
    let other = Connection::open(&path).expect("the database opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("no program writes");
    let mut written = store.write(vec![commit_change(ITEM, fence(1, 0), "1"), log(1, &[plain("queued")])]);
    assert!(record(&store, ITEM).is_some());
    assert_eq!(texts(&store), ["1: queued"]);
    assert!(futures::FutureExt::now_or_never(&mut written).is_none(), "a read waited for the writer");
    other.execute_batch("COMMIT").expect("the lock is released");
    block_on(written).expect("the write succeeds");
}

#[test]
fn a_caller_that_blocks_its_runtime_gets_its_reply() {
    let directory = tempdir().expect("the directory is created");
    let store = SqliteStore::open(directory.path().join("state")).expect("the store opens");
    let write = move || block_on(store.write(vec![log(1, &[plain("written")])])).expect("the write succeeds");
    let entered = tokio::runtime::Builder::new_current_thread().build().expect("the runtime starts");
    {
        let _entered = entered.enter();
        write();
    }
    let busy = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("the runtime starts");
    busy.block_on(async { tokio::spawn(async move { write() }).await }).expect("the write returns");
}
