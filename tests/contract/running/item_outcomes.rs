//! The outcomes of items: one test per row of the table of `verdict_of`. The endings of runs are tested in `endings`.

use std::time::Duration;

use anyhow::anyhow;
use futures::FutureExt;
use syncmgr::{
    CancelReason, Cancelled, Classify, FailureClass, HandlerId, ItemContext, LogLevel, NeedsUser, Outcome, Report,
    RunEnding, Session, SyncResult,
};
use syncmgr_test::Transcript;

use crate::cancellation::grace::Begun;
use crate::cancellation::stopped::{Job, advance_in_steps};
use crate::support::awaitable_host::within;
use crate::support::window::ran;
use crate::support::{HANDLER, Scripted, id, run, start};

fn ending(report: &Report, handler: HandlerId) -> RunEnding {
    ran(report, handler).ending.expect("the run has ended")
}

/// The level and text of every log entry.
fn log(report: &Report) -> Vec<(LogLevel, &str)> {
    report.runs[0].log.iter().map(|entry| (entry.level, &*entry.text)).collect()
}

fn outcome_and_class(report: &Report) -> (Outcome, Option<FailureClass>) {
    let item = report.items().next().expect("there is one item");
    (item.outcome, item.class)
}

/// The report of a session whose item runs `work`.
async fn report_of(work: fn(&ItemContext) -> SyncResult) -> Report {
    within(run(Scripted::new(&["a"]).on_item(move |item| async move { work(item) }.boxed()))).await
}

/// The report of a session whose item is cancelled and then runs `then`.
async fn report_after_cancel(cancel: Cancel, then: fn(&ItemContext) -> SyncResult) -> Report {
    let begun = Begun::with(move |item| {
        async move {
            item.cancelled().await;
            then(item)
        }
        .boxed()
    });
    let begun = begun.await;
    cancel(&begun.session);
    begun.end().await
}

type Cancel = fn(&Session);

/// Every way to cancel an item, with its outcome.
const CANCELS: [(Cancel, Outcome); 3] =
    [(skip, Outcome::Skipped), (stop, Outcome::Stopped), (stop_handler, Outcome::Stopped)];

fn skip(session: &Session) {
    session.skip(HANDLER, id("a")).expect("the item is listed");
}

fn stop(session: &Session) {
    session.stop();
}

fn stop_handler(session: &Session) {
    session.stop_handler(HANDLER).expect("the handler is part of the session");
}

/// Tolerates a failure and leaves a question open.
fn tolerate_and_leave_open(item: &ItemContext) -> SyncResult {
    assert!(item.tolerate("read a part", Err::<(), _>(anyhow!("unreadable")).permanent())?.is_none());
    leave_open(item)
}

fn leave_open(item: &ItemContext) -> SyncResult {
    assert!(item.decide("side", "which?", &["this"]).is_none());
    Ok(())
}

const TRANSIENT: Option<FailureClass> = Some(FailureClass::Transient);
const PERMANENT: Option<FailureClass> = Some(FailureClass::Permanent);

#[tokio::test(start_paused = true)]
async fn an_item_that_returns_ok_succeeds() {
    let report = report_of(|_| Ok(())).await;
    assert_eq!((outcome_and_class(&report), log(&report)), ((Outcome::Succeeded, None), vec![]));
}

#[tokio::test(start_paused = true)]
async fn ok_with_a_tolerated_failure_fails_with_its_class_and_is_logged_once() {
    let report =
        report_of(|item| item.tolerate("read a part", Err::<(), _>(anyhow!("unreadable")).gone()).map(drop)).await;
    assert_eq!(outcome_and_class(&report), (Outcome::Failed, Some(FailureClass::Gone)));
    assert_eq!(log(&report), [(LogLevel::Error, "read a part: unreadable")]);
}

#[tokio::test(start_paused = true)]
async fn ok_with_an_open_decision_needs_the_user() {
    let report = report_of(leave_open).await;
    assert_eq!(outcome_and_class(&report), (Outcome::NeedsUser, None));
    assert_eq!(log(&report), [(LogLevel::Warning, "which?")]);
}

#[tokio::test(start_paused = true)]
async fn a_tolerated_failure_outweighs_an_open_decision() {
    assert_eq!(outcome_and_class(&report_of(tolerate_and_leave_open).await), (Outcome::Failed, PERMANENT));
}

#[tokio::test(start_paused = true)]
async fn ok_after_a_cancel_is_success() {
    for (cancel, _) in CANCELS {
        assert_eq!(outcome_and_class(&report_after_cancel(cancel, |_| Ok(())).await), (Outcome::Succeeded, None));
    }
}

#[tokio::test(start_paused = true)]
async fn ok_after_a_cancel_with_an_open_decision_needs_the_user() {
    for (cancel, _) in CANCELS {
        assert_eq!(outcome_and_class(&report_after_cancel(cancel, leave_open).await), (Outcome::NeedsUser, None));
    }
}

#[tokio::test(start_paused = true)]
async fn ok_after_a_tolerated_failure_and_a_cancel_is_a_failure() {
    for (cancel, _) in CANCELS {
        let begun = Begun::with(|item| {
            async move {
                tolerate_and_leave_open(item)?;
                item.cancelled().await;
                Ok(())
            }
            .boxed()
        });
        let begun = begun.await;
        cancel(&begun.session);
        assert_eq!(outcome_and_class(&begun.end().await), (Outcome::Failed, PERMANENT));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_after_a_cancel_counts_as_cancelled_and_is_logged_as_information() {
    for (cancel, outcome) in CANCELS {
        let report = report_after_cancel(cancel, |_| Err(anyhow!("connection reset")).permanent()).await;
        assert_eq!(outcome_and_class(&report), (outcome, None));
        assert_eq!(log(&report), [(LogLevel::Information, "connection reset")]);
        assert_eq!(ending(&report, HANDLER), RunEnding::Completed);
    }
}

#[tokio::test(start_paused = true)]
async fn needing_the_user_after_a_cancel_counts_as_cancelled() {
    for (cancel, outcome) in CANCELS {
        let report = report_after_cancel(cancel, |_| Err(NeedsUser::new("sign in").into())).await;
        assert_eq!(outcome_and_class(&report), (outcome, None));
        assert_eq!(log(&report), [(LogLevel::Information, "needs the user: sign in")]);
    }
}

#[tokio::test(start_paused = true)]
async fn tolerate_after_a_cancel_returns_the_error() {
    for (cancel, outcome) in CANCELS {
        let report = report_after_cancel(cancel, |item| {
            item.tolerate("read a part", Err::<(), _>(anyhow!("aborted")))?;
            unreachable!("`tolerate` returns the error after a cancel")
        });
        let report = report.await;
        assert_eq!(outcome_and_class(&report), (outcome, None));
        assert_eq!(log(&report), [(LogLevel::Information, "aborted")]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_is_a_failure_of_its_class_or_transient_without_a_class() {
    assert_eq!(
        outcome_and_class(&report_of(|_| Err(anyhow!("no such page")).gone()).await),
        (Outcome::Failed, Some(FailureClass::Gone))
    );
    let report = report_of(|_| Err(anyhow!("no network"))).await;
    assert_eq!(outcome_and_class(&report), (Outcome::Failed, TRANSIENT));
    assert_eq!(log(&report), [(LogLevel::Error, "no network")]);
}

#[tokio::test(start_paused = true)]
async fn returning_cancelled_without_a_cancel_is_a_transient_failure() {
    let report = report_of(|_| Err(Cancelled::new(CancelReason::Skipped).into())).await;
    assert_eq!(outcome_and_class(&report), (Outcome::Failed, TRANSIENT));
    assert!(matches!(log(&report)[..], [(LogLevel::Error, _)]), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_transient_failure() {
    let report = report_of(|_| panic!("what page")).await;
    assert_eq!(outcome_and_class(&report), (Outcome::Failed, TRANSIENT));
    assert_eq!(log(&report), [(LogLevel::Error, "the handler panicked: what page")]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_after_a_cancel_is_still_a_failure() {
    for (cancel, _) in CANCELS {
        let report = report_after_cancel(cancel, |_| panic!("while leaving")).await;
        assert_eq!(outcome_and_class(&report), (Outcome::Failed, TRANSIENT));
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_dropped_after_a_cancel_is_skipped_or_stopped() {
    for (cancel, outcome) in CANCELS {
        let begun = Begun::with(|_| std::future::pending().boxed()).await;
        cancel(&begun.session);
        let report = begun.end().await;
        assert_eq!((outcome_and_class(&report), log(&report)), ((outcome, None), vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_item_is_a_transient_failure() {
    for (cancel, _) in CANCELS {
        let job = Job::new();
        let work = job.work(&Transcript::new());
        let session = start(Scripted::new(&["a"]).on_item(move |item| item.blocking(work.clone()).boxed()));
        job.begun.notified().await;
        cancel(&session);
        advance_in_steps(Duration::from_secs(6)).await;
        let report = session.report().await;
        // Releases the thread before the assertions.
        drop(job);
        assert_eq!(outcome_and_class(&report), (Outcome::Failed, TRANSIENT));
        assert!(matches!(log(&report)[..], [(LogLevel::Error, text)] if text.contains("abandoned")), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn needing_the_user_is_an_outcome_and_not_an_error() {
    let report = run(Scripted::new(&["a"]).on_item(|_| async { Err(NeedsUser::new("sign in").into()) }.boxed())).await;
    assert_eq!(outcome_and_class(&report), (Outcome::NeedsUser, None));
    assert_eq!(log(&report), [(LogLevel::Warning, "needs the user: sign in")]);
    assert_eq!(ending(&report, HANDLER), RunEnding::Completed);
}
