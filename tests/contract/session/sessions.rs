//! Concurrent sessions, and stopping them.

use std::sync::Arc;

use futures::FutureExt;
use syncmgr::handler::Resolution;
use syncmgr::log::ErrorId;
use syncmgr::session::RunChange;
use syncmgr::{HandlerId, HandlerInfo, LogEntry, LogLevel, Outcome, Report, RunEnding, SessionEvent, SyncManager};
use syncmgr_test::Transcript;

use crate::support::awaitable_host::{begin, manager_with_waiting_item, until, until_began, until_run, within};
use crate::support::{HANDLER, Scripted, id, start};

fn ending(report: &Report) -> Option<RunEnding> {
    report.runs[0].ending
}

const COMPLETED: Option<RunEnding> = Some(RunEnding::Completed);

#[tokio::test(start_paused = true)]
async fn two_sessions_of_one_handler_run_sequentially() {
    let transcript = Transcript::new();
    let (manager, go) = manager_with_waiting_item(&transcript);
    let first = begin(&manager);
    until_began(&first).await;
    let second = begin(&manager);
    assert_eq!(transcript.count("initialize"), 1);
    go.notify_one();
    until_run(&second, RunChange::Synchronizing).await;
    go.notify_one();
    assert_eq!((ending(&first.finish().await), ending(&second.finish().await)), (COMPLETED, COMPLETED));
    let lines = transcript.of(&["initialize", "end"]);
    let short: Vec<_> = lines.iter().map(|line| &line[..3]).collect();
    assert_eq!(short, ["ini", "end", "ini", "end"]);
}

#[tokio::test(start_paused = true)]
async fn open_results_do_not_block_the_next_session() {
    let (manager, go) = manager_with_waiting_item(&Transcript::new());
    let first = begin(&manager);
    go.notify_one();
    first.report().await;
    let second = begin(&manager);
    go.notify_one();
    assert_eq!(ending(&within(second.finish()).await), COMPLETED);
    assert_eq!(ending(&within(first.finish()).await), COMPLETED);
}

#[tokio::test(start_paused = true)]
async fn different_handlers_run_at_the_same_time() {
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let manager = SyncManager::new();
    for number in 1..=2 {
        let barrier = barrier.clone();
        let handler = Scripted::new(&["a"]).info(|_| HandlerInfo::new(HandlerId::from_u128(number), "One of two"));
        let handler = handler.on_item(move |_| {
            let barrier = barrier.clone();
            async move {
                barrier.wait().await;
                Ok(())
            }
            .boxed()
        });
        manager.register(handler).unwrap();
    }
    assert!(within(begin(&manager).finish()).await.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_handle_is_dropped_runs_to_its_end() {
    let transcript = Transcript::new();
    let (manager, go) = manager_with_waiting_item(&transcript);
    let session = begin(&manager);
    let mut events = session.events();
    drop(session);
    until(&mut events, |event| matches!(event, SessionEvent::Began { .. })).await;
    go.notify_one();
    let ended = until(&mut events, |event| matches!(event, SessionEvent::Ended { .. })).await;
    assert!(matches!(ended, SessionEvent::Ended { outcome: Outcome::Succeeded, .. }), "{ended:?}");
    within(async { while events.next().await.is_some() {} }).await;
    assert_eq!(transcript.count("end"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_with_stop_on_drop_stops_when_the_guard_is_dropped() {
    let transcript = Transcript::new();
    let (manager, _go) = manager_with_waiting_item(&transcript);
    let session = begin(&manager);
    let guard = session.stop_on_drop();
    until(&mut session.events(), |event| matches!(event, SessionEvent::Began { .. })).await;
    drop(guard);
    let report = within(session.finish()).await;
    assert!(report.items().all(|item| item.outcome == Outcome::Stopped), "{report}");
    assert_eq!(transcript.count("end"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_stopped_in_the_queue_never_begins_and_the_others_run() {
    let transcript = Transcript::new();
    let (manager, go) = manager_with_waiting_item(&transcript);
    let first = begin(&manager);
    until_began(&first).await;
    let [second, third] = [(); 2].map(|()| begin(&manager));
    second.stop();
    assert_eq!(ending(&within(second.finish()).await), Some(RunEnding::Stopped));
    assert_eq!(transcript.count("initialize"), 1);
    go.notify_one();
    until_run(&third, RunChange::Synchronizing).await;
    go.notify_one();
    assert_eq!((ending(&within(first.finish()).await), ending(&within(third.finish()).await)), (COMPLETED, COMPLETED));
    assert_eq!(transcript.count("initialize"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_stopped_before_its_run_was_polled_never_begins() {
    let transcript = Transcript::new();
    let (manager, _go) = manager_with_waiting_item(&transcript);
    let session = begin(&manager);
    session.stop();
    assert_eq!(ending(&within(session.finish()).await), Some(RunEnding::Stopped));
    assert_eq!(transcript.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_session_stopped_while_it_begins_is_stopped_and_has_not_failed() {
    let handler = Scripted::new(&["a"]).on_initialize(|run| {
        async move {
            run.cancelled().await;
            run.check()?;
            unreachable!("the run was cancelled")
        }
        .boxed()
    });
    let transcript = handler.transcript.clone();
    let session = start(handler);
    tokio::task::yield_now().await;
    assert_eq!(transcript.count("initialize"), 1);
    session.stop();
    let report = within(session.finish()).await;
    assert_eq!((ending(&report), report.runs[0].log.len()), (Some(RunEnding::Stopped), 0), "{report}");
}

/// A handler whose `prepare` logs an entry that can be opened.
fn linking_handler(error: ErrorId) -> Scripted {
    Scripted::new(&["a"]).on_prepare(move |run| {
        run.log(LogEntry::new(LogLevel::Warning, "link").with_link(error));
        async { Ok(()) }.boxed()
    })
}

#[tokio::test(start_paused = true)]
async fn the_results_of_a_stopped_session_can_be_opened() {
    let error = ErrorId::from_key("link");
    let handler = linking_handler(error).on_item(|item| item.token().cancelled_owned().map(Ok).boxed());
    let handler = handler.on_show_error(|run, _| {
        async move {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            run.check()?;
            run.warn("explained");
            Ok(Resolution::Done)
        }
        .boxed()
    });
    let session = start(handler);
    until_run(&session, RunChange::Synchronizing).await;
    session.stop();
    session.report().await;
    within(session.show_error(HANDLER, error)).await.unwrap();
    let report = session.finish().await;
    assert_eq!(report.runs[0].log.last().map(|entry| &*entry.text), Some("explained"));
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_waits_in_the_queue_can_be_stopped() {
    let (error, go) = (ErrorId::from_key("link"), Arc::new(tokio::sync::Semaphore::new(1)));
    let turns = go.clone();
    let handler = linking_handler(error)
        .on_item(move |_| {
            let turns = turns.clone();
            async move {
                turns.acquire().await?.forget();
                Ok(())
            }
            .boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("a")])) }.boxed());
    let (manager, transcript) = (SyncManager::new(), handler.transcript.clone());
    manager.register(handler).unwrap();
    let first = begin(&manager);
    first.report().await;
    let second = begin(&manager);
    until_run(&second, RunChange::Synchronizing).await;
    let mut retry = Box::pin(first.show_error(HANDLER, error));
    assert!(futures::poll!(&mut retry).is_pending());
    tokio::task::yield_now().await;
    assert_eq!(transcript.count("show_error"), 1);
    first.stop();
    go.add_permits(2);
    within(retry).await.unwrap();
    within(second.finish()).await;
    assert_eq!(transcript.count("item a"), 2);
}
