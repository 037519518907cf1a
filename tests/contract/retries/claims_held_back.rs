//! A claim that is held back during a session holds the items that the session has already selected.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::{Classify, HandlerInfo, Hold, Outcome, Report, SyncItem, SyncManager};
use tokio::time::sleep;

use crate::support::awaitable_host::within;
use crate::support::steps::{hold_of, nth, outcome, register_all, start_background, start_manual};
use crate::support::test_clock::{StartTimes, TestClock, builder_with_clock, transient_failure};
use crate::support::{Scripted, id};

/// Four items of one server.
const NAMES: [&str; 4] = ["a:server", "b:server", "c:server", "d:server"];

/// The number of items with this outcome that a hold for which `matches` is true left out.
fn left_out(report: &Report, matches: impl Fn(&Hold) -> bool) -> usize {
    report.items().filter(|item| item.outcome == Outcome::Skipped && item.hold.as_ref().is_some_and(&matches)).count()
}

fn manager(handler: Scripted) -> SyncManager {
    register_all(builder_with_clock(&TestClock::new()).build(), [handler])
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_asks_to_wait_is_not_asked_again_in_the_same_session() {
    let (began, asked) = (StartTimes::new(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    let handler = began.handler(1, &NAMES, move |_, _| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Err(anyhow!("busy")).retry_after(Duration::from_secs(5)),
        _ => Ok(()),
    });
    let manager = manager(handler);
    let report = within(start_manual(&manager, 1).finish()).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1, "{report}");
    assert_eq!(left_out(&report, |hold| matches!(hold, Hold::NotBefore { .. })), 3, "{report}");
    let explained = manager.explain_item(nth(1), id("d")).unwrap().to_string();
    assert!(explained.contains("asked the host to wait until"), "{explained}");
    sleep(Duration::from_secs(7)).await;
    assert_eq!(asked.load(Ordering::Relaxed), 5, "every item runs once the wait is over");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_holds_the_rest_of_a_manual_session() {
    let began = StartTimes::new();
    let manager = manager(began.handler(1, &NAMES, |_, _| transient_failure()));
    for _ in 0..2 {
        let report = within(start_manual(&manager, 1).finish()).await;
        assert_eq!(outcome(&report, id("c")), Outcome::Failed, "the request cleared the wait: {report}");
        assert!(matches!(hold_of(&report, id("d")), Some(Hold::BackingOff { failures: 3, .. })), "{report}");
    }
    assert!(began.of("d").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_claim_held_back_by_one_session_holds_the_waiting_items_of_another() {
    let began = StartTimes::new();
    let busy = Scripted::new(&[]).info(|_| HandlerInfo::new(nth(1), "Busy server"));
    let busy = busy.items(|| Ok([SyncItem::named("a").with_claim("server")].into_iter().collect()));
    let noting = began.clone();
    let busy = busy.on_item(move |_| match noting.note("a") {
        1 => async {
            sleep(Duration::from_secs(1)).await;
            Err(anyhow!("busy")).retry_after(Duration::from_secs(60))
        }
        .boxed(),
        _ => async { Ok(()) }.boxed(),
    });
    let other = began.handler(2, &["b:server", "c:other"], |_, _| Ok(()));
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [busy, other]);
    let first = start_manual(&manager, 1);
    let second = start_background(&manager, 2);
    within(first.finish()).await;
    let report = within(second.finish()).await;
    assert!(matches!(hold_of(&report, id("b")), Some(Hold::NotBefore { .. })), "{report}");
    assert_eq!(outcome(&report, id("c")), Outcome::Succeeded);
    sleep(Duration::from_secs(62)).await;
    assert_eq!(began.of("b").len(), 1, "the held item runs once the wait is over");
}

#[tokio::test(start_paused = true)]
async fn an_excluded_item_does_not_count_against_its_claim() {
    let began = StartTimes::new();
    let excludes_first = began.handler(1, &["a:server", "b:server"], |_, _| transient_failure()).on_prepare(|run| {
        let excluded = run.exclude(id("a"), anyhow!("nothing to do"));
        async move { Ok(excluded?) }.boxed()
    });
    let manager = manager(excludes_first);
    for attempt in 1..=2 {
        within(start_manual(&manager, 1).finish()).await;
        assert_eq!(began.of("b").len(), attempt, "only the failures of `b` count");
    }
}
