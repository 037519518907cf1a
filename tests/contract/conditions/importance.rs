//! Important handlers and items come first in automatic work.

use std::sync::Arc;
use std::time::Duration;

use syncmgr::environment::{Clock, Ending, EndingKind, Environment, ManualEnvironment};
use syncmgr::handler::Importance;
use syncmgr::request::RegisterFlags;
use syncmgr::{SyncItem, SyncManager};
use tokio::time::sleep;

use crate::support::Scripted;
use crate::support::steps::{
    Steps, assert_succeeds, manager_with_max_items, start_background, start_manual, wait_until_idle,
};
use crate::support::test_clock::{TestClock, builder_with_clock};

fn important(handler: Scripted, importance: Importance) -> Scripted {
    handler.info(|info| info.with_importance(importance))
}

/// A handler with one item at a time: `low`, `normal` and `high`, in this order.
fn with_important_items(steps: &Steps) -> Scripted {
    let items = || {
        [
            SyncItem::named("low").with_importance(Importance::Low),
            SyncItem::named("normal"),
            SyncItem::named("high").with_importance(Importance::High),
        ]
    };
    ["low", "normal", "high"].iter().for_each(|item| steps.open(item));
    let handler = steps.handler(1, &[]).items(move || Ok(items().into_iter().collect()));
    handler.info(|info| info.with_limits(syncmgr::Limits::DEFAULT.with_items(1)))
}

#[tokio::test(start_paused = true)]
async fn important_items_of_an_automatic_run_begin_first() {
    let steps = Steps::default();
    let manager = manager_with_max_items(8, [with_important_items(&steps)]);
    let report = assert_succeeds(start_background(&manager, 1)).await;
    assert_eq!(steps.began(), "high normal low");
    assert_eq!(report.items().count(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_items_of_a_requested_run_keep_their_order() {
    let steps = Steps::default();
    let manager = manager_with_max_items(8, [with_important_items(&steps)]);
    assert_succeeds(start_manual(&manager, 1)).await;
    assert_eq!(steps.began(), "low normal high");
}

#[tokio::test(start_paused = true)]
async fn an_important_automatic_run_overtakes_others_but_not_a_requested_one() {
    let steps = Steps::default();
    let of = |number, item, importance| important(steps.handler(number, &[item]), importance);
    let handlers = [
        of(1, "running", Importance::Normal),
        of(2, "low", Importance::Low),
        of(3, "normal", Importance::Normal),
        of(4, "high", Importance::High),
        of(5, "manual", Importance::Low),
    ];
    let manager = manager_with_max_items(1, handlers);
    let mut sessions = vec![start_background(&manager, 1)];
    wait_until_idle().await;
    sessions.extend([2, 3, 4].map(|number| start_background(&manager, number)));
    sessions.push(start_manual(&manager, 5));
    wait_until_idle().await;
    ["running", "low", "normal", "high", "manual"].iter().for_each(|item| steps.open(item));
    for session in sessions {
        assert_succeeds(session).await;
    }
    assert_eq!(steps.began(), "running manual high normal low");
}

#[tokio::test(start_paused = true)]
async fn the_time_before_the_machine_sleeps_is_used_for_important_work() {
    let (steps, clock, environment) = (Steps::default(), TestClock::new(), ManualEnvironment::default());
    let builder = builder_with_clock(&clock).environment(environment.clone()).max_concurrent_items(1);
    let manager: SyncManager = builder.build();
    let handlers = [(1, "low", Importance::Low), (2, "normal", Importance::Normal), (3, "high", Importance::High)];
    for (number, item, importance) in handlers {
        let handler = important(steps.handler(number, &[item]), importance);
        manager.register_for(Arc::new(handler), RegisterFlags::PENDING_DISCONNECT).unwrap();
    }
    manager.start_scheduler().unwrap();
    wait_until_idle().await;
    let deadline = clock.now().wall + Duration::from_secs(5);
    environment.set(Environment::UNKNOWN.with_ending(Ending::new(EndingKind::Sleep, deadline)));
    wait_until_idle().await;
    for item in ["high", "normal", "low"] {
        steps.open(item);
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(steps.began(), "high normal low");
}
