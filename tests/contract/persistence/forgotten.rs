//! Forgetting one item, or a handler with its items.

use std::collections::BTreeMap;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::explain::Condition;
use syncmgr::item::ItemState;
use syncmgr::log::ErrorScope;
use syncmgr::store::{MemoryStore, StateChange, StateStore};
use syncmgr::{Classify, Outcome, SyncManager, Trigger};

use crate::asking::stored_log::{asking_handler, question};
use crate::persistence::checkpoints::counting_handler;
use crate::persistence::settings::with_store;
use crate::support::awaitable_host::{begin, within};
use crate::support::recording_store::{find_record, saved_checkpoint};
use crate::support::steps::{Steps, assert_succeeds, nth, outcome, register_all, wait_until_idle};
use crate::support::{HANDLER, Scripted, id};

/// The number of entries about an item in the stored log.
fn entry_count(store: &MemoryStore, item: &str) -> usize {
    store
        .log(HANDLER)
        .expect("a memory store does not fail")
        .iter()
        .filter(|record| record.entry.item == Some(id(item)))
        .count()
}

#[tokio::test(start_paused = true)]
async fn forgetting_an_item_deletes_its_records_and_keeps_those_of_others() {
    let (store, handler) = (MemoryStore::new(), asking_handler());
    let manager = with_store(&store, &handler);
    within(begin(&manager).finish()).await;
    let asked = question(&manager);
    let choices = [id("a"), id("b")].map(|item| (item, Some(ItemState::Unchecked)));
    let choices = StateChange::Choices { handler: HANDLER, items: BTreeMap::from(choices) };
    store.write(vec![choices]).await.unwrap();
    within(manager.forget_item(HANDLER, id("a"))).await.unwrap();
    assert!(find_record(&store, "a").is_none() && find_record(&store, "b").is_some());
    assert_eq!(store.choices(HANDLER).unwrap().into_keys().collect::<Vec<_>>(), [id("b")]);
    assert_eq!((entry_count(&store, "a"), store.retry_states(HANDLER).unwrap().len()), (0, 0));
    assert!(manager.answer(HANDLER, asked, 0).is_err(), "the question was not deleted");
    assert_eq!(manager.explain_item(HANDLER, id("a")).unwrap().condition, Condition::Unknown);
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_a_forgotten_item_is_deleted() {
    let (store, handler) = (MemoryStore::new(), asking_handler());
    let manager = with_store(&store, &handler);
    within(begin(&manager).finish()).await;
    manager.unregister(HANDLER);
    assert!(manager.answer(HANDLER, question(&manager), 0).is_err(), "a session started for an unregistered handler");
    manager.register(handler).unwrap();
    within(manager.forget_item(HANDLER, id("a"))).await.unwrap();
    let report = within(begin(&manager).finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::NeedsUser);
}

/// A handler whose item `a` warns, commits, waits to be stopped and then tries to commit again.
fn handler_that_commits_after_stop() -> Scripted {
    Scripted::new(&["a", "b"]).on_item(|item| {
        async move {
            if item.name() == "b" {
                return Ok(());
            }
            item.warn("the item began");
            let mut count = item.saved::<u32>()?;
            count.commit().await?;
            item.cancelled().await;
            item.warn("the item continues");
            *count += 1;
            count.commit().await
        }
        .boxed()
    })
}

#[tokio::test(start_paused = true)]
async fn forgetting_an_item_stops_it_and_discards_its_late_commits() {
    let store = MemoryStore::new();
    let manager = with_store(&store, &handler_that_commits_after_stop());
    let session = begin(&manager);
    wait_until_idle().await;
    assert!(saved_checkpoint(&store, "a").is_some());
    within(manager.forget_item(HANDLER, id("a"))).await.unwrap();
    let report = within(session.finish()).await;
    assert!(outcome(&report, id("a")) != Outcome::Succeeded, "{report}");
    assert!(find_record(&store, "a").is_none(), "{:?}", find_record(&store, "a"));
    assert!(find_record(&store, "b").is_some());
    assert_eq!(store.retry_states(HANDLER).unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn forgetting_an_item_of_an_open_session_deletes_its_log_entries() {
    let store = MemoryStore::new();
    let manager = with_store(&store, &handler_that_commits_after_stop());
    let session = begin(&manager);
    wait_until_idle().await;
    within(manager.forget_item(HANDLER, id("a"))).await.unwrap();
    within(session.finish()).await;
    assert_eq!(entry_count(&store, "a"), 0, "{:?}", store.log(HANDLER).unwrap());
}

#[tokio::test(start_paused = true)]
async fn forgetting_an_item_waits_for_no_other_item_and_no_session_restores_it() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let notes = steps.clone();
    let handler = Scripted::new(&["a", "b"]).on_item(move |item| {
        let steps = notes.clone();
        async move {
            if item.name() == "b" {
                return steps.step(item.clone()).await;
            }
            item.warn("the item began");
            item.cancelled().await;
            Err(anyhow!("the item was stopped"))
        }
        .boxed()
    });
    let manager = with_store(&store, &handler);
    let session = begin(&manager);
    wait_until_idle().await;
    let forgotten =
        tokio::time::timeout(std::time::Duration::from_secs(60), manager.forget_item(HANDLER, id("a"))).await;
    assert_eq!(steps.running().await, "b");
    forgotten.expect("`forget_item` waited for the other item").unwrap();
    assert_eq!(entry_count(&store, "a"), 0);
    steps.release(&["b"]).await;
    within(session.finish()).await;
    assert_eq!(entry_count(&store, "a"), 0, "{:?}", store.log(HANDLER).unwrap());
    assert!(find_record(&store, "a").is_none());
}

#[tokio::test(start_paused = true)]
async fn deleting_an_entry_does_not_restore_entries_of_a_forgotten_item() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["a", "b"])
        .on_item(|item| {
            item.warn("a warning");
            let error = crate::persistence::settings::LINK;
            item.log(syncmgr::LogEntry::new(syncmgr::LogLevel::Warning, "link").with_link(error));
            async { Ok(()) }.boxed()
        })
        .on_show_error(|run, error| {
            run.delete_log(ErrorScope::One(error));
            async { Ok(syncmgr::handler::Resolution::Done) }.boxed()
        });
    let manager = with_store(&store, &handler);
    let session = begin(&manager);
    within(session.report()).await;
    within(manager.forget_item(HANDLER, id("a"))).await.unwrap();
    assert_eq!(entry_count(&store, "a"), 0);
    within(session.show_error(HANDLER, crate::persistence::settings::LINK)).await.unwrap();
    within(session.finish()).await;
    assert_eq!(entry_count(&store, "a"), 0, "{:?}", store.log(HANDLER).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_item_that_is_listed_again_is_new() {
    let store = MemoryStore::new();
    let failing = Scripted::new(&["a"]).on_item(|_| async { Err(anyhow!("the fault")).permanent() }.boxed());
    let manager = with_store(&store, &failing);
    within(begin(&manager).finish()).await;
    within(manager.forget_item(HANDLER, id("a"))).await.unwrap();
    let session = manager.session(Trigger::Scheduled).handlers([HANDLER]).start().unwrap();
    assert_eq!(outcome(&within(session.finish()).await, id("a")), Outcome::Failed, "the item did not run");
    within(manager.forget_item(HANDLER, id("a"))).await.unwrap();
    manager.unregister(HANDLER);
    manager.register(counting_handler(&["a"])).unwrap();
    assert_succeeds(begin(&manager)).await;
    assert_eq!(saved_checkpoint(&store, "a"), Some((1, "1".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn an_item_forgotten_in_the_queue_does_not_run_and_is_not_recorded() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let builder = SyncManager::builder().store(store.clone()).max_concurrent_items(1);
    let manager = register_all(builder.build(), [steps.handler(1, &["first", "second"])]);
    let session = begin(&manager);
    assert_eq!(steps.running().await, "first");
    within(manager.forget_item(nth(1), id("second"))).await.unwrap();
    steps.release(&["first"]).await;
    within(session.finish()).await;
    assert_eq!(steps.began(), "first");
    assert_eq!(store.record(nth(1), id("second")).unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_interrupted_item_is_no_longer_interrupted() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let all = ["a", "b"];
    let items = BTreeMap::from(all.map(|item| (id(item), Some(ItemState::Unchecked))));
    store.write(vec![StateChange::Choices { handler: nth(1), items }]).await.unwrap();
    let managed = |store: &MemoryStore| {
        register_all(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &all)])
    };
    let manager = managed(&store);
    let _session = manager.session(Trigger::Manual).items(nth(1), all.map(id)).start().unwrap();
    assert_eq!(steps.running().await, "a b");
    let store = store.after_crash();
    let manager = managed(&store);
    within(manager.forget_item(nth(1), id("a"))).await.unwrap();
    assert!(!matches!(manager.explain_item(nth(1), id("a")).unwrap().condition, Condition::Interrupted { .. }));
}

#[tokio::test(start_paused = true)]
async fn forgetting_a_handler_stops_it_and_discards_its_late_commits() {
    let store = MemoryStore::new();
    let manager = with_store(&store, &handler_that_commits_after_stop());
    let session = begin(&manager);
    wait_until_idle().await;
    within(manager.forget(HANDLER)).await.unwrap();
    assert!(store.handlers().unwrap().is_empty());
    within(session.finish()).await;
    assert!(find_record(&store, "a").is_none() && find_record(&store, "b").is_none());
    assert!(store.log(HANDLER).unwrap().is_empty() && store.recorded_items(HANDLER).unwrap().is_empty());
    assert!(store.handlers().unwrap().is_empty());
}

/// Forgets a running handler with a short and a long item, and waits until the session has ended.
async fn forget_while_running() {
    let handler = Scripted::new(&["a", "b"]).on_item(|item| {
        async move {
            let _guard = item.uninterrupted();
            let lasts = if item.name() == "a" { 1 } else { 1_000 };
            tokio::time::sleep(std::time::Duration::from_millis(lasts)).await;
            Ok(())
        }
        .boxed()
    });
    let manager = with_store(&MemoryStore::new(), &handler);
    let session = begin(&manager);
    wait_until_idle().await;
    manager.forget(HANDLER).await.expect("a memory store does not fail");
    session.finish().await;
}

#[test]
fn forgetting_a_handler_waits_for_its_items_without_a_busy_loop() {
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(forget_while_running());
        done.send(()).unwrap();
    });
    // Paused time advances only while all tasks wait.
    finished.recv_timeout(std::time::Duration::from_secs(20)).expect("the test hangs: a task runs in a busy loop");
}

#[tokio::test(start_paused = true)]
async fn the_history_names_neither_a_forgotten_handler_nor_a_forgotten_item() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let handlers = || [steps.handler(1, &["a"]), steps.handler(2, &["b", "c"])];
    let manager = register_all(SyncManager::builder().store(store.clone()).build(), handlers());
    ["a", "b", "c"].iter().for_each(|item| steps.open(item));
    let session = manager.session(Trigger::Manual).items(nth(1), [id("a")]).items(nth(2), [id("b"), id("c")]);
    assert_succeeds(session.start().unwrap()).await;
    within(manager.forget(nth(1))).await.unwrap();
    within(manager.forget_item(nth(2), id("b"))).await.unwrap();
    let runs: Vec<_> = manager.history().await.unwrap().into_iter().flat_map(|record| record.runs).collect();
    assert!(runs.iter().all(|run| run.handler != nth(1)), "{runs:?}");
    assert!(
        runs.iter().flat_map(|run| run.items.iter().flat_map(|items| items.iter())).all(|item| *item != id("b")),
        "{runs:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn forgetting_unknown_items_and_handlers_is_not_an_error() {
    let store = MemoryStore::new();
    let manager = SyncManager::builder().store(store.clone()).build();
    within(manager.forget_item(HANDLER, id("a"))).await.unwrap();
    within(manager.forget(HANDLER)).await.unwrap();
    assert!(store.handlers().unwrap().is_empty() && store.recorded_items(HANDLER).unwrap().is_empty());
}
