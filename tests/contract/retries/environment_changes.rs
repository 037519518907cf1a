//! Effects of changes of the environment.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use syncmgr::anyhow::anyhow;
use syncmgr::environment::{Environment, EnvironmentSource, ManualEnvironment, Network};
use syncmgr::store::MemoryStore;
use syncmgr::{Classify, Hold, Outcome, SyncManager, Trigger};
use tokio::time::sleep;

use crate::retries::environment::{NEEDS, assert_held, handler_needing_network, in_environment, needing};
use crate::support::awaitable_host::within;
use crate::support::id;
use crate::support::steps::{
    Steps, assert_succeeds, nth, outcome, register_all, start_background, start_manual, wait_until_idle,
};
use crate::support::test_clock::{
    DAY, EXACT, HOUR, StartTimes, TestClock, builder_with_clock, builder_with_store, transient_failure,
};

/// An environment source that reports one network state and ends.
struct EndingSource(Network);

impl EnvironmentSource for EndingSource {
    fn now(&self) -> Environment {
        Environment::UNKNOWN.with_network(self.0)
    }

    fn changes(&self) -> BoxStream<'static, Environment> {
        futures::stream::iter([Environment::UNKNOWN.with_network(self.0)]).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_returning_network_ends_a_backoff_but_not_a_wait_from_the_peer() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let environment = ManualEnvironment::new(Environment::UNKNOWN.with_network(Network::Online));
    let handler = began.handler(1, &["weak", "busy", "never"], |item, times| match (item.name(), times) {
        ("weak", 1) => transient_failure(),
        ("busy", 1) => Err(anyhow!("busy")).retry_after(HOUR),
        ("never", 1) => Err(anyhow!("never")).permanent(),
        _ => Ok(()),
    });
    let builder = builder_with_store(&clock, &store).retry(EXACT.with_initial(DAY)).environment(environment.clone());
    let manager = register_all(builder.build(), [needing(handler, NEEDS)]);
    within(start_manual(&manager, 1).finish()).await;
    for network in [Network::Metered, Network::Online, Network::Unknown, Network::Online] {
        environment.set_network(network);
        sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(began.of("weak"), [0], "a retry ran although the network was never offline");
    environment.set_network(Network::Offline);
    sleep(Duration::from_secs(5)).await;
    environment.set_network(Network::Online);
    sleep(Duration::from_secs(5)).await;
    assert_eq!([began.of("weak"), began.of("busy"), began.of("never")], [vec![0, 25], vec![0], vec![0]]);
    sleep(HOUR).await;
    assert_eq!((began.of("busy"), began.of("never").len()), (vec![0, 3600], 1));
}

#[tokio::test(start_paused = true)]
async fn a_retry_due_without_a_network_runs_once_it_is_online() {
    let (began, (builder, environment)) = (StartTimes::new(), in_environment(Network::Online));
    let handler = began.handler(1, &["a"], |_, times| if times == 1 { transient_failure() } else { Ok(()) });
    let manager = register_all(builder.build(), [needing(handler, NEEDS)]);
    within(start_manual(&manager, 1).finish()).await;
    environment.set_network(Network::Offline);
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [0]);
    environment.set_network(Network::Online);
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [0, 3600]);
}

#[tokio::test(start_paused = true)]
async fn a_backoff_ended_by_a_returning_network_is_cleared_in_the_store() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let environment = ManualEnvironment::new(Environment::UNKNOWN.with_network(Network::Online));
    let handler =
        began.handler(
            1,
            &["a:server", "b:server", "c:server"],
            |_, times| if times == 1 { transient_failure() } else { Ok(()) },
        );
    let builder = builder_with_store(&clock, &store).retry(EXACT.with_initial(DAY)).environment(environment.clone());
    let manager = register_all(builder.build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    manager.pause();
    environment.set_network(Network::Offline);
    wait_until_idle().await;
    environment.set_network(Network::Online);
    wait_until_idle().await;
    assert_eq!(syncmgr::store::StateStore::resources(&store).unwrap(), [].into());
}

#[tokio::test(start_paused = true)]
async fn running_items_continue_without_a_network() {
    let (steps, (builder, environment)) = (Steps::default(), in_environment(Network::Online));
    let manager = register_all(builder.build(), [needing(steps.handler(1, &["a", "b"]), NEEDS)]);
    let session = start_background(&manager, 1);
    assert_eq!(steps.running().await, "a b");
    environment.set_network(Network::Offline);
    steps.release(&["a", "b"]).await;
    let report = assert_succeeds(session).await;
    assert_eq!(outcome(&report, id("b")), Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_queued_run_checks_the_environment_when_it_starts() {
    let (steps, (builder, environment)) = (Steps::default(), in_environment(Network::Online));
    let manager = register_all(builder.build(), [needing(steps.handler(1, &["a", "b"]), NEEDS)]);
    let first = manager.session(Trigger::Scheduled).items(nth(1), [id("a")]).start().unwrap();
    let second = manager.session(Trigger::Scheduled).items(nth(1), [id("b")]).start().unwrap();
    assert_eq!(steps.running().await, "a");
    environment.set_network(Network::Offline);
    steps.release(&["a"]).await;
    assert_succeeds(first).await;
    assert_held(&within(second.finish()).await, &Hold::Offline);
    environment.set_network(Network::Metered);
    wait_until_idle().await;
    assert_eq!(steps.running().await, "", "a background session ran on a metered network");
    environment.set_network(Network::Online);
    assert_eq!(steps.running().await, "b");
}

#[tokio::test(start_paused = true)]
async fn the_last_value_of_an_ended_environment_source_stays_in_effect() {
    let began = StartTimes::new();
    let handler = began.handler(1, &["a"], |_, times| if times < 4 { transient_failure() } else { Ok(()) });
    let manager: SyncManager = register_all(
        builder_with_clock(&TestClock::new()).environment(EndingSource(Network::Online)).build(),
        [needing(handler, NEEDS)],
    );
    within(start_manual(&manager, 1).finish()).await;
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0, 30, 90, 210]);
    let offline = register_all(
        builder_with_clock(&TestClock::new()).environment(EndingSource(Network::Offline)).build(),
        [handler_needing_network(&began)],
    );
    assert_held(&within(start_background(&offline, 1).finish()).await, &Hold::Offline);
    sleep(DAY).await;
    assert!(within(offline.shutdown()).await.is_empty());
}
