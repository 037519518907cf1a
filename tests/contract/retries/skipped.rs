//! Retries that end without a run of their item: they cause no busy loop, and no retry is lost.

use std::time::Duration;

use futures::FutureExt;
use futures::future::pending;
use syncmgr::anyhow::anyhow;
use syncmgr::classic::{CodeError, HResult};
use syncmgr::retry::StartReason;
use syncmgr::{Hold, NeedsUser, Participation, SyncManager};
use tokio::time::sleep;

use crate::support::awaitable_host::within;
use crate::support::id;
use crate::support::steps::{nth, register_all, start_background, start_manual, wait_until_idle};
use crate::support::test_clock::{
    DAY, HOUR, MINUTE, StartTimes, TestClock, builder_with_clock, fail_until, transient_failure,
};

/// The number of retries within an hour that counts as a busy loop.
const BUSY_LOOP: usize = 100;

#[tokio::test(start_paused = true)]
async fn an_item_that_each_retry_excludes_causes_no_busy_loop() {
    let (began, clock, prepared) = (StartTimes::new(), TestClock::new(), StartTimes::new());
    let preparing = prepared.clone();
    let handler = began.handler(1, &["a"], |_, _| transient_failure()).on_prepare(move |run| {
        let times = preparing.note("prepare");
        if times > 1 {
            run.exclude(id("a"), anyhow!("not today")).expect("the item is selected");
        }
        async move { if times > BUSY_LOOP { pending().await } else { Ok(()) } }.boxed()
    });
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(HOUR).await;
    assert!(prepared.of("prepare").len() < 10, "{:?}", prepared.of("prepare"));
}

/// A manager with a running retry, which began after 30 s and hangs.
async fn manager_in_retry(began: &StartTimes) -> SyncManager {
    let noting = began.clone();
    let handler = began.handler(1, &["a"], |_, _| Ok(())).on_item(move |_| {
        let times = noting.note("a");
        async move { if times > 1 { pending().await } else { transient_failure() } }.boxed()
    });
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(Duration::from_secs(31)).await;
    assert_eq!(began.of("a"), [0, 30]);
    manager
}

#[tokio::test(start_paused = true)]
async fn a_stopped_retry_is_not_restarted_immediately() {
    let began = StartTimes::new();
    let manager = manager_in_retry(&began).await;
    manager.sessions().iter().for_each(syncmgr::Session::stop);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(began.of("a"), [0, 30], "the stopped retry ran again too soon");
}

#[tokio::test(start_paused = true)]
async fn an_item_skipped_in_a_retry_is_not_restarted_immediately() {
    let began = StartTimes::new();
    let manager = manager_in_retry(&began).await;
    for session in manager.sessions() {
        assert_eq!(session.reason(), StartReason::Retry);
        session.skip(nth(1), id("a")).unwrap();
    }
    sleep(Duration::from_secs(5)).await;
    assert_eq!(began.of("a"), [0, 30], "the skipped item ran again too soon");
}

#[tokio::test(start_paused = true)]
async fn the_next_session_runs_the_item_of_a_declined_retry() {
    let (began, clock, asked) = (StartTimes::new(), TestClock::new(), StartTimes::new());
    let asking = asked.clone();
    let handler = began.handler(1, &["a"], |_, times| fail_until(times, 1)).on_initialize(move |_| {
        let declines = asking.note("initialize") == 2;
        async move { Ok(if declines { Participation::Decline } else { Participation::TakePart }) }.boxed()
    });
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(HOUR).await;
    assert!(asked.of("initialize").len() < BUSY_LOOP);
    within(start_background(&manager, 1).finish()).await;
    assert_eq!(began.of("a").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_retries_of_an_item_end_once_it_is_no_longer_listed() {
    let (began, clock, listed) = (StartTimes::new(), TestClock::new(), StartTimes::new());
    let listing = listed.clone();
    let handler = began.handler(1, &["a"], |_, _| transient_failure());
    let items = handler.items.clone();
    let handler = handler.items(move || {
        if listing.note("items") == 1 { items() } else { Ok(crate::support::awaitable_host::items_named(&["b"])) }
    });
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(DAY).await;
    assert_eq!((began.of("a"), began.of("b")), (vec![0], vec![]));
    assert!(listed.of("items").len() < 5, "{:?}", listed.of("items"));
}

#[tokio::test(start_paused = true)]
async fn unregistering_a_running_handler_keeps_the_retries_of_other_handlers() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let noting = began.clone();
    let slow = began.handler(1, &["gone"], |_, _| transient_failure()).on_item(move |_| {
        noting.note("gone");
        async {
            sleep(MINUTE).await;
            transient_failure()
        }
        .boxed()
    });
    let noting = began.clone();
    let other = began.handler(2, &["stays"], |_, _| transient_failure()).on_item(move |_| {
        let times = noting.note("stays");
        async move {
            sleep(MINUTE).await;
            fail_until(times, 1)
        }
        .boxed()
    });
    let manager = register_all(builder_with_clock(&clock).build(), [slow, other]);
    let session = manager.session(syncmgr::Trigger::Manual).start().unwrap();
    wait_until_idle().await;
    manager.unregister(nth(1));
    within(session.finish()).await;
    sleep(DAY).await;
    assert_eq!((began.of("gone").len(), began.of("stays").len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_while_the_manager_is_paused_and_then_runs_once() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let handler = began.handler(1, &["a"], |_, times| fail_until(times, 1));
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    manager.pause();
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [0]);
    manager.resume();
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [0, 3600]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_cancelled_by_its_prepare_causes_no_busy_loop() {
    let (began, clock, prepared) = (StartTimes::new(), TestClock::new(), StartTimes::new());
    let preparing = prepared.clone();
    let handler = began.handler(1, &["a"], |_, _| transient_failure()).on_prepare(move |_| {
        let times = preparing.note("prepare");
        async move {
            match times {
                1 => Ok(()),
                // A success code other than S_OK: no item is prepared, and no item has failed (R92).
                2..=BUSY_LOOP => Err(CodeError(HResult::S_SYNCMGR_ENUMITEMS).into()),
                _ => pending().await,
            }
        }
        .boxed()
    });
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(HOUR).await;
    assert!(prepared.of("prepare").len() < 10, "{:?}", prepared.of("prepare"));
}

#[tokio::test(start_paused = true)]
async fn a_retry_whose_prepare_needs_the_user_waits_for_the_user() {
    let (began, clock, prepared) = (StartTimes::new(), TestClock::new(), StartTimes::new());
    let preparing = prepared.clone();
    let handler = began.handler(1, &["a"], |_, _| transient_failure()).on_prepare(move |_| {
        let times = preparing.note("prepare");
        async move { if times == 1 { Ok(()) } else { Err(NeedsUser::new("an answer").into()) } }.boxed()
    });
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(DAY).await;
    assert_eq!(prepared.of("prepare"), [0, 30]);
    assert_eq!(manager.explain_item(nth(1), id("a")).unwrap().holds, [Hold::NeedsUser]);
}
