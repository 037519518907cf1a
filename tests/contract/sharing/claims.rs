//! Claims: the items that hold them, wait for them, or overtake a waiting item.

use futures::FutureExt;
use syncmgr::{Claim, Hold, Limits, SyncItem, SyncManager};

use crate::support::awaitable_host::{begin, within};
use crate::support::id;
use crate::support::steps::{
    Steps, assert_succeeds, holds, manager_with, manager_with_max_items, nth, register_all, start_background,
    start_manual,
};

#[tokio::test(start_paused = true)]
async fn items_of_two_handlers_with_the_same_claim_never_run_concurrently() {
    let steps = Steps::default();
    let mailbox = |number, items: &[&'static str]| steps.handler(number, items).info(|info| info.with_claim("mailbox"));
    let session = begin(&manager_with([mailbox(1, &["a", "b"]), mailbox(2, &["c"])]));
    let mut order = Vec::new();
    for _ in 0..3 {
        let alone = steps.running().await;
        steps.release(&[&alone]).await;
        order.push(alone);
    }
    order.sort();
    assert_eq!(order, ["a", "b", "c"]);
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn items_of_several_sessions_with_one_claim_run_in_request_order() {
    let steps = Steps::default();
    let manager =
        manager_with([steps.handler(1, &["a:disk"]), steps.handler(2, &["b:disk"]), steps.handler(3, &["c:disk"])]);
    let mut sessions = Vec::new();
    for number in 1..=3 {
        sessions.push(start_manual(&manager, number));
        assert_eq!(steps.running().await, "a");
    }
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "b");
    steps.release(&["b"]).await;
    assert_eq!(steps.running().await, "c");
    steps.release(&["c"]).await;
    for session in sessions {
        assert_succeeds(session).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_lets_as_many_items_run_concurrently_as_its_capacity() {
    let steps = Steps::default();
    let manager = SyncManager::builder().capacity("server", 2).build();
    let session = begin(&register_all(manager, [steps.handler(1, &["a:server", "b:server", "c:server"])]));
    assert_eq!(steps.running().await, "a b");
    steps.release(&["b"]).await;
    assert_eq!(steps.running().await, "a c");
    steps.release(&["a", "c"]).await;
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn a_capacity_of_zero_counts_as_one() {
    let steps = Steps::default();
    let manager = SyncManager::builder().capacity(Claim::new("server"), 0).build();
    let session = begin(&register_all(manager, [steps.handler(1, &["a:server", "b:server"])]));
    assert_eq!(steps.running().await, "a");
    steps.release(&["a", "b"]).await;
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_both_a_handler_and_its_item_counts_once() {
    let steps = Steps::default();
    let handler = steps.handler(1, &["a:disk+disk"]).info(|info| info.with_claim("disk").with_claim("disk"));
    let session = begin(&manager_with([handler]));
    steps.release(&["a"]).await;
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn an_item_that_waits_for_a_claim_occupies_no_worker() {
    let steps = Steps::default();
    let manager = manager_with_max_items(2, [steps.handler(1, &["a:x", "b:x"]), steps.handler(2, &["c"])]);
    let [first, second] = [1, 2].map(|number| start_manual(&manager, number));
    assert_eq!(steps.running().await, "a c");
    steps.release(&["a", "b", "c"]).await;
    assert_succeeds(first).await;
    assert_succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn an_item_without_claims_overtakes_one_that_waits_for_a_claim() {
    let steps = Steps::default();
    let limits = Limits::DEFAULT.with_items(2);
    let handler = steps.handler(1, &["a:x", "b:x", "c", "d"]).info(|info| info.with_limits(limits));
    let session = begin(&manager_with([handler]));
    assert_eq!(steps.running().await, "a c");
    steps.release(&["c"]).await;
    assert_eq!(steps.running().await, "a d");
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "d b");
    steps.release(&["b", "d"]).await;
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn an_item_that_waits_for_a_claim_is_listed_with_the_claim() {
    let steps = Steps::default();
    let manager = manager_with([steps.handler(1, &["a:x"]), steps.handler(2, &["b:free+x"])]);
    let [first, second] = [1, 2].map(|number| start_manual(&manager, number));
    assert_eq!(steps.running().await, "a");
    let held = manager.held();
    assert_eq!(holds(&held), [(Some(id("b")), Hold::Claimed { claim: Claim::new("x") })]);
    assert_eq!((held[0].handler, held[0].session), (nth(2), Some(second.id())));
    steps.release(&["a", "b"]).await;
    assert_succeeds(first).await;
    assert_succeeds(second).await;
    assert!(manager.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn items_run_by_each_acquire_their_claims() {
    let steps = Steps::default();
    let each = steps.clone();
    let handler = steps.handler(1, &["a:x", "b:x", "c"]).on_synchronize(move |run| {
        let steps = each.clone();
        async move { run.each(|item| steps.clone().step(item)).await }.boxed()
    });
    let manager = manager_with([handler, steps.handler(2, &["d:x"])]);
    let [first, second] = [1, 2].map(|number| start_manual(&manager, number));
    assert_eq!(steps.running().await, "a c");
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "c b");
    first.skip(nth(1), id("b")).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(steps.running().await, "c d");
    steps.release(&["c", "d"]).await;
    assert_succeeds(second).await;
    within(first.finish()).await;
}

#[tokio::test(start_paused = true)]
async fn an_urgent_item_with_a_free_claim_overtakes_a_less_urgent_one() {
    let steps = Steps::default();
    let manager = manager_with([steps.handler(1, &["a:x"]), steps.handler(2, &["b:x+y"]), steps.handler(3, &["c:y"])]);
    let [first, second] = [1, 2].map(|number| start_background(&manager, number));
    assert_eq!(steps.running().await, "a");
    let urgent = start_manual(&manager, 3);
    // The urgent item gets `y`, which is free, before the less urgent item.
    assert_eq!(steps.running().await, "a c");
    steps.release(&["a", "b", "c"]).await;
    for session in [first, second, urgent] {
        assert_succeeds(session).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_urgent_item_gets_a_claim_before_a_less_urgent_one() {
    let steps = Steps::default();
    let manager = manager_with([steps.handler(1, &["a:x"]), steps.handler(2, &["b:x"]), steps.handler(3, &["c:x"])]);
    let [first, second] = [1, 2].map(|number| start_background(&manager, number));
    assert_eq!(steps.running().await, "a");
    let urgent = start_manual(&manager, 3);
    assert_eq!(steps.running().await, "a");
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "c");
    steps.release(&["c", "b"]).await;
    for session in [first, second, urgent] {
        assert_succeeds(session).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_item_of_a_paused_session_does_not_block_a_claim() {
    let steps = Steps::default();
    let manager = manager_with([steps.handler(1, &["a:x"]), steps.handler(2, &["b:x"]), steps.handler(3, &["c:x"])]);
    let [first, second, third] = [1, 2, 3].map(|number| start_manual(&manager, number));
    assert_eq!(steps.running().await, "a");
    second.pause();
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "c");
    steps.release(&["c"]).await;
    second.resume();
    steps.release(&["b"]).await;
    for session in [first, second, third] {
        assert_succeeds(session).await;
    }
}

#[tokio::test(start_paused = true)]
async fn items_that_get_their_claims_simultaneously_begin_in_their_order() {
    let steps = Steps::default();
    let limits = Limits::DEFAULT.with_items(2);
    let handler = steps.handler(1, &["a:x+y", "b:x", "c:y"]).info(|info| info.with_limits(limits));
    let session = begin(&manager_with([handler]));
    assert_eq!(steps.running().await, "a");
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "b c");
    steps.release(&["b", "c"]).await;
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_declares_the_capacity_of_a_claim_that_it_finds_while_listing() {
    for (of_application, running) in [(None, "a b"), (Some(1), "a")] {
        let steps = Steps::default();
        let server = |name| SyncItem::named(name).with_claim(Claim::new("found.example.org").with_capacity(2));
        let handler =
            steps.handler(1, &["a", "b", "c"]).items(move || Ok(["a", "b", "c"].map(server).into_iter().collect()));
        let manager = match of_application {
            Some(capacity) => SyncManager::builder().capacity("found.example.org", capacity).build(),
            None => SyncManager::new(),
        };
        let session = begin(&register_all(manager, [handler]));
        assert_eq!(steps.running().await, running);
        session.stop();
        within(session.finish()).await;
    }
}
