//! An item releases its claims with every kind of end, and waiting items continue.

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::{ItemContext, Outcome, SyncResult};

use crate::support::awaitable_host::within;
use crate::support::id;
use crate::support::steps::{Steps, assert_succeeds, manager_with, nth, outcome, start_manual};

#[tokio::test(start_paused = true)]
async fn the_next_item_runs_when_a_waiting_one_is_skipped() {
    let steps = Steps::default();
    let manager = manager_with([steps.handler(1, &["a:x"]), steps.handler(2, &["b:x+y"]), steps.handler(3, &["c:y"])]);
    let [first, second, third] = [1, 2, 3].map(|number| start_manual(&manager, number));
    // `c` waits behind `b`, which waits for `x` and also needs `y`.
    assert_eq!(steps.running().await, "a");
    second.skip(nth(2), id("b")).unwrap();
    assert_eq!(steps.running().await, "a c");
    assert_eq!(outcome(&within(second.finish()).await, id("b")), Outcome::Skipped);
    steps.release(&["a", "c"]).await;
    assert_succeeds(first).await;
    assert_succeeds(third).await;
}

#[tokio::test(start_paused = true)]
async fn the_next_item_runs_when_the_session_of_a_waiting_one_is_stopped() {
    let steps = Steps::default();
    let manager = manager_with([steps.handler(1, &["a:x"]), steps.handler(2, &["b:x+y"]), steps.handler(3, &["c:y"])]);
    let [first, second, third] = [1, 2, 3].map(|number| start_manual(&manager, number));
    assert_eq!(steps.running().await, "a");
    second.stop();
    assert_eq!(steps.running().await, "a c");
    assert_eq!(outcome(&within(second.finish()).await, id("b")), Outcome::Stopped);
    steps.release(&["a", "c"]).await;
    assert_succeeds(first).await;
    assert_succeeds(third).await;
    assert!(manager.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_next_item_gets_the_claim_when_the_session_of_its_holder_stops() {
    let steps = Steps::default();
    let manager = manager_with([steps.handler(1, &["a:x", "b:x"]), steps.handler(2, &["c:x"])]);
    let [first, second] = [1, 2].map(|number| start_manual(&manager, number));
    assert_eq!(steps.running().await, "a");
    first.stop();
    within(first.finish()).await;
    assert_eq!(steps.running().await, "c");
    steps.release(&["c"]).await;
    assert_succeeds(second).await;
}

/// Ends the holder of a claim with `act` and asserts that an item of another handler, which waits for the claim, runs.
async fn assert_next_item_runs_after(outcome_of_a: Outcome, act: fn(ItemContext) -> SyncResult) {
    let steps = Steps::default();
    let gate = steps.clone();
    let failing = steps.handler(1, &["a:x"]).on_item(move |item| {
        let (steps, item) = (gate.clone(), item.clone());
        async move {
            steps.step(item.clone()).await?;
            act(item)
        }
        .boxed()
    });
    let manager = manager_with([failing, steps.handler(2, &["b:x"])]);
    let [first, second] = [1, 2].map(|number| start_manual(&manager, number));
    assert_eq!(steps.running().await, "a");
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "b", "after {outcome_of_a}");
    steps.release(&["b"]).await;
    assert_succeeds(second).await;
    assert_eq!(outcome(&within(first.finish()).await, id("a")), outcome_of_a);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_fails_panics_or_needs_the_user_releases_its_claim() {
    assert_next_item_runs_after(Outcome::Failed, |_| Err(anyhow!("the fault"))).await;
    assert_next_item_runs_after(Outcome::Failed, |_| panic!("the fault")).await;
    assert_next_item_runs_after(Outcome::NeedsUser, |_| Err(syncmgr::NeedsUser::new("a password").into())).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_item_releases_its_claim() {
    let steps = Steps::default();
    let manager = manager_with([steps.handler(1, &["a:x"]), steps.handler(2, &["b:x"])]);
    let [first, second] = [1, 2].map(|number| start_manual(&manager, number));
    assert_eq!(steps.running().await, "a");
    first.skip(nth(1), id("a")).unwrap();
    assert_eq!(outcome(&within(first.finish()).await, id("a")), Outcome::Skipped);
    assert_eq!(steps.running().await, "b");
    steps.release(&["b"]).await;
    assert_succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_drops_its_waiting_items_leaves_the_claim_to_others() {
    let steps = Steps::default();
    let each = steps.clone();
    let dropping = steps.handler(1, &["a:x"]).on_synchronize(move |run| {
        let steps = each.clone();
        async move {
            let limit = std::time::Duration::from_secs(1);
            tokio::time::timeout(limit, run.each(|item| steps.clone().step(item))).await?
        }
        .boxed()
    });
    let manager = manager_with([steps.handler(2, &["b:x"]), dropping, steps.handler(3, &["c:x"])]);
    let [holder, first, third] = [2, 1, 3].map(|number| start_manual(&manager, number));
    assert_eq!(outcome(&within(first.finish()).await, id("a")), Outcome::Failed);
    steps.release(&["b"]).await;
    assert_eq!(steps.running().await, "c");
    steps.release(&["c"]).await;
    assert_succeeds(holder).await;
    assert_succeeds(third).await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_for_its_claims() {
    let steps = Steps::default();
    let error = syncmgr::log::ErrorId::from_key("again");
    let first = steps
        .handler(1, &["a:x"])
        .on_prepare(move |run| {
            run.log(syncmgr::LogEntry::new(syncmgr::LogLevel::Warning, "again?").with_link(error));
            async { Ok(()) }.boxed()
        })
        .on_show_error(|_, _| async { Ok(syncmgr::handler::Resolution::Retry(vec![id("a")])) }.boxed());
    let manager = manager_with([first, steps.handler(2, &["b:x"])]);
    steps.open("a");
    let first = start_manual(&manager, 1);
    within(first.report()).await;
    let second = start_manual(&manager, 2);
    assert_eq!(steps.running().await, "b");
    let mut retry = Box::pin(first.show_error(nth(1), error));
    assert!(futures::poll!(&mut retry).is_pending());
    assert_eq!((&*steps.running().await, &*steps.began()), ("b", "a b"));
    steps.release(&["b"]).await;
    within(retry).await.unwrap();
    assert_eq!(steps.began(), "a b a");
    assert_succeeds(second).await;
}
