//! Handlers that are registered for the event that the network comes up.

use std::sync::Arc;
use std::time::Duration;

use syncmgr::SyncManager;
use syncmgr::environment::{Environment, ManualEnvironment, Network};
use syncmgr::request::RegisterFlags;
use tokio::time::sleep;

use crate::support::Scripted;
use crate::support::awaitable_host::within;
use crate::support::steps::{nth, start_manual};
use crate::support::test_clock::{StartTimes, TestClock, builder_with_clock, fail_until};

const SECOND: Duration = Duration::from_secs(1);

fn set(environment: &ManualEnvironment, network: Network) {
    environment.set(Environment::UNKNOWN.with_network(network));
}

fn manager(environment: &ManualEnvironment, handler: Scripted, flags: RegisterFlags) -> SyncManager {
    let manager = builder_with_clock(&TestClock::new()).environment(environment.clone()).build();
    manager.register_for(Arc::new(handler), flags).expect("the handler is new");
    manager.start_scheduler().expect("there is a runtime");
    manager
}

#[tokio::test(start_paused = true)]
async fn a_handler_registered_for_connect_runs_when_the_network_comes_up() {
    let (began, environment) = (StartTimes::new(), ManualEnvironment::default());
    set(&environment, Network::Offline);
    let manager = manager(&environment, began.handler(1, &["a"], |_, _| Ok(())), RegisterFlags::CONNECT);
    sleep(SECOND).await;
    set(&environment, Network::Online);
    sleep(SECOND).await;
    assert_eq!(began.of("a"), [1]);
    assert!(manager.shutdown().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_not_registered_for_connect_does_not_run_then() {
    let (began, environment) = (StartTimes::new(), ManualEnvironment::default());
    set(&environment, Network::Offline);
    let handler = began.handler(1, &["a"], |_, _| Ok(()));
    let manager = manager(&environment, handler, RegisterFlags::CONNECT);
    manager.set_flags(nth(1), RegisterFlags::IDLE).unwrap();
    set(&environment, Network::Online);
    sleep(SECOND).await;
    assert!(began.of("a").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_network_that_flaps_starts_one_run_per_reconnect_interval() {
    let (began, environment) = (StartTimes::new(), ManualEnvironment::default());
    set(&environment, Network::Offline);
    let _manager = manager(&environment, began.handler(1, &["a"], |_, _| Ok(())), RegisterFlags::CONNECT);
    sleep(SECOND).await;
    for _ in 0..1_000 {
        set(&environment, Network::Online);
        sleep(Duration::from_millis(1)).await;
        set(&environment, Network::Offline);
        sleep(Duration::from_millis(1)).await;
    }
    set(&environment, Network::Online);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(began.of("a"), [1, 6]);
}

#[tokio::test(start_paused = true)]
async fn the_run_at_connect_also_serves_the_item_whose_backoff_ends() {
    let (began, environment) = (StartTimes::new(), ManualEnvironment::default());
    let handler = began.handler(1, &["a", "b"], |item, times| fail_until(times, usize::from(item.name() == "a")));
    let manager = manager(&environment, handler, RegisterFlags::CONNECT);
    within(start_manual(&manager, 1).finish()).await;
    set(&environment, Network::Offline);
    sleep(SECOND).await;
    set(&environment, Network::Online);
    sleep(SECOND).await;
    assert_eq!((began.of("a"), began.of("b")), (vec![0, 1], vec![0, 1]));
}
