//! Schedules across restarts.

use syncmgr::schedule::{Missed, Schedule};
use syncmgr::store::StateStore;
use syncmgr::{SyncItem, SyncManager};
use tokio::time::sleep;

use super::{Scheduled, every, item, minutes};
use crate::support::steps::nth;
use crate::support::test_clock::{DAY, HOUR, MINUTE};

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
