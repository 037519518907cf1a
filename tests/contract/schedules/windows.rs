//! Windows: automatic work runs only in some hours of the day.

use std::sync::Arc;

use futures::FutureExt;
use syncmgr::explain::Next;
use syncmgr::handler::ConditionPolicy;
use syncmgr::request::{RegisterFlags, RequestError};
use syncmgr::schedule::Window;
use syncmgr::{HandlerInfo, Hold, Outcome, SyncItem};
use tokio::time::sleep;

use super::{Scheduled, every, minutes};
use crate::support::Scripted;
use crate::support::awaitable_host::within;
use crate::support::steps::{
    Steps, assert_succeeds, hold_of, nth, outcome, register_all, start_background, start_manual, wait_until_idle,
};
use crate::support::test_clock::{HOUR, MINUTE};
use crate::support::{HANDLER, id};

/// Returns the window that opens `after` minutes from now and is open for `length` minutes.
fn window(scheduled: &Scheduled, after: u64, length: u64) -> Window {
    let now =
        scheduled.clock.wall().duration_since(std::time::UNIX_EPOCH).expect("the clock is past 1970").as_secs() / 60;
    let of_day = |minute: u64| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    format!("{}-{} in UTC", of_day(now + after), of_day(now + after + length)).parse().expect("the text is valid")
}

#[tokio::test(start_paused = true)]
async fn scheduled_work_runs_only_while_the_window_of_its_handler_is_open() {
    let scheduled = Scheduled::new();
    let window = window(&scheduled, 60, 25);
    let handler = scheduled.handler(&["a"], every(10 * MINUTE)).info(|info: HandlerInfo| info.within(window));
    let manager = scheduled.start(handler);
    let opens = scheduled.clock.wall() + HOUR;
    assert_eq!(manager.agenda()[0].next, Next::At { time: opens });
    minutes(120).await;
    assert_eq!(scheduled.began.of("a"), [3_600, 4_200, 4_800]);
    let why = manager.explain_handler(nth(1)).unwrap();
    assert_eq!(why.holds, [Hold::OutsideWindow { until: opens + 24 * HOUR }]);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_item_outside_its_window_is_left_out_and_runs_once_it_opens() {
    let scheduled = Scheduled::new();
    let own = window(&scheduled, 60, 60);
    let items = move || Ok([SyncItem::named("a"), SyncItem::named("b").within(own.clone())].into_iter().collect());
    let manager = scheduled.start(scheduled.began.handler(1, &[], |_, _| Ok(())).items(items));
    let report = within(start_background(&manager, 1).finish()).await;
    let until = scheduled.clock.wall() + HOUR;
    assert_eq!(
        (outcome(&report, id("a")), hold_of(&report, id("b"))),
        (Outcome::Succeeded, Some(Hold::OutsideWindow { until }))
    );
    assert_eq!(manager.explain_item(nth(1), id("b")).unwrap().next, Next::At { time: until });
    minutes(61).await;
    assert_eq!(["a", "b"].map(|item| scheduled.began.of(item)), [vec![0], vec![3_600]]);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn requested_work_does_not_wait_for_a_window() {
    let scheduled = Scheduled::new();
    let window = window(&scheduled, 60, 60);
    let manager = scheduled.start(scheduled.handler(&["a"], every(HOUR)).info(|info| info.within(window)));
    assert_succeeds(start_manual(&manager, 1)).await;
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_window_closes_stops_by_choice_and_goes_on_when_it_opens() {
    let (scheduled, steps) = (Scheduled::new(), Steps::default());
    let window = window(&scheduled, 0, 2);
    let stopping = |info: HandlerInfo| info.within(window).with_condition_policy(ConditionPolicy::Stop);
    let manager = scheduled.start(steps.handler(1, &["a"]).info(stopping));
    let (session, opens) = (start_background(&manager, 1), scheduled.clock.wall() + 24 * HOUR);
    assert_eq!(steps.running().await, "a");
    minutes(2).await;
    let report = within(session.finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Stopped);
    assert_eq!(report.runs[0].hold, Some(Hold::OutsideWindow { until: opens }));
    sleep(23 * HOUR).await;
    assert_eq!(steps.running().await, "");
    sleep(HOUR - MINUTE).await;
    assert_eq!(steps.running().await, "a");
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_window_closes_stops_by_choice_although_nothing_else_is_due() {
    let (scheduled, steps) = (Scheduled::new(), Steps::default());
    let window = window(&scheduled, 0, 2);
    let stopping = |info: HandlerInfo| info.with_condition_policy(ConditionPolicy::Stop);
    // The scheduler has nothing to do when the item is listed.
    let slow = move || {
        let item = SyncItem::named("a").within(window.clone());
        sleep(MINUTE / 2).map(|()| Ok([item].into_iter().collect())).boxed()
    };
    let handler = steps.handler(1, &[]).info(stopping).on_items(slow);
    let manager = register_all(scheduled.builder().build(), [handler]);
    let session = start_background(&manager, 1);
    sleep(MINUTE).await;
    assert_eq!(steps.running().await, "a");
    minutes(1).await;
    assert_eq!(outcome(&within(session.finish()).await, id("a")), Outcome::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_window_closes_finishes_by_default() {
    let (scheduled, steps) = (Scheduled::new(), Steps::default());
    let window = window(&scheduled, 0, 2);
    let manager = scheduled.start(steps.handler(1, &["a"]).info(|info| info.within(window)));
    let session = start_background(&manager, 1);
    assert_eq!(steps.running().await, "a");
    minutes(3).await;
    steps.release(&["a"]).await;
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn work_outside_its_window_starts_in_it_after_a_sleep() {
    let scheduled = Scheduled::new();
    let window = window(&scheduled, 600, 60);
    let manager = scheduled.start(scheduled.handler(&["a"], every(24 * HOUR)).info(|info| info.within(window)));
    let _ = within(start_background(&manager, 1).finish()).await;
    // The timers stand still while the machine sleeps.
    scheduled.clock.set_forward(601 * MINUTE);
    minutes(1).await;
    wait_until_idle().await;
    assert_eq!(scheduled.began.of("a").len(), 1);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_windows_are_never_open_together_cannot_be_registered() {
    let windows: [Window; 2] = ["08:00-12:00 in UTC", "13:00-17:00 in UTC"].map(|text| text.parse().unwrap());
    let [morning, afternoon] = windows.clone();
    let handler = Scripted::new(&["a"]).info(move |info| info.within(morning).within(afternoon));
    let error = Scheduled::new().builder().build().register_for(Arc::new(handler), RegisterFlags::empty());
    assert_eq!(error, Err(RequestError::NeverOpen { handler: HANDLER, windows: windows.into() }));
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_window_excludes_that_of_its_handler_is_left_out_and_logged() {
    let scheduled = Scheduled::new();
    let (of_handler, of_item) = (window(&scheduled, 0, 60), window(&scheduled, 60, 60));
    let items = move || Ok([SyncItem::named("a").within(of_item.clone())].into_iter().collect());
    let handler = scheduled.began.handler(1, &[], |_, _| Ok(())).items(items).info(|info| info.within(of_handler));
    let manager = scheduled.start(handler);
    let report = within(start_background(&manager, 1).finish()).await;
    assert_eq!(hold_of(&report, id("a")), Some(Hold::Contradictory));
    assert!(report.runs[0].log.iter().any(|entry| entry.item == Some(id("a"))), "{report}");
    assert_eq!(manager.explain_item(nth(1), id("a")).unwrap().holds, [Hold::Contradictory]);
    manager.shutdown().await;
}
