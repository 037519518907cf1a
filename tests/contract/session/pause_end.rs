//! Calls on paused sessions: skip, stop, shutdown and retry.

use futures::FutureExt;
use syncmgr::Outcome;

use crate::session::pause::{is_idle, manager_with_two_handlers};
use crate::support::awaitable_host::within;
use crate::support::id;
use crate::support::steps::{Steps, assert_succeeds, manager_with, nth, outcome, start_manual, wait_until_idle};

#[tokio::test(start_paused = true)]
async fn paused_items_can_be_skipped_and_the_last_one_ends_the_session() {
    let steps = Steps::default();
    let manager = manager_with_two_handlers(&steps);
    let session = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    session.pause();
    steps.release(&["a"]).await;
    assert!(!is_idle(&session).await);
    session.skip(nth(1), id("b")).unwrap();
    let report = within(session.finish()).await;
    assert_eq!((outcome(&report, id("a")), outcome(&report, id("b"))), (Outcome::Succeeded, Outcome::Skipped));
}

#[tokio::test(start_paused = true)]
async fn a_running_item_can_be_skipped_while_paused() {
    let steps = Steps::default();
    let manager = manager_with([steps.handler(1, &["a"])]);
    let session = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    session.pause();
    session.skip(nth(1), id("a")).unwrap();
    assert_eq!(outcome(&within(session.finish()).await, id("a")), Outcome::Skipped);
}

#[tokio::test(start_paused = true)]
async fn a_paused_session_can_be_stopped() {
    let steps = Steps::default();
    let manager = manager_with_two_handlers(&steps);
    let session = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    session.pause();
    wait_until_idle().await;
    session.stop();
    let report = within(session.finish()).await;
    assert!(report.items().all(|item| item.outcome == Outcome::Stopped), "{report}");
    assert_eq!(steps.began(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_paused_manager_shuts_down_with_all_its_paused_sessions() {
    let steps = Steps::default();
    let manager = manager_with_two_handlers(&steps);
    let [first, second] = [1, 2].map(|number| start_manual(&manager, number));
    assert_eq!(steps.running().await, "a c");
    first.pause();
    manager.pause();
    steps.release(&["a", "c"]).await;
    let third = start_manual(&manager, 1);
    wait_until_idle().await;
    assert!(within(manager.shutdown()).await.is_empty());
    for session in [first, second, third] {
        assert!(session.report().await.items().all(|item| item.outcome != Outcome::Failed));
    }
    assert_eq!(steps.began(), "a c");
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_a_paused_session_waits_until_it_is_resumed() {
    let steps = Steps::default();
    let error = syncmgr::log::ErrorId::from_key("again");
    let handler = steps
        .handler(1, &["a"])
        .on_prepare(move |run| {
            run.log(syncmgr::LogEntry::new(syncmgr::LogLevel::Warning, "again?").with_link(error));
            async { Ok(()) }.boxed()
        })
        .on_show_error(|_, _| async { Ok(syncmgr::handler::Resolution::Retry(vec![id("a")])) }.boxed());
    steps.open("a");
    let session = start_manual(&manager_with([handler]), 1);
    within(session.report()).await;
    session.pause();
    let mut retry = Box::pin(session.show_error(nth(1), error));
    assert!(futures::poll!(&mut retry).is_pending());
    wait_until_idle().await;
    assert_eq!(steps.began(), "a");
    session.resume();
    within(retry).await.unwrap();
    assert_eq!(steps.began(), "a a");
}

#[tokio::test(start_paused = true)]
async fn repeated_pausing_and_resuming_loses_no_item() {
    let names: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let handler = crate::support::Scripted::new(&names).on_item(|_| tokio::task::yield_now().map(Ok).boxed());
    let transcript = handler.transcript.clone();
    let session = crate::support::start(handler);
    for _ in 0..500 {
        session.pause();
        tokio::task::yield_now().await;
        session.resume();
        tokio::task::yield_now().await;
    }
    assert_succeeds(session).await;
    assert_eq!(transcript.count("item "), 200);
}
