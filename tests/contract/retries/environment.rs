//! Holds that the environment causes, and runs after the environment changes.

use syncmgr::environment::{Environment, ManualEnvironment, Network, Power, Presence};
use syncmgr::handler::Capabilities;
use syncmgr::item::ItemState;
use syncmgr::retry::StartReason;
use syncmgr::store::{MemoryStore, SessionOutcome};
use syncmgr::{HandlerInfo, Hold, Report, RunEnding, SyncItem, SyncManagerBuilder, Trigger};
use tokio::time::sleep;

use crate::support::awaitable_host::within;
use crate::support::steps::{
    Steps, assert_succeeds, nth, register_all, start_background, start_manual, start_session, wait_until_idle,
};
use crate::support::test_clock::{DAY, MINUTE, StartTimes, TestClock, builder_with_clock};
use crate::support::{Scripted, id};

pub(crate) const NEEDS: Capabilities = Capabilities::NEEDS_NETWORK;

pub(crate) fn needing(handler: Scripted, capabilities: Capabilities) -> Scripted {
    handler.info(|info: HandlerInfo| info.with_capabilities(capabilities))
}

/// A handler that needs a network and notes the start times of its item.
pub(crate) fn handler_needing_network(began: &StartTimes) -> Scripted {
    needing(began.handler(1, &["a"], |_, _| Ok(())), NEEDS)
}

pub(crate) fn in_environment(network: Network) -> (SyncManagerBuilder, ManualEnvironment) {
    let environment = ManualEnvironment::new(Environment::UNKNOWN.with_network(network));
    (builder_with_clock(&TestClock::new()).environment(environment.clone()), environment)
}

pub(crate) fn assert_held(report: &Report, hold: &Hold) {
    assert_eq!((report.runs[0].ending, &report.runs[0].hold), (Some(RunEnding::Held), &Some(hold.clone())), "{report}");
    assert!(report.runs[0].log.is_empty() && report.items().count() == 0, "{report}");
}

#[tokio::test(start_paused = true)]
async fn without_a_network_a_handler_that_needs_one_is_held_and_has_not_failed() {
    let (began, store) = (StartTimes::new(), MemoryStore::new());
    let handler = handler_needing_network(&began);
    let (builder, _environment) = in_environment(Network::Offline);
    let manager = register_all(builder.store(store.clone()).build(), [handler.clone()]);
    for trigger in [Trigger::Manual, Trigger::Scheduled, Trigger::Connect] {
        assert_held(&within(start_session(&manager, trigger, 1).finish()).await, &Hold::Offline);
    }
    assert!(handler.transcript.lines().is_empty(), "the handler was called");
    assert!(manager.log(nth(1)).await.unwrap().is_empty());
    let history = manager.history().await.unwrap();
    assert_eq!(history.len(), 3);
    assert!(
        history.iter().all(|record| record.end.as_ref().is_some_and(|end| end.outcome != SessionOutcome::Interrupted))
    );
    let forced = manager.session(Trigger::Scheduled).handlers([nth(1)]).force().start().unwrap();
    assert_succeeds(forced).await;
    assert_eq!(began.of("a"), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_runs_if_the_network_is_unknown_or_not_needed() {
    for (network, capabilities) in
        [(Network::Unknown, NEEDS), (Network::Online, NEEDS), (Network::Offline, Capabilities::default())]
    {
        let began = StartTimes::new();
        let handler = needing(began.handler(1, &["a"], |_, _| Ok(())), capabilities);
        let manager = register_all(in_environment(network).0.build(), [handler]);
        assert_succeeds(start_background(&manager, 1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_for_a_network_starts_once_it_is_online() {
    let (steps, (builder, environment)) = (Steps::default(), in_environment(Network::Offline));
    let manager = register_all(builder.build(), [needing(steps.handler(1, &["a"]), NEEDS)]);
    for trigger in [Trigger::Manual, Trigger::Scheduled, Trigger::Scheduled, Trigger::Idle] {
        assert_held(&within(start_session(&manager, trigger, 1).finish()).await, &Hold::Offline);
    }
    sleep(DAY).await;
    assert!(manager.sessions().is_empty());
    environment.set_network(Network::Online);
    assert_eq!(steps.running().await, "a");
    let [session] = &manager.sessions()[..] else { panic!("expected one session: {:?}", manager.sessions()) };
    assert_eq!(session.reason(), StartReason::HoldLifted);
    steps.release(&["a"]).await;
    environment.set_network(Network::Offline);
    environment.set_network(Network::Online);
    sleep(DAY).await;
    assert_eq!(steps.began(), "a");
}

#[tokio::test(start_paused = true)]
async fn waiting_explicit_items_run_together_without_the_other_items() {
    let (began, (builder, environment)) = (StartTimes::new(), in_environment(Network::Offline));
    let handler = needing(began.handler(1, &["a", "b", "c"], |_, _| Ok(())), NEEDS);
    let manager = register_all(builder.build(), [handler]);
    for name in ["a", "b", "a"] {
        within(manager.session(Trigger::Manual).items(nth(1), [id(name)]).start().unwrap().finish()).await;
    }
    environment.set_network(Network::Online);
    sleep(MINUTE).await;
    assert_eq!(["a", "b", "c"].map(|name| began.of(name).len()), [1, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_item_runs_although_a_run_that_leaves_it_out_waits_too() {
    let (began, (builder, environment)) = (StartTimes::new(), in_environment(Network::Offline));
    let handler = needing(began.handler(1, &[], |_, _| Ok(())), NEEDS);
    let listed = || [SyncItem::named("a").with_state(ItemState::Unchecked), SyncItem::named("b")];
    let manager = register_all(builder.build(), [handler.items(move || Ok(listed().into_iter().collect()))]);
    for trigger in [Trigger::Manual, Trigger::Scheduled] {
        within(manager.session(trigger).items(nth(1), [id("a")]).start().unwrap().finish()).await;
        within(start_session(&manager, trigger, 1).finish()).await;
    }
    environment.set_network(Network::Online);
    sleep(MINUTE).await;
    assert_eq!(["a", "b"].map(|name| began.of(name).len()), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_unregistered_while_it_waits_starts_once_it_is_registered_again() {
    let (began, (builder, environment)) = (StartTimes::new(), in_environment(Network::Offline));
    let manager = register_all(builder.build(), [handler_needing_network(&began)]);
    within(start_background(&manager, 1).finish()).await;
    manager.unregister(nth(1));
    environment.set_network(Network::Online);
    sleep(MINUTE).await;
    assert!(began.of("a").is_empty() && manager.sessions().is_empty());
    let _manager = register_all(manager, [handler_needing_network(&began)]);
    sleep(MINUTE).await;
    assert_eq!(began.of("a"), [60]);
}

#[tokio::test(start_paused = true)]
async fn only_low_data_handlers_and_manual_sessions_use_a_metered_network() {
    for (trigger, capabilities, runs) in [
        (Trigger::Scheduled, NEEDS, false),
        (Trigger::Scheduled, NEEDS | Capabilities::LOW_DATA, true),
        (Trigger::Scheduled, Capabilities::default(), true),
        (Trigger::Manual, NEEDS, true),
        (Trigger::Invoke, NEEDS, true),
    ] {
        let (began, (builder, environment)) = (StartTimes::new(), in_environment(Network::Metered));
        let handler = needing(began.handler(1, &["a"], |_, _| Ok(())), capabilities);
        let manager = register_all(builder.build(), [handler]);
        let report = within(start_session(&manager, trigger, 1).finish()).await;
        assert_eq!(report.is_success(), runs, "{trigger:?} {capabilities:?}");
        if !runs {
            assert_held(&report, &Hold::Metered);
        }
        environment.set_network(Network::Online);
        sleep(MINUTE).await;
        assert_eq!(began.of("a").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn idle_sessions_run_on_mains_power_only() {
    let began = StartTimes::new();
    let environment = ManualEnvironment::new(Environment::UNKNOWN.with_power(Power::Battery));
    let manager = register_all(
        builder_with_clock(&TestClock::new()).environment(environment.clone()).build(),
        [began.handler(1, &["a"], |_, _| Ok(()))],
    );
    assert_held(&within(start_session(&manager, Trigger::Idle, 1).finish()).await, &Hold::OnBattery);
    environment.set_user(Presence::Absent);
    wait_until_idle().await;
    assert!(began.of("a").is_empty());
    environment.set_power(Power::Mains);
    wait_until_idle().await;
    assert_eq!(began.of("a").len(), 1);
    environment.set_power(Power::Battery);
    assert_succeeds(start_session(&manager, Trigger::Scheduled, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_held_manual_request_runs_unattended_once_online() {
    let (began, (builder, environment)) = (StartTimes::new(), in_environment(Network::Offline));
    let handler = handler_needing_network(&began);
    let transcript = handler.transcript.clone();
    let manager = register_all(builder.build(), [handler]);
    within(manager.session(Trigger::Manual).may_bother_user().start().unwrap().finish()).await;
    environment.set_network(Network::Online);
    sleep(MINUTE).await;
    let begun = transcript.of(&["initialize"]);
    assert_eq!(begun.len(), 1);
    assert!(!begun[0].contains("MAY_BOTHER_USER"), "{begun:?}");
}

#[tokio::test(start_paused = true)]
async fn a_held_manual_request_runs_on_a_metered_network() {
    let (began, (builder, environment)) = (StartTimes::new(), in_environment(Network::Offline));
    let manager = register_all(builder.build(), [handler_needing_network(&began)]);
    assert_held(&within(start_manual(&manager, 1).finish()).await, &Hold::Offline);
    environment.set_network(Network::Metered);
    sleep(MINUTE).await;
    assert_eq!(began.of("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_drops_all_waiting_requests() {
    let alive = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let (began, (builder, environment)) = (StartTimes::new(), in_environment(Network::Offline));
    let manager = register_all(builder.build(), [handler_needing_network(&began)]);
    within(start_background(&manager, 1).finish()).await;
    within(manager.shutdown()).await;
    environment.set_network(Network::Online);
    sleep(MINUTE).await;
    assert!(began.of("a").is_empty());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), alive);
}
