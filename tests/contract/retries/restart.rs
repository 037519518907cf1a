//! Retries across restarts, runtimes and clock changes.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::store::MemoryStore;
use syncmgr::{Classify, StartError, SyncManager, Trigger};
use syncmgr_test::ManualClock;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::sleep;

use crate::support::Scripted;
use crate::support::awaitable_host::within;
use crate::support::steps::{nth, register_all, start_background, start_manual, wait_until_idle};
use crate::support::test_clock::{
    DAY, EXACT, HOUR, MINUTE, StartTimes, TestClock, YEAR, builder_with_clock, builder_with_store, fail_until,
    retry_state, transient_failure,
};

fn failing_handler(began: &StartTimes, last: usize) -> Scripted {
    began.handler(1, &["a"], move |_, times| fail_until(times, last))
}

#[tokio::test(start_paused = true)]
async fn waits_continue_after_a_restart() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let first = register_all(builder_with_store(&clock, &store).build(), [failing_handler(&began, 4)]);
    within(start_manual(&first, 1).finish()).await;
    sleep(Duration::from_secs(100)).await;
    assert_eq!(began.of("a"), [0, 30, 90]);
    let stored_state = store.after_crash();
    drop(first);
    let second = register_all(builder_with_store(&clock, &stored_state).build(), [failing_handler(&began, 4)]);
    second.start_scheduler().unwrap();
    sleep(Duration::from_secs(109)).await;
    assert_eq!(began.of("a"), [0, 30, 90], "the retry ran before it was due");
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0, 30, 90, 210, 450]);
    assert_eq!(retry_state(&stored_state, 1, "a"), None);
}

#[tokio::test(start_paused = true)]
async fn an_overdue_retry_runs_immediately_after_a_restart() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let first = register_all(builder_with_store(&clock, &store).build(), [failing_handler(&began, 1)]);
    within(start_manual(&first, 1).finish()).await;
    drop(first);
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0]);
    let second = builder_with_store(&clock, &store).build();
    second.start_scheduler().unwrap();
    wait_until_idle().await;
    let second = register_all(second, [failing_handler(&began, 1)]);
    wait_until_idle().await;
    assert_eq!(began.of("a"), [0, 24 * 3600]);
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_manager_calls_no_handler_before_its_scheduler_or_a_session_starts() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let first = register_all(builder_with_store(&clock, &store).build(), [failing_handler(&began, 1)]);
    within(start_manual(&first, 1).finish()).await;
    drop(first);
    sleep(DAY).await;
    let other = began.handler(2, &["b"], |_, _| Ok(()));
    let second = register_all(builder_with_store(&clock, &store).build(), [failing_handler(&began, 1), other]);
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0]);
    within(start_manual(&second, 2).finish()).await;
    wait_until_idle().await;
    assert_eq!(began.of("a"), [0, 2 * 24 * 3600], "the session did not start the scheduler");
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_nothing_is_retried_and_no_task_remains() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let alive = Handle::current().metrics().num_alive_tasks();
    let manager = register_all(builder_with_clock(&clock).build(), [failing_handler(&began, 9)]);
    within(start_manual(&manager, 1).finish()).await;
    assert!(within(manager.shutdown()).await.is_empty());
    assert_eq!(Handle::current().metrics().num_alive_tasks(), alive);
    assert_eq!(manager.start_scheduler(), Err(StartError::ShutDown));
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_manager_retries_nothing_and_leaves_no_task() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let alive = Handle::current().metrics().num_alive_tasks();
    let manager = register_all(builder_with_clock(&clock).build(), [failing_handler(&began, 9)]);
    within(start_manual(&manager, 1).finish()).await;
    drop(manager);
    wait_until_idle().await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), alive);
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_during_a_retry_stops_it_and_leaves_no_task() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let alive = Handle::current().metrics().num_alive_tasks();
    let noting = began.clone();
    let handler = failing_handler(&began, 9).on_item(move |item| {
        let times = noting.note("a");
        async move {
            if times > 1 {
                item.cancelled().await;
            }
            transient_failure()
        }
        .boxed()
    });
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(MINUTE).await;
    assert_eq!(began.of("a"), [0, 30]);
    assert!(within(manager.shutdown()).await.is_empty());
    assert_eq!(Handle::current().metrics().num_alive_tasks(), alive);
}

fn paused_runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("the runtime is built")
}

#[test]
fn a_manager_continues_on_another_runtime() {
    let runtime = paused_runtime();
    let (manager, began) = runtime.block_on(async {
        let began = StartTimes::new();
        let manager: SyncManager =
            register_all(SyncManager::builder().retry(EXACT).build(), [failing_handler(&began, 1)]);
        within(start_manual(&manager, 1).finish()).await;
        (manager, began)
    });
    drop(runtime);
    assert_eq!(manager.start_scheduler(), Err(StartError::NoRuntime));
    paused_runtime().block_on(async {
        manager.start_scheduler().unwrap();
        sleep(HOUR).await;
        assert_eq!(began.of("a").len(), 2);
        within(manager.shutdown()).await;
    });
}

#[test]
fn the_scheduler_restarts_on_another_runtime_after_a_failure() {
    let runtime = paused_runtime();
    let (manager, began) = runtime.block_on(async {
        let began = StartTimes::new();
        let manager: SyncManager =
            register_all(SyncManager::builder().retry(EXACT).build(), [failing_handler(&began, 2)]);
        within(start_manual(&manager, 1).finish()).await;
        (manager, began)
    });
    drop(runtime);
    paused_runtime().block_on(async {
        within(start_manual(&manager, 1).finish()).await;
        sleep(HOUR).await;
        assert_eq!(began.of("a").len(), 3);
    });
}

/// Returns the start times of a failing item within a month in which `set` changes the clock once.
async fn start_times_with(set: impl Fn(&TestClock)) -> Vec<u64> {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let manager = register_all(builder_with_clock(&clock).build(), [failing_handler(&began, 2)]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(Duration::from_secs(10)).await;
    set(&clock);
    sleep(30 * DAY).await;
    let began = began.of("a");
    assert_eq!(began.len(), 3, "{began:?}");
    began
}

#[tokio::test(start_paused = true)]
async fn a_clock_change_delays_no_retry_forever_and_causes_no_busy_loop() {
    for times in [
        start_times_with(|clock| clock.set_back(10 * YEAR)).await,
        start_times_with(|clock| clock.set_back(HOUR)).await,
    ] {
        assert!(times[1] <= 90 && times[2] <= 210, "{times:?}");
    }
    let forward = start_times_with(|clock| clock.set_forward(10 * YEAR)).await;
    assert!(forward[1] <= 90 && forward[2] <= 210, "{forward:?}");
}

#[tokio::test(start_paused = true)]
async fn an_item_is_due_exactly_at_its_time_although_the_clock_was_set_forward() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let handler =
        began.handler(1, &["a"], |_, times| if times == 1 { Err(anyhow!("busy")).retry_after(HOUR) } else { Ok(()) });
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(Duration::from_secs(10)).await;
    clock.set_forward(Duration::from_secs(330));
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0, 3_270]);
}

#[tokio::test(start_paused = true)]
async fn a_peers_wait_is_not_extended_for_years_by_a_clock_set_back() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let handler =
        began.handler(1, &["a"], |_, times| if times == 1 { Err(anyhow!("busy")).retry_after(HOUR) } else { Ok(()) });
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(MINUTE).await;
    clock.set_back(10 * YEAR);
    sleep(DAY).await;
    assert_eq!(began.of("a").len(), 2);
    assert!(began.of("a")[1] >= 3600);
}

#[tokio::test(start_paused = true)]
async fn a_peers_wait_is_not_extended_for_years_by_a_clock_set_back_at_restart() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let handler =
        began.handler(1, &["a"], |_, times| if times == 1 { Err(anyhow!("busy")).retry_after(HOUR) } else { Ok(()) });
    let first = register_all(builder_with_store(&clock, &store).build(), [handler.clone()]);
    within(start_manual(&first, 1).finish()).await;
    drop(first);
    clock.set_back(10 * YEAR);
    let second = register_all(builder_with_store(&clock, &store).build(), [handler]);
    second.start_scheduler().unwrap();
    sleep(30 * DAY).await;
    assert_eq!(began.of("a").len(), 2, "{}", second.explain_item(nth(1), crate::support::id("a")).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_backoff_from_the_future_keeps_its_wait_after_a_restart() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let first = register_all(builder_with_store(&clock, &store).build(), [failing_handler(&began, 1)]);
    within(start_manual(&first, 1).finish()).await;
    drop(first);
    clock.set_back(10 * YEAR);
    let second = register_all(builder_with_store(&clock, &store).build(), [failing_handler(&began, 1)]);
    within(start_background(&second, 1).finish()).await;
    assert_eq!(began.of("a").len(), 1);
    sleep(Duration::from_secs(40)).await;
    assert_eq!(began.of("a").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn two_managers_retry_only_their_own_items() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let (one, other) = (failing_handler(&began, 1), began.handler(1, &["b"], |_, times| fail_until(times, 1)));
    let (one, other) = (
        register_all(builder_with_clock(&clock).build(), [one]),
        register_all(builder_with_clock(&clock).build(), [other]),
    );
    within(one.session(Trigger::Manual).start().unwrap().finish()).await;
    sleep(HOUR).await;
    assert_eq!((began.of("a").len(), began.of("b").len()), (2, 0));
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn retries_use_the_monotonic_clock_if_the_wall_clock_stands_still() {
    let began = StartTimes::new();
    let manager = SyncManager::builder().clock(ManualClock::default()).retry(EXACT).build();
    let manager = register_all(manager, [failing_handler(&began, 2)]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [0, 30, 90]);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_jump_past_a_due_time_is_noticed_within_a_minute() {
    let (began, clock) = (StartTimes::new(), ManualClock::default());
    let manager = SyncManager::builder().clock(clock.clone()).retry(EXACT.with_initial(DAY).with_cap(DAY)).build();
    let manager = register_all(manager, [failing_handler(&began, 1)]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(HOUR).await;
    clock.advance(2 * DAY);
    sleep(MINUTE + Duration::from_secs(1)).await;
    assert_eq!(began.of("a").len(), 2, "the retry did not run after the machine slept");
}
