//! Handlers that fail to initialize or to list their items: the whole handler is retried.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::store::{MemoryStore, StateChange};
use syncmgr::{
    Classify, Hold, ItemId, LogLevel, NeedsUser, Participation, RunEnding, SyncManager, SyncResult, Trigger,
};
use tokio::time::sleep;

use crate::support::awaitable_host::{items_named, within};
use crate::support::recording_store::RecordingStore;
use crate::support::steps::{nth, register_all, start_background, start_manual};
use crate::support::test_clock::{
    DAY, EXACT, HOUR, StartTimes, TestClock, builder_with_clock, builder_with_store, fail_until, transient_failure,
};
use crate::support::{Scripted, id};

/// A handler whose `items` fails if the function `end` returns an error. `end` receives the number of the call, from 1.
fn handler_with_listing(began: &StartTimes, end: impl Fn(usize) -> SyncResult + Send + Sync + 'static) -> Scripted {
    let noting = began.clone();
    began.handler(1, &[], |_, _| Ok(())).items(move || {
        let times = noting.note("items");
        end(times).map(|()| items_named(&["a", "b"]))
    })
}

/// A handler whose `initialize` fails if the function `end` returns an error. `end` receives the number of the call, from 1.
fn handler_with_initialize(began: &StartTimes, end: impl Fn(usize) -> SyncResult + Send + Sync + 'static) -> Scripted {
    let noting = began.clone();
    began.handler(1, &["a"], |_, _| Ok(())).on_initialize(move |_| {
        let ended = end(noting.note("initialize"));
        async move { ended.map(|()| Participation::TakePart) }.boxed()
    })
}

async fn run_once(handler: Scripted) -> SyncManager {
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    manager
}

#[tokio::test(start_paused = true)]
async fn a_failed_listing_is_retried_as_a_whole_and_success_resets_the_wait() {
    let began = StartTimes::new();
    let manager =
        run_once(handler_with_listing(
            &began,
            |times| if times == 4 { transient_failure() } else { fail_until(times, 2) },
        ))
        .await;
    sleep(HOUR).await;
    assert_eq!((began.of("items"), began.of("a"), began.of("b")), (vec![0, 30, 90], vec![90], vec![90]));
    within(start_background(&manager, 1).finish()).await;
    sleep(HOUR).await;
    assert_eq!(began.of("items")[3..], [3600, 3630], "the wait was not that of a first failure");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_to_initialize_is_retried_as_a_whole() {
    let began = StartTimes::new();
    let _manager = run_once(handler_with_initialize(&began, |times| fail_until(times, 3))).await;
    sleep(DAY).await;
    assert_eq!((began.of("initialize"), began.of("a")), (vec![0, 30, 90, 210], vec![210]));
}

#[tokio::test(start_paused = true)]
async fn a_background_session_does_not_initialize_a_handler_in_backoff() {
    let began = StartTimes::new();
    let manager = run_once(handler_with_initialize(&began, |_| transient_failure())).await;
    let report = within(start_background(&manager, 1).finish()).await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::Held));
    assert!(matches!(report.runs[0].hold, Some(Hold::BackingOff { failures: 1, .. })), "{report}");
    assert!(report.runs[0].log.is_empty(), "{report}");
    assert_eq!(began.of("initialize"), [0]);
    within(start_manual(&manager, 1).finish()).await;
    assert_eq!(began.of("initialize"), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn only_a_forced_session_runs_a_handler_whose_peer_requested_a_wait() {
    let began = StartTimes::new();
    let manager = run_once(handler_with_listing(&began, |_| Err(anyhow!("busy")).retry_after(HOUR))).await;
    let report = within(start_manual(&manager, 1).finish()).await;
    assert!(matches!(report.runs[0].hold, Some(Hold::NotBefore { .. })), "{report}");
    within(manager.session(syncmgr::Trigger::Manual).force().start().unwrap().finish()).await;
    assert_eq!(began.of("items"), [0, 0]);
    sleep(HOUR + Duration::from_secs(1)).await;
    assert_eq!(began.of("items"), [0, 0, 3600]);
}

#[tokio::test(start_paused = true)]
async fn repeated_manual_sessions_do_not_extend_the_wait_of_a_handler() {
    let began = StartTimes::new();
    let manager = run_once(handler_with_initialize(&began, |_| transient_failure())).await;
    for _ in 0..3 {
        within(start_manual(&manager, 1).finish()).await;
    }
    sleep(Duration::from_secs(31)).await;
    assert_eq!(began.of("initialize"), [0, 0, 0, 0, 30]);
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_budget_of_a_handler_asks_one_question() {
    let (began, store) = (StartTimes::new(), MemoryStore::new());
    let policy = EXACT.with_budget(3, 50);
    let manager = register_all(
        builder_with_store(&TestClock::new(), &store).retry(policy).build(),
        [handler_with_initialize(&began, |_| transient_failure())],
    );
    within(start_manual(&manager, 1).finish()).await;
    sleep(DAY).await;
    assert_eq!(began.of("initialize").len(), 3);
    let log = manager.log(nth(1)).await.unwrap();
    let questions: Vec<_> = log.iter().filter(|record| record.entry.is_link()).collect();
    assert_eq!(questions.len(), 1, "{log:?}");
    let error = questions[0].entry.id.unwrap();
    within(manager.answer(nth(1), error, 0).unwrap().finish()).await;
    assert_eq!(began.of("initialize").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_retry_of_a_handler_skips_items_with_their_own_hold() {
    let (began, lists) = (StartTimes::new(), StartTimes::new());
    let listing = lists.clone();
    let handler = began.handler(1, &[], |item, _| match item.name() {
        "busy" => Err(anyhow!("busy")).retry_after(DAY),
        "never" => Err(anyhow!("never")).permanent(),
        "ask" => Err(NeedsUser::new("an answer").into()),
        _ => Ok(()),
    });
    let handler = handler.items(move || {
        let times = listing.note("items");
        if times == 2 { Err(anyhow!("no luck")) } else { Ok(items_named(&["busy", "never", "ask", "fine"])) }
    });
    let manager = run_once(handler).await;
    within(start_background(&manager, 1).finish()).await;
    sleep(HOUR).await;
    assert_eq!(lists.of("items"), [0, 0, 30]);
    let began_of = ["busy", "never", "ask", "fine"].map(|name| began.of(name).len());
    assert_eq!(began_of, [1, 1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_stopped_during_initialize_has_not_failed() {
    let began = StartTimes::new();
    let noting = began.clone();
    let handler = began.handler(1, &["a"], |_, _| Ok(())).on_initialize(move |run| {
        noting.note("initialize");
        async {
            run.cancelled().await;
            Err(anyhow!("stopped"))
        }
        .boxed()
    });
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [handler]);
    let session = start_manual(&manager, 1);
    sleep(Duration::from_secs(1)).await;
    session.stop();
    within(session.finish()).await;
    sleep(HOUR).await;
    assert_eq!(began.of("initialize"), [0]);
    assert!(manager.explain_handler(nth(1)).unwrap().holds.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_items_of_a_failed_prepare_are_retried() {
    let (began, clock, prepared) = (StartTimes::new(), TestClock::new(), StartTimes::new());
    let preparing = prepared.clone();
    let handler = began.handler(1, &["a"], |_, _| Ok(())).on_prepare(move |_| {
        let ended = fail_until(preparing.note("prepare"), 2);
        async move { ended }.boxed()
    });
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(HOUR).await;
    assert_eq!((prepared.of("prepare"), began.of("a")), (vec![0, 30, 90], vec![90]));
    assert!(manager.explain_item(nth(1), id("a")).unwrap().holds.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_recovered_handler_has_no_hold_in_its_explanation() {
    let (began, store) = (StartTimes::new(), MemoryStore::new());
    let manager = register_all(
        builder_with_store(&TestClock::new(), &store).build(),
        [handler_with_listing(&began, |times| fail_until(times, 1))],
    );
    within(start_manual(&manager, 1).finish()).await;
    assert!(manager.log(nth(1)).await.unwrap().iter().any(|record| record.entry.level == LogLevel::Error));
    sleep(HOUR).await;
    for _ in 0..3 {
        within(start_background(&manager, 1).finish()).await;
    }
    let explanation = manager.explain_handler(nth(1)).unwrap();
    assert!(explanation.holds.is_empty(), "{explanation}");
    assert!(
        !matches!(explanation.condition, syncmgr::explain::Condition::Absent | syncmgr::explain::Condition::Unknown),
        "{explanation}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_the_retry_of_an_item_whose_handler_needs_attention() {
    let (began, lists) = (StartTimes::new(), StartTimes::new());
    let process = |store: &MemoryStore| {
        let listing = lists.clone();
        let handler =
            began.handler(1, &[], |item, times| fail_until(times, usize::from(item.name() == "a"))).items(move || {
                match listing.note("items") {
                    2 | 3 => Err(anyhow!("no luck")),
                    _ => Ok(items_named(&["a", "b"])),
                }
            });
        register_all(builder_with_store(&TestClock::new(), store).retry(EXACT.with_budget(2, 50)).build(), [handler])
    };
    let store = MemoryStore::new();
    let first = process(&store);
    within(start_manual(&first, 1).finish()).await;
    sleep(DAY).await;
    assert_eq!((lists.of("items").len(), began.of("a").len()), (3, 1), "the handler needs attention");
    let store = store.after_crash();
    drop(first);
    let second = process(&store);
    sleep(DAY).await;
    assert_eq!((lists.of("items").len(), began.of("a").len()), (3, 1), "the handler still needs attention");
    within(second.session(Trigger::Manual).items(nth(1), [id("b")]).start().unwrap().finish()).await;
    sleep(DAY).await;
    assert_eq!(began.of("a").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_a_handler_to_begin_is_stored_with_its_log_entry() {
    let store = RecordingStore::default();
    let failing = Scripted::new(&[]).items(|| Err(anyhow!("no luck")));
    within(store.manager(&failing).session(Trigger::Manual).start().unwrap().finish()).await;
    let of_handler = |change: &StateChange| match change {
        StateChange::Ended { items, .. } => items.iter().any(|(item, _)| *item == ItemId::from_u128(0)),
        _ => false,
    };
    let writes = store.writes();
    let write = writes.iter().find(|changes| changes.iter().any(of_handler)).expect("the failure is stored");
    assert!(write.iter().any(|change| matches!(change, StateChange::Logged { .. })), "{write:?}");
}
