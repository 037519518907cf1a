//! Effects of failures on the resources that items claim.

use std::time::Duration;

use syncmgr::anyhow::anyhow;
use syncmgr::store::{MemoryStore, StateStore};
use syncmgr::{Claim, Classify, Hold, Outcome, SyncManager, SyncResult, Trigger};
use tokio::time::sleep;

use crate::support::awaitable_host::within;
use crate::support::steps::{assert_succeeds, hold_of, nth, outcome, register_all, start_background, start_manual};
use crate::support::test_clock::{
    DAY, EXACT, HOUR, MINUTE, StartTimes, TestClock, builder_with_clock, builder_with_store, transient_failure,
};
use crate::support::{Scripted, id};

fn busy(times: usize, wait: Duration) -> SyncResult {
    if times == 1 { Err(anyhow!("busy")).retry_after(wait) } else { Ok(()) }
}

/// Two handlers with items at one server, which tells `a` to wait for an hour.
fn handlers_of_one_server(began: &StartTimes) -> [Scripted; 2] {
    [
        began.handler(1, &["a:server"], |_, times| busy(times, HOUR)),
        began.handler(2, &["b:server", "c:other"], |_, _| Ok(())),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_peers_wait_also_holds_items_of_other_handlers_with_the_same_claim() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let manager = register_all(builder_with_clock(&clock).build(), handlers_of_one_server(&began));
    within(start_manual(&manager, 1).finish()).await;
    for trigger in [Trigger::Scheduled, Trigger::Manual] {
        let session = manager.session(trigger).handlers([nth(2)]).start().unwrap();
        let report = within(session.finish()).await;
        assert!(matches!(hold_of(&report, id("b")), Some(Hold::NotBefore { .. })), "{trigger:?}: {report}");
        assert_eq!(outcome(&report, id("c")), Outcome::Succeeded);
    }
    let forced = manager.session(Trigger::Manual).handlers([nth(2)]).force().start().unwrap();
    assert_succeeds(forced).await;
    sleep(HOUR + MINUTE).await;
    assert_eq!(began.of("a"), [0, 3600]);
    assert_succeeds(start_background(&manager, 2)).await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_a_handler_holds_its_items_like_their_own_claims() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let handlers = [
        began.handler(1, &["a"], |_, times| busy(times, HOUR)).info(|info| info.with_claim("server")),
        began.handler(2, &["b"], |_, _| Ok(())).info(|info| info.with_claim("server")),
    ];
    let manager = register_all(builder_with_clock(&clock).build(), handlers);
    within(start_manual(&manager, 1).finish()).await;
    let report = within(start_background(&manager, 2).finish()).await;
    assert!(matches!(hold_of(&report, id("b")), Some(Hold::NotBefore { .. })), "{report}");
}

/// A handler with four items at one server, which fails all items during the first `up_from` seconds.
fn handler_of_server(began: &StartTimes, up_from: u64) -> Scripted {
    let noting = began.clone();
    began.handler(1, &["a:server", "b:server", "c:server", "d:server"], move |_, _| {
        noting.note("server");
        let up = noting.of("server").last().is_some_and(|now| *now >= up_from);
        if up { Ok(()) } else { transient_failure() }
    })
}

/// A manager after three items at the server have failed.
async fn manager_after_failures(began: &StartTimes, up_from: u64) -> SyncManager {
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [handler_of_server(began, up_from)]);
    for name in ["a", "b", "c"] {
        let session = manager.session(Trigger::Manual).items(nth(1), [id(name)]).start().expect("inside a runtime");
        within(session.finish()).await;
    }
    manager
}

#[tokio::test(start_paused = true)]
async fn three_failures_in_a_row_hold_the_claim_except_in_manual_sessions() {
    let began = StartTimes::new();
    let manager = manager_after_failures(&began, 5).await;
    let report = within(start_background(&manager, 1).finish()).await;
    assert!(matches!(hold_of(&report, id("d")), Some(Hold::BackingOff { failures: 3, .. })), "{report}");
    assert!(began.of("d").is_empty());
    sleep(Duration::from_secs(6)).await;
    let session = manager.session(Trigger::Manual).items(nth(1), [id("d")]).start().unwrap();
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn success_of_an_item_that_had_not_failed_lifts_the_hold_of_its_claim() {
    let began = StartTimes::new();
    let manager = manager_after_failures(&began, 5).await;
    sleep(Duration::from_secs(6)).await;
    assert_succeeds(manager.session(Trigger::Manual).items(nth(1), [id("d")]).start().unwrap()).await;
    assert_succeeds(manager.session(Trigger::Scheduled).items(nth(1), [id("d")]).start().unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn two_failures_do_not_hold_the_claim() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let manager = register_all(builder_with_clock(&clock).build(), [handler_of_server(&began, 100)]);
    for name in ["a", "b"] {
        let session = manager.session(Trigger::Manual).items(nth(1), [id(name)]).start().unwrap();
        within(session.finish()).await;
    }
    let session = manager.session(Trigger::Scheduled).items(nth(1), [id("d")]).start().unwrap();
    let report = within(session.finish()).await;
    assert_eq!(outcome(&report, id("d")), Outcome::Failed, "the item did not run: {report}");
}

#[tokio::test(start_paused = true)]
async fn all_items_of_a_server_are_retried_once_it_is_up_again() {
    let began = StartTimes::new();
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [handler_of_server(&began, 60)]);
    for name in ["a", "b", "c", "d"] {
        let session = manager.session(Trigger::Manual).items(nth(1), [id(name)]).start().unwrap();
        within(session.finish()).await;
        sleep(Duration::from_secs(1)).await;
    }
    sleep(DAY).await;
    for name in ["a", "b", "c", "d"] {
        let explained = manager.explain_item(nth(1), id(name)).unwrap();
        assert!(began.of(name).len() > 1, "{name} was never retried: {explained}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_in_backoff_is_retried_after_a_longer_wait_of_its_claim() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let handlers = [
        began.handler(1, &["a:server"], |_, times| busy(times, HOUR)),
        began.handler(2, &["b:server"], |_, times| if times == 1 { transient_failure() } else { Ok(()) }),
    ];
    let manager = register_all(builder_with_clock(&clock).build(), handlers);
    within(start_manual(&manager, 2).finish()).await;
    within(start_manual(&manager, 1).finish()).await;
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0, 3600]);
    assert_eq!(began.of("b").len(), 2, "{}", manager.explain_item(nth(2), id("b")).unwrap());
    assert!(began.of("b")[1] >= 3600);
}

#[tokio::test(start_paused = true)]
async fn a_clock_correction_of_a_second_keeps_a_wait_requested_by_the_peer() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let manager = register_all(
        builder_with_clock(&clock).build(),
        [began.handler(1, &["a:server"], |_, times| busy(times, 10 * MINUTE))],
    );
    within(start_manual(&manager, 1).finish()).await;
    sleep(MINUTE).await;
    clock.set_back(Duration::from_secs(1));
    sleep(DAY).await;
    assert_eq!(began.of("a").len(), 2, "{}", manager.explain_item(nth(1), id("a")).unwrap());
}

#[tokio::test(start_paused = true)]
async fn success_in_a_forced_session_lifts_the_hold_of_its_claim() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let manager = register_all(builder_with_store(&clock, &store).build(), handlers_of_one_server(&began));
    within(start_manual(&manager, 1).finish()).await;
    assert!(store.resources().unwrap().contains_key(&Claim::from("server")));
    assert_succeeds(manager.session(Trigger::Manual).handlers([nth(1)]).force().start().unwrap()).await;
    assert_succeeds(start_background(&manager, 2)).await;
}

#[tokio::test(start_paused = true)]
async fn the_hold_of_a_claim_survives_a_restart() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    within(
        start_manual(&register_all(builder_with_store(&clock, &store).build(), handlers_of_one_server(&began)), 1)
            .finish(),
    )
    .await;
    let second = register_all(builder_with_store(&clock, &store.after_crash()).build(), handlers_of_one_server(&began));
    let report = within(start_background(&second, 2).finish()).await;
    assert!(matches!(hold_of(&report, id("b")), Some(Hold::NotBefore { .. })), "{report}");
}

#[tokio::test(start_paused = true)]
async fn success_of_a_failed_item_lifts_the_hold_of_its_claim() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let policy = EXACT.with_initial(HOUR);
    let manager =
        register_all(builder_with_store(&clock, &store).retry(policy).build(), [handler_of_server(&began, 10)]);
    for name in ["a", "b", "c"] {
        let session = manager.session(Trigger::Manual).items(nth(1), [id(name)]).start().unwrap();
        within(session.finish()).await;
    }
    sleep(Duration::from_secs(10)).await;
    assert_succeeds(manager.session(Trigger::Manual).items(nth(1), [id("a")]).start().unwrap()).await;
    assert_eq!(store.resources().unwrap(), [].into());
    assert_succeeds(manager.session(Trigger::Scheduled).items(nth(1), [id("d")]).start().unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn the_hold_of_a_claim_is_in_the_explanation_of_its_items() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let manager = register_all(builder_with_clock(&clock).build(), handlers_of_one_server(&began));
    within(start_manual(&manager, 1).finish()).await;
    let session = start_background(&manager, 2);
    within(session.report()).await;
    let explanation = manager.explain_item(nth(2), id("b")).unwrap();
    assert!(matches!(explanation.holds[..], [Hold::NotBefore { .. }]), "{explanation}");
}
