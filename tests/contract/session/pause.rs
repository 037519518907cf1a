//! Pausing a session or the whole manager: nothing new begins, what runs goes on.

use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr::store::{MemoryStore, StateChange, StateStore};
use syncmgr::{Hold, Session, SyncManager, SyncResult};

use crate::support::steps::{Steps, background, holds, idle, manual, narrow, nth, registered, succeeds, with};

/// Two handlers of two items, each of which does one at a time.
pub(crate) fn two(steps: &Steps) -> SyncManager {
    let one = syncmgr::Limits::DEFAULT.with_items(1);
    let slow = |number, items: &[&'static str]| steps.handler(number, items).info(|info| info.with_limits(one));
    with([slow(1, &["a", "b"]), slow(2, &["c", "d"])])
}

pub(crate) async fn is_at_rest(session: &Session) -> bool {
    idle().await;
    session.report().now_or_never().is_some()
}

#[tokio::test(start_paused = true)]
async fn no_item_of_a_paused_session_begins_until_it_is_resumed_and_what_runs_goes_on() {
    let steps = Steps::default();
    let manager = two(&steps);
    let [first, second] = [1, 2].map(|number| manual(&manager, number));
    assert_eq!(steps.running().await, "a c");
    first.pause();
    assert_eq!(steps.running().await, "a c");
    steps.let_go(&["a", "c"]).await;
    assert_eq!(steps.running().await, "d");
    assert!(!is_at_rest(&first).await);
    first.resume();
    assert_eq!(steps.running().await, "d b");
    steps.let_go(&["b", "d"]).await;
    succeeds(first).await;
    succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_manager_begins_nothing_in_any_session() {
    let steps = Steps::default();
    let manager = two(&steps);
    let [first, second] = [1, 2].map(|number| manual(&manager, number));
    assert_eq!(steps.running().await, "a c");
    manager.pause();
    steps.let_go(&["a", "c"]).await;
    assert_eq!(steps.running().await, "");
    manager.resume();
    assert_eq!(steps.running().await, "b d");
    steps.let_go(&["b", "d"]).await;
    succeeds(first).await;
    succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn items_begin_again_only_when_both_the_session_and_the_manager_are_resumed() {
    let steps = Steps::default();
    let manager = two(&steps);
    let session = manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    session.pause();
    manager.pause();
    steps.let_go(&["a"]).await;
    session.resume();
    assert_eq!(steps.running().await, "", "the manager is paused");
    session.pause();
    manager.resume();
    assert_eq!(steps.running().await, "", "the session is paused");
    session.resume();
    assert_eq!(steps.running().await, "b");
    steps.let_go(&["b"]).await;
    succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_started_while_the_manager_is_paused_prepares_and_waits() {
    let steps = Steps::default();
    let handler = steps.handler(1, &["a"]);
    let transcript = handler.transcript.clone();
    let manager = with([handler]);
    manager.pause();
    let session = manual(&manager, 1);
    assert_eq!(steps.running().await, "");
    assert_eq!(transcript.count("prepare a"), 1);
    assert_eq!(holds(&manager.held()), [(None, Hold::Paused)]);
    manager.resume();
    assert_eq!(steps.running().await, "a");
    steps.let_go(&["a"]).await;
    succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_paused_at_once_begins_nothing() {
    let steps = Steps::default();
    let manager = two(&steps);
    let session = manual(&manager, 1);
    session.pause();
    assert_eq!(steps.running().await, "");
    session.resume();
    assert_eq!(steps.running().await, "a");
    steps.let_go(&["a", "b"]).await;
    succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_paused_is_named_with_its_session_until_it_is_resumed() {
    let steps = Steps::default();
    let manager = two(&steps);
    let [first, second] = [1, 2].map(|number| manual(&manager, number));
    assert_eq!(steps.running().await, "a c");
    assert!(manager.held().is_empty(), "{:?}", manager.held());
    first.pause();
    idle().await;
    let [held] = &manager.held()[..] else { panic!("{:?}", manager.held()) };
    assert_eq!((held.handler, held.session, held.item, &held.hold), (nth(1), Some(first.id()), None, &Hold::Paused));
    first.resume();
    assert!(manager.held().is_empty(), "{:?}", manager.held());
    for name in ["a", "b", "c", "d"] {
        steps.open(name);
    }
    succeeds(first).await;
    succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_session_without_items_left_to_begin_comes_to_its_end() {
    let steps = Steps::default();
    let manager = with([steps.handler(1, &["a"])]);
    let session = manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    session.pause();
    assert!(manager.held().is_empty());
    steps.let_go(&["a"]).await;
    succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_session_keeps_no_worker_from_others() {
    let steps = Steps::default();
    let manager = narrow(1, [steps.handler(1, &["a", "b"]), steps.handler(2, &["c"])]);
    let first = manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let second = background(&manager, 2);
    idle().await;
    first.pause();
    steps.let_go(&["a"]).await;
    assert_eq!(steps.running().await, "c");
    first.resume();
    idle().await;
    steps.let_go(&["c"]).await;
    assert_eq!(steps.running().await, "b");
    steps.let_go(&["b"]).await;
    succeeds(first).await;
    succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_session_that_waits_for_a_claim_begins_once_it_is_resumed_and_has_it() {
    let steps = Steps::default();
    let manager = with([steps.handler(1, &["a:x"]), steps.handler(2, &["b:x"])]);
    let [first, second] = [1, 2].map(|number| manual(&manager, number));
    assert_eq!(steps.running().await, "a");
    second.pause();
    steps.let_go(&["a"]).await;
    assert_eq!(steps.running().await, "");
    assert!(!is_at_rest(&second).await);
    assert_eq!(holds(&manager.held()), [(None, Hold::Paused)]);
    second.resume();
    assert_eq!(steps.running().await, "b");
    steps.let_go(&["b"]).await;
    succeeds(first).await;
    succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn items_run_by_each_are_paused_too() {
    let steps = Steps::default();
    let each = steps.clone();
    let one = syncmgr::Limits::DEFAULT.with_items(1);
    let handler = steps.handler(1, &["a", "b"]).info(|info| info.with_limits(one)).on_synchronize(move |run| {
        let steps = each.clone();
        async move { run.each(|item| steps.clone().step(item)).await }.boxed()
    });
    let session = manual(&with([handler]), 1);
    assert_eq!(steps.running().await, "a");
    session.pause();
    steps.let_go(&["a"]).await;
    assert_eq!(steps.running().await, "");
    session.resume();
    assert_eq!(steps.running().await, "b");
    steps.let_go(&["b"]).await;
    succeeds(session).await;
}

/// Pauses its manager when the beginning of a session is stored, before the session has its runs.
#[derive(Clone, Default)]
struct Pauses {
    inner: MemoryStore,
    manager: Arc<OnceLock<SyncManager>>,
}

impl StateStore for Pauses {
    syncmgr_test::reads_from!(inner);

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        if changes.iter().any(|change| matches!(change, StateChange::SessionBegan(_))) {
            self.manager.get().expect("it is set first").pause();
        }
        self.inner.write(changes)
    }
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_is_paused_while_a_session_begins_begins_nothing_in_it() {
    let (steps, store) = (Steps::default(), Pauses::default());
    let manager = registered(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["a"])]);
    store.manager.set(manager.clone()).expect("it is set once");
    let session = manual(&manager, 1);
    assert_eq!(steps.running().await, "");
    manager.resume();
    assert_eq!(steps.running().await, "a");
    steps.let_go(&["a"]).await;
    succeeds(session).await;
}
