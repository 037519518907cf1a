//! An explanation names the time of the next run only if the item runs at that time.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::environment::Network;
use syncmgr::explain::Next;
use syncmgr::store::MemoryStore;
use syncmgr::{Classify, Participation, SyncManager, Trigger};
use tokio::time::sleep;

use crate::explanations::situations::{handler, item};
use crate::retries::environment::{NEEDS, in_environment, needing};
use crate::support::awaitable_host::within;
use crate::support::id;
use crate::support::steps::{assert_succeeds, nth, register_all, start_manual};
use crate::support::test_clock::{
    DAY, HOUR, MINUTE, StartTimes, TestClock, builder_with_clock, builder_with_store, fail_until, transient_failure,
};

/// Waits until just after the named time.
async fn sleep_until_next(clock: &TestClock, next: Next) {
    let Next::At { time } = next else { panic!("{next:?}") };
    sleep(time.duration_since(clock.wall()).expect("the time is in the future") + Duration::from_millis(2)).await;
}

#[tokio::test(start_paused = true)]
async fn network_changes_affect_no_item_while_no_work_waits() {
    let (began, (builder, environment)) = (StartTimes::new(), in_environment(Network::Online));
    let noting = needing(began.handler(1, &["a"], |_, _| Ok(())), NEEDS);
    let manager = register_all(builder.store(MemoryStore::new()).build(), [noting]);
    assert_succeeds(start_manual(&manager, 1)).await;
    for network in [Network::Offline, Network::Metered] {
        environment.set_network(network);
        for explanation in [item(&manager, "a"), handler(&manager)] {
            assert!(explanation.holds.is_empty(), "{network:?}: {explanation}");
            assert_eq!(explanation.next, Next::WhenRequested, "{network:?}: {explanation}");
        }
    }
    environment.set_network(Network::Online);
    sleep(DAY).await;
    assert_eq!(began.of("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_item_sharing_a_claim_with_a_deferred_item_has_no_next_time() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let handler = began.handler(1, &["a:x", "b:x"], |item, times| match item.name() {
        "a" if times == 1 => Err(anyhow!("busy")).retry_after(10 * MINUTE),
        _ => Ok(()),
    });
    let manager = register_all(builder_with_store(&clock, &MemoryStore::new()).build(), [handler]);
    let only = |name| manager.session(Trigger::Manual).items(nth(1), [id(name)]).start().unwrap();
    let listing = only("b");
    within(listing.report()).await;
    within(only("a").finish()).await;
    let explanation = item(&manager, "b");
    assert_eq!(explanation.next, Next::WhenRequested, "{explanation}");
    sleep_until_next(&clock, item(&manager, "a").next).await;
    assert_eq!((began.of("a").len(), began.of("b").len()), (2, 1));
}

/// Returns a manager whose item failed once and whose handler declined the retry.
async fn manager_with_declined_retry(began: &StartTimes, clock: &TestClock) -> SyncManager {
    let initialized = StartTimes::new();
    let handler = began.handler(1, &["a"], |_, times| fail_until(times, 1)).on_initialize(move |_| {
        let declines = initialized.note("initialize") == 2;
        async move { Ok(if declines { Participation::Decline } else { Participation::TakePart }) }.boxed()
    });
    let manager = register_all(builder_with_clock(clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(MINUTE).await;
    assert_eq!(began.of("a"), [0], "the item ran although its handler declined");
    manager
}

#[tokio::test(start_paused = true)]
async fn a_declined_retry_names_its_next_time_and_runs_then() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let manager = manager_with_declined_retry(&began, &clock).await;
    sleep_until_next(&clock, item(&manager, "a").next).await;
    assert_eq!(began.of("a").len(), 2, "{}", item(&manager, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_an_unlisted_item_has_no_next_time() {
    let (began, listed) = (StartTimes::new(), StartTimes::new());
    let noting = began.handler(1, &["a"], |_, _| transient_failure());
    let items = noting.items.clone();
    let noting = noting.items(move || {
        if listed.note("items") == 1 { items() } else { Ok(crate::support::awaitable_host::items_named(&["b"])) }
    });
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [noting]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(HOUR).await;
    let explanation = item(&manager, "a");
    assert!(!matches!(explanation.next, Next::Now | Next::At { .. }), "{explanation}");
    assert_eq!(began.of("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_names_the_time_of_its_next_due_item() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let noting = began.handler(1, &["late", "soon", "well"], |item, times| match (item.name(), times) {
        ("late", 1) => Err(anyhow!("busy")).retry_after(HOUR),
        ("soon", times) => fail_until(times, 1),
        _ => Ok(()),
    });
    let manager = register_all(builder_with_clock(&clock).build(), [noting]);
    within(start_manual(&manager, 1).finish()).await;
    for name in ["soon", "late"] {
        assert_eq!(handler(&manager).next, item(&manager, name).next);
        sleep_until_next(&clock, handler(&manager).next).await;
        assert_eq!(began.of(name).len(), 2);
    }
    assert_eq!(handler(&manager).next, Next::WhenRequested);
}
