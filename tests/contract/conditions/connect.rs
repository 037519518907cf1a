//! The connect delay: handlers wait until the network is stable.

use std::sync::Arc;
use std::time::Duration;

use syncmgr::environment::{Environment, Link, LinkKind, ManualEnvironment, Network};
use syncmgr::request::RegisterFlags;
use syncmgr::{SyncManager, Trigger};
use tokio::time::sleep;

use crate::retries::environment::{NEEDS, needing};
use crate::support::Scripted;
use crate::support::awaitable_host::within;
use crate::support::steps::{start_background, start_manual};
use crate::support::test_clock::{MINUTE, StartTimes, TestClock, builder_with_clock, fail_until};

const SECOND: Duration = Duration::from_secs(1);

fn offline() -> ManualEnvironment {
    ManualEnvironment::new(Environment::UNKNOWN.with_network(Network::Offline))
}

/// A manager with a connect delay of 10 s, whose handler is registered for connect.
fn manager(environment: &ManualEnvironment, handler: Scripted) -> SyncManager {
    let builder = builder_with_clock(&TestClock::new()).environment(environment.clone());
    let manager = builder.connect_delay(10 * SECOND).reconnect_interval(Duration::ZERO).build();
    manager.register_for(Arc::new(handler), RegisterFlags::CONNECT).expect("the handler is new");
    manager.start_scheduler().expect("there is a runtime");
    manager
}

#[tokio::test(start_paused = true)]
async fn r009_a_connect_waits_until_the_network_was_up_without_a_break() {
    let (began, environment) = (StartTimes::new(), offline());
    let handler = began.handler(1, &["a"], |_, _| Ok(()));
    let transcript = handler.transcript.clone();
    let _manager = manager(&environment, handler);
    sleep(SECOND).await;
    for _ in 0..5 {
        environment.set_network(Network::Online);
        sleep(9 * SECOND).await;
        environment.set_network(Network::Offline);
        sleep(SECOND).await;
    }
    assert!(began.of("a").is_empty());
    environment.set_network(Network::Online);
    sleep(MINUTE).await;
    assert_eq!(began.of("a"), [61]);
    assert!(transcript.of(&["initialize"])[0].contains("Connect"), "{:?}", transcript.lines());
}

#[tokio::test(start_paused = true)]
async fn another_link_begins_the_connect_delay_again() {
    let (began, environment) = (StartTimes::new(), offline());
    let _manager = manager(&environment, began.handler(1, &["a"], |_, _| Ok(())));
    sleep(SECOND).await;
    let on = |name: &str| {
        let link = Link::new(name, LinkKind::Wireless);
        environment.update(|known| known.with_network(Network::Online).with_link(link));
    };
    on("café");
    sleep(6 * SECOND).await;
    on("home");
    sleep(MINUTE).await;
    assert_eq!(began.of("a"), [17]);
}

#[tokio::test(start_paused = true)]
async fn a_backoff_ends_after_the_connect_delay() {
    let (began, environment) = (StartTimes::new(), offline());
    environment.set_network(Network::Online);
    let handler = began.handler(1, &["a"], |_, times| fail_until(times, 1));
    let manager = manager(&environment, handler);
    within(start_manual(&manager, 1).finish()).await;
    environment.set_network(Network::Offline);
    sleep(SECOND).await;
    environment.set_network(Network::Online);
    sleep(9 * SECOND).await;
    assert_eq!(began.of("a"), [0]);
    sleep(2 * SECOND).await;
    assert_eq!(began.of("a"), [0, 11]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_a_network_does_not_wait_for_the_connect_delay() {
    let (began, environment) = (StartTimes::new(), offline());
    let handler = needing(began.handler(1, &["a"], |_, _| Ok(())), NEEDS);
    let builder = builder_with_clock(&TestClock::new()).environment(environment.clone());
    let manager = builder.connect_delay(10 * SECOND).build();
    manager.register(handler).unwrap();
    within(start_background(&manager, 1).finish()).await;
    sleep(SECOND).await;
    environment.set_network(Network::Online);
    sleep(MINUTE).await;
    assert_eq!(began.of("a"), [1]);
    assert!(manager.session(Trigger::Connect).start().is_ok());
}
