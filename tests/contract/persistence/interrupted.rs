//! Sessions that were running when their process ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::explain::Condition;
use syncmgr::item::ItemState;
use syncmgr::retry::{Resume, StartReason};
use syncmgr::store::{MemoryStore, SessionOutcome, StateChange, StateStore};
use syncmgr::{Classify, ItemId, Outcome, Session, SessionId, SyncManager, Trigger};

use crate::persistence::checkpoints::counting_handler;
use crate::persistence::settings::with_store;
use crate::support::awaitable_host::{begin, within};
use crate::support::recording_store::{record, saved_checkpoint};
use crate::support::steps::{Steps, assert_succeeds, nth, register_all, start_manual, wait_until_idle};
use crate::support::{HANDLER, Scripted, id};

/// A manager that resumes interrupted sessions as soon as its scheduler runs.
fn resuming_manager(store: &MemoryStore, handlers: impl IntoIterator<Item = Scripted>) -> SyncManager {
    register_all(SyncManager::builder().store(store.clone()).resume(Resume::Immediately).build(), handlers)
}

/// The sorted names of the items in a report.
fn item_names(report: &syncmgr::Report) -> Vec<&str> {
    let mut names: Vec<_> = report.items().map(|item| item.item.name()).collect();
    names.sort_unstable();
    names
}

/// The outcomes of a store's sessions; `None` for a session that has not ended.
fn session_outcomes(store: &MemoryStore) -> Vec<Option<SessionOutcome>> {
    store
        .sessions()
        .expect("a memory store does not fail")
        .iter()
        .map(|session| session.end.as_ref().map(|end| end.outcome))
        .collect()
}

/// Unchecks these items: only a session that names them runs them.
async fn uncheck(store: &MemoryStore, handler: syncmgr::HandlerId, items: &[&str]) {
    let items: BTreeMap<ItemId, _> = items.iter().map(|item| (id(item), Some(ItemState::Unchecked))).collect();
    store.write(vec![StateChange::Choices { handler, items }]).await.expect("a memory store does not fail");
}

/// The store after a crash while item `a` has ended and item `b` runs.
async fn store_after_crash(steps: &Steps) -> MemoryStore {
    let store = MemoryStore::new();
    let manager = register_all(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["a", "b"])]);
    let _session = start_manual(&manager, 1);
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "b");
    store.after_crash()
}

/// Starts the scheduler of a manager and returns its only session.
async fn start_and_find_session(manager: &SyncManager) -> Session {
    manager.start_scheduler().expect("inside a runtime");
    wait_until_idle().await;
    let sessions = manager.sessions();
    let [session] = &sessions[..] else { panic!("{sessions:?}") };
    session.clone()
}

#[tokio::test(start_paused = true)]
async fn a_session_running_during_a_crash_is_interrupted_and_not_resumed() {
    let steps = Steps::default();
    let store = store_after_crash(&steps).await;
    assert_eq!(store.interrupted().unwrap().iter().map(|of| of.session).collect::<Vec<_>>(), [SessionId(1)]);
    let manager = register_all(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["a", "b"])]);
    assert!(manager.sessions().is_empty() && manager.held().is_empty());
    let condition = |item| manager.explain_item(nth(1), id(item)).unwrap().condition;
    assert_eq!(condition("a"), Condition::Succeeded);
    assert_eq!(condition("b"), Condition::Interrupted { session: SessionId(1) });
    assert_eq!(manager.explain_handler(nth(1)).unwrap().condition, Condition::Interrupted { session: SessionId(1) });
    assert_eq!(session_outcomes(&store), [None]);
}

#[tokio::test(start_paused = true)]
async fn the_next_session_runs_unfinished_explicit_items_and_preferred_ones() {
    let (store, handler) = (MemoryStore::new(), Steps::default());
    let all = ["given", "other", "preferred"];
    uncheck(&store, nth(1), &["given", "other"]).await;
    let builder = || SyncManager::builder().store(store.clone());
    let manager = register_all(builder().build(), [handler.handler(1, &all)]);
    let _session = manager.session(Trigger::Manual).items(nth(1), [id("given")]).start().unwrap();
    assert_eq!(handler.running().await, "given");
    let store = store.after_crash();
    let manager = register_all(SyncManager::builder().store(store.clone()).build(), [handler.handler(1, &all)]);
    all.iter().for_each(|item| handler.open(item));
    assert_eq!(item_names(&assert_succeeds(start_manual(&manager, 1)).await), ["given", "preferred"]);
    assert_eq!(session_outcomes(&store), [Some(SessionOutcome::Interrupted), Some(SessionOutcome::Clean)]);
    assert!(store.interrupted().unwrap().is_empty());
    assert_eq!(
        item_names(&assert_succeeds(start_manual(&manager, 1)).await),
        ["preferred"],
        "the explicit item ran again"
    );
}

#[tokio::test(start_paused = true)]
async fn resuming_immediately_runs_unfinished_items_in_a_session_of_their_own() {
    let steps = Steps::default();
    let store = store_after_crash(&steps).await;
    let manager = resuming_manager(&store, [steps.handler(1, &["a", "b"])]);
    let session = start_and_find_session(&manager).await;
    steps.open("b");
    assert_eq!(session.reason(), StartReason::Resumed);
    assert_eq!(item_names(&assert_succeeds(session).await), ["b"]);
    assert_eq!(session_outcomes(&store), [Some(SessionOutcome::Interrupted), Some(SessionOutcome::Clean)]);
    assert_eq!(manager.explain_item(nth(1), id("b")).unwrap().condition, Condition::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn the_scheduler_resumes_nothing_without_resume_immediately() {
    let steps = Steps::default();
    let store = store_after_crash(&steps).await;
    let handler = || steps.handler(1, &["a", "b"]);
    let manager = register_all(SyncManager::builder().store(store.after_crash()).build(), [handler()]);
    manager.start_scheduler().unwrap();
    wait_until_idle().await;
    assert!(manager.sessions().is_empty());
    assert_eq!(steps.began(), "a b");
}

#[tokio::test(start_paused = true)]
async fn a_handler_registered_while_the_scheduler_runs_is_resumed() {
    let steps = Steps::default();
    let store = store_after_crash(&steps).await;
    let manager = resuming_manager(&store, []);
    manager.start_scheduler().unwrap();
    wait_until_idle().await;
    steps.open("b");
    manager.register(steps.handler(1, &["a", "b"])).unwrap();
    wait_until_idle().await;
    assert_eq!(steps.began(), "a b b");
}

#[tokio::test(start_paused = true)]
async fn a_committed_item_of_an_interrupted_session_is_unfinished() {
    let (store, hanging) = (MemoryStore::new(), Arc::new(AtomicBool::new(false)));
    let hangs = hanging.clone();
    let handler = Scripted::new(&["a", "b"]).on_item(move |item| {
        let hangs = hangs.load(Ordering::Relaxed) && item.name() == "a";
        async move {
            let mut count = item.saved::<u32>()?;
            *count += 1;
            count.commit().await?;
            if hangs { std::future::pending().await } else { Ok(()) }
        }
        .boxed()
    });
    let manager = with_store(&store, &handler);
    assert_succeeds(begin(&manager)).await;
    hanging.store(true, Ordering::Relaxed);
    let _session = begin(&manager);
    wait_until_idle().await;
    assert_eq!(saved_checkpoint(&store, "a"), Some((1, "2".to_owned())), "the item did not commit before it hung");
    let store = store.after_crash();
    hanging.store(false, Ordering::Relaxed);
    let manager = resuming_manager(&store, [handler.clone()]);
    let condition = manager.explain_item(HANDLER, id("a")).unwrap().condition;
    assert_eq!(condition, Condition::Interrupted { session: SessionId(2) });
    manager.start_scheduler().unwrap();
    wait_until_idle().await;
    assert_eq!((handler.transcript.count("item a"), handler.transcript.count("item b")), (3, 2));
    assert_eq!(saved_checkpoint(&store, "a"), Some((1, "3".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn an_item_outside_the_interrupted_session_is_not_interrupted() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let manager = register_all(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["a", "b"])]);
    steps.release(&["a", "b"]).await;
    assert_succeeds(start_manual(&manager, 1)).await;
    let _session = manager.session(Trigger::Manual).items(nth(1), [id("a")]).start().unwrap();
    assert_eq!(steps.running().await, "a");
    let store = store.after_crash();
    let manager = register_all(SyncManager::builder().store(store).build(), [steps.handler(1, &["a", "b"])]);
    let condition = |item| manager.explain_item(nth(1), id(item)).unwrap().condition;
    assert_eq!(condition("a"), Condition::Interrupted { session: SessionId(2) });
    assert_eq!(condition("b"), Condition::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn explicit_items_are_resumed_after_a_second_interruption() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let all = ["given", "preferred"];
    uncheck(&store, nth(1), &["given"]).await;
    let managed = |store: &MemoryStore| {
        register_all(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &all)])
    };
    let manager = managed(&store);
    let _first = manager.session(Trigger::Manual).items(nth(1), [id("given")]).start().unwrap();
    assert_eq!(steps.running().await, "given");
    let store = store.after_crash();
    let second = managed(&store);
    let _second = start_manual(&second, 1);
    wait_until_idle().await;
    assert_eq!(steps.began(), "given given preferred");
    let store = store.after_crash();
    let third = managed(&store);
    all.iter().for_each(|item| steps.open(item));
    assert_eq!(item_names(&assert_succeeds(start_manual(&third, 1)).await), ["given", "preferred"]);
    assert_eq!(
        session_outcomes(&store),
        [Some(SessionOutcome::Interrupted), Some(SessionOutcome::Interrupted), Some(SessionOutcome::Clean)]
    );
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_session_resumes_once_its_handler_can_list_again() {
    let steps = Steps::default();
    let store = store_after_crash(&steps).await;
    let lists = Arc::new(AtomicBool::new(false));
    let can_list = lists.clone();
    let handler = steps.handler(1, &["a", "b"]).items(move || match can_list.load(Ordering::Relaxed) {
        true => Ok(["a", "b"].into_iter().map(|name| syncmgr::SyncItem::new(id(name), name)).collect()),
        false => Err(anyhow!("the listing fails")),
    });
    let second = resuming_manager(&store, [handler]);
    let failed = start_manual(&second, 1);
    second.start_scheduler().unwrap();
    within(failed.finish()).await;
    lists.store(true, Ordering::Relaxed);
    let other = second.session(Trigger::Manual).items(nth(1), [id("unknown")]).start().unwrap();
    within(other.finish()).await;
    wait_until_idle().await;
    assert_eq!(steps.began(), "a b b");
}

#[tokio::test(start_paused = true)]
async fn the_interrupted_items_of_a_handler_wait_for_its_registration() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let one = || steps.handler(1, &["a"]);
    let other = || steps.handler(2, &["b"]);
    let builder = |store: &MemoryStore| SyncManager::builder().store(store.clone()).resume(Resume::Immediately).build();
    let manager = register_all(builder(&store), [one(), other()]);
    let _session = begin(&manager);
    assert_eq!(steps.running().await, "a b");
    let store = store.after_crash();
    let second = register_all(builder(&store), [one()]);
    let session = start_and_find_session(&second).await;
    steps.open("a");
    assert_eq!(item_names(&assert_succeeds(session).await), ["a"]);
    assert_eq!(store.interrupted().unwrap().len(), 1, "the other handler's item is no longer interrupted");
    within(second.shutdown()).await;
    let third = register_all(builder(&store), [one(), other()]);
    let session = start_and_find_session(&third).await;
    steps.open("b");
    assert_eq!(item_names(&assert_succeeds(session).await), ["b"], "a resumed item was resumed again");
    assert_eq!(session_outcomes(&store)[0], Some(SessionOutcome::Interrupted));
    assert!(store.interrupted().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_manual_run_of_a_failed_item_is_resumed_immediately() {
    let (store, hangs) = (MemoryStore::new(), Arc::new(AtomicBool::new(false)));
    let hanging = hangs.clone();
    let handler = Scripted::new(&["a"]).on_item(move |_| {
        let hangs = hanging.load(Ordering::Relaxed);
        async move { if hangs { std::future::pending().await } else { Err(anyhow!("the fault")).permanent() } }.boxed()
    });
    let manager = with_store(&store, &handler);
    within(begin(&manager).finish()).await;
    hangs.store(true, Ordering::Relaxed);
    let _session = manager.session(Trigger::Manual).items(HANDLER, [id("a")]).start().unwrap();
    wait_until_idle().await;
    let store = store.after_crash();
    let handler = counting_handler(&["a"]);
    let manager = resuming_manager(&store, [handler.clone()]);
    manager.start_scheduler().unwrap();
    wait_until_idle().await;
    assert_eq!(handler.transcript.count("item a"), 1);
    assert_eq!(record(&store, "a").outcome, Some(Outcome::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_show_error_resumes_nothing() {
    let (store, handler) = (MemoryStore::new(), crate::persistence::settings::repairable());
    let handler = handler.on_show_error(|_, _| async { std::future::pending().await }.boxed());
    let manager = with_store(&store, &handler);
    within(begin(&manager).finish()).await;
    let shown = manager.show_error(HANDLER, crate::persistence::settings::LINK);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(1), shown).await.is_err());
    assert_eq!(handler.transcript.count("show_error"), 1);
    let (store, handler) = (store.after_crash(), counting_handler(&["a", "b"]));
    let manager = resuming_manager(&store, [handler.clone()]);
    manager.start_scheduler().unwrap();
    wait_until_idle().await;
    assert_eq!(handler.transcript.count("item"), 0, "{:?}", handler.transcript.lines());
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_items_all_ended_is_not_resumed() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let manager = register_all(
        SyncManager::builder().store(store.clone()).build(),
        [steps.handler(1, &["a"]), steps.handler(2, &["b"])],
    );
    let _session = begin(&manager);
    steps.release(&["a"]).await;
    let store = store.after_crash();
    let handler = steps.handler(1, &["a"]);
    let manager = resuming_manager(&store, [handler.clone(), steps.handler(2, &["b"])]);
    let session = start_and_find_session(&manager).await;
    steps.open("b");
    assert_eq!(item_names(&assert_succeeds(session).await), ["b"]);
    assert_eq!(handler.transcript.count("prepare"), 0);
}
