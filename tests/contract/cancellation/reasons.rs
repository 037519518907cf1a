//! Cancel reasons: cancelled work can read its reason, and returning it as an error logs nothing.

use std::sync::Arc;

use futures::FutureExt;
use syncmgr::session::RunChange;
use syncmgr::{CancelReason, Cancelled, Classify, LogEntry, Outcome, RunContext, RunEnding, Session, SyncManager};
use syncmgr_test::Transcript;
use tokio::sync::Notify;

use crate::cancellation::grace::{Begun, only_outcome};
use crate::support::awaitable_host::{until_run, within};
use crate::support::{HANDLER, Scripted, id, start};

/// Cancels a running item; returns the reason that the item reads, and its outcome.
async fn reason_after(cancel: impl AsyncFnOnce(&SyncManager, &Session)) -> (String, Outcome) {
    let reasons = Transcript::new();
    let notes = reasons.clone();
    let begun = Begun::with(move |item| {
        let notes = notes.clone();
        async move {
            item.cancelled().await;
            let cancelled = item.check().expect_err("the item was not cancelled");
            assert_eq!(item.progress(1, 2), Err(cancelled));
            assert!(item.token().is_cancelled());
            notes.note(format!("{:?}", cancelled.reason));
            Err(cancelled.into())
        }
        .boxed()
    })
    .await;
    cancel(&begun.manager, &begun.session).await;
    let report = begun.end().await;
    assert!(report.runs[0].log.is_empty(), "the cancellation was logged: {report}");
    (reasons.lines().join(" "), only_outcome(&report))
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_item_can_read_the_reason() {
    let skipped = reason_after(async |_, session: &Session| session.skip(HANDLER, id("a")).unwrap()).await;
    assert_eq!(skipped, ("Skipped".into(), Outcome::Skipped));
    let stopped = reason_after(async |_, session: &Session| session.stop_handler(HANDLER).unwrap()).await;
    assert_eq!(stopped, ("HandlerStopped".into(), Outcome::Stopped));
    let stopped = reason_after(async |_, session: &Session| session.stop()).await;
    assert_eq!(stopped, ("SessionStopped".into(), Outcome::Stopped));
    let dropped = reason_after(async |_, session: &Session| drop(session.stop_on_drop())).await;
    assert_eq!(dropped, ("SessionStopped".into(), Outcome::Stopped));
    let shut_down = reason_after(async |manager: &SyncManager, _| {
        assert!(within(manager.shutdown()).await.is_empty());
    });
    assert_eq!(shut_down.await, ("ShuttingDown".into(), Outcome::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_later_cancel_does_not_replace_the_first_reason() {
    let skipped = reason_after(async |_, session: &Session| {
        session.skip(HANDLER, id("a")).unwrap();
        session.stop();
    });
    assert_eq!(skipped.await, ("Skipped".into(), Outcome::Skipped));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_prepare_can_read_the_reason() {
    let reasons = Transcript::new();
    let notes = reasons.clone();
    let handler = Scripted::new(&["a"]).on_prepare(move |run| {
        let notes = notes.clone();
        async move {
            run.cancelled().await;
            let cancelled = run.check().expect_err("the run was not stopped");
            notes.note(cancelled.to_string());
            Err(cancelled.into())
        }
        .boxed()
    });
    let session = start(handler);
    until_run(&session, RunChange::Preparing).await;
    session.stop();
    let report = within(session.finish()).await;
    assert_eq!(reasons.lines(), ["cancelled: the session was stopped"]);
    assert!(matches!(report.runs[0].ending, Some(RunEnding::NotPrepared(_))));
    assert_eq!(only_outcome(&report), Outcome::Stopped);
}

/// Stops a handler that has notified the test, and returns the log of its run.
async fn log_after_stop(handler: impl FnOnce(Arc<Notify>) -> Scripted) -> Vec<Arc<LogEntry>> {
    let waiting = Arc::new(Notify::new());
    let session = start(handler(waiting.clone()));
    within(waiting.notified()).await;
    session.stop();
    within(session.finish()).await.runs.remove(0).log
}

/// Notifies the test, waits for the stop, and returns the cancellation.
async fn await_stop(run: &RunContext, waiting: &Notify) -> Cancelled {
    waiting.notify_one();
    run.cancelled().await;
    run.check().expect_err("the run was not stopped")
}

#[tokio::test(start_paused = true)]
async fn returning_from_initialize_on_a_stop_logs_nothing() {
    let handler = |waiting: Arc<Notify>| {
        Scripted::new(&["a"]).on_initialize(move |run| {
            let waiting = waiting.clone();
            async move { Err(await_stop(run, &waiting).await.into()) }.boxed()
        })
    };
    assert_eq!(log_after_stop(handler).await, []);
}

#[tokio::test(start_paused = true)]
async fn returning_from_prepare_on_a_stop_logs_nothing() {
    let handler = |waiting: Arc<Notify>| {
        Scripted::new(&["a"]).on_prepare(move |run| {
            let waiting = waiting.clone();
            async move { Err(await_stop(run, &waiting).await.into()) }.boxed()
        })
    };
    assert_eq!(log_after_stop(handler).await, []);
}

#[tokio::test(start_paused = true)]
async fn returning_from_synchronize_on_a_stop_logs_nothing() {
    let handler = |waiting: Arc<Notify>| {
        Scripted::new(&["a"]).on_synchronize(move |run| {
            let waiting = waiting.clone();
            async move { Err(await_stop(run, &waiting).await.into()) }.boxed()
        })
    };
    assert_eq!(log_after_stop(handler).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_inside_an_io_error_counts_only_if_the_token_is_cancelled() {
    let begun = Begun::with(|item| {
        async {
            item.cancelled().await;
            let io_error = std::io::Error::from(item.check().expect_err("the item was not skipped"));
            Err(io_error).permanent()
        }
        .boxed()
    })
    .await;
    begun.session.skip(HANDLER, id("a")).unwrap();
    assert_eq!(only_outcome(&begun.end().await), Outcome::Skipped);

    // A `Cancelled` error without a cancellation is an ordinary failure.
    let begun = Begun::with(|_| async { Err(Cancelled::new(CancelReason::Skipped).into()) }.boxed()).await;
    assert_eq!(only_outcome(&begun.end().await), Outcome::Failed);
}
