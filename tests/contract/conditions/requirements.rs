//! Automatic work that requires conditions of its environment.

use futures::FutureExt;
use syncmgr::environment::{Environment, ManualEnvironment, Network, Power};
use syncmgr::handler::Requirement;
use syncmgr::request::RequestError;
use syncmgr::{HandlerInfo, Hold, LogLevel, Outcome, Subject, SyncItem, Trigger};

use crate::retries::environment::assert_held;
use crate::support::awaitable_host::within;
use crate::support::steps::{
    assert_succeeds, hold_of, nth, outcome, register_all, start_background, start_manual, start_session,
    wait_until_idle,
};
use crate::support::test_clock::{HOUR, StartTimes, TestClock, builder_with_clock, transient_failure};
use crate::support::{Scripted, id};

fn on_battery() -> ManualEnvironment {
    ManualEnvironment::new(Environment::UNKNOWN.with_power(Power::Battery))
}

fn requires_mains(handler: Scripted) -> Scripted {
    handler.info(|info: HandlerInfo| info.requires(Requirement::Mains))
}

/// A handler with the items `plain`, `plugged`, which requires mains power, and `wifi`, which requires an unmetered network.
fn handler(began: &StartTimes) -> Scripted {
    let items = || {
        [
            SyncItem::named("plain"),
            SyncItem::named("plugged").requires(Requirement::Mains),
            SyncItem::named("wifi").requires(Requirement::UnmeteredNetwork),
        ]
    };
    began.handler(1, &[], |_, _| Ok(())).items(move || Ok(items().into_iter().collect()))
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_requirement_is_not_met_waits_and_has_not_failed() {
    let (began, environment) = (StartTimes::new(), on_battery());
    let handler = requires_mains(began.handler(1, &["a"], |_, _| Ok(())));
    let builder = builder_with_clock(&TestClock::new()).environment(environment.clone());
    let manager = register_all(builder.build(), [handler]);
    assert_held(&within(start_background(&manager, 1).finish()).await, &Hold::OnBattery);
    assert_eq!(manager.explain_handler(nth(1)).unwrap().holds, [Hold::OnBattery]);
    environment.set_network(Network::Metered);
    wait_until_idle().await;
    assert!(began.of("a").is_empty());
    environment.set_power(Power::Mains);
    wait_until_idle().await;
    assert_eq!(began.of("a"), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_requested_run_does_not_wait_for_requirements() {
    for trigger in [Trigger::Manual, Trigger::Invoke] {
        let began = StartTimes::new();
        let handler = requires_mains(handler(&began));
        let environment = on_battery();
        environment.set_network(Network::Metered);
        let builder = builder_with_clock(&TestClock::new()).environment(environment);
        let manager = register_all(builder.build(), [handler]);
        assert_succeeds(start_session(&manager, trigger, 1)).await;
        assert_eq!(["plain", "plugged", "wifi"].map(|item| began.of(item).len()), [1, 1, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_requirement_is_not_met_is_left_out_and_runs_once_it_is() {
    let (began, environment) = (StartTimes::new(), on_battery());
    environment.set_network(Network::Metered);
    let builder = builder_with_clock(&TestClock::new()).environment(environment.clone());
    let manager = register_all(builder.build(), [handler(&began)]);
    let report = within(start_background(&manager, 1).finish()).await;
    assert_eq!(outcome(&report, id("plain")), Outcome::Succeeded);
    assert_eq!(hold_of(&report, id("plugged")), Some(Hold::OnBattery));
    assert_eq!(hold_of(&report, id("wifi")), Some(Hold::Metered));
    let why = manager.explain_item(nth(1), id("plugged")).unwrap();
    assert_eq!(why.holds, [Hold::OnBattery]);
    assert!(manager.explain_item(nth(1), id("plain")).unwrap().holds.is_empty());
    tokio::time::sleep(HOUR).await;
    environment.set_power(Power::Mains);
    tokio::time::sleep(HOUR).await;
    environment.set_network(Network::Online);
    tokio::time::sleep(HOUR).await;
    assert_eq!(["plain", "plugged", "wifi"].map(|item| began.of(item)), [vec![0], vec![3_600], vec![7_200]]);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_disabled_when_its_wait_is_over_runs_once_it_is_enabled() {
    let (began, environment) = (StartTimes::new(), on_battery());
    let items = || ["a", "b"].map(|name| SyncItem::named(name).requires(Requirement::Mains));
    let items = move || Ok(items().into_iter().chain([SyncItem::named("slow")]).collect());
    let starts = began.clone();
    let handler = began.handler(1, &[], |_, _| Ok(())).items(items).on_item(move |item| {
        starts.note(item.name());
        let is_slow = item.name() == "slow";
        async move {
            if is_slow {
                tokio::time::sleep(HOUR).await
            }
        }
        .map(Ok)
        .boxed()
    });
    let builder = builder_with_clock(&TestClock::new()).environment(environment.clone());
    let manager = register_all(builder.build(), [handler]);
    within(start_background(&manager, 1).finish()).await;
    let manual = manager.session(Trigger::Manual).items(nth(1), [id("slow")]).start().unwrap();
    wait_until_idle().await;
    environment.set_power(Power::Mains);
    wait_until_idle().await; // the run of the two items waits for the end of the manual one
    manager.disable(nth(1), Subject::Item(id("a")), "too large").await.unwrap();
    within(manual.finish()).await;
    wait_until_idle().await;
    assert_eq!((began.of("a"), began.of("b").len()), (vec![], 1));
    manager.enable(nth(1), Subject::Item(id("a"))).await.unwrap();
    wait_until_idle().await;
    assert_eq!(began.of("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_due_waits_for_the_requirement_of_its_item() {
    let (began, environment) = (StartTimes::new(), on_battery());
    let handler = began.handler(1, &[], |_, times| if times == 1 { transient_failure() } else { Ok(()) });
    let handler = handler.items(|| Ok([SyncItem::named("a").requires(Requirement::Mains)].into_iter().collect()));
    let builder = builder_with_clock(&TestClock::new()).environment(environment.clone());
    let manager = register_all(builder.build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    tokio::time::sleep(24 * HOUR).await;
    assert_eq!(began.of("a"), [0]);
    assert_eq!(manager.explain_item(nth(1), id("a")).unwrap().holds, [Hold::OnBattery]);
    environment.set_power(Power::Mains);
    wait_until_idle().await;
    assert_eq!(began.of("a"), [0, 86_400]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_condition_counts_as_met() {
    let began = StartTimes::new();
    let handler = requires_mains(handler(&began));
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [handler]);
    assert_succeeds(start_background(&manager, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_with_contradictory_requirements_cannot_be_registered() {
    let handler =
        Scripted::new(&["a"]).info(|info| info.requires(Requirement::ActiveUser).requires(Requirement::IdleUser));
    let manager = syncmgr::SyncManager::new();
    let (first, second) = (Requirement::IdleUser, Requirement::ActiveUser);
    let handler_id = crate::support::HANDLER;
    let error = RequestError::Contradictory { handler: handler_id, first, second };
    assert_eq!(manager.register(handler), Err(error));
    assert!(manager.handlers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_item_that_contradicts_its_handler_is_left_out_and_logged() {
    let handler = Scripted::new(&[])
        .info(|_| HandlerInfo::new(nth(1), "Scripted"))
        .info(|info| info.requires(Requirement::IdleUser))
        .items(|| {
            let items = [SyncItem::named("a"), SyncItem::named("b").requires(Requirement::ActiveUser)];
            Ok(items.into_iter().collect())
        });
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [handler]);
    let report = within(start_background(&manager, 1).finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Succeeded);
    assert_eq!(hold_of(&report, id("b")), Some(Hold::Contradictory));
    let entry = report.runs[0].log.iter().find(|entry| entry.item == Some(id("b"))).expect("it is logged");
    assert!(entry.level == LogLevel::Warning && entry.text.contains("Scripted"), "{entry:?}");
    assert_eq!(manager.explain_item(nth(1), id("b")).unwrap().holds, [Hold::Contradictory]);
    assert_succeeds(start_manual(&manager, 1)).await;
}
