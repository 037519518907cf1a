//! Explanations of requested items that a session or the environment holds, end to end.

use syncmgr::environment::{Environment, ManualEnvironment, Network};
use syncmgr::explain::{Condition, Next};
use syncmgr::handler::Capabilities;
use syncmgr::item::ItemState;
use syncmgr::store::{MemoryStore, StateChange, StateStore};
use syncmgr::{Hold, SyncManager, Trigger};
use tokio::time::sleep;

use crate::explanations::situations::{handler, item, item_of, manager_after_one_run};
use crate::sharing::quarantine::Blocked;
use crate::support::awaitable_host::within;
use crate::support::steps::{
    Steps, assert_succeeds, nth, register_all, start_background, start_manual, wait_until_idle,
};
use crate::support::test_clock::{
    MINUTE, StartTimes, TestClock, builder_with_clock, builder_with_store, fail_until, transient_failure,
};
use crate::support::{HANDLER, id};

#[tokio::test(start_paused = true)]
async fn the_explanation_of_a_waiting_item_names_the_session_ahead_of_it() {
    let steps = Steps::default();
    let manager = register_all(SyncManager::new(), [steps.handler(1, &["a", "b"])]);
    let first = manager.session(Trigger::Manual).items(nth(1), [id("a")]).start().unwrap();
    assert_eq!(steps.running().await, "a");
    let running = Condition::Running { session: first.id() };
    for explanation in [item(&manager, "a"), handler(&manager)] {
        assert_eq!((explanation.condition, explanation.next), (running, Next::Now), "{explanation}");
        assert!(explanation.holds.is_empty(), "{explanation}");
    }
    assert_eq!(item(&manager, "a").name.as_deref(), Some("a"));
    let second = manager.session(Trigger::Manual).items(nth(1), [id("b")]).start().unwrap();
    wait_until_idle().await;
    let explanation = item(&manager, "b");
    assert!(explanation.holds.contains(&Hold::Behind { session: first.id() }), "{explanation}");
    steps.open("a");
    steps.open("b");
    assert_succeeds(first).await;
    assert_succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn an_explanation_names_a_claim_that_another_handler_has() {
    let steps = Steps::default();
    let manager = register_all(SyncManager::new(), [steps.handler(1, &["a:x"]), steps.handler(2, &["b:x"])]);
    let sessions = [start_manual(&manager, 1), start_manual(&manager, 2)];
    assert_eq!(steps.running().await, "a");
    let explanation = item_of(&manager, nth(2), "b");
    assert_eq!(explanation.condition, Condition::Waiting { session: sessions[1].id() }, "{explanation}");
    assert_eq!(explanation.holds, [Hold::Claimed { claim: "x".into() }], "{explanation}");
    assert_eq!(explanation.next, Next::WhenLifted);
    steps.open("a");
    steps.open("b");
    for session in sessions {
        assert_succeeds(session).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_item_is_explained_as_paused_and_runs_after_resume() {
    let steps = Steps::default();
    let manager = register_all(SyncManager::new(), [steps.handler(1, &["a"])]);
    manager.pause();
    let session = start_manual(&manager, 1);
    wait_until_idle().await;
    let explanation = item(&manager, "a");
    assert_eq!((&explanation.holds[..], explanation.next), (&[Hold::Paused][..], Next::WhenResumed), "{explanation}");
    manager.resume();
    steps.open("a");
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn an_explanation_names_an_offline_or_metered_network() {
    for (network, hold, next) in
        [(Network::Offline, Hold::Offline, Next::WhenOnline), (Network::Metered, Hold::Metered, Next::WhenLifted)]
    {
        let environment = ManualEnvironment::new(Environment::UNKNOWN.with_network(network));
        let began = StartTimes::new();
        let needing = began.handler(1, &["a"], |_, _| Ok(()));
        let needing = needing.info(|info| info.with_capabilities(Capabilities::NEEDS_NETWORK));
        let manager =
            register_all(builder_with_clock(&TestClock::new()).environment(environment.clone()).build(), [needing]);
        within(start_background(&manager, 1).finish()).await;
        let explanation = handler(&manager);
        assert_eq!((&explanation.holds[..], explanation.next), (&[hold][..], next), "{explanation}");
        environment.set_network(Network::Online);
        wait_until_idle().await;
        assert_eq!((began.of("a").len(), handler(&manager).holds.len()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_explanation_names_all_reasons_and_the_longest_sets_the_next_run() {
    let environment = ManualEnvironment::default();
    let began = StartTimes::new();
    let failing = began.handler(1, &["a"], |_, _| transient_failure());
    let failing = failing.info(|info| info.with_capabilities(Capabilities::NEEDS_NETWORK));
    let manager =
        register_all(builder_with_clock(&TestClock::new()).environment(environment.clone()).build(), [failing]);
    within(start_manual(&manager, 1).finish()).await;
    environment.set_network(Network::Offline);
    wait_until_idle().await;
    let explanation = item(&manager, "a");
    assert!(matches!(explanation.holds[..], [Hold::BackingOff { .. }, Hold::Offline]), "{explanation}");
    assert_eq!(explanation.next, Next::WhenOnline);
}

#[tokio::test(start_paused = true)]
async fn an_unchosen_item_is_explained_as_unchosen() {
    let (store, began) = (MemoryStore::new(), StartTimes::new());
    let choices = [(id("a"), Some(ItemState::Unchecked))].into();
    store.write(vec![StateChange::Choices { handler: nth(1), items: choices }]).await.unwrap();
    let manager = register_all(
        builder_with_store(&TestClock::new(), &store).build(),
        [began.handler(1, &["a", "b"], |_, _| Ok(()))],
    );
    let session = start_manual(&manager, 1);
    within(session.report()).await;
    let explanation = item(&manager, "a");
    assert_eq!(
        (&explanation.holds[..], explanation.next),
        (&[Hold::Unchosen][..], Next::WhenRequested),
        "{explanation}"
    );
    assert!(item(&manager, "b").holds.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_due_retry_of_a_paused_manager_is_explained_as_paused() {
    let (manager, began) = manager_after_one_run(&TestClock::new(), |times| fail_until(times, 1)).await;
    manager.pause();
    sleep(MINUTE).await;
    let explanation = item(&manager, "a");
    assert_eq!((&explanation.holds[..], explanation.next), (&[Hold::Paused][..], Next::WhenResumed), "{explanation}");
    manager.resume();
    wait_until_idle().await;
    assert_eq!(began.of("a").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_paused_handler_is_explained_as_paused() {
    let steps = Steps::default();
    let manager = register_all(SyncManager::new(), [steps.handler(1, &["a"])]);
    manager.pause();
    let session = start_manual(&manager, 1);
    wait_until_idle().await;
    let explanation = handler(&manager);
    assert_eq!((&explanation.holds[..], explanation.next), (&[Hold::Paused][..], Next::WhenResumed), "{explanation}");
    manager.resume();
    steps.open("a");
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_item_is_explained_as_quarantined() {
    let blocked = Blocked::new();
    let manager = register_all(SyncManager::new(), [blocked.handler(&["a", "b"])]);
    drop(blocked.abandoned(&manager).await);
    let explanation = item_of(&manager, HANDLER, "a");
    assert!(explanation.holds.contains(&Hold::Quarantined), "{explanation}");
    assert!(explanation.next >= Next::WhenLifted, "{explanation}");
    blocked.release.send(()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_merged_into_a_retry_is_not_a_second_attempt() {
    let (manager, began) = manager_after_one_run(&TestClock::new(), |times| fail_until(times, 1)).await;
    manager.pause();
    sleep(MINUTE).await;
    let session = start_background(&manager, 1);
    manager.resume();
    within(session.finish()).await;
    wait_until_idle().await;
    assert_eq!(began.of("a").len(), 2);
}
