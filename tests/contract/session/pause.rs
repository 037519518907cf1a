//! Pausing a session or the whole manager: no item begins, and running items continue.

use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr::store::{MemoryStore, StateChange, StateStore};
use syncmgr::{Hold, Session, SyncManager, SyncResult};

use crate::support::steps::{
    Steps, assert_succeeds, holds, manager_with, manager_with_max_items, nth, register_all, start_background,
    start_manual, wait_until_idle,
};

/// A manager with two handlers. Each has two items and runs one item at a time.
pub(crate) fn manager_with_two_handlers(steps: &Steps) -> SyncManager {
    let one = syncmgr::Limits::DEFAULT.with_items(1);
    let slow = |number, items: &[&'static str]| steps.handler(number, items).info(|info| info.with_limits(one));
    manager_with([slow(1, &["a", "b"]), slow(2, &["c", "d"])])
}

pub(crate) async fn is_idle(session: &Session) -> bool {
    wait_until_idle().await;
    session.report().now_or_never().is_some()
}

#[tokio::test(start_paused = true)]
async fn no_item_of_a_paused_session_begins_and_running_items_continue() {
    let steps = Steps::default();
    let manager = manager_with_two_handlers(&steps);
    let [first, second] = [1, 2].map(|number| start_manual(&manager, number));
    assert_eq!(steps.running().await, "a c");
    first.pause();
    assert_eq!(steps.running().await, "a c");
    steps.release(&["a", "c"]).await;
    assert_eq!(steps.running().await, "d");
    assert!(!is_idle(&first).await);
    first.resume();
    assert_eq!(steps.running().await, "d b");
    steps.release(&["b", "d"]).await;
    assert_succeeds(first).await;
    assert_succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_manager_begins_no_item_in_any_session() {
    let steps = Steps::default();
    let manager = manager_with_two_handlers(&steps);
    let [first, second] = [1, 2].map(|number| start_manual(&manager, number));
    assert_eq!(steps.running().await, "a c");
    manager.pause();
    steps.release(&["a", "c"]).await;
    assert_eq!(steps.running().await, "");
    manager.resume();
    assert_eq!(steps.running().await, "b d");
    steps.release(&["b", "d"]).await;
    assert_succeeds(first).await;
    assert_succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn items_begin_only_when_both_the_session_and_the_manager_are_resumed() {
    let steps = Steps::default();
    let manager = manager_with_two_handlers(&steps);
    let session = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    session.pause();
    manager.pause();
    steps.release(&["a"]).await;
    session.resume();
    assert_eq!(steps.running().await, "", "an item began although the manager was paused");
    session.pause();
    manager.resume();
    assert_eq!(steps.running().await, "", "an item began although the session was paused");
    session.resume();
    assert_eq!(steps.running().await, "b");
    steps.release(&["b"]).await;
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_started_while_the_manager_is_paused_prepares_and_waits() {
    let steps = Steps::default();
    let handler = steps.handler(1, &["a"]);
    let transcript = handler.transcript.clone();
    let manager = manager_with([handler]);
    manager.pause();
    let session = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "");
    assert_eq!(transcript.count("prepare a"), 1);
    assert_eq!(holds(&manager.held()), [(None, Hold::Paused)]);
    manager.resume();
    assert_eq!(steps.running().await, "a");
    steps.release(&["a"]).await;
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_paused_immediately_begins_no_item() {
    let steps = Steps::default();
    let manager = manager_with_two_handlers(&steps);
    let session = start_manual(&manager, 1);
    session.pause();
    assert_eq!(steps.running().await, "");
    session.resume();
    assert_eq!(steps.running().await, "a");
    steps.release(&["a", "b"]).await;
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_is_listed_with_its_session_until_it_is_resumed() {
    let steps = Steps::default();
    let manager = manager_with_two_handlers(&steps);
    let [first, second] = [1, 2].map(|number| start_manual(&manager, number));
    assert_eq!(steps.running().await, "a c");
    assert!(manager.held().is_empty(), "{:?}", manager.held());
    first.pause();
    wait_until_idle().await;
    let [held] = &manager.held()[..] else { panic!("{:?}", manager.held()) };
    assert_eq!((held.handler, held.session, held.item, &held.hold), (nth(1), Some(first.id()), None, &Hold::Paused));
    first.resume();
    assert!(manager.held().is_empty(), "{:?}", manager.held());
    for name in ["a", "b", "c", "d"] {
        steps.open(name);
    }
    assert_succeeds(first).await;
    assert_succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_session_without_waiting_items_ends() {
    let steps = Steps::default();
    let manager = manager_with([steps.handler(1, &["a"])]);
    let session = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    session.pause();
    assert!(manager.held().is_empty());
    steps.release(&["a"]).await;
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_session_occupies_no_worker() {
    let steps = Steps::default();
    let manager = manager_with_max_items(1, [steps.handler(1, &["a", "b"]), steps.handler(2, &["c"])]);
    let first = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let second = start_background(&manager, 2);
    wait_until_idle().await;
    first.pause();
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "c");
    first.resume();
    wait_until_idle().await;
    steps.release(&["c"]).await;
    assert_eq!(steps.running().await, "b");
    steps.release(&["b"]).await;
    assert_succeeds(first).await;
    assert_succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_item_that_waits_for_a_claim_begins_once_resumed() {
    let steps = Steps::default();
    let manager = manager_with([steps.handler(1, &["a:x"]), steps.handler(2, &["b:x"])]);
    let [first, second] = [1, 2].map(|number| start_manual(&manager, number));
    assert_eq!(steps.running().await, "a");
    second.pause();
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "");
    assert!(!is_idle(&second).await);
    assert_eq!(holds(&manager.held()), [(None, Hold::Paused)]);
    second.resume();
    assert_eq!(steps.running().await, "b");
    steps.release(&["b"]).await;
    assert_succeeds(first).await;
    assert_succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn items_run_by_each_do_not_begin_while_paused() {
    let steps = Steps::default();
    let each = steps.clone();
    let one = syncmgr::Limits::DEFAULT.with_items(1);
    let handler = steps.handler(1, &["a", "b"]).info(|info| info.with_limits(one)).on_synchronize(move |run| {
        let steps = each.clone();
        async move { run.each(|item| steps.clone().step(item)).await }.boxed()
    });
    let session = start_manual(&manager_with([handler]), 1);
    assert_eq!(steps.running().await, "a");
    session.pause();
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "");
    session.resume();
    assert_eq!(steps.running().await, "b");
    steps.release(&["b"]).await;
    assert_succeeds(session).await;
}

/// A store that pauses its manager when it stores the beginning of a session, which has no runs yet.
#[derive(Clone, Default)]
struct PausingStore {
    inner: MemoryStore,
    manager: Arc<OnceLock<SyncManager>>,
}

impl StateStore for PausingStore {
    syncmgr_test::reads_from!(inner);

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        if changes.iter().any(|change| matches!(change, StateChange::SessionBegan(_))) {
            self.manager.get().expect("the manager is set before its first session").pause();
        }
        self.inner.write(changes)
    }
}

#[tokio::test(start_paused = true)]
async fn a_manager_paused_while_a_session_starts_begins_no_item_of_it() {
    let (steps, store) = (Steps::default(), PausingStore::default());
    let manager = register_all(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["a"])]);
    store.manager.set(manager.clone()).expect("the manager is set once");
    let session = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "");
    manager.resume();
    assert_eq!(steps.running().await, "a");
    steps.release(&["a"]).await;
    assert_succeeds(session).await;
}
