//! Conditions that end during an automatic run.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use syncmgr::environment::{Environment, ManualEnvironment, Network, Power};
use syncmgr::handler::{Capabilities, ConditionPolicy, Requirement};
use syncmgr::store::{MemoryStore, StateStore};
use syncmgr::{CancelReason, HandlerInfo, Hold, Outcome, RunEnding, Session, SyncItem, SyncManager, Trigger};
use tokio::time::sleep;

use crate::support::awaitable_host::within;
use crate::support::steps::{
    Steps, assert_succeeds, nth, outcome, register_all, start_background, start_manual, wait_until_idle,
};
use crate::support::test_clock::{HOUR, MINUTE, StartTimes, TestClock, builder_with_clock, builder_with_store};
use crate::support::{Scripted, id};

fn on_mains() -> ManualEnvironment {
    ManualEnvironment::new(Environment::UNKNOWN.with_power(Power::Mains).with_network(Network::Online))
}

fn stopping(info: HandlerInfo) -> HandlerInfo {
    info.requires(Requirement::Mains).with_condition_policy(ConditionPolicy::Stop)
}

fn manager(environment: &ManualEnvironment, handler: Scripted) -> SyncManager {
    register_all(builder_with_clock(&TestClock::new()).environment(environment.clone()).build(), [handler])
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_condition_ends_finishes_by_default() {
    let (steps, environment) = (Steps::default(), on_mains());
    let handler = steps.handler(1, &["a", "b"]).info(|info| {
        let capabilities = Capabilities::NEEDS_NETWORK | Capabilities::CANCELLABLE;
        info.requires(Requirement::Mains).with_capabilities(capabilities)
    });
    let manager = manager(&environment, handler);
    let session = start_background(&manager, 1);
    assert_eq!(steps.running().await, "a b");
    environment.set_power(Power::Battery);
    environment.set_network(Network::Metered);
    steps.release(&["a", "b"]).await;
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_condition_ends_stops_by_choice_and_goes_on_later() {
    let (steps, environment) = (Steps::default(), on_mains());
    let manager = manager(&environment, steps.handler(1, &["a", "b", "c"]).info(stopping));
    let session = start_background(&manager, 1);
    steps.open("a");
    assert_eq!(steps.running().await, "b c");
    environment.set_power(Power::Battery);
    let report = within(session.finish()).await;
    let outcomes = ["a", "b", "c"].map(|item| outcome(&report, id(item)));
    assert_eq!(outcomes, [Outcome::Succeeded, Outcome::Stopped, Outcome::Stopped]);
    assert_eq!(report.runs[0].hold, Some(Hold::OnBattery));
    assert!(report.runs[0].log.iter().any(|entry| &*entry.text == "stopped: waits for mains power"), "{report}");
    assert_eq!(manager.explain_item(nth(1), id("b")).unwrap().holds, [Hold::OnBattery]);
    sleep(HOUR).await;
    assert_eq!(steps.running().await, "");
    environment.set_power(Power::Mains);
    assert_eq!(steps.running().await, "b c");
}

#[tokio::test(start_paused = true)]
async fn a_handler_reads_that_a_condition_has_ended() {
    let (environment, reasons) = (on_mains(), Arc::<Mutex<Vec<CancelReason>>>::default());
    let seen = reasons.clone();
    let handler = Scripted::new(&["a"]).info(|_| stopping(HandlerInfo::new(nth(1), "Reads"))).on_item(move |item| {
        let seen = seen.clone();
        async move {
            item.token().cancelled().await;
            let cancelled = item.check().expect_err("cancelled");
            seen.lock().unwrap().push(cancelled.reason);
            Err(cancelled.into())
        }
        .boxed()
    });
    let manager = manager(&environment, handler);
    let session = start_background(&manager, 1);
    wait_until_idle().await;
    environment.set_power(Power::Battery);
    let report = within(session.finish()).await;
    assert_eq!((outcome(&report, id("a")), report.runs[0].ending), (Outcome::Stopped, Some(RunEnding::Completed)));
    assert_eq!(*reasons.lock().unwrap(), [CancelReason::ConditionEnded]);
}

#[tokio::test(start_paused = true)]
async fn a_requested_run_does_not_stop_when_a_condition_ends() {
    let (steps, environment) = (Steps::default(), on_mains());
    let manager = manager(&environment, steps.handler(1, &["a"]).info(stopping));
    let session = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    environment.set_power(Power::Battery);
    steps.release(&["a"]).await;
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_a_condition_stops_keeps_its_failures_and_goes_on() {
    let (began, clock, store, environment) = (StartTimes::new(), TestClock::new(), MemoryStore::new(), on_mains());
    let times = began.clone();
    let handler =
        Scripted::new(&["a"]).info(|_| stopping(HandlerInfo::new(nth(1), "Fails once"))).on_item(move |item| {
            let times = times.note(item.name());
            async move {
                match times {
                    1 => crate::support::test_clock::transient_failure(),
                    2 => std::future::pending().await,
                    _ => Ok(()),
                }
            }
            .boxed()
        });
    let manager = register_all(builder_with_store(&clock, &store).environment(environment.clone()).build(), [handler]);
    within(start_background(&manager, 1).finish()).await;
    let failed = crate::support::test_clock::retry_state(&store, 1, "a");
    sleep(5 * MINUTE).await;
    assert_eq!(began.of("a"), [0, 30]);
    environment.set_power(Power::Battery);
    sleep(HOUR).await;
    let stopped = store.record(nth(1), id("a")).unwrap().expect("it is recorded");
    assert_eq!((stopped.outcome, stopped.retry), (Some(Outcome::Stopped), failed));
    environment.set_power(Power::Mains);
    wait_until_idle().await;
    assert_eq!(began.of("a"), [0, 30, 3_900]);
}

#[tokio::test(start_paused = true)]
async fn only_the_items_whose_requirement_ends_are_stopped() {
    let (steps, environment) = (Steps::default(), on_mains());
    let items = || [SyncItem::named("a"), SyncItem::named("b").requires(Requirement::Mains)];
    let handler = steps
        .handler(1, &[])
        .info(|info| info.with_condition_policy(ConditionPolicy::Stop))
        .items(move || Ok(items().into_iter().chain([waiting()]).collect()));
    let builder = builder_with_clock(&TestClock::new()).environment(environment.clone()).max_concurrent_items(2);
    let manager = register_all(builder.build(), [handler]);
    let session = start_background(&manager, 1);
    assert_eq!(steps.running().await, "a b");
    environment.set_power(Power::Battery);
    sleep(MINUTE).await;
    assert_eq!(steps.running().await, "a");
    steps.open("a");
    let report = ended(session).await;
    let outcomes = ["a", "b", "c"].map(|item| outcome(&report, id(item)));
    assert_eq!(outcomes, [Outcome::Succeeded, Outcome::Stopped, Outcome::Stopped]);
    assert_eq!(manager.explain_item(nth(1), id("c")).unwrap().holds, [Hold::OnBattery]);
    environment.set_power(Power::Mains);
    assert_eq!(steps.running().await, "b c");
    assert_eq!(steps.began(), "a b b c");
}

fn waiting() -> SyncItem {
    SyncItem::named("c").requires(Requirement::Mains)
}

async fn ended(session: Session) -> syncmgr::Report {
    within(session.finish()).await
}

#[tokio::test(start_paused = true)]
async fn a_run_without_items_left_after_preparing_does_not_synchronize() {
    let (began, environment) = (StartTimes::new(), on_mains());
    let handler = began
        .handler(1, &[], |_, _| Ok(()))
        .info(|info| info.with_condition_policy(ConditionPolicy::Stop))
        .items(|| Ok([waiting()].into_iter().collect()))
        .on_prepare(|_| sleep(MINUTE).map(Ok).boxed());
    let transcript = handler.transcript.clone();
    let manager = manager(&environment, handler);
    let session = start_background(&manager, 1);
    wait_until_idle().await;
    environment.set_power(Power::Battery);
    let report = ended(session).await;
    assert_eq!(outcome(&report, id("c")), Outcome::Stopped);
    assert!(transcript.of(&["synchronize"]).is_empty(), "{:?}", transcript.lines());
    environment.set_power(Power::Mains);
    sleep(2 * MINUTE).await;
    assert_eq!(began.of("c"), [120]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_while_it_prepares_is_repeated_as_a_whole() {
    let (began, environment) = (StartTimes::new(), on_mains());
    let handler = began.handler(1, &["a", "b"], |_, _| Ok(())).info(stopping).on_prepare(|run| {
        async move {
            run.token().cancelled().await;
            Ok(run.check()?)
        }
        .boxed()
    });
    let transcript = handler.transcript.clone();
    let manager = manager(&environment, handler);
    let session = manager.session(Trigger::Scheduled).items(nth(1), [id("b")]).start().unwrap();
    wait_until_idle().await;
    environment.set_power(Power::Battery);
    let report = ended(session).await;
    assert_eq!(outcome(&report, id("b")), Outcome::Stopped);
    environment.set_power(Power::Mains);
    wait_until_idle().await;
    let prepared = transcript.of(&["prepare"]);
    assert_eq!((prepared.len(), &prepared[0]), (2, &prepared[1]), "the same items are prepared again");
}
