//! Firings, and the items that they run.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use syncmgr::explain::Next;
use syncmgr::item::ItemState;
use syncmgr::schedule::{Missed, Schedule};
use syncmgr::store::{StateChange, StateStore};
use syncmgr::{Outcome, Participation, SyncItem, Trigger};
use tokio::time::sleep;

use super::{Scheduled, every, item, minutes};
use crate::support::id;
use crate::support::steps::nth;
use crate::support::test_clock::{DAY, HOUR, MINUTE, fail_until};

#[tokio::test(start_paused = true)]
async fn a_scheduled_handler_runs_at_each_firing() {
    let scheduled = Scheduled::new();
    let _manager = scheduled.start_every_minute();
    minutes(3).await;
    assert_eq!(scheduled.began.of("a"), [60, 120, 180]);
}

#[tokio::test(start_paused = true)]
async fn a_cron_expression_fires_by_the_clock_of_its_zone() {
    let scheduled = Scheduled::new();
    let noon = Schedule::cron("0 12 * * *", "Asia/Tokyo").unwrap();
    let _manager = scheduled.start(scheduled.handler(&["a"], noon));
    sleep(DAY).await;
    // The clock starts at midnight UTC, which is 9:00 in Tokyo.
    assert_eq!(scheduled.began.of("a"), [3 * 60 * 60]);
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_session_has_its_trigger_and_no_caller() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start_every_minute();
    minutes(1).await;
    let session = manager.history().await.unwrap().pop().unwrap();
    assert_eq!(session.trigger, Trigger::Scheduled);
    assert_eq!(session.end.unwrap().outcomes.get(&Outcome::Succeeded), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn an_item_with_a_schedule_of_its_own_runs_at_its_times_only() {
    let scheduled = Scheduled::new();
    let items = || Ok([item("own", every(2 * MINUTE)), SyncItem::named("shared")].into_iter().collect());
    let handler = scheduled.handler(&[], every(3 * MINUTE)).items(items);
    let manager = scheduled.start(handler);
    minutes(3).await; // the first listing tells the schedule of the item, so it counts from here
    assert_eq!((scheduled.began.of("shared"), scheduled.began.of("own")), (vec![180], vec![]));
    minutes(4).await;
    assert_eq!((scheduled.began.of("shared"), scheduled.began.of("own")), (vec![180, 360], vec![300, 420]));
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn items_with_equal_schedules_run_in_one_session() {
    let scheduled = Scheduled::new();
    let items = || Ok(["a", "b"].map(|name| item(name, every(MINUTE))).into_iter().collect());
    let handler = scheduled.began.handler(1, &[], |_, _| Ok(())).items(items);
    let manager = scheduled.start(handler);
    manager.update_all().unwrap().finish().await;
    minutes(1).await;
    assert_eq!((scheduled.began.of("a"), scheduled.began.of("b")), (vec![0, 60], vec![0, 60]));
    assert_eq!(manager.history().await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn handlers_whose_schedules_fire_together_share_a_session() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start_every_minute();
    let other = scheduled.began.handler(2, &["b"], |_, _| Ok(())).info(|info| info.with_schedule(every(MINUTE)));
    manager.register(other).unwrap();
    minutes(1).await;
    assert_eq!((scheduled.began.of("a"), scheduled.began.of("b")), (vec![60], vec![60]));
    assert_eq!(manager.history().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_not_chosen_does_not_run() {
    let scheduled = Scheduled::new();
    let unchecked = [(id("b"), Some(ItemState::Unchecked))].into_iter().collect();
    scheduled.store.write(vec![StateChange::Choices { handler: nth(1), items: unchecked }]).await.unwrap();
    let _manager = scheduled.start(scheduled.handler(&["a", "b"], every(MINUTE)));
    minutes(1).await;
    assert_eq!((scheduled.began.of("a"), scheduled.began.of("b")), (vec![60], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_run_takes_along_the_items_that_are_due_for_a_retry() {
    let scheduled = Scheduled::new();
    let items = || Ok([item("own", every(HOUR)), SyncItem::named("fails")].into_iter().collect());
    let act = |item: &syncmgr::ItemContext, times| match item.name() {
        "fails" => fail_until(times, 1),
        _ => Ok(()),
    };
    let handler = scheduled.began.handler(1, &[], act).items(items).info(|info| info.with_schedule(every(30 * MINUTE)));
    let manager = scheduled.start(handler);
    manager.session(Trigger::Manual).items(nth(1), [id("fails")]).start().unwrap().finish().await;
    minutes(1).await;
    assert_eq!(scheduled.began.of("fails"), [0, 30]);
    assert_eq!(manager.history().await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_backs_off_is_left_out_of_a_scheduled_run() {
    let scheduled = Scheduled::new();
    let fails = scheduled
        .began
        .handler(1, &["a"], |_, _| fail_until(1, 1))
        .info(|info| info.with_schedule(every(10 * Duration::from_secs(1))));
    let _manager = scheduled.start(fails);
    sleep(Duration::from_secs(35)).await;
    assert_eq!(scheduled.began.of("a"), [10]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_declines_uses_up_its_firing() {
    let scheduled = Scheduled::new();
    let began = scheduled.began.clone();
    let handler = scheduled.handler(&["a"], every(10 * MINUTE)).on_initialize(move |_| {
        let declines = began.note("initialize") == 1;
        async move { Ok(if declines { Participation::Decline } else { Participation::TakePart }) }.boxed()
    });
    let manager = scheduled.start(handler);
    minutes(25).await;
    assert_eq!((scheduled.began.of("initialize"), scheduled.began.of("a")), (vec![600, 1_200], vec![1_200]));
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_single_time_fires_once() {
    let scheduled = Scheduled::new();
    let once = Schedule::once(scheduled.clock.wall() + MINUTE).unwrap();
    let manager = scheduled.start(scheduled.handler(&["a"], once));
    sleep(DAY).await;
    assert_eq!(scheduled.began.of("a"), [60]);
    assert!(manager.agenda().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_the_next_listing_lacks_fires_no_more() {
    let scheduled = Scheduled::new();
    let listed = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let shown = listed.clone();
    let items = move || {
        let with_schedule = shown.load(std::sync::atomic::Ordering::Relaxed);
        Ok([if with_schedule { item("a", every(MINUTE)) } else { SyncItem::named("a") }].into_iter().collect())
    };
    let manager = scheduled.start(scheduled.began.handler(1, &[], |_, _| Ok(())).items(items));
    manager.update_all().unwrap().finish().await;
    minutes(1).await;
    listed.store(false, std::sync::atomic::Ordering::Relaxed);
    manager.update_all().unwrap().finish().await;
    minutes(5).await;
    assert_eq!(scheduled.began.of("a"), [0, 60, 60]);
    assert_eq!(scheduled.store.firings(nth(1)).unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_unregistered_handler_does_not_fire() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start_every_minute();
    minutes(1).await;
    assert!(manager.unregister(nth(1)));
    minutes(5).await;
    assert_eq!(scheduled.began.of("a"), [60]);
}

#[tokio::test(start_paused = true)]
async fn after_a_sleep_missed_firings_become_one() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start(scheduled.handler(&["a"], every(10 * MINUTE)));
    minutes(10).await;
    scheduled.clock.set_forward(8 * HOUR);
    minutes(1).await; // the clock is looked at once a minute
    assert_eq!(scheduled.began.of("a").len(), 2);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_sleep_a_schedule_may_skip_what_it_missed() {
    let scheduled = Scheduled::new();
    let nightly = Schedule::cron("30 2 * * *", "UTC").unwrap().with_missed(Missed::Skip);
    let manager = scheduled.start(scheduled.handler(&["a"], nightly));
    scheduled.clock.set_forward(8 * HOUR);
    minutes(2).await;
    assert!(scheduled.began.of("a").is_empty());
    let next = manager.agenda()[0].next;
    assert!(matches!(next, Next::At { time } if time > scheduled.clock.wall() + 12 * HOUR), "{next:?}");
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_repeats_no_firing() {
    let scheduled = Scheduled::new();
    let hourly = Schedule::cron("0 * * * *", "UTC").unwrap();
    let manager = scheduled.start(scheduled.handler(&["a"], hourly));
    sleep(2 * HOUR + MINUTE).await;
    scheduled.clock.set_back(90 * MINUTE);
    sleep(HOUR).await;
    assert_eq!(scheduled.began.of("a").len(), 2);
    sleep(90 * MINUTE).await;
    assert_eq!(scheduled.began.of("a").len(), 3);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_manual_run_at_the_time_of_a_firing_runs_no_item_twice_at_once() {
    let scheduled = Scheduled::new();
    let running = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let handler = scheduled.handler(&["a"], every(MINUTE)).on_item(move |_| {
        let running = running.clone();
        async move {
            assert_eq!(running.fetch_add(1, std::sync::atomic::Ordering::Relaxed), 0);
            sleep(50 * Duration::from_secs(1)).await;
            running.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        }
        .boxed()
    });
    let manager = scheduled.start(handler);
    sleep(30 * Duration::from_secs(1)).await;
    let manual = manager.update_all().unwrap();
    minutes(5).await;
    assert!(manual.report().await.is_success());
    let history = manager.history().await.unwrap();
    assert_eq!(history[0].trigger, Trigger::Manual);
    assert!(history[1..].iter().all(|session| session.trigger == Trigger::Scheduled) && history.len() > 1);
    manager.shutdown().await;
}
