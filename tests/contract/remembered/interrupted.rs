//! Sessions that were under way when their process was gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::explain::Standing;
use syncmgr::item::ItemState;
use syncmgr::retry::{Resume, StartReason};
use syncmgr::store::{Course, MemoryStore, StateChange, StateStore};
use syncmgr::{Classify, ItemId, Outcome, Session, SessionId, SyncManager, Trigger};

use crate::remembered::checkpoints::counting;
use crate::remembered::settings::over;
use crate::support::steps::{Steps, idle, manual, nth, registered, succeeds};
use crate::support::watched::{begin, within};
use crate::support::witness::{record, saved};
use crate::support::{HANDLER, Scripted, id};

/// A manager that goes on at once with what was interrupted, once it attends.
fn at_once(store: &MemoryStore, handlers: impl IntoIterator<Item = Scripted>) -> SyncManager {
    registered(SyncManager::builder().store(store.clone()).resume(Resume::AtOnce).build(), handlers)
}

/// The names of what a session ran, in order of id.
fn ran(report: &syncmgr::Report) -> Vec<&str> {
    let mut names: Vec<_> = report.items().map(|item| item.item.name()).collect();
    names.sort_unstable();
    names
}

/// How the sessions went that a store remembers.
fn courses(store: &MemoryStore) -> Vec<Option<Course>> {
    store
        .sessions()
        .expect("nothing is wrong here")
        .iter()
        .map(|session| session.end.as_ref().map(|end| end.course))
        .collect()
}

/// Has nothing of these chosen but what is asked for.
async fn unchoose(store: &MemoryStore, handler: syncmgr::HandlerId, items: &[&str]) {
    let items: BTreeMap<ItemId, _> = items.iter().map(|item| (id(item), Some(ItemState::Unchecked))).collect();
    store.write(vec![StateChange::Choices { handler, items }]).await.expect("nothing is wrong here");
}

/// What is left when the process is gone while of `a` and `b` the first has ended, and the second runs.
async fn cut_short(steps: &Steps) -> MemoryStore {
    let store = MemoryStore::new();
    let manager = registered(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["a", "b"])]);
    let _session = manual(&manager, 1);
    steps.let_go(&["a"]).await;
    assert_eq!(steps.running().await, "b");
    store.left_behind()
}

/// The only session of a manager that attends.
async fn resumed(manager: &SyncManager) -> Session {
    manager.attend().expect("nothing is wrong here");
    idle().await;
    let sessions = manager.sessions();
    let [session] = &sessions[..] else { panic!("{sessions:?}") };
    session.clone()
}

#[tokio::test(start_paused = true)]
async fn a_session_under_way_is_left_behind_as_interrupted_and_runs_nowhere() {
    let steps = Steps::default();
    let store = cut_short(&steps).await;
    assert_eq!(store.interrupted().unwrap().iter().map(|of| of.session).collect::<Vec<_>>(), [SessionId(1)]);
    let manager = registered(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["a", "b"])]);
    assert!(manager.sessions().is_empty() && manager.held().is_empty());
    let standing = |item| manager.explain_item(nth(1), id(item)).unwrap().standing;
    assert_eq!(standing("a"), Standing::Succeeded);
    assert_eq!(standing("b"), Standing::Interrupted { session: SessionId(1) });
    assert_eq!(manager.explain_handler(nth(1)).unwrap().standing, Standing::Interrupted { session: SessionId(1) });
    assert_eq!(courses(&store), [None]);
}

#[tokio::test(start_paused = true)]
async fn the_next_session_takes_up_what_was_given_and_unfinished_besides_what_is_preferred() {
    let (store, handler) = (MemoryStore::new(), Steps::default());
    let all = ["given", "other", "preferred"];
    unchoose(&store, nth(1), &["given", "other"]).await;
    let builder = || SyncManager::builder().store(store.clone());
    let manager = registered(builder().build(), [handler.handler(1, &all)]);
    let _session = manager.session(Trigger::Manual).items(nth(1), [id("given")]).start().unwrap();
    assert_eq!(handler.running().await, "given");
    let store = store.left_behind();
    let manager = registered(SyncManager::builder().store(store.clone()).build(), [handler.handler(1, &all)]);
    all.iter().for_each(|item| handler.open(item));
    assert_eq!(ran(&succeeds(manual(&manager, 1)).await), ["given", "preferred"]);
    assert_eq!(courses(&store), [Some(Course::Interrupted), Some(Course::Smooth)]);
    assert!(store.interrupted().unwrap().is_empty());
    assert_eq!(ran(&succeeds(manual(&manager, 1)).await), ["preferred"], "once");
}

#[tokio::test(start_paused = true)]
async fn at_once_runs_what_was_unfinished_and_nothing_else_in_a_session_of_its_own() {
    let steps = Steps::default();
    let store = cut_short(&steps).await;
    let manager = at_once(&store, [steps.handler(1, &["a", "b"])]);
    let session = resumed(&manager).await;
    steps.open("b");
    assert_eq!(session.reason(), StartReason::Resumed);
    assert_eq!(ran(&succeeds(session).await), ["b"]);
    assert_eq!(courses(&store), [Some(Course::Interrupted), Some(Course::Smooth)]);
    assert_eq!(manager.explain_item(nth(1), id("b")).unwrap().standing, Standing::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn without_attending_nothing_is_resumed_at_once_and_at_the_next_trigger_nothing_by_attending() {
    let steps = Steps::default();
    let store = cut_short(&steps).await;
    let handler = || steps.handler(1, &["a", "b"]);
    let waits = registered(SyncManager::builder().store(store.left_behind()).build(), [handler()]);
    waits.attend().unwrap();
    idle().await;
    assert!(waits.sessions().is_empty());
    assert_eq!(steps.began(), "a b");
}

#[tokio::test(start_paused = true)]
async fn at_once_with_the_handler_registered_while_the_manager_attends_resumes_it_too() {
    let steps = Steps::default();
    let store = cut_short(&steps).await;
    let manager = at_once(&store, []);
    manager.attend().unwrap();
    idle().await;
    steps.open("b");
    manager.register(steps.handler(1, &["a", "b"])).unwrap();
    idle().await;
    assert_eq!(steps.began(), "a b b");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_succeeded_before_and_committed_in_the_interrupted_session_is_unfinished() {
    let (store, stuck) = (MemoryStore::new(), Arc::new(AtomicBool::new(false)));
    let sticks = stuck.clone();
    let handler = Scripted::new(&["a", "b"]).on_item(move |item| {
        let sticks = sticks.load(Ordering::Relaxed) && item.name() == "a";
        async move {
            let mut count = item.saved::<u32>()?;
            *count += 1;
            count.commit().await?;
            if sticks { std::future::pending().await } else { Ok(()) }
        }
        .boxed()
    });
    let manager = over(&store, &handler);
    succeeds(begin(&manager)).await;
    stuck.store(true, Ordering::Relaxed);
    let _session = begin(&manager);
    idle().await;
    assert_eq!(saved(&store, "a"), Some((1, "2".to_owned())), "it saved half of its work");
    let store = store.left_behind();
    stuck.store(false, Ordering::Relaxed);
    let manager = at_once(&store, [handler.clone()]);
    let standing = manager.explain_item(HANDLER, id("a")).unwrap().standing;
    assert_eq!(standing, Standing::Interrupted { session: SessionId(2) });
    manager.attend().unwrap();
    idle().await;
    assert_eq!((handler.transcript.count("item a"), handler.transcript.count("item b")), (3, 2));
    assert_eq!(saved(&store, "a"), Some((1, "3".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn an_item_the_interrupted_session_was_not_asked_for_is_not_interrupted() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let manager = registered(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["a", "b"])]);
    steps.let_go(&["a", "b"]).await;
    succeeds(manual(&manager, 1)).await;
    let _session = manager.session(Trigger::Manual).items(nth(1), [id("a")]).start().unwrap();
    assert_eq!(steps.running().await, "a");
    let store = store.left_behind();
    let manager = registered(SyncManager::builder().store(store).build(), [steps.handler(1, &["a", "b"])]);
    let standing = |item| manager.explain_item(nth(1), id(item)).unwrap().standing;
    assert_eq!(standing("a"), Standing::Interrupted { session: SessionId(2) });
    assert_eq!(standing("b"), Standing::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn what_was_given_is_taken_up_although_the_session_that_resumed_it_was_interrupted_too() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let all = ["given", "preferred"];
    unchoose(&store, nth(1), &["given"]).await;
    let managed =
        |store: &MemoryStore| registered(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &all)]);
    let manager = managed(&store);
    let _first = manager.session(Trigger::Manual).items(nth(1), [id("given")]).start().unwrap();
    assert_eq!(steps.running().await, "given");
    let store = store.left_behind();
    let second = managed(&store);
    let _second = manual(&second, 1);
    idle().await;
    assert_eq!(steps.began(), "given given preferred");
    let store = store.left_behind();
    let third = managed(&store);
    all.iter().for_each(|item| steps.open(item));
    assert_eq!(ran(&succeeds(manual(&third, 1)).await), ["given", "preferred"]);
    assert_eq!(courses(&store), [Some(Course::Interrupted), Some(Course::Interrupted), Some(Course::Smooth)]);
}

#[tokio::test(start_paused = true)]
async fn resumed_at_once_and_interrupted_again_runs_only_what_is_still_unfinished() {
    let steps = Steps::default();
    let store = cut_short(&steps).await;
    let second = at_once(&store, [steps.handler(1, &["a", "b"])]);
    let _session = resumed(&second).await;
    assert_eq!(steps.began(), "a b b");
    let store = store.left_behind();
    let third = at_once(&store, [steps.handler(1, &["a", "b"])]);
    let _session = resumed(&third).await;
    assert_eq!(steps.began(), "a b b b", "the other one was done in the first session");
}

#[tokio::test(start_paused = true)]
async fn what_is_to_go_on_at_once_does_when_its_handler_can_begin_again_whoever_found_out() {
    let steps = Steps::default();
    let store = cut_short(&steps).await;
    let lists = Arc::new(AtomicBool::new(false));
    let can = lists.clone();
    let moody = steps.handler(1, &["a", "b"]).items(move || match can.load(Ordering::Relaxed) {
        true => Ok(["a", "b"].into_iter().map(|name| syncmgr::SyncItem::new(id(name), name)).collect()),
        false => Err(anyhow!("it cannot list")),
    });
    let second = at_once(&store, [moody]);
    let failed = manual(&second, 1);
    second.attend().unwrap();
    within(failed.finish()).await;
    lists.store(true, Ordering::Relaxed);
    let other = second.session(Trigger::Manual).items(nth(1), [id("nothing of it")]).start().unwrap();
    within(other.finish()).await;
    idle().await;
    assert_eq!(steps.began(), "a b b");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_not_registered_keeps_what_was_interrupted_until_it_is() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let here = || steps.handler(1, &["a"]);
    let there = || steps.handler(2, &["b"]);
    let builder = |store: &MemoryStore| SyncManager::builder().store(store.clone()).resume(Resume::AtOnce).build();
    let manager = registered(builder(&store), [here(), there()]);
    let _session = begin(&manager);
    assert_eq!(steps.running().await, "a b");
    let store = store.left_behind();
    let second = registered(builder(&store), [here()]);
    let session = resumed(&second).await;
    steps.open("a");
    assert_eq!(ran(&succeeds(session).await), ["a"]);
    assert_eq!(store.interrupted().unwrap().len(), 1, "half of it is left");
    within(second.shutdown()).await;
    let third = registered(builder(&store), [here(), there()]);
    let session = resumed(&third).await;
    steps.open("b");
    assert_eq!(ran(&succeeds(session).await), ["b"], "what was taken up is not taken up again");
    assert_eq!(courses(&store)[0], Some(Course::Interrupted));
    assert!(store.interrupted().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_item_somebody_asked_for_against_its_setback_is_resumed_at_once() {
    let (store, works) = (MemoryStore::new(), Arc::new(AtomicBool::new(false)));
    let working = works.clone();
    let handler = Scripted::new(&["a"]).on_item(move |_| {
        let works = working.load(Ordering::Relaxed);
        async move { if works { std::future::pending().await } else { Err(anyhow!("the fault")).permanent() } }.boxed()
    });
    let manager = over(&store, &handler);
    within(begin(&manager).finish()).await;
    works.store(true, Ordering::Relaxed);
    let _session = manager.session(Trigger::Manual).items(HANDLER, [id("a")]).start().unwrap();
    idle().await;
    let store = store.left_behind();
    let handler = counting(&["a"]);
    let manager = at_once(&store, [handler.clone()]);
    manager.attend().unwrap();
    idle().await;
    assert_eq!(handler.transcript.count("item a"), 1);
    assert_eq!(record(&store, "a").outcome, Some(Outcome::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_only_explained_something_leaves_nothing_to_resume() {
    let (store, handler) = (MemoryStore::new(), crate::remembered::settings::repairable());
    let handler = handler.on_show_error(|_, _| async { std::future::pending().await }.boxed());
    let manager = over(&store, &handler);
    within(begin(&manager).finish()).await;
    let shown = manager.show_error(HANDLER, crate::remembered::settings::LINK);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(1), shown).await.is_err());
    assert_eq!(handler.transcript.count("show_error"), 1);
    let (store, handler) = (store.left_behind(), counting(&["a", "b"]));
    let manager = at_once(&store, [handler.clone()]);
    manager.attend().unwrap();
    idle().await;
    assert_eq!(handler.transcript.count("item"), 0, "{:?}", handler.transcript.lines());
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_items_all_ended_has_nothing_left_to_do() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let manager = registered(
        SyncManager::builder().store(store.clone()).build(),
        [steps.handler(1, &["a"]), steps.handler(2, &["b"])],
    );
    let _session = begin(&manager);
    steps.let_go(&["a"]).await;
    let store = store.left_behind();
    let handler = steps.handler(1, &["a"]);
    let manager = at_once(&store, [handler.clone(), steps.handler(2, &["b"])]);
    let session = resumed(&manager).await;
    steps.open("b");
    assert_eq!(ran(&succeeds(session).await), ["b"]);
    assert_eq!(handler.transcript.count("prepare"), 0);
}
