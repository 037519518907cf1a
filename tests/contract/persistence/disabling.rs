//! Handlers and items that are disabled until they are enabled.

use std::sync::Arc;

use futures::FutureExt;
use syncmgr::explain::Next;
use syncmgr::store::MemoryStore;
use syncmgr::{Hold, Limits, Outcome, RunEnding, SessionEvent, Subject, SyncManager, Trigger};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::support::awaitable_host::{begin, until, within};
use crate::support::steps::{assert_succeeds, hold_of, holds, nth, outcome, register_all, start_manual};
use crate::support::test_clock::{DAY, StartTimes, TestClock, builder_with_clock, builder_with_store, fail_until};
use crate::support::{HANDLER, Scripted, id};

const ITEM: fn(&str) -> Subject = |name| Subject::Item(id(name));

fn hold() -> Hold {
    Hold::Disabled { reason: "on a journey".into() }
}

/// Disables a subject of the only handler.
async fn disable(manager: &SyncManager, subject: Subject) {
    let handler = manager.handlers()[0].id();
    within(manager.disable(handler, subject, "on a journey")).await.expect("the setting is stored");
}

async fn enable(manager: &SyncManager, subject: Subject) {
    within(manager.enable(manager.handlers()[0].id(), subject)).await.expect("the setting is stored");
}

#[tokio::test(start_paused = true)]
async fn a_disabled_item_runs_in_no_session_and_fails_none() {
    let manager = register_all(SyncManager::new(), [Scripted::new(&["a", "b"])]);
    disable(&manager, ITEM("a")).await;
    let named = manager.session(Trigger::Manual).items(HANDLER, [id("a"), id("b")]).force().start().unwrap();
    for session in [begin(&manager), named] {
        let report = assert_succeeds(session).await;
        assert_eq!((outcome(&report, id("a")), hold_of(&report, id("a"))), (Outcome::Skipped, Some(hold())));
        assert_eq!(outcome(&report, id("b")), Outcome::Succeeded);
    }
    assert_eq!(holds(&manager.held()), [(Some(id("a")), hold())]);
    let why = manager.explain_item(HANDLER, id("a")).unwrap();
    assert_eq!((&why.holds[..], why.next), (&[hold()][..], Next::WhenEnabled));
    enable(&manager, ITEM("a")).await;
    let report = assert_succeeds(begin(&manager)).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Succeeded);
    assert!(manager.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_disabled_handler_is_not_called() {
    let handler = Scripted::new(&["a"]);
    let manager = register_all(SyncManager::new(), [handler.clone()]);
    disable(&manager, Subject::Handler).await;
    let report = assert_succeeds(begin(&manager)).await;
    assert_eq!((report.runs[0].ending, report.runs[0].hold.clone()), (Some(RunEnding::Held), Some(hold())));
    assert!(handler.transcript.lines().is_empty());
    let why = manager.explain_handler(HANDLER).unwrap();
    assert_eq!(why.to_string(), "Scripted: disabled: on a journey");
}

#[tokio::test(start_paused = true)]
async fn no_retry_starts_for_a_disabled_item_until_it_is_enabled() {
    for subject in [Subject::Handler, ITEM("a")] {
        let (began, clock) = (StartTimes::new(), TestClock::new());
        let handler = began.handler(1, &["a"], |_, times| fail_until(times, 1));
        let manager = register_all(builder_with_clock(&clock).build(), [handler.clone()]);
        within(start_manual(&manager, 1).finish()).await;
        disable(&manager, subject).await;
        let calls = handler.transcript.lines().len();
        sleep(DAY).await;
        assert_eq!(handler.transcript.lines().len(), calls, "a session started: {:?}", handler.transcript.lines());
        enable(&manager, subject).await;
        sleep(DAY).await;
        assert_eq!(began.of("a"), [0, DAY.as_secs()]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_disabled_stays_disabled_after_a_restart() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let handler = began.handler(1, &["a"], |_, times| fail_until(times, 1));
    let manager = register_all(builder_with_store(&clock, &store).build(), [handler.clone()]);
    within(start_manual(&manager, 1).finish()).await;
    disable(&manager, ITEM("a")).await;
    drop(manager);
    let later = register_all(builder_with_store(&clock, &store.after_crash()).build(), [handler]);
    later.start_scheduler().unwrap();
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0]);
    assert_eq!(later.items(nth(1)).await.unwrap()[0].explanation.next, Next::WhenEnabled);
    enable(&later, ITEM("a")).await;
    sleep(DAY).await;
    assert_eq!(began.of("a").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_running_item_continues_and_a_waiting_one_is_skipped() {
    let go = Arc::new(Notify::new());
    let waiting = go.clone();
    let handler = Scripted::new(&["a", "b"])
        .info(|info| info.with_limits(Limits::DEFAULT.with_items(1)))
        .on_item(move |_| waiting.clone().notified_owned().map(Ok).boxed());
    let manager = register_all(SyncManager::new(), [handler]);
    let session = begin(&manager);
    until(&mut session.events(), |event| matches!(event, SessionEvent::Began { .. })).await;
    disable(&manager, Subject::Handler).await;
    go.notify_one();
    let report = within(session.finish()).await;
    assert_eq!([id("a"), id("b")].map(|item| outcome(&report, item)), [Outcome::Succeeded, Outcome::Skipped]);
    assert_eq!(&*report.runs[0].log[0].text, "left out: disabled: on a journey");
}
