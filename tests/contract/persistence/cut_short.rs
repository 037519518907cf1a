//! Sessions that a shutdown, or the drop of their manager, cuts short: they continue as after a kill.

use syncmgr::explain::Condition;
use syncmgr::retry::Resume;
use syncmgr::store::{MemoryStore, SessionOutcome, StateStore};
use syncmgr::{Outcome, SessionId, SyncManager, Trigger};

use crate::support::awaitable_host::within;
use crate::support::id;
use crate::support::steps::{Steps, nth, outcome, register_all, start_manual, wait_until_idle};

fn manager(store: &MemoryStore, steps: &Steps) -> SyncManager {
    let builder = SyncManager::builder().store(store.clone()).resume(Resume::Immediately);
    register_all(builder.build(), [steps.handler(1, &["a", "b"]), steps.handler(2, &["c"])])
}

/// Resumes what the store holds, and returns the names of all items that began so far.
async fn resume(store: &MemoryStore, steps: &Steps) -> String {
    ["a", "b", "c"].iter().for_each(|name| steps.open(name));
    let manager = manager(&store.after_crash(), steps);
    manager.start_scheduler().expect("inside a runtime");
    wait_until_idle().await;
    steps.began()
}

#[tokio::test(start_paused = true)]
async fn running_and_queued_work_continues_after_a_shutdown() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let first = manager(&store, &steps);
    let running = start_manual(&first, 1);
    assert_eq!(steps.running().await, "a b");
    steps.release(&["a"]).await;
    let queued = first.session(Trigger::Manual).items(nth(1), [id("a")]).start().unwrap();
    within(first.shutdown()).await;
    assert_eq!(outcome(&running.report().await, id("b")), Outcome::Stopped);
    assert!(queued.report().await.items().all(|item| item.outcome == Outcome::Stopped));
    let condition = manager(&store.after_crash(), &steps).explain_item(nth(1), id("b")).unwrap().condition;
    assert_eq!(condition, Condition::Interrupted { session: SessionId(1) });
    assert_eq!(resume(&store, &steps).await, "a b a b");
}

#[tokio::test(start_paused = true)]
async fn running_work_continues_after_its_manager_was_dropped() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let first = manager(&store, &steps);
    let session = start_manual(&first, 2);
    assert_eq!(steps.running().await, "c");
    drop((session, first));
    wait_until_idle().await;
    assert_eq!(steps.running().await, "", "the item was not dropped");
    assert_eq!(resume(&store, &steps).await, "c c");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_stopped_before_the_shutdown_does_not_continue() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let first = manager(&store, &steps);
    let session = start_manual(&first, 1);
    assert_eq!(steps.running().await, "a b");
    session.stop();
    within(first.shutdown()).await;
    assert_eq!(store.record(nth(1), id("a")).unwrap().and_then(|record| record.outcome), Some(Outcome::Stopped));
    assert_eq!(resume(&store, &steps).await, "a b");
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_items_have_ended_does_not_continue_after_a_shutdown() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let first = manager(&store, &steps);
    steps.open("c");
    let session = start_manual(&first, 2);
    within(session.report()).await;
    within(first.shutdown()).await;
    let ends: Vec<_> = store.sessions().unwrap().into_iter().filter_map(|session| session.end).collect();
    assert_eq!(ends.iter().map(|end| end.outcome).collect::<Vec<_>>(), [SessionOutcome::Clean]);
    assert_eq!(resume(&store, &steps).await, "c");
}
