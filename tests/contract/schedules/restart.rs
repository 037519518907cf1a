//! Schedules across restarts.

use futures::FutureExt;
use syncmgr::environment::Power;
use syncmgr::handler::Requirement;
use syncmgr::schedule::{Missed, Schedule};
use syncmgr::store::StateStore;
use syncmgr::{Hold, SyncItem, SyncManager, Trigger};
use tokio::time::sleep;

use super::{Scheduled, every, item, minutes};
use crate::support::steps::{nth, wait_until_idle};
use crate::support::test_clock::{DAY, HOUR, MINUTE};
use crate::support::{Scripted, id};

async fn restart(scheduled: &Scheduled, manager: SyncManager, handler: crate::support::Scripted) -> SyncManager {
    manager.shutdown().await;
    drop(manager);
    scheduled.start(handler)
}

#[tokio::test(start_paused = true)]
async fn a_restart_neither_loses_nor_repeats_a_firing() {
    let scheduled = Scheduled::new();
    let mut manager = scheduled.start(scheduled.handler(&["a"], every(10 * MINUTE)));
    for _ in 0..10 {
        minutes(3).await;
        manager = restart(&scheduled, manager, scheduled.handler(&["a"], every(10 * MINUTE))).await;
    }
    assert_eq!(scheduled.began.of("a"), [600, 1_200, 1_800]);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_firing_that_was_missed_while_no_manager_ran_is_caught_up_once() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start(scheduled.handler(&["a"], every(HOUR)));
    sleep(MINUTE).await;
    manager.shutdown().await;
    drop(manager);
    sleep(5 * HOUR).await;
    let manager = scheduled.start(scheduled.handler(&["a"], every(HOUR)));
    minutes(1).await;
    assert_eq!(scheduled.began.of("a").len(), 1);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_schedule_may_skip_what_it_missed_while_no_manager_ran() {
    let scheduled = Scheduled::new();
    let schedule = || Schedule::cron("0 * * * *", "UTC").unwrap().with_missed(Missed::Skip);
    let manager = scheduled.start(scheduled.handler(&["a"], schedule()));
    sleep(MINUTE).await;
    manager.shutdown().await;
    drop(manager);
    sleep(5 * HOUR + 30 * MINUTE).await;
    let manager = scheduled.start(scheduled.handler(&["a"], schedule()));
    minutes(1).await;
    assert!(scheduled.began.of("a").is_empty());
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_schedule_of_an_item_fires_after_a_restart_without_a_listing() {
    let scheduled = Scheduled::new();
    let items = || Ok([item("a", every(HOUR)), SyncItem::named("b")].into_iter().collect());
    let handler = || scheduled.began.handler(1, &[], |_, _| Ok(())).items(items);
    let manager = scheduled.start(handler());
    manager.update_all().unwrap().finish().await;
    let manager = restart(&scheduled, manager, handler()).await;
    sleep(HOUR + MINUTE).await;
    assert_eq!((scheduled.began.of("a"), scheduled.began.of("b")), (vec![0, 3_600], vec![0]));
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_firing_whose_run_had_not_started_fires_again_after_a_crash() {
    let scheduled = Scheduled::new();
    let slow = |_: &syncmgr::ItemContext, _| Ok(());
    let handler = || scheduled.began.handler(1, &["a"], slow).info(|info| info.with_schedule(every(MINUTE)));
    let manager = scheduled.start(handler());
    manager.disable(nth(1), syncmgr::Subject::Handler, "moves house").await.unwrap();
    minutes(1).await; // it fires, and waits
    let crashed = Scheduled { store: scheduled.store.after_crash(), ..scheduled };
    drop(manager);
    let manager = crashed.start(crashed.handler(&["a"], every(MINUTE)));
    manager.enable(nth(1), syncmgr::Subject::Handler).await.unwrap();
    sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(crashed.began.of("a").len(), 1);
    manager.shutdown().await;
}

/// A handler with the item `a`, and with `b`, which requires mains power. Both have the same schedule.
fn with_requirement(scheduled: &Scheduled) -> Scripted {
    let items = || Ok([SyncItem::named("a"), SyncItem::named("b").requires(Requirement::Mains)].into_iter().collect());
    scheduled.handler(&[], every(HOUR)).items(items)
}

#[tokio::test(start_paused = true)]
async fn an_item_that_waits_for_a_requirement_runs_once_it_is_met_after_a_restart() {
    let scheduled = Scheduled::new();
    scheduled.environment.set_power(Power::Battery);
    let mut manager = scheduled.start(with_requirement(&scheduled));
    minutes(60).await;
    for _ in 0..2 {
        assert_eq!((scheduled.began.of("a"), scheduled.began.of("b")), (vec![3_600], vec![]));
        manager = restart(&scheduled, manager, with_requirement(&scheduled)).await;
        minutes(10).await;
    }
    scheduled.environment.set_power(Power::Mains);
    wait_until_idle().await;
    assert_eq!((scheduled.began.of("a").len(), scheduled.began.of("b").len()), (1, 1));
    let manager = restart(&scheduled, manager, with_requirement(&scheduled)).await;
    minutes(10).await;
    assert_eq!((scheduled.began.of("a").len(), scheduled.began.of("b").len()), (1, 1));
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_item_waits_for_its_requirement_after_a_crash_and_a_new_registration() {
    let scheduled = Scheduled::new();
    scheduled.environment.set_power(Power::Battery);
    let manager = scheduled.start(with_requirement(&scheduled));
    minutes(60).await;
    let crashed = Scheduled { store: scheduled.store.after_crash(), ..scheduled };
    drop(manager);
    let manager = crashed.start(with_requirement(&crashed));
    minutes(1).await;
    assert!(manager.unregister(nth(1)));
    manager.register(with_requirement(&crashed)).unwrap();
    minutes(1).await;
    assert_eq!(manager.explain_item(nth(1), id("b")).unwrap().holds, [Hold::OnBattery]);
    crashed.environment.set_power(Power::Mains);
    wait_until_idle().await;
    assert_eq!((crashed.began.of("a").len(), crashed.began.of("b").len()), (1, 1));
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_item_that_ran_on_request_no_longer_waits_after_a_restart() {
    let scheduled = Scheduled::new();
    scheduled.environment.set_power(Power::Battery);
    let manager = scheduled.start(with_requirement(&scheduled));
    minutes(60).await;
    manager.session(Trigger::Manual).items(nth(1), [id("b")]).start().unwrap().finish().await;
    let manager = restart(&scheduled, manager, with_requirement(&scheduled)).await;
    scheduled.environment.set_power(Power::Mains);
    minutes(10).await;
    assert_eq!(scheduled.began.of("b").len(), 1);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_firing_whose_run_waits_when_it_begins_runs_after_a_restart() {
    let scheduled = Scheduled::new();
    let handler = || scheduled.handler(&["a"], every(HOUR)).info(|info| info.requires(Requirement::Mains));
    let began = scheduled.began.clone();
    let slow = handler().on_item(move |item| {
        began.note(item.name());
        sleep(5 * MINUTE).map(Ok).boxed()
    });
    let manager = scheduled.start(slow);
    sleep(HOUR - MINUTE).await;
    let manual = manager.update_all().unwrap();
    minutes(1).await; // it fires, and the run waits for the end of the manual one
    scheduled.environment.set_power(Power::Battery);
    manual.finish().await;
    minutes(1).await;
    let manager = restart(&scheduled, manager, handler()).await;
    assert_eq!(scheduled.began.of("a").len(), 1);
    scheduled.environment.set_power(Power::Mains);
    minutes(1).await;
    assert_eq!(scheduled.began.of("a").len(), 2);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn forgetting_a_handler_forgets_its_firings() {
    let scheduled = Scheduled::new();
    let manager = scheduled.start(scheduled.handler(&["a"], every(DAY)));
    assert_eq!(scheduled.store.firings(nth(1)).unwrap().len(), 1);
    manager.forget(nth(1)).await.unwrap();
    assert_eq!(scheduled.store.firings(nth(1)).unwrap().len(), 0);
    minutes(1).await;
    manager.shutdown().await;
}
