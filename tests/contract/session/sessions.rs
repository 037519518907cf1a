//! Sessions beside each other, and stopping them.

use std::sync::Arc;

use futures::FutureExt;
use syncmgr::handler::Resolution;
use syncmgr::log::ErrorId;
use syncmgr::session::RunChange;
use syncmgr::{HandlerId, HandlerInfo, LogEntry, LogLevel, Outcome, Report, RunEnding, SessionEvent, SyncManager};
use syncmgr_test::Transcript;

use crate::support::watched::{begin, until, until_began, until_run, waiting, within};
use crate::support::{HANDLER, Scripted, id, start};

fn ending(report: &Report) -> Option<RunEnding> {
    report.runs[0].ending
}

const WELL: Option<RunEnding> = Some(RunEnding::Completed);

#[tokio::test(start_paused = true)]
async fn two_sessions_over_one_handler_run_one_after_the_other() {
    let transcript = Transcript::new();
    let (manager, go) = waiting(&transcript);
    let first = begin(&manager);
    until_began(&first).await;
    let second = begin(&manager);
    assert_eq!(transcript.count("initialize"), 1);
    go.notify_one();
    until_run(&second, RunChange::Synchronizing).await;
    go.notify_one();
    assert_eq!((ending(&first.finish().await), ending(&second.finish().await)), (WELL, WELL));
    let lines = transcript.of(&["initialize", "end"]);
    let short: Vec<_> = lines.iter().map(|line| &line[..3]).collect();
    assert_eq!(short, ["ini", "end", "ini", "end"]);
}

#[tokio::test(start_paused = true)]
async fn results_that_are_looked_at_do_not_keep_the_next_session_waiting() {
    let (manager, go) = waiting(&Transcript::new());
    let first = begin(&manager);
    go.notify_one();
    first.report().await;
    let second = begin(&manager);
    go.notify_one();
    assert_eq!(ending(&within(second.finish()).await), WELL);
    assert_eq!(ending(&within(first.finish()).await), WELL);
}

#[tokio::test(start_paused = true)]
async fn different_handlers_run_at_the_same_time() {
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let manager = SyncManager::new();
    for number in 1..=2 {
        let barrier = barrier.clone();
        let handler = Scripted::new(&["a"]).info(|_| HandlerInfo::new(HandlerId::from_u128(number), "One of two"));
        let meeting = handler.on_item(move |_| {
            let barrier = barrier.clone();
            async move {
                barrier.wait().await;
                Ok(())
            }
            .boxed()
        });
        manager.register(meeting).unwrap();
    }
    assert!(within(begin(&manager).finish()).await.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_handle_is_dropped_goes_on_to_its_end() {
    let transcript = Transcript::new();
    let (manager, go) = waiting(&transcript);
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
async fn a_session_that_is_told_to_stop_on_drop_does() {
    let transcript = Transcript::new();
    let (manager, _go) = waiting(&transcript);
    let session = begin(&manager);
    let guard = session.stop_on_drop();
    until(&mut session.events(), |event| matches!(event, SessionEvent::Began { .. })).await;
    drop(guard);
    let report = within(session.finish()).await;
    assert!(report.items().all(|item| item.outcome == Outcome::Stopped), "{report}");
    assert_eq!(transcript.count("end"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_stopped_while_it_waits_for_its_turn_never_begins_and_the_others_go_on() {
    let transcript = Transcript::new();
    let (manager, go) = waiting(&transcript);
    let first = begin(&manager);
    until_began(&first).await;
    let [second, third] = [(); 2].map(|()| begin(&manager));
    second.stop();
    assert_eq!(ending(&within(second.finish()).await), Some(RunEnding::Stopped));
    assert_eq!(transcript.count("initialize"), 1);
    go.notify_one();
    until_run(&third, RunChange::Synchronizing).await;
    go.notify_one();
    assert_eq!((ending(&within(first.finish()).await), ending(&within(third.finish()).await)), (WELL, WELL));
    assert_eq!(transcript.count("initialize"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_stopped_before_its_run_was_polled_never_begins() {
    let transcript = Transcript::new();
    let (manager, _go) = waiting(&transcript);
    let session = begin(&manager);
    session.stop();
    assert_eq!(ending(&within(session.finish()).await), Some(RunEnding::Stopped));
    assert_eq!(transcript.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_session_stopped_while_it_begins_has_nothing_to_do_and_did_not_fail() {
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

/// A handler whose run leaves an entry to be opened, and whose item waits to be cancelled the first time.
fn linking(error: ErrorId) -> Scripted {
    Scripted::new(&["a"]).on_prepare(move |run| {
        run.log(LogEntry::new(LogLevel::Warning, "look").with_link(error));
        async { Ok(()) }.boxed()
    })
}

#[tokio::test(start_paused = true)]
async fn after_a_stop_the_results_can_be_looked_at_as_ever() {
    let error = ErrorId::from_key("look");
    let handler = linking(error).on_item(|item| item.token().cancelled_owned().map(Ok).boxed());
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
async fn a_retry_that_waits_for_its_turn_can_be_stopped() {
    let (error, go) = (ErrorId::from_key("look"), Arc::new(tokio::sync::Semaphore::new(1)));
    let turns = go.clone();
    let handler = linking(error)
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
    let mut looking = Box::pin(first.show_error(HANDLER, error));
    assert!(futures::poll!(&mut looking).is_pending());
    tokio::task::yield_now().await;
    assert_eq!(transcript.count("show_error"), 1);
    first.stop();
    go.add_permits(2);
    within(looking).await.unwrap();
    within(second.finish()).await;
    assert_eq!(transcript.count("item a"), 2);
}
