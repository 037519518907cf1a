//! A handler that returns clones of one listing in several sessions.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use syncmgr::item::ItemState;
use syncmgr::store::{MemoryStore, StateStore};
use syncmgr::{Items, SyncItem, SyncManager, Trigger};
use syncmgr_test::ManualClock;

use crate::support::awaitable_host::{begin, within};
use crate::support::steps::register_all;
use crate::support::{HANDLER, Scripted, id};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A manager with a handler that keeps its listing until the test sets another one.
struct Kept {
    store: MemoryStore,
    clock: ManualClock,
    listed: Arc<Mutex<Items>>,
    handler: Scripted,
    manager: SyncManager,
}

impl Kept {
    fn new(names: &[&'static str]) -> Self {
        let (store, clock) = (MemoryStore::new(), ManualClock::default());
        let listed = Arc::new(Mutex::new(listing(names)));
        let items = listed.clone();
        let handler = Scripted::new(&[]).items(move || Ok(items.lock().expect("not poisoned").clone()));
        let builder = SyncManager::builder().store(store.clone()).clock(clock.clone());
        let manager = register_all(builder.build(), [handler.clone()]);
        Self { store, clock, listed, handler, manager }
    }

    fn list(&self, names: &[&'static str]) {
        *self.listed.lock().expect("not poisoned") = listing(names);
    }

    /// Runs a session and returns the items that ran.
    async fn run(&self) -> Vec<String> {
        ran(&within(begin(&self.manager).finish()).await)
    }
}

fn listing(names: &[&'static str]) -> Items {
    names.iter().copied().map(SyncItem::named).collect()
}

fn ran(report: &syncmgr::Report) -> Vec<String> {
    report.items().map(|item| item.item.name().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_choice_between_two_sessions_applies_to_the_second() {
    let kept = Kept::new(&["a", "b"]);
    assert_eq!(kept.run().await, ["a", "b"]);
    kept.manager.choose(HANDLER, [id("a")], ItemState::Unchecked).await.unwrap();
    assert_eq!(kept.run().await, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn requested_items_are_found_and_others_are_reported() {
    let kept = Kept::new(&["c", "a", "b"]);
    kept.run().await;
    let request = kept.manager.session(Trigger::Manual).items(HANDLER, [id("b"), id("c"), id("other")]);
    let report = within(request.start().unwrap().finish()).await;
    assert_eq!(ran(&report), ["c", "b"], "in the handler's order");
    assert!(report.runs[0].log[0].text.contains("is not listed"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_missing_from_it_is_forgotten_after_thirty_days() {
    let kept = Kept::new(&["a", "b"]);
    kept.run().await;
    kept.list(&["a"]);
    kept.run().await;
    assert!(kept.store.recorded_items(HANDLER).unwrap()[&id("b")].is_some(), "it is absent");
    kept.clock.advance(31 * DAY);
    kept.run().await;
    assert!(!kept.store.recorded_items(HANDLER).unwrap().contains_key(&id("b")));
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_item_is_listed_again() {
    let kept = Kept::new(&["a", "b"]);
    kept.run().await;
    kept.manager.forget_item(HANDLER, id("a")).await.unwrap();
    assert_eq!(kept.manager.items(HANDLER).await.unwrap().len(), 1);
    assert_eq!(kept.run().await, ["a", "b"]);
    assert_eq!(kept.manager.items(HANDLER).await.unwrap().len(), 2);
    assert_eq!(kept.store.names(HANDLER).unwrap().len(), 2, "its name was deleted and is stored again");
}

#[tokio::test(start_paused = true)]
async fn a_later_registration_records_the_listing_itself() {
    let kept = Kept::new(&["a"]);
    kept.run().await;
    kept.manager.unregister(HANDLER);
    kept.list(&["a", "b"]);
    kept.manager.register(kept.handler.clone()).unwrap();
    assert_eq!(kept.run().await, ["a", "b"]);
    assert_eq!(kept.store.names(HANDLER).unwrap().len(), 2);
}
