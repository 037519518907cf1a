//! Retries of items that their handler no longer lists.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use syncmgr::SyncManager;
use syncmgr::environment::{Environment, ManualEnvironment, Network};
use syncmgr::store::{MemoryStore, SessionOutcome};
use tokio::time::sleep;

use crate::support::Scripted;
use crate::support::awaitable_host::{items_named, within};
use crate::support::steps::{nth, register_all, start_background, start_manual};
use crate::support::test_clock::{HOUR, StartTimes, TestClock, builder_with_store, fail_until};

/// A handler whose item `a` fails once, and which lists `a` only while `lists` is `true`.
fn handler(began: &StartTimes, lists: &Arc<AtomicBool>) -> Scripted {
    let lists = lists.clone();
    let fails = |name: &str| usize::from(name == "a");
    began.handler(1, &[], move |item, times| fail_until(times, fails(item.name()))).items(move || {
        let names: &[&str] = if lists.load(Ordering::Relaxed) { &["a", "b"] } else { &["b"] };
        Ok(items_named(names))
    })
}

async fn manager_after_failure(began: &StartTimes, lists: &Arc<AtomicBool>) -> SyncManager {
    let builder = builder_with_store(&TestClock::new(), &MemoryStore::new());
    let manager = register_all(builder.build(), [handler(began, lists)]);
    within(start_manual(&manager, 1).finish()).await;
    lists.store(false, Ordering::Relaxed);
    manager
}

#[tokio::test(start_paused = true)]
async fn a_fresh_listing_without_the_item_settles_its_retry() {
    let (began, lists) = (StartTimes::new(), Arc::new(AtomicBool::new(true)));
    let manager = manager_after_failure(&began, &lists).await;
    within(start_background(&manager, 1).finish()).await;
    sleep(HOUR).await;
    assert_eq!(manager.history().await.unwrap().len(), 2, "no session was started for the item");
    let explained = manager.explain_item(nth(1), syncmgr::ItemId::from_name("a")).unwrap();
    assert_eq!(explained.next, syncmgr::explain::Next::WhenListed, "{explained}");
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_finds_its_item_unlisted_ends_without_a_problem() {
    let (began, lists) = (StartTimes::new(), Arc::new(AtomicBool::new(true)));
    let manager = manager_after_failure(&began, &lists).await;
    sleep(HOUR).await;
    let history = manager.history().await.unwrap();
    let outcomes: Vec<_> = history.iter().map(|record| record.end.as_ref().map(|end| end.outcome)).collect();
    assert_eq!(outcomes, [Some(SessionOutcome::WithProblems), Some(SessionOutcome::Clean)]);
    assert!(manager.log(nth(1)).await.unwrap().iter().all(|record| !record.entry.text.contains("not listed")));
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_listed_again_is_retried() {
    let (began, lists) = (StartTimes::new(), Arc::new(AtomicBool::new(true)));
    let manager = manager_after_failure(&began, &lists).await;
    sleep(HOUR).await;
    lists.store(true, Ordering::Relaxed);
    within(
        manager
            .session(syncmgr::Trigger::Scheduled)
            .items(nth(1), [syncmgr::ItemId::from_name("b")])
            .start()
            .unwrap()
            .finish(),
    )
    .await;
    sleep(HOUR).await;
    assert_eq!(began.of("a").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_returning_network_starts_no_retry_for_an_unlisted_item() {
    let (began, lists) = (StartTimes::new(), Arc::new(AtomicBool::new(true)));
    let environment = ManualEnvironment::new(Environment::UNKNOWN.with_network(Network::Offline));
    let builder = builder_with_store(&TestClock::new(), &MemoryStore::new()).environment(environment.clone());
    let manager = register_all(builder.build(), [handler(&began, &lists)]);
    within(start_manual(&manager, 1).finish()).await;
    lists.store(false, Ordering::Relaxed);
    within(start_background(&manager, 1).finish()).await;
    environment.set_network(Network::Online);
    sleep(HOUR).await;
    assert_eq!(manager.history().await.unwrap().len(), 2, "a session was started for the item");
}
