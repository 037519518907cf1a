//! Forgetting a handler is over when it is stored, and takes along what it alone was waiting for.

use syncmgr::anyhow::anyhow;
use syncmgr::store::{MemoryStore, StateStore};
use syncmgr::{Classify, SyncManager};
use tokio::time::timeout;

use crate::remembered::checkpoints::counting;
use crate::support::daytime::{Began, Daytime, HOUR, MINUTE, stored};
use crate::support::steps::{background, manual, nth, registered, succeeds};
use crate::support::watched::{begin, within};
use crate::support::witness::{Witness, find};
use crate::support::{HANDLER, Scripted};

#[tokio::test(start_paused = true)]
async fn forgetting_a_handler_is_not_over_before_it_is_stored() {
    let store = Witness::default();
    let manager = store.manager(&counting(&["a"]));
    succeeds(begin(&manager)).await;
    store.hold();
    let forgotten = manager.forget(HANDLER);
    futures::pin_mut!(forgotten);
    assert!(timeout(MINUTE, &mut forgotten).await.is_err(), "nobody knows yet whether it is stored");
    store.flush();
    within(forgotten).await.unwrap();
    assert!(find(&store, "a").is_none());
}

#[tokio::test(start_paused = true)]
async fn forgetting_a_handler_that_the_store_refuses_is_an_error_and_can_be_asked_for_again() {
    let store = Witness::default();
    let manager = store.manager(&counting(&["a"]));
    succeeds(begin(&manager)).await;
    store.refuse(true);
    let refused = within(manager.forget(HANDLER)).await.unwrap_err();
    assert!(refused.to_string().contains("full of bees"), "{refused:#}");
    assert!(std::error::Error::source(&refused).is_some_and(|said| said.to_string().ends_with("full of bees")));
    assert!(find(&store, "a").is_some());
    store.refuse(false);
    within(manager.forget(HANDLER)).await.unwrap();
    assert!(find(&store, "a").is_none());
}

/// A handler that claims a server, whose item is told once to come back in an hour.
fn put_off(began: &Began) -> Scripted {
    let handler = began.handler(1, &["a"], |_, times| match times {
        1 => Err(anyhow!("busy")).retry_after(HOUR),
        _ => Ok(()),
    });
    handler.info(|info| info.with_claim("imap.example.org/alice"))
}

/// A manager with its handler, which was put off.
async fn claiming(began: &Began, store: &MemoryStore) -> SyncManager {
    let manager = registered(stored(&Daytime::new(), store).build(), [put_off(began)]);
    within(manual(&manager, 1).finish()).await;
    assert_eq!(store.resources().expect("it can be read").len(), 1);
    manager
}

#[tokio::test(start_paused = true)]
async fn with_a_handler_the_names_of_what_it_claimed_are_forgotten() {
    let (began, store) = (Began::new(), MemoryStore::new());
    let manager = claiming(&began, &store).await;
    within(manager.forget(nth(1))).await.unwrap();
    assert!(store.resources().unwrap().is_empty(), "{:?}", store.resources());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_back_after_it_was_forgotten_is_as_new() {
    let (began, store) = (Began::new(), MemoryStore::new());
    let manager = claiming(&began, &store).await;
    within(manager.forget(nth(1))).await.unwrap();
    manager.register(put_off(&began)).unwrap();
    succeeds(background(&manager, 1)).await;
    assert!(store.resources().unwrap().is_empty(), "{:?}", store.resources());
}

#[tokio::test(start_paused = true)]
async fn what_another_handler_claims_too_goes_on_backing_off() {
    let (began, store) = (Began::new(), MemoryStore::new());
    let manager = claiming(&began, &store).await;
    let other = began.handler(2, &["b"], |_, _| Ok(()));
    manager.register(other.info(|info| info.with_claim("imap.example.org/alice"))).unwrap();
    within(manager.forget(nth(1))).await.unwrap();
    assert_eq!(store.resources().unwrap().len(), 1);
    within(background(&manager, 2).finish()).await;
    assert!(began.of("b").is_empty(), "the peer asked to be left alone");
}
