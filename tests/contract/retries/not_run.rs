//! Runs that end before a due item has run: the item is due again.

use std::time::Duration;

use futures::FutureExt;
use futures::future::pending;
use syncmgr::anyhow::anyhow;
use syncmgr::environment::{Environment, ManualEnvironment, Network};
use syncmgr::handler::Capabilities;
use syncmgr::item::ItemState;
use syncmgr::retry::StartReason;
use syncmgr::{Classify, Participation, RunEnding, Session, SyncItem, SyncManager, Trigger};
use tokio::time::sleep;

use crate::retries::environment::{NEEDS, assert_held, needing};
use crate::support::awaitable_host::{items_named, within};
use crate::support::steps::{assert_succeeds, nth, register_all, start_background, start_manual};
use crate::support::test_clock::{HOUR, MINUTE, StartTimes, TestClock, builder_with_clock, fail_until};
use crate::support::{Scripted, id};

const SECOND: Duration = Duration::from_secs(1);

/// A handler whose item fails once and whose second listing takes a second.
fn slow_listing_handler(began: &StartTimes, listings: &StartTimes) -> Scripted {
    let listing = listings.clone();
    began.handler(1, &["a"], |_, times| fail_until(times, 1)).on_items(move || {
        let times = listing.note("items");
        async move {
            if times == 2 {
                sleep(SECOND).await;
            }
            Ok(items_named(&["a"]))
        }
        .boxed()
    })
}

/// A manager of the handler, 5 s after its item has failed.
async fn manager_after_failure(handler: Scripted) -> SyncManager {
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(5 * SECOND).await;
    manager
}

#[tokio::test(start_paused = true)]
async fn a_run_stopped_before_its_waiting_item_began_keeps_the_items_due_time() {
    let (began, listings) = (StartTimes::new(), StartTimes::new());
    let manager = manager_after_failure(slow_listing_handler(&began, &listings)).await;
    let session = start_manual(&manager, 1);
    sleep(SECOND - Duration::from_millis(50)).await;
    assert_eq!(listings.of("items").len(), 2, "the second listing has not begun");
    session.stop();
    let report = within(session.finish()).await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::Stopped), "{report}");
    sleep(MINUTE).await;
    assert_eq!(began.of("a"), [0, 30]);
}

/// Stops the retry session as soon as it has started, 30 s after the failure.
async fn stop_the_retry(manager: &SyncManager) {
    sleep(26 * SECOND).await;
    let [retry] = &manager.sessions()[..] else { panic!("expected one session: {:?}", manager.sessions()) };
    assert_eq!(retry.reason(), StartReason::Retry);
    retry.stop();
}

#[tokio::test(start_paused = true)]
async fn a_retry_stopped_during_initialize_is_due_again_later() {
    let (began, begins) = (StartTimes::new(), StartTimes::new());
    let beginning = begins.clone();
    let handler = began.handler(1, &["a"], |_, times| fail_until(times, 1)).on_initialize(move |_| {
        let waits = beginning.note("initialize") == 2;
        async move { if waits { pending().await } else { Ok(Participation::TakePart) } }.boxed()
    });
    let manager = manager_after_failure(handler).await;
    stop_the_retry(&manager).await;
    sleep(MINUTE).await;
    assert_eq!(begins.of("initialize"), [0, 30], "the stopped retry ran again too soon");
    sleep(2 * HOUR).await;
    assert_eq!(began.of("a").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_retry_stopped_during_the_listing_is_due_again_later() {
    let (began, listings) = (StartTimes::new(), StartTimes::new());
    let listing = listings.clone();
    let handler = began.handler(1, &["a"], |_, times| fail_until(times, 1)).on_items(move || {
        let waits = listing.note("items") == 2;
        async move { if waits { pending().await } else { Ok(items_named(&["a"])) } }.boxed()
    });
    let manager = manager_after_failure(handler).await;
    stop_the_retry(&manager).await;
    sleep(MINUTE).await;
    assert_eq!(listings.of("items"), [0, 30], "the stopped retry ran again too soon");
    sleep(2 * HOUR).await;
    assert_eq!(began.of("a").len(), 2);
}

/// A handler whose unchecked item `rare` runs only if a session names it.
fn with_a_rare_item(handler: Scripted, capabilities: Capabilities) -> Scripted {
    let rare = SyncItem::named("rare").with_state(ItemState::Unchecked);
    needing(handler, capabilities).items(move || Ok([SyncItem::named("often"), rare.clone()].into_iter().collect()))
}

fn start_items(manager: &SyncManager, trigger: Trigger, names: &[&str]) -> Session {
    manager.session(trigger).items(nth(1), names.iter().map(|name| id(name))).start().expect("inside a runtime")
}

#[tokio::test(start_paused = true)]
async fn a_retry_held_offline_starts_after_a_waiting_run_of_preferred_items() {
    let (began, environment) = (StartTimes::new(), ManualEnvironment::new(Environment::UNKNOWN));
    let busy = |name: &str, times| match (name, times) {
        ("rare", 1) => Err(anyhow!("busy")).retry_after(MINUTE),
        _ => Ok(()),
    };
    let handler = with_a_rare_item(began.handler(1, &[], move |item, times| busy(item.name(), times)), NEEDS);
    let manager =
        register_all(builder_with_clock(&TestClock::new()).environment(environment.clone()).build(), [handler]);
    within(start_items(&manager, Trigger::Manual, &["rare"]).finish()).await;
    environment.set_network(Network::Offline);
    sleep(2 * MINUTE).await;
    assert_held(&within(start_background(&manager, 1).finish()).await, &syncmgr::Hold::Offline);
    environment.set_network(Network::Online);
    sleep(MINUTE).await;
    assert_eq!((began.of("often"), began.of("rare")), (vec![120], vec![0, 125]));
}

#[tokio::test(start_paused = true)]
async fn a_requested_item_that_a_forced_session_left_out_still_waits_for_the_network() {
    let (began, environment) =
        (StartTimes::new(), ManualEnvironment::new(Environment::UNKNOWN.with_network(Network::Offline)));
    let handler = with_a_rare_item(began.handler(1, &[], |_, _| Ok(())), NEEDS);
    let manager =
        register_all(builder_with_clock(&TestClock::new()).environment(environment.clone()).build(), [handler]);
    within(start_items(&manager, Trigger::Manual, &["rare", "often"]).finish()).await;
    assert_succeeds(manager.session(Trigger::Manual).handlers([nth(1)]).force().start().unwrap()).await;
    assert_eq!((began.of("often"), began.of("rare")), (vec![0], vec![]));
    environment.set_network(Network::Online);
    sleep(MINUTE).await;
    assert_eq!((began.of("often"), began.of("rare")), (vec![0], vec![0]), "an item did not run exactly once");
}
