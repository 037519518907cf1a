//! Pulled cancellations: the return values of `Progress`. R109 to R116.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::progress::Status;
use syncmgr::session::RunChange;
use syncmgr::{
    HandlerInfo, ItemContext, Outcome, Progress, Report, RunEnding, SessionEvent, Subject, SyncManager, SyncResult,
    Trigger,
};
use syncmgr_test::{ScriptedHandler, Transcript};

use crate::support::awaitable_host::{CLASSIC, HandlerOnHost, host_in, until, until_run, within};
use crate::support::window::{Window, link, waiting_handler};
use crate::support::{HANDLER, Scripted, id, start};

const OK: HResult = HResult::S_OK;
const ITEM: HResult = HResult::S_SYNCMGR_CANCELITEM;
const ALL: HResult = HResult::S_SYNCMGR_CANCELALL;

/// Reports progress every 10 ms for one second.
async fn work(item: &ItemContext) -> SyncResult {
    for done in 0..100 {
        item.progress(done, 100)?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Never reports progress, checks for cancellation or returns.
async fn hang() -> SyncResult {
    std::future::pending().await
}

fn outcomes(report: &Report) -> Vec<(&str, Outcome)> {
    report.items().map(|item| (item.item.name(), item.outcome)).collect()
}

#[tokio::test(start_paused = true)]
async fn r109_progress_answers_ok_while_nothing_is_cancelled() {
    let window = Window::of(waiting_handler(&["a", "b"])).await;
    let unfinished =
        [Status::Pending, Status::Updating, Status::Paused, Status::Resuming, Status::UpdatingIndeterminate];
    for status in unfinished {
        assert_eq!((window.status("a", status), window.poll("b")), (OK, OK));
    }
    assert_eq!((window.status("a", Status::Succeeded), window.status("b", Status::Failed)), (OK, OK));
    let report = window.complete(OK).await;
    assert_eq!(outcomes(&report), [("a", Outcome::Succeeded), ("b", Outcome::Failed)]);
}

#[tokio::test(start_paused = true)]
async fn r110_progress_answers_cancel_item_only_for_cancelled_items() {
    let window = Window::of(waiting_handler(&["a", "b", "c"])).await;
    assert_eq!(
        (window.report("a", Progress::new().with_value(1)), window.report("b", Progress::new().with_value(1))),
        (OK, OK)
    );
    window.skip("a");
    window.skip("c");
    assert_eq!([window.poll("a"), window.poll("b"), window.poll("c")], [ITEM, OK, ITEM]);
    assert_eq!((window.status("a", Status::Skipped), window.status("b", Status::Succeeded)), (ITEM, OK));
    let report = window.complete(OK).await;
    let (skipped, succeeded) = (Outcome::Skipped, Outcome::Succeeded);
    assert_eq!(outcomes(&report), [("a", skipped), ("b", succeeded), ("c", skipped)]);
}

#[tokio::test(start_paused = true)]
async fn r110_r114_a_skipped_item_ends_and_the_others_continue() {
    let session = start(Scripted::new(&["a", "b"]).on_item(|item| work(item).boxed()));
    let begun = |event: &SessionEvent| matches!(event, SessionEvent::Began { item, .. } if *item == id("b"));
    until(&mut session.events(), begun).await;
    session.skip(HANDLER, id("a")).unwrap();
    let report = within(session.finish()).await;
    assert_eq!(outcomes(&report), [("a", Outcome::Skipped), ("b", Outcome::Succeeded)]);
    assert_eq!(report.runs[0].ending, Some(RunEnding::Completed));
}

#[tokio::test(start_paused = true)]
async fn r111_progress_answers_cancel_all_for_every_item_of_a_stopped_handler() {
    let window = Window::of(waiting_handler(&["running", "waiting"])).await;
    window.report("running", Progress::new().with_value(1));
    window.session.stop_handler(CLASSIC).unwrap();
    assert_eq!([window.poll("running"), window.poll("waiting")], [ALL, ALL]);
}

#[tokio::test(start_paused = true)]
async fn r111_progress_answers_cancel_all_for_items_skipped_before_a_stop() {
    let window = Window::of(waiting_handler(&["skipped", "skipped early"])).await;
    window.report("skipped", Progress::new().with_value(1));
    window.skip("skipped");
    window.skip("skipped early");
    window.session.stop();
    assert_eq!([window.poll("skipped"), window.poll("skipped early")], [ALL, ALL]);
}

#[tokio::test(start_paused = true)]
async fn r111_progress_answers_cancel_all_for_ended_items_of_a_stopped_session() {
    let window = Window::of(waiting_handler(&["ended"])).await;
    window.status("ended", Status::Succeeded);
    window.session.stop();
    assert_eq!(window.poll("ended"), ALL);
}

#[tokio::test(start_paused = true)]
async fn r112_stopping_one_handler_does_not_affect_another() {
    let manager = SyncManager::new();
    let other = HandlerInfo::new(HANDLER, "Other");
    let stopped = std::sync::Arc::new(waiting_handler(&["a"]));
    let continuing = std::sync::Arc::new(waiting_handler(&["a"]).with_info(other));
    host_in(&manager, &stopped);
    host_in(&manager, &continuing);
    let session = manager.session(Trigger::Manual).start().unwrap();
    for wanted in [CLASSIC, HANDLER] {
        let begun = |event: &SessionEvent| {
            let SessionEvent::Run { handler, change: RunChange::Synchronizing, .. } = event else { return false };
            *handler == wanted
        };
        until(&mut session.events(), begun).await;
    }
    session.stop_handler(CLASSIC).unwrap();
    let ask = |handler: &ScriptedHandler| handler.side().callback().progress(id("a"), None);
    assert_eq!((ask(&stopped), ask(&continuing)), (ALL, OK));
    assert_eq!(continuing.transcript().count("SetItemStatus"), 0);
    stopped.side().callback().synchronize_completed(OK);
    let done = Progress::new().with_status(Status::Succeeded);
    assert_eq!(continuing.side().callback().progress(id("a"), Some(&done)), OK);
    continuing.side().callback().synchronize_completed(OK);
    let report = within(session.finish()).await;
    let outcome = |handler| report.run(handler).unwrap().items().next().unwrap().outcome;
    assert_eq!((outcome(CLASSIC), outcome(HANDLER)), (Outcome::Stopped, Outcome::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn r113_a_cancel_lasts_for_the_attempt_but_not_for_a_retry() {
    let retry = |side: &syncmgr_test::Side| {
        side.callback().show_error_completed(HResult::S_SYNCMGR_RETRYSYNC, &[id("a"), id("b")])
    };
    let window = Window::of(waiting_handler(&["a", "b"]).on_show_error(retry)).await;
    let link = link("a");
    window.callback().log_error(syncmgr::LogLevel::Error, "link", Some(&link));
    window.report("a", Progress::new().with_value(1));
    window.skip("a");
    window.session.stop();
    for _ in 0..3 {
        assert_ne!(window.poll("a"), OK);
        assert_eq!(window.poll("b"), ALL);
    }
    window.complete(OK).await;

    let error = link.error.unwrap();
    let opened = tokio::spawn({
        let session = window.session.clone();
        async move { session.show_error(CLASSIC, error).await }
    });
    window.again().await;
    assert_eq!([window.status("a", Status::Succeeded), window.status("b", Status::Succeeded)], [OK, OK]);
    let report = window.complete(OK).await;
    within(opened).await.unwrap().unwrap();
    assert_eq!(outcomes(&report), [("a", Outcome::Succeeded), ("b", Outcome::Succeeded)]);
}

#[tokio::test(start_paused = true)]
async fn r113_a_skipped_item_can_be_retried_on_a_foreign_host() {
    let transcript = Transcript::new();
    let prepared = transcript.clone();
    let first = move || prepared.count("PrepareForSyncCompleted") == 1;
    let handler = Scripted::new(&["a"])
        .on_item(move |item| if first() { hang().boxed() } else { work(item).boxed() })
        .on_show_error(|_, _| async { Ok(syncmgr::handler::Resolution::Retry(vec![id("a")])) }.boxed());
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("a")]).await;
    on.adapter.synchronize();
    assert_eq!(on.adapter.set_item_status(Subject::Item(id("a")), Status::Skipped), OK);
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    assert_eq!(on.host.script.state(id("a")).status, Some(Status::Skipped));
    on.adapter.show_error(syncmgr::log::ErrorId::from_u128(1));
    on.host.wait_for("ShowErrorCompleted S_SYNCMGR_RETRYSYNC 1").await;
    assert_eq!((on.adapter.prepare_for_sync(&[id("a")]), on.adapter.synchronize()), (OK, OK));
    on.host.wait_for(&format!("Progress {} Succeeded", id("a"))).await;
}

#[tokio::test(start_paused = true)]
async fn r114_r116_an_item_cancelled_by_a_host_ends_as_skipped_within_310_ms() {
    let transcript = Transcript::new();
    let hanging = |item: &ItemContext| item.name() == "hanging";
    let handler = Scripted::new(&["working", "hanging", "b"])
        .on_item(move |item| if hanging(item) { hang().boxed() } else { work(item).boxed() });
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("working"), id("hanging"), id("b")]).await;
    on.adapter.synchronize();
    on.host.wait_for(&format!("Progress {} Updating", id("b"))).await;
    let cancelled = tokio::time::Instant::now();
    on.host.script.cancel_item(id("working"));
    on.host.script.cancel_item(id("hanging"));
    for name in ["working", "hanging"] {
        on.host.wait_for(&format!("Progress {} Skipped", id(name))).await;
    }
    // One frame until the adapter asks the host, the soft grace, and one frame until the adapter notifies the host.
    assert!(cancelled.elapsed() <= Duration::from_millis(310), "{:?}", cancelled.elapsed());
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    let last = |name| on.host.script.state(id(name)).status;
    assert_eq!(
        [last("working"), last("hanging"), last("b")],
        [Some(Status::Skipped), Some(Status::Skipped), Some(Status::Succeeded)]
    );
}

#[tokio::test(start_paused = true)]
async fn r115_r116_a_handler_stopped_by_a_host_completes_with_stopped_items() {
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a", "b", "c"])
        .info(|info| info.with_limits(syncmgr::Limits::DEFAULT.with_items(2)))
        .on_item(|item| if item.name() == "a" { hang().boxed() } else { work(item).boxed() });
    let on = HandlerOnHost::prepared(handler.clone(), &transcript, &[id("a"), id("b"), id("c")]).await;
    on.adapter.synchronize();
    on.host.wait_for(&format!("Progress {} Updating", id("b"))).await;
    on.host.script.cancel_all();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    for name in ["a", "b", "c"] {
        assert_eq!(on.host.script.state(id(name)).status, Some(Status::Stopped), "{name}");
    }
    assert_eq!(handler.transcript.count("item c"), 0);
}

#[tokio::test(start_paused = true)]
async fn r115_a_handler_stopped_by_the_manager_still_completes() {
    let session = start(
        Scripted::new(&["a", "b"]).on_item(|item| if item.name() == "a" { hang().boxed() } else { work(item).boxed() }),
    );
    until_run(&session, RunChange::Synchronizing).await;
    session.stop_handler(HANDLER).unwrap();
    let report = within(session.finish()).await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::Completed));
    assert_eq!(outcomes(&report), [("a", Outcome::Stopped), ("b", Outcome::Stopped)]);
}

#[tokio::test(start_paused = true)]
async fn r116_the_last_report_of_a_cancelled_item_is_its_outcome() {
    let window = Window::of(waiting_handler(&["skipped", "finished", "stopped"])).await;
    for name in ["skipped", "finished", "stopped"] {
        window.report(name, Progress::new().with_value(1));
    }
    window.skip("skipped");
    window.skip("finished");
    window.status("skipped", Status::Skipped);
    // The item finished before the skip reached it.
    window.status("finished", Status::Succeeded);
    window.session.stop_handler(CLASSIC).unwrap();
    window.status("stopped", Status::Stopped);
    let report = window.complete(OK).await;
    let wanted = [("skipped", Outcome::Skipped), ("finished", Outcome::Succeeded), ("stopped", Outcome::Stopped)];
    assert_eq!(outcomes(&report), wanted);
}
