//! Two requests for one handler: items that have not begun run once, and both sessions report them.

use std::sync::Arc;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::handler::Resolution;
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::session::RunChange;
use syncmgr::{
    Classify, FailureClass, Hold, Limits, LogEntry, LogLevel, NeedsUser, Outcome, Progress, Report, RunEnding, Session,
    SessionEvent, Trigger,
};
use tokio::sync::Notify;

use crate::support::awaitable_host::{begin, until, within};
use crate::support::steps::{
    Steps, assert_succeeds, hold_of, manager_with, nth, outcome, start_manual, wait_until_idle,
};
use crate::support::{Scripted, id};

const ONE: Limits = Limits::DEFAULT.with_items(1);

/// A handler that runs one item at a time.
pub(crate) fn sequential_handler(steps: &Steps, items: &[&'static str]) -> Scripted {
    steps.handler(1, items).info(|info| info.with_limits(ONE))
}

/// A handler whose log has a link that runs the item `b` again.
fn retrying_handler(steps: &Steps, link: ErrorId) -> Scripted {
    sequential_handler(steps, &["a", "b"])
        .on_prepare(move |run| {
            run.log(LogEntry::new(LogLevel::Warning, "again?").with_link(link));
            async { Ok(()) }.boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("b")])) }.boxed())
}

pub(crate) fn merged_into(session: &Session) -> Option<Hold> {
    Some(Hold::Merged { session: session.id() })
}

pub(crate) fn open_all(steps: &Steps) {
    ["a", "b", "c"].iter().for_each(|name| steps.open(name));
}

#[tokio::test(start_paused = true)]
async fn waiting_items_run_once_and_running_items_run_again() {
    let steps = Steps::default();
    let handler = sequential_handler(&steps, &["a", "b", "c"]);
    let transcript = handler.transcript.clone();
    let manager = manager_with([handler]);
    let first = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let second = start_manual(&manager, 1);
    open_all(&steps);
    let report = within(second.report()).await;
    assert_eq!(steps.began(), "a b c a");
    assert!(report.is_success(), "{report}");
    assert_eq!(
        ["a", "b", "c"].map(|name| hold_of(&report, id(name))),
        [None, merged_into(&first), merged_into(&first)]
    );
    assert_eq!(["a", "b", "c"].map(|name| outcome(&report, id(name))), [Outcome::Succeeded; 3]);
    assert_eq!(report.items().count(), 3);
    assert_eq!(transcript.of(&["prepare"]), ["prepare a b c", "prepare a"]);
    let report = assert_succeeds(first).await;
    assert!(report.items().all(|item| item.hold.is_none()));
}

#[tokio::test(start_paused = true)]
async fn simultaneous_requests_prepare_and_run_every_item_once() {
    let steps = Steps::default();
    let handler = sequential_handler(&steps, &["a", "b"]);
    let transcript = handler.transcript.clone();
    let manager = manager_with([handler]);
    open_all(&steps);
    let first = start_manual(&manager, 1);
    let second = start_manual(&manager, 1);
    let report = within(second.finish()).await;
    assert!(report.is_success(), "{report}");
    assert_eq!(report.runs[0].ending, Some(RunEnding::NothingToDo));
    assert!(report.items().all(|item| item.hold == merged_into(&first)));
    assert!(report.to_string().contains("merged into session"), "{report}");
    assert_eq!((steps.began().as_str(), transcript.count("prepare")), ("a b", 1));
    assert_succeeds(first).await;
}

#[tokio::test(start_paused = true)]
async fn three_requests_share_one_second_run_of_a_running_item() {
    let steps = Steps::default();
    let manager = manager_with([sequential_handler(&steps, &["a", "b"])]);
    let first = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let [second, third] = [(); 2].map(|()| start_manual(&manager, 1));
    open_all(&steps);
    let report = within(third.report()).await;
    assert_eq!(steps.began(), "a b a");
    assert_eq!(["a", "b"].map(|name| hold_of(&report, id(name))), [merged_into(&second), merged_into(&first)]);
    for session in [first, second, third] {
        assert_succeeds(session).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_third_request_during_an_items_second_run_runs_it_again() {
    let steps = Steps::default();
    let manager = manager_with([sequential_handler(&steps, &["a"])]);
    let first = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let second = start_manual(&manager, 1);
    wait_until_idle().await;
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "a");
    let third = start_manual(&manager, 1);
    open_all(&steps);
    for session in [first, second, third] {
        assert_eq!(hold_of(&assert_succeeds(session).await, id("a")), None);
    }
    assert_eq!(steps.began(), "a a a");
}

#[tokio::test(start_paused = true)]
async fn a_request_after_the_end_of_another_runs_every_item() {
    let steps = Steps::default();
    let manager = manager_with([sequential_handler(&steps, &["a", "b"])]);
    open_all(&steps);
    let first = start_manual(&manager, 1);
    within(first.report()).await;
    let report = assert_succeeds(start_manual(&manager, 1)).await;
    assert!(report.items().all(|item| item.hold.is_none()));
    assert_eq!(steps.began(), "a b a b");
}

#[tokio::test(start_paused = true)]
async fn explicit_items_in_both_sessions_merge_and_the_others_run() {
    let steps = Steps::default();
    let manager = manager_with([sequential_handler(&steps, &["a", "b", "c"])]);
    let some = |names: &[&str]| {
        manager.session(Trigger::Manual).items(nth(1), names.iter().map(|name| id(name))).start().unwrap()
    };
    let first = some(&["a", "b"]);
    assert_eq!(steps.running().await, "a");
    let second = some(&["b", "c"]);
    open_all(&steps);
    let report = assert_succeeds(second).await;
    assert_eq!(["b", "c"].map(|name| hold_of(&report, id(name))), [merged_into(&first), None]);
    assert_eq!(report.items().count(), 2);
    assert_eq!(steps.began(), "a b c");
    assert_succeeds(first).await;
}

#[tokio::test(start_paused = true)]
async fn events_of_a_merged_session_report_every_end_and_that_it_is_idle() {
    let steps = Steps::default();
    let manager = manager_with([sequential_handler(&steps, &["a", "b"])]);
    open_all(&steps);
    let first = start_manual(&manager, 1);
    let second = start_manual(&manager, 1);
    let mut events = second.events();
    let mut ends = Vec::new();
    loop {
        match until(&mut events, |_| true).await {
            SessionEvent::Ended { item, outcome, .. } => ends.push((item, outcome)),
            SessionEvent::Began { name, .. } => panic!("{name} began in the merged session"),
            SessionEvent::Run { change: RunChange::Synchronizing, .. } => panic!("the merged session synchronized"),
            SessionEvent::Idle => break,
            _ => {}
        }
    }
    assert_eq!(ends, [(id("a"), Outcome::Succeeded), (id("b"), Outcome::Succeeded)]);
    assert_succeeds(first).await;
    second.close().await;
    assert_eq!(within(events.next()).await, Some(SessionEvent::Closed));
    assert_eq!(within(events.next()).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_merged_session_reports_the_failures_and_classes_of_the_first() {
    let handler = Scripted::new(&["gone", "user", "fine"]).on_item(|item| {
        let result = match item.name() {
            "gone" => Err(anyhow!("no such mailbox")).gone(),
            "user" => Err(NeedsUser::new("a password").into()),
            _ => Ok(()),
        };
        async { result }.boxed()
    });
    let transcript = handler.transcript.clone();
    let manager = manager_with([handler]);
    let first = begin(&manager);
    let report = within(begin(&manager).finish()).await;
    assert_eq!(transcript.count("item "), 3);
    assert!(!report.is_success(), "{report}");
    let ends = |report: &Report| -> Vec<_> {
        ["gone", "user", "fine"].map(|name| report.runs[0].item(id(name)).map(|item| (item.outcome, item.class))).into()
    };
    let gone = Some((Outcome::Failed, Some(FailureClass::Gone)));
    let plain = |outcome| Some((outcome, None));
    assert_eq!(ends(&report), [gone, plain(Outcome::NeedsUser), plain(Outcome::Succeeded)]);
    assert_eq!(ends(&report), ends(&within(first.finish()).await));
}

#[tokio::test(start_paused = true)]
async fn manually_reported_items_merge_until_their_first_report() {
    let (go, reported) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (waits, begins) = (go.clone(), reported.clone());
    let handler = Scripted::new(&["a", "b"]).on_synchronize(move |run| {
        let (waits, begins) = (waits.clone(), begins.clone());
        async move {
            let items: Vec<_> = run.selection().iter().map(syncmgr::SyncItem::id).collect();
            run.report(items[0], Progress::new().with_value(1))?;
            begins.notify_one();
            waits.notified().await;
            for item in items {
                run.report(item, Progress::new().with_status(Status::Succeeded))?;
            }
            Ok(())
        }
        .boxed()
    });
    let manager = manager_with([handler]);
    let first = begin(&manager);
    within(reported.notified()).await;
    let second = begin(&manager);
    go.notify_one();
    within(first.report()).await;
    go.notify_one();
    let report = assert_succeeds(second).await;
    assert_eq!(["a", "b"].map(|name| hold_of(&report, id(name))), [None, merged_into(&first)]);
    assert_succeeds(first).await;
}

#[tokio::test(start_paused = true)]
async fn a_merged_item_can_be_retried_from_the_second_session() {
    let (steps, error) = (Steps::default(), ErrorId::from_key("again"));
    let manager = manager_with([retrying_handler(&steps, error)]);
    let first = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let second = start_manual(&manager, 1);
    open_all(&steps);
    assert_eq!(hold_of(&within(second.report()).await, id("b")), merged_into(&first));
    within(second.show_error(nth(1), error)).await.unwrap();
    let report = assert_succeeds(second).await;
    assert_eq!((hold_of(&report, id("b")), report.items().count()), (None, 2));
    assert_eq!(steps.began(), "a b a b");
    assert_succeeds(first).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_retries_an_item_does_not_cover_what_it_ran_before_the_request() {
    let (steps, error) = (Steps::default(), ErrorId::from_key("again"));
    let manager = manager_with([retrying_handler(&steps, error)]);
    let first = start_manual(&manager, 1);
    steps.release(&["a", "b"]).await;
    within(first.report()).await;
    let second = start_manual(&manager, 1);
    wait_until_idle().await;
    let retried = first.clone();
    let retry = tokio::spawn(async move { retried.show_error(nth(1), error).await });
    wait_until_idle().await;
    let third = start_manual(&manager, 1);
    open_all(&steps);
    within(retry).await.unwrap().unwrap();
    let report = assert_succeeds(third).await;
    assert_eq!(hold_of(&report, id("a")), None, "merged with an attempt from before the request");
    assert_succeeds(second).await;
    assert_succeeds(first).await;
}
