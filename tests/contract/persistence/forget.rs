//! Forgetting a handler.

use std::collections::BTreeMap;

use futures::FutureExt;
use syncmgr::handler::Resolution;
use syncmgr::item::ItemState;
use syncmgr::request::RegisterFlags;
use syncmgr::store::{MemoryStore, StateChange, StateStore};
use syncmgr::{Outcome, SyncManager};

use crate::asking::stored_log::{asking_handler, question};
use crate::persistence::settings::{LINK, repairable, texts, with_store};
use crate::support::awaitable_host::{begin, within};
use crate::support::steps::{Steps, assert_succeeds, nth, outcome, wait_until_idle};
use crate::support::{HANDLER, Scripted, id};

#[tokio::test(start_paused = true)]
async fn forget_deletes_all_records_and_a_returning_handler_is_new() {
    let (store, handler) = (MemoryStore::new(), asking_handler());
    let manager = with_store(&store, &handler);
    manager.set_flags(HANDLER, RegisterFlags::IDLE).unwrap();
    within(begin(&manager).finish()).await;
    assert_succeeds(manager.answer(HANDLER, question(&manager), 0).unwrap()).await;
    let items = BTreeMap::from([(id("b"), Some(ItemState::Unchecked))]);
    store.write(vec![StateChange::Choices { handler: HANDLER, items }]).await.unwrap();
    within(manager.forget(HANDLER)).await.unwrap();
    assert_eq!(manager.registration(HANDLER), None);
    assert!(store.handlers().unwrap().is_empty());
    assert!(store.choices(HANDLER).unwrap().is_empty() && store.log(HANDLER).unwrap().is_empty());
    manager.register(handler).unwrap();
    assert_eq!(manager.registration(HANDLER).unwrap().flags, RegisterFlags::empty());
    let report = within(begin(&manager).finish()).await;
    assert_eq!([id("a"), id("b")].map(|item| outcome(&report, item)), [Outcome::NeedsUser, Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn forget_stops_running_and_queued_sessions_and_records_nothing() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let notes = steps.clone();
    let handler = steps.handler(1, &["a", "b"]).on_item(move |item| {
        item.warn("the item began");
        notes.clone().step(item.clone()).boxed()
    });
    let manager = with_store(&store, &handler);
    let other = steps.handler(2, &["other"]);
    manager.register(other).unwrap();
    let [first, second] = [(); 2].map(|()| begin(&manager));
    assert_eq!(steps.running().await, "a b other");
    within(manager.forget(nth(1))).await.unwrap();
    assert_eq!(steps.running().await, "other", "the other handler was stopped");
    assert!(!store.handlers().unwrap().contains_key(&nth(1)));
    steps.open("other");
    for session in [first, second] {
        let report = within(session.finish()).await;
        assert!(report.run(nth(1)).unwrap().items().all(|item| item.outcome == Outcome::Stopped), "{report}");
    }
    assert!(store.log(nth(1)).unwrap().is_empty());
    assert!(!store.handlers().unwrap().contains_key(&nth(1)));
}

#[tokio::test(start_paused = true)]
async fn an_open_session_stores_nothing_of_a_forgotten_handler() {
    let explains = |handler: Scripted| {
        handler.on_show_error(|run, _| {
            run.warn("explained");
            async { Ok(Resolution::Done) }.boxed()
        })
    };
    let (store, handler) = (MemoryStore::new(), explains(repairable()));
    let manager = with_store(&store, &handler);
    let session = begin(&manager);
    within(session.report()).await;
    within(manager.forget(HANDLER)).await.unwrap();
    // Any result is correct: the handler is forgotten.
    let _ = within(session.show_error(HANDLER, LINK)).await;
    within(session.finish()).await;
    assert!(store.log(HANDLER).unwrap().is_empty(), "{:?}", texts(&manager));
    assert!(store.handlers().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn forgetting_an_unknown_handler_changes_nothing() {
    let (store, handler) = (MemoryStore::new(), Scripted::new(&["a"]));
    let manager = with_store(&store, &handler);
    within(manager.forget(nth(9))).await.unwrap();
    assert_succeeds(begin(&manager)).await;
    assert!(store.handlers().unwrap().contains_key(&HANDLER));
}

/// A chooser that never answers.
struct Undecided;

#[async_trait::async_trait]
impl syncmgr::choice::Chooser for Undecided {
    async fn choose(&self, _: &[syncmgr::choice::Offer]) -> Option<syncmgr::choice::Chosen> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn forget_does_not_wait_for_a_chooser() {
    let manager = SyncManager::builder().chooser(Undecided).build();
    let handler = Scripted::new(&["a"]);
    manager.register(handler.clone()).unwrap();
    let session = manager.update_all().unwrap();
    wait_until_idle().await;
    assert_eq!(handler.transcript.count("items"), 1);
    let forgotten = tokio::time::timeout(std::time::Duration::from_secs(60), manager.forget(HANDLER)).await;
    session.stop();
    within(session.finish()).await;
    assert!(forgotten.is_ok(), "`forget` waited for the chooser");
}
