//! What delays the run of a changed item.

use futures::FutureExt;
use syncmgr::environment::{Environment, ManualEnvironment, Network};
use syncmgr::explain::Next;
use syncmgr::handler::Capabilities;
use syncmgr::{Hold, Participation, Subject};
use tokio::time::sleep;

use super::{after_first_session, builder_with_changes, seconds, watched, watching, watching_and};
use crate::support::awaitable_host::within;
use crate::support::steps::{Steps, assert_succeeds, nth, register_all, start_manual};
use crate::support::test_clock::{DAY, HOUR, StartTimes, fail_until};
use crate::support::{Scripted, id};

#[tokio::test(start_paused = true)]
async fn without_a_network_a_change_waits_for_one() {
    let began = StartTimes::new();
    let environment = ManualEnvironment::new(Environment::UNKNOWN.with_network(Network::Online));
    let (builder, changes) = builder_with_changes();
    let handler = watching(&began, &["a"]).info(|info| info.with_capabilities(Capabilities::NEEDS_NETWORK));
    let manager = register_all(builder.environment(environment.clone()).build(), [handler]);
    assert_succeeds(start_manual(&manager, 1)).await;
    environment.set_network(Network::Offline);
    changes.changed("/a");
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [0]);
    let why = manager.explain_item(nth(1), id("a")).unwrap();
    assert_eq!(why.holds, [Hold::Offline]);
    environment.set_network(Network::Online);
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [0, 3600]);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_an_item_that_backs_off_waits_for_its_retry() {
    let began = StartTimes::new();
    let handler = watching_and(&began, &["a"], |_, times| fail_until(times, 1));
    let (builder, changes) = builder_with_changes();
    let manager = register_all(builder.build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    changes.changed("/a");
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0, 30]);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_disabled_item_or_handler_waits_until_it_is_enabled() {
    let began = StartTimes::new();
    let (manager, changes) = after_first_session(watching(&began, &["a"])).await;
    for subject in [Subject::Item(id("a")), Subject::Handler] {
        manager.disable(nth(1), subject, "large").await.unwrap();
        changes.changed("/a");
        seconds(100).await;
        manager.enable(nth(1), subject).await.unwrap();
        seconds(1).await;
    }
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0, 100, 201]);
}

#[tokio::test(start_paused = true)]
async fn changes_that_the_handler_declines_are_offered_again_after_a_wait() {
    let began = StartTimes::new();
    let declines = began.clone();
    let handler = watching(&began, &["a"]).on_initialize(move |_| {
        let declines = declines.note("initialize") == 2;
        async move { Ok(if declines { Participation::Decline } else { Participation::TakePart }) }.boxed()
    });
    let (_manager, changes) = after_first_session(handler).await;
    seconds(60).await;
    changes.changed("/a");
    sleep(DAY).await;
    assert_eq!((began.of("initialize"), began.of("a")), (vec![0, 65, 3665], vec![0, 3665]));
}

#[tokio::test(start_paused = true)]
async fn an_explanation_names_the_time_at_which_a_changed_item_runs() {
    let began = StartTimes::new();
    let (manager, changes) = after_first_session(watching(&began, &["a", "b"])).await;
    assert_eq!(manager.explain_item(nth(1), id("a")).unwrap().next, Next::WhenRequested);
    changes.changed("/a");
    seconds(1).await;
    assert!(matches!(manager.explain_item(nth(1), id("a")).unwrap().next, Next::At { .. }));
    assert!(matches!(manager.explain_handler(nth(1)).unwrap().next, Next::At { .. }));
    assert_eq!(manager.explain_item(nth(1), id("b")).unwrap().next, Next::WhenRequested);
}

#[tokio::test(start_paused = true)]
async fn a_change_runs_after_the_automatic_run_that_is_active() {
    let (steps, (builder, changes)) = (Steps::default(), builder_with_changes());
    let handler = steps.handler(1, &["a", "b"]).items(|| Ok(watched(&["a", "b"])));
    let manager = register_all(builder.build(), [handler]);
    let first = start_manual(&manager, 1);
    steps.release(&["a", "b"]).await;
    assert_succeeds(first).await;
    changes.changed("/a");
    seconds(1).await;
    changes.changed("/b");
    seconds(60).await;
    assert_eq!((steps.running().await.as_str(), manager.sessions().len()), ("a", 1));
    steps.release(&["a"]).await;
    seconds(1).await;
    assert_eq!(steps.running().await, "b");
    steps.open("b");
    seconds(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_cannot_begin_is_not_started_for_each_change() {
    let began = StartTimes::new();
    let fails = began.clone();
    let handler: Scripted = watching(&began, &["a"]).on_prepare(move |_| {
        let times = fails.note("prepare");
        async move { if times == 1 { Ok(()) } else { fail_until(times, 2) } }.boxed()
    });
    let (_manager, changes) = after_first_session(handler).await;
    seconds(60).await;
    for _ in 0..10 {
        changes.changed("/a");
        seconds(1).await;
    }
    sleep(DAY).await;
    assert_eq!(began.of("prepare").len(), 3, "{:?}", began.of("prepare"));
    assert_eq!(began.of("a").len(), 2);
}
