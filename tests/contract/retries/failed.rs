//! Automatic retries of failed items.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::Trigger;
use syncmgr::anyhow::ensure;
use syncmgr::request::RunFlags;
use syncmgr::retry::{RetryStatus, StartReason};
use syncmgr::store::MemoryStore;
use tokio::time::sleep;

use crate::support::awaitable_host::within;
use crate::support::steps::{assert_succeeds, nth, register_all, start_background, start_manual, wait_until_idle};
use crate::support::test_clock::{
    DAY, EXACT, HOUR, MINUTE, StartTimes, TestClock, builder_with_clock, builder_with_store, fail_until, retry_state,
    transient_failure,
};

#[tokio::test(start_paused = true)]
async fn a_transient_failure_is_retried_with_growing_waits_until_success() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let handler = began.handler(1, &["a", "b"], |item, times| match item.name() {
        "a" => fail_until(times, 4),
        _ => Ok(()),
    });
    let manager = register_all(builder_with_clock(&clock).build(), [handler.clone()]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0, 30, 90, 210, 450]);
    assert_eq!(began.of("b"), [0], "a successful item was retried");
    assert_eq!(handler.transcript.of(&["prepare"])[1..], ["prepare a", "prepare a", "prepare a", "prepare a"]);
    assert!(manager.sessions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_an_unattended_session_of_its_own() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let handler = began.handler(1, &["a"], |item, times| {
        if times == 2 {
            ensure!(item.run().trigger() == Trigger::Scheduled, "{:?}", item.run().trigger());
            ensure!(item.run().flags() == RunFlags::empty(), "{:?}", item.run().flags());
            ensure!(item.run().cookie().is_none());
        }
        fail_until(times, 1)
    });
    let handler = handler.on_prepare(|_| {
        async {
            sleep(MINUTE).await;
            Ok(())
        }
        .boxed()
    });
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    let first = manager.session(Trigger::Manual).may_bother_user().start().unwrap();
    assert_eq!(first.reason(), StartReason::Requested);
    within(first.finish()).await;
    sleep(Duration::from_secs(31)).await;
    let [session] = &manager.sessions()[..] else { panic!("expected one retrying session: {:?}", manager.sessions()) };
    assert_eq!((session.reason(), session.trigger()), (StartReason::Retry, Trigger::Scheduled));
    assert_succeeds(session.clone()).await;
    assert_eq!(began.of("a").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn success_resets_the_retry_status_and_the_waits() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let handler =
        began.handler(1, &["a"], |_, times| if [3, 5].contains(&times) { Ok(()) } else { transient_failure() });
    let manager = register_all(builder_with_store(&clock, &store).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(HOUR).await;
    assert_eq!((began.of("a"), retry_state(&store, 1, "a")), (vec![0, 30, 90], None));
    within(start_background(&manager, 1).finish()).await;
    let state = retry_state(&store, 1, "a").unwrap();
    assert_eq!((state.status, state.failures, state.total), (RetryStatus::Backoff, 1, 1));
    sleep(HOUR).await;
    assert_eq!(began.of("a")[3..], [3600, 3630]);
}

#[tokio::test(start_paused = true)]
async fn progress_in_a_failed_attempt_restarts_the_waits_from_the_first() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let noting = began.clone();
    let handler = began.handler(1, &["a"], |_, _| Ok(())).on_item(move |item| {
        let times = noting.note("a");
        async move {
            if times == 3 {
                item.saved::<u32>()?.commit().await?;
            }
            fail_until(times, 4)
        }
        .boxed()
    });
    let manager = register_all(builder_with_store(&clock, &store).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(Duration::from_secs(91)).await;
    let state = retry_state(&store, 1, "a").unwrap();
    assert_eq!((state.failures, state.total), (1, 3));
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [0, 30, 90, 120, 180]);
}

#[tokio::test(start_paused = true)]
async fn a_handlers_own_retry_policy_overrides_that_of_the_manager() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let own = EXACT.with_initial(Duration::from_secs(5)).with_factor(3).with_cap(Duration::from_secs(20));
    let handlers = [
        began.handler(1, &["own"], |_, times| fail_until(times, 4)).info(|info| info.with_retry(own)),
        began.handler(2, &["managers"], |_, times| fail_until(times, 2)),
    ];
    let manager =
        register_all(builder_with_clock(&clock).retry(EXACT.with_initial(HOUR).with_factor(0)).build(), handlers);
    within(manager.session(Trigger::Manual).start().unwrap().finish()).await;
    sleep(DAY).await;
    assert_eq!(began.of("own"), [0, 5, 20, 40, 60]);
    assert_eq!(began.of("managers"), [0, 3600, 7200]);
}

#[tokio::test(start_paused = true)]
async fn jitter_extends_a_wait_by_at_most_its_share() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let handler = began.handler(1, &["a"], |_, times| fail_until(times, 1));
    let policy = EXACT.with_initial(HOUR).with_jitter(50);
    let manager = register_all(builder_with_clock(&clock).retry(policy).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(DAY).await;
    let [0, again] = began.of("a")[..] else { panic!("expected two attempts: {:?}", began.of("a")) };
    assert!((3_600..=5_400).contains(&again), "{again}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_and_a_stall_are_retried_like_any_failure() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let noting = began.clone();
    let handler = began.handler(1, &["a"], |_, _| Ok(())).on_item(move |_| {
        let times = noting.note("a");
        async move {
            assert!(times > 1, "a handler panics");
            if times == 2 { std::future::pending().await } else { Ok(()) }
        }
        .boxed()
    });
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(DAY).await;
    assert_eq!(began.of("a")[..2], [0, 30]);
    assert_eq!(began.of("a").len(), 3, "{:?}", began.of("a"));
}

#[tokio::test(start_paused = true)]
async fn an_unregistered_handler_is_not_retried_until_it_is_registered_again() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let handler = began.handler(1, &["a"], |_, times| fail_until(times, 1));
    let manager = register_all(builder_with_store(&clock, &store).build(), [handler.clone()]);
    within(start_manual(&manager, 1).finish()).await;
    manager.unregister(nth(1));
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [0]);
    let _manager = register_all(manager, [handler]);
    wait_until_idle().await;
    assert_eq!(began.of("a"), [0, 3600]);
}
