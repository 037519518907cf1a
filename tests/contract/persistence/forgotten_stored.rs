//! `forget` waits for the store, and deletes the claims that only the forgotten handler had.

use syncmgr::anyhow::anyhow;
use syncmgr::store::{MemoryStore, StateStore};
use syncmgr::{Classify, SyncManager};
use tokio::time::timeout;

use crate::persistence::checkpoints::counting_handler;
use crate::support::awaitable_host::{begin, within};
use crate::support::recording_store::{RecordingStore, find_record};
use crate::support::steps::{assert_succeeds, nth, register_all, start_background, start_manual};
use crate::support::test_clock::{HOUR, MINUTE, StartTimes, TestClock, builder_with_store};
use crate::support::{HANDLER, Scripted};

#[tokio::test(start_paused = true)]
async fn forget_returns_only_after_the_deletion_is_stored() {
    let store = RecordingStore::default();
    let manager = store.manager(&counting_handler(&["a"]));
    assert_succeeds(begin(&manager)).await;
    store.hold();
    let forgotten = manager.forget(HANDLER);
    futures::pin_mut!(forgotten);
    assert!(timeout(MINUTE, &mut forgotten).await.is_err(), "`forget` returned before the store answered");
    store.flush();
    within(forgotten).await.unwrap();
    assert!(find_record(&store, "a").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_forget_that_the_store_refuses_is_an_error_and_can_be_repeated() {
    let store = RecordingStore::default();
    let manager = store.manager(&counting_handler(&["a"]));
    assert_succeeds(begin(&manager)).await;
    store.refuse(true);
    let refused = within(manager.forget(HANDLER)).await.unwrap_err();
    assert!(refused.to_string().contains("the disk is full"), "{refused:#}");
    assert!(std::error::Error::source(&refused).is_some_and(|cause| cause.to_string().contains("the disk is full")));
    assert!(find_record(&store, "a").is_some());
    store.refuse(false);
    within(manager.forget(HANDLER)).await.unwrap();
    assert!(find_record(&store, "a").is_none());
}

/// A handler with a claim. The peer makes its item wait for an hour once.
fn waiting_handler(began: &StartTimes) -> Scripted {
    let handler = began.handler(1, &["a"], |_, times| match times {
        1 => Err(anyhow!("busy")).retry_after(HOUR),
        _ => Ok(()),
    });
    handler.info(|info| info.with_claim("imap.example.org/alice"))
}

/// A manager of a [`waiting_handler`] whose item waits.
async fn manager_with_waiting_item(began: &StartTimes, store: &MemoryStore) -> SyncManager {
    let manager = register_all(builder_with_store(&TestClock::new(), store).build(), [waiting_handler(began)]);
    within(start_manual(&manager, 1).finish()).await;
    assert_eq!(store.resources().expect("a memory store does not fail").len(), 1);
    manager
}

#[tokio::test(start_paused = true)]
async fn forgetting_a_handler_deletes_its_claims() {
    let (began, store) = (StartTimes::new(), MemoryStore::new());
    let manager = manager_with_waiting_item(&began, &store).await;
    within(manager.forget(nth(1))).await.unwrap();
    assert!(store.resources().unwrap().is_empty(), "{:?}", store.resources());
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_handler_that_returns_is_new() {
    let (began, store) = (StartTimes::new(), MemoryStore::new());
    let manager = manager_with_waiting_item(&began, &store).await;
    within(manager.forget(nth(1))).await.unwrap();
    manager.register(waiting_handler(&began)).unwrap();
    assert_succeeds(start_background(&manager, 1)).await;
    assert!(store.resources().unwrap().is_empty(), "{:?}", store.resources());
}

#[tokio::test(start_paused = true)]
async fn a_shared_claim_still_holds_the_other_handler_after_a_forget() {
    let (began, store) = (StartTimes::new(), MemoryStore::new());
    let manager = manager_with_waiting_item(&began, &store).await;
    let other = began.handler(2, &["b"], |_, _| Ok(()));
    manager.register(other.info(|info| info.with_claim("imap.example.org/alice"))).unwrap();
    within(manager.forget(nth(1))).await.unwrap();
    assert_eq!(store.resources().unwrap().len(), 1);
    within(start_background(&manager, 2).finish()).await;
    assert!(began.of("b").is_empty(), "item `b` ran although the peer had requested a wait");
}
