//! Lists of items without a session, and stored choices.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use syncmgr::anyhow::bail;
use syncmgr::explain::{Condition, Next};
use syncmgr::guard::Side;
use syncmgr::item::ItemState;
use syncmgr::session::ItemStatus;
use syncmgr::store::{MemoryStore, StateChange, StateStore};
use syncmgr::{Hold, ItemId, Outcome, Plan, RetryPolicy, Session, SessionEvent, SyncItem, SyncManager};
use tokio::sync::Notify;

use crate::support::awaitable_host::{begin, until, within};
use crate::support::recording_store::RecordingStore;
use crate::support::steps::register_all;
use crate::support::{HANDLER, Scripted, id};

fn with_store(store: &MemoryStore, handler: Scripted) -> SyncManager {
    register_all(SyncManager::builder().store(store.clone()).build(), [handler])
}

async fn finish(session: Session) {
    within(session.finish()).await;
}

/// Returns all items. Each of them is the same if it is looked up alone.
async fn items(manager: &SyncManager) -> Vec<ItemStatus> {
    let items = manager.items(HANDLER).await.expect("a memory store can be read");
    for item in &items {
        let alone = manager.items_among(HANDLER, [item.item]).await.expect("a memory store can be read");
        assert_eq!(&alone[..], std::slice::from_ref(item));
    }
    let names: Vec<_> = items.iter().map(|item| (item.item, item.name.clone())).collect();
    assert_eq!(manager.item_names(HANDLER).await.expect("a memory store can be read"), names);
    items
}

#[tokio::test(start_paused = true)]
async fn items_that_are_not_known_are_left_out_of_those_looked_up() {
    let manager = with_store(&MemoryStore::new(), Scripted::new(&["b", "a", "c"]));
    finish(begin(&manager)).await;
    let among = manager.items_among(HANDLER, ["c", "a", "unknown"].map(id)).await.unwrap();
    assert_eq!(among.iter().map(|item| &*item.name).collect::<Vec<_>>(), ["a", "c"]);
}

async fn names(manager: &SyncManager) -> Vec<String> {
    items(manager).await.iter().map(|item| item.name.to_string()).collect()
}

async fn conditions(manager: &SyncManager) -> Vec<Condition> {
    items(manager).await.iter().map(|item| item.explanation.condition).collect()
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_items_are_listed_without_calling_the_handler() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["b", "a", "c"]).on_item(|item| {
        let fails = item.name() == "b";
        async move { if fails { bail!("no disk") } else { Ok(()) } }.boxed()
    });
    let manager = with_store(&store, handler.clone());
    let session = manager.session(syncmgr::Trigger::Manual).items(HANDLER, [id("a"), id("b")]).start().unwrap();
    finish(session).await;
    drop(manager);
    let calls = handler.transcript.lines().len();
    let later = with_store(&store.after_crash(), handler.clone());
    assert_eq!(names(&later).await, ["a", "b", "c"]);
    let [a, b, c] = &items(&later).await[..] else { panic!("three items are known") };
    assert_eq!(a.explanation.last.map(|last| last.outcome), Some(Outcome::Succeeded));
    assert!(matches!(b.explanation.next, Next::At { .. }), "{b}");
    assert_eq!((c.explanation.condition, c.explanation.last), (Condition::Idle, None));
    assert_eq!([&a.reason, &b.reason, &c.reason], [&None, &Some("no disk".into()), &None]);
    let alone = later.explain_item(HANDLER, id("b")).unwrap();
    assert_eq!(alone, b.explanation, "a single item has its stored name too");
    assert_eq!(handler.transcript.lines().len(), calls);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_needs_attention_keeps_the_reason_of_its_last_failure() {
    let once = RetryPolicy::DEFAULT.with_budget(1, 1);
    let manager = SyncManager::builder().retry(once).store(MemoryStore::new()).build();
    manager.register(Scripted::new(&["a"]).on_item(|_| async { bail!("no disk") }.boxed())).unwrap();
    finish(begin(&manager)).await;
    let [a] = &items(&manager).await[..] else { panic!("one item is known") };
    assert_eq!(a.explanation.holds, [Hold::NeedsAttention { failures: 1 }]);
    assert_eq!(a.reason.as_deref(), Some("no disk"));
}

#[tokio::test(start_paused = true)]
async fn the_reason_is_that_of_the_later_session_although_the_earlier_one_is_open() {
    let attempts = AtomicUsize::new(0);
    let handler = Scripted::new(&["a"]).on_item(move |_| {
        let attempt = attempts.fetch_add(1, Ordering::Relaxed);
        async move { if attempt == 0 { bail!("disk full") } else { bail!("no network") } }.boxed()
    });
    let manager = with_store(&MemoryStore::new(), handler);
    let open = begin(&manager);
    open.report().await;
    finish(begin(&manager)).await;
    assert_eq!(items(&manager).await[0].reason.as_deref(), Some("no network"));
    finish(open).await;
    assert_eq!(items(&manager).await[0].reason.as_deref(), Some("no network"));
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_an_item_has_its_default_state_until_another_is_chosen() {
    let store = MemoryStore::new();
    let listed =
        || Ok([SyncItem::named("a").with_state(ItemState::Unchecked), SyncItem::named("b")].into_iter().collect());
    let handler = Scripted::new(&[]).items(listed);
    let manager = with_store(&store, handler.clone());
    finish(begin(&manager)).await;
    drop(manager);
    let later = with_store(&store, handler);
    let choices = async || items(&later).await.iter().map(|item| item.choice).collect::<Vec<_>>();
    assert_eq!(choices().await, [ItemState::Unchecked, ItemState::Checked]);
    assert_eq!(items(&later).await[0].explanation.holds, [Hold::Unchosen]);
    later.choose(HANDLER, [id("a")], ItemState::Checked).await.unwrap();
    assert_eq!(choices().await, [ItemState::Checked; 2]);
}

#[tokio::test(start_paused = true)]
async fn without_a_store_the_items_of_the_last_listing_are_known() {
    let manager = register_all(SyncManager::new(), [Scripted::new(&["a", "b"])]);
    assert_eq!(names(&manager).await, [""; 0]);
    finish(begin(&manager)).await;
    assert_eq!(names(&manager).await, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_has_ended_does_not_wait_for_a_worker() {
    let go = Arc::new(Notify::new());
    let waiting = go.clone();
    let handler = Scripted::new(&["a", "b", "c"]).on_item(move |item| {
        let go = waiting.clone();
        let waits = item.name() == "b";
        async move {
            if waits {
                go.notified().await;
            }
            Ok(())
        }
        .boxed()
    });
    let manager = register_all(SyncManager::builder().max_concurrent_items(1).build(), [handler]);
    let session = begin(&manager);
    let begins = |event: &SessionEvent| matches!(event, SessionEvent::Began { name, .. } if &**name == "b");
    until(&mut session.events(), begins).await;
    let holds: Vec<_> = items(&manager).await.into_iter().map(|item| item.explanation.holds).collect();
    assert_eq!(holds, [vec![], vec![], vec![Hold::NoFreeWorker]]);
    go.notify_one();
    finish(session).await;
}

#[tokio::test(start_paused = true)]
async fn a_running_item_is_listed_with_its_progress() {
    let go = Arc::new(Notify::new());
    let waiting = go.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let go = waiting.clone();
        async move {
            item.progress(3, 4)?;
            go.notified().await;
            Ok(())
        }
        .boxed()
    });
    let manager = register_all(SyncManager::new(), [handler]);
    let session = begin(&manager);
    until(&mut session.events(), |event| matches!(event, SessionEvent::Progress { .. })).await;
    let running = items(&manager).await.remove(0);
    assert_eq!(running.explanation.condition, Condition::Running { session: session.id() });
    assert_eq!(running.progress.and_then(|progress| progress.fraction()), Some(0.75));
    go.notify_one();
    finish(session).await;
    assert_eq!(items(&manager).await[0].progress, None);
}

#[tokio::test(start_paused = true)]
async fn names_are_written_only_if_they_changed() {
    let (store, name) = (RecordingStore::default(), Arc::new(std::sync::Mutex::new("a")));
    let listed = name.clone();
    let handler = Scripted::new(&[]).items(move || {
        let name = *listed.lock().unwrap();
        Ok([SyncItem::new(id("a"), name), SyncItem::named("b")].into_iter().collect())
    });
    let named = |store: &RecordingStore| {
        let changes = store.writes().concat().into_iter().filter_map(|change| match change {
            StateChange::Names { items, .. } => Some(items.len()),
            _ => None,
        });
        changes.collect::<Vec<_>>()
    };
    for (current, expected) in [("a", &[2][..]), ("a", &[2]), ("renamed", &[2, 1])] {
        *name.lock().unwrap() = current;
        let manager = store.manager(&handler);
        finish(begin(&manager)).await;
        finish(begin(&manager)).await;
        assert_eq!(named(&store), expected);
    }
    assert_eq!(&*store.inner.names(HANDLER).unwrap()[&id("a")].name, "renamed");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_has_never_run_and_is_no_longer_listed_is_unknown() {
    let store = MemoryStore::new();
    let manager = with_store(&store, Scripted::new(&["a", "b"]));
    finish(manager.session(syncmgr::Trigger::Manual).items(HANDLER, [id("a")]).start().unwrap()).await;
    drop(manager);
    let manager = with_store(&store, Scripted::new(&["c"]));
    finish(begin(&manager)).await;
    assert_eq!(names(&manager).await, ["a", "c"]);
    assert_eq!(conditions(&manager).await[0], Condition::Absent);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_item_is_not_listed() {
    let store = MemoryStore::new();
    let manager = with_store(&store, Scripted::new(&["a", "b"]));
    finish(begin(&manager)).await;
    within(manager.forget_item(HANDLER, id("a"))).await.unwrap();
    assert_eq!(names(&manager).await, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_stored_choice_applies_to_later_sessions() {
    let store = MemoryStore::new();
    let manager = with_store(&store, Scripted::new(&["a", "b"]));
    within(manager.choose(HANDLER, [id("b")], ItemState::Unchecked)).await.unwrap();
    let ran = async |manager: &SyncManager| {
        let report = within(begin(manager).finish()).await;
        report.items().map(|item| item.item.id()).collect::<Vec<ItemId>>()
    };
    assert_eq!(ran(&manager).await, [id("a")]);
    drop(manager);
    let later = with_store(&store, Scripted::new(&["a", "b"]));
    let unchosen = items(&later).await.remove(1);
    assert_eq!((unchosen.choice, &unchosen.explanation.holds[..]), (ItemState::Unchecked, &[Hold::Unchosen][..]));
    within(later.choose(HANDLER, [id("b")], ItemState::Checked)).await.unwrap();
    assert_eq!(ran(&later).await, [id("a"), id("b")]);
}

#[tokio::test(start_paused = true)]
async fn the_size_of_an_item_is_that_of_the_largest_side_of_its_last_plan() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["plain", "planned"]).on_item(|item| {
        let sides = [("FROM", 21), ("TO", 10)].map(|(name, entries)| Side::new(name, entries));
        let plan = Plan::new().with_side(sides[0].clone()).with_side(sides[1].clone());
        let is_proposed = item.name() == "planned";
        async move { if is_proposed { Ok(item.propose(&plan)?) } else { Ok(()) } }.boxed()
    });
    let manager = with_store(&store, handler.clone());
    finish(begin(&manager)).await;
    drop(manager);
    let [plain, planned] = &items(&with_store(&store.after_crash(), handler)).await[..] else { panic!("two items") };
    assert_eq!((plain.entries, planned.entries), (None, Some(21)));
    assert!(planned.to_string().ends_with("; 21 entries"), "{planned}");
}

#[tokio::test(start_paused = true)]
async fn a_list_of_items_can_be_serialized() {
    let manager = register_all(SyncManager::new(), [Scripted::new(&["a"])]);
    finish(begin(&manager)).await;
    let text = serde_json::to_string(&items(&manager).await).unwrap();
    assert_eq!(serde_json::from_str::<Vec<ItemStatus>>(&text).unwrap(), items(&manager).await);
}
