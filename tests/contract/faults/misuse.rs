//! Calls at the wrong time are refused and have no effect.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::context::ReportError;
use syncmgr::progress::Status;
use syncmgr::request::RunFlags;
use syncmgr::{
    CancelReason, Cancelled, HandlerInfo, ItemContext, Limits, LogLevel, Outcome, Progress, Report, RunEnding, Subject,
    SyncManager, SynchronizeContext, Trigger,
};
use syncmgr_test::{Side, Transcript};

use crate::asking::show_error::{error, explaining_handler};
use crate::support::awaitable_host::{CLASSIC, HandlerOnHost, host_classic, host_in, within};
use crate::support::window::{Window, ran, waiting_handler};
use crate::support::{HANDLER, Scripted, id, run, start};

const OK: HResult = HResult::S_OK;
const FAIL: HResult = HResult::E_FAIL;
const UNEXPECTED: HResult = HResult::E_UNEXPECTED;

/// Returns the logged warnings about completions of a classic handler.
fn warnings(report: &Report) -> Vec<&str> {
    let log = &ran(report, CLASSIC).log;
    let about = |text: &str| text.starts_with("a completion of the handler");
    log.iter()
        .filter(|entry| entry.level == LogLevel::Warning)
        .map(|entry| &*entry.text)
        .filter(|text| about(text))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_completion_counts_and_the_second_is_logged() {
    let twice = |complete: fn(&Side, HResult) -> HResult| {
        move |side: &Side| {
            assert_eq!((complete(side, OK), complete(side, FAIL)), (OK, UNEXPECTED));
            OK
        }
    };
    let explain = twice(|side, code| side.callback().show_error_completed(code, &[id("a")]));
    let handler = explaining_handler(&["a"], explain)
        .on_prepare(twice(|side, code| side.callback().prepare_for_sync_completed(code)))
        .on_synchronize(|side| {
            side.callback().log_error(LogLevel::Error, "link", Some(&crate::support::window::link("x")));
            side.callback().progress(id("a"), Some(&Progress::new().with_status(Status::Succeeded)));
            let answers = (side.callback().synchronize_completed(OK), side.callback().synchronize_completed(FAIL));
            assert_eq!(answers, (OK, UNEXPECTED));
            OK
        });
    let (manager, _handler) = host_classic(handler);
    let session = manager.session(Trigger::Manual).start().unwrap();
    within(session.report()).await;
    within(session.show_error(CLASSIC, error())).await.unwrap();
    let report = within(session.finish()).await;
    assert!(report.is_success(), "{report}");
    assert_eq!(warnings(&report).len(), 3, "{report}");
    assert!(warnings(&report).iter().all(|text| text.contains("a second time")), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_completion_without_a_call_is_logged_and_has_no_effect() {
    let window = Window::of(waiting_handler(&["a"])).await;
    let callback = window.callback();
    assert_eq!(callback.prepare_for_sync_completed(FAIL), UNEXPECTED);
    assert_eq!(callback.show_error_completed(HResult::S_SYNCMGR_RETRYSYNC, &[id("a")]), UNEXPECTED);
    assert_eq!(callback.show_properties_completed(HResult::S_SYNCMGR_ITEMDELETED), UNEXPECTED);
    window.status("a", Status::Succeeded);
    let report = window.complete(OK).await;
    assert_eq!(callback.synchronize_completed(FAIL), UNEXPECTED);
    assert_eq!(report.run(CLASSIC).unwrap().ending, Some(RunEnding::Completed));
    assert_eq!(warnings(&report).len(), 3, "{report}");
    assert_eq!(window.transcript().count("PrepareForSync"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_report_on_an_item_of_another_handler_is_refused() {
    let manager = SyncManager::new();
    let (mine, theirs) = (Arc::new(waiting_handler(&["mine"])), HandlerInfo::new(HANDLER, "Theirs"));
    let theirs = Arc::new(waiting_handler(&["theirs"]).with_info(theirs));
    host_in(&manager, &mine);
    host_in(&manager, &theirs);
    let session = manager.session(Trigger::Manual).start().unwrap();
    let mut events = session.events();
    for _ in 0..2 {
        crate::support::awaitable_host::until(&mut events, |event| {
            matches!(event, syncmgr::SessionEvent::Run { change: syncmgr::session::RunChange::Synchronizing, .. })
        })
        .await;
    }
    let done = Progress::new().with_status(Status::Succeeded);
    assert_eq!(mine.side().callback().progress(id("theirs"), Some(&done)), HResult::E_INVALIDARG);
    assert_eq!(session.progress(), []);
    for handler in [&mine, &theirs] {
        handler.side().callback().synchronize_completed(OK);
    }
    let report = within(session.finish()).await;
    let outcomes: Vec<_> = report.items().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed; 2], "a report on an item of another handler counted");
}

#[tokio::test(start_paused = true)]
async fn a_report_after_the_end_of_an_item_is_refused() {
    let window = Window::of(waiting_handler(&["a"])).await;
    window.status("a", Status::Failed);
    assert_eq!(window.status("a", Status::Succeeded), UNEXPECTED);
    let report = window.complete(OK).await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Failed);
    // The run has ended: `CANCELALL` asks the handler to stop reporting.
    assert_eq!(window.status("a", Status::Succeeded), HResult::S_SYNCMGR_CANCELALL);

    let handler = Scripted::new(&["a"]).on_synchronize(|run| {
        async {
            run.report(id("a"), Progress::new().with_status(Status::Failed))?;
            let again = run.report(id("a"), Progress::new().with_status(Status::Succeeded));
            assert_eq!(again, Err(ReportError::Ended { item: id("a") }));
            Ok(())
        }
        .boxed()
    });
    assert_eq!(run(handler).await.items().next().unwrap().outcome, Outcome::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_context_that_outlives_its_item_has_no_effect() {
    let stray = Arc::new(Mutex::new(None::<ItemContext>));
    let slot = stray.clone();
    let one = Limits::DEFAULT.with_items(1);
    let handler = Scripted::new(&["first", "second"]).info(|info| info.with_limits(one)).on_item(move |item| {
        let slot = slot.clone();
        async move {
            if item.name() == "first" {
                *slot.lock().unwrap() = Some(item.clone());
                return Ok(());
            }
            let stray = slot.lock().unwrap().clone().unwrap();
            let ended = Err(Cancelled::new(CancelReason::Ended));
            assert_eq!((stray.progress(9, 9), stray.report(Progress::new().with_text("stray"))), (ended, ended));
            assert_eq!(stray.check(), ended);
            stray.cancelled().await;
            drop(stray.tolerate("stray", Err::<(), _>(anyhow::anyhow!("stray"))));
            Ok(item.check()?)
        }
        .boxed()
    });
    let session = start(handler);
    let report = within(session.report()).await;
    assert!(report.is_success() && report.runs[0].log.is_empty(), "{report}");
    within(session.close()).await;
    let stray = stray.lock().unwrap().clone().unwrap();
    stray.warn("after the end of the session");
    assert!(stray.run().interaction().await.is_err() && stray.run().establish_connection(None).await.is_err());
    assert!(session.report().await.runs[0].log.is_empty());
}

#[tokio::test(start_paused = true)]
async fn calling_each_item_after_the_end_of_the_run_is_refused() {
    let stray = Arc::new(Mutex::new(None::<SynchronizeContext>));
    let slot = stray.clone();
    let handler = Scripted::new(&["a"]).on_synchronize(move |run| {
        *slot.lock().unwrap() = Some(run.clone());
        async { run.each_item().await }.boxed()
    });
    assert!(run(handler).await.is_success());
    let stray = stray.lock().unwrap().clone().unwrap();
    assert!(within(stray.each_item()).await.is_err());
    assert!(within(stray.each(|_| async { Ok(()) })).await.is_err());
    assert!(stray.report(id("a"), Progress::new().with_value(1)).is_err());
}

#[tokio::test(start_paused = true)]
async fn concurrent_each_item_calls_run_every_item_once_within_the_limit() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running, highest) = (now.clone(), most.clone());
    let handler = Scripted::new(&["a", "b", "c", "d"])
        .info(|info| info.with_limits(Limits::DEFAULT.with_items(1)))
        .on_synchronize(|run| {
            async {
                let (first, second) = tokio::join!(run.each_item(), run.each_item());
                first.and(second)
            }
            .boxed()
        })
        .on_item(move |_| {
            let (running, highest) = (running.clone(), highest.clone());
            async move {
                highest.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(10)).await;
                running.fetch_sub(1, Ordering::Relaxed);
                Ok(())
            }
            .boxed()
        });
    let report = within(run(handler.clone())).await;
    assert!(report.is_success(), "{report}");
    assert_eq!(handler.transcript.count("item "), 4);
    assert_eq!(most.load(Ordering::Relaxed), 1, "items ran at the same time");
}

#[tokio::test(start_paused = true)]
async fn host_calls_at_the_wrong_time_are_refused_without_effect() {
    let transcript = Transcript::new();
    let on = HandlerOnHost::created(Scripted::new(&["a"]).with_transcript(&transcript), &transcript);
    let call_both = |on: &HandlerOnHost| (on.adapter.synchronize(), on.adapter.show_error(error()));
    assert_eq!(on.adapter.enum_sync_items().await, Err(UNEXPECTED));
    assert_eq!(on.attach(), UNEXPECTED);
    assert_eq!(call_both(&on), (UNEXPECTED, UNEXPECTED));
    on.adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await;
    assert_eq!(on.adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await, UNEXPECTED);
    on.adapter.enum_sync_items().await.unwrap();
    assert_eq!((on.adapter.prepare_for_sync(&[id("a")]), call_both(&on)), (UNEXPECTED, (UNEXPECTED, UNEXPECTED)));
    on.attach();
    assert_eq!(call_both(&on), (UNEXPECTED, UNEXPECTED));
    on.adapter.prepare_for_sync(&[id("a")]);
    on.host.wait_for("PrepareForSyncCompleted S_OK").await;
    assert_eq!((on.adapter.prepare_for_sync(&[id("a")]), on.adapter.show_error(error())), (UNEXPECTED, UNEXPECTED));
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    assert_eq!((on.adapter.synchronize(), on.adapter.prepare_for_sync(&[id("a")])), (UNEXPECTED, UNEXPECTED));
    on.adapter.set_progress_callback(None);
    assert_eq!((on.attach(), call_both(&on)), (UNEXPECTED, (UNEXPECTED, UNEXPECTED)));
    assert_eq!(on.adapter.set_item_status(Subject::Handler, Status::Stopped), UNEXPECTED);
    let calls = transcript.of(&["initialize", "items", "prepare", "synchronize", "item ", "show_error", "set_item"]);
    assert_eq!(calls[1..], ["items", "prepare a", "synchronize", "item a"]);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_handler_that_never_completes_is_released() {
    let window = Window::of(waiting_handler(&["a"])).await;
    let callback = window.callback();
    window.session.stop();
    let report = within(window.session.clone().finish()).await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Stopped);
    assert!(!window.handler.side().is_attached());
    assert_eq!(callback.synchronize_completed(OK), UNEXPECTED);
    // The handler can run in the next session.
    let next = window.manager.session(Trigger::Manual).start().unwrap();
    crate::support::awaitable_host::until_run(&next, syncmgr::session::RunChange::Synchronizing).await;
    window.callback().synchronize_completed(OK);
    within(next.finish()).await;
}

#[tokio::test(start_paused = true)]
async fn permits_granted_to_a_run_that_stopped_waiting_are_returned() {
    let manager = SyncManager::builder().max_concurrent_items(1).build();
    let handler = Scripted::new(&["a", "b", "c"]).on_synchronize(|run| {
        async {
            // The call of `each_item` is dropped while its first item runs. Nothing uses the permits granted afterwards.
            let _ = futures::poll!(Box::pin(run.each_item()));
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(())
        }
        .boxed()
    });
    manager.register(handler.clone()).unwrap();
    for _ in 0..3 {
        within(manager.session(Trigger::Manual).start().unwrap().finish()).await;
    }
    let after = Scripted::new(&["d"]).info(|_| syncmgr::HandlerInfo::new(syncmgr::HandlerId::from_u128(77), "After"));
    assert!(within(manager.run(after)).await.unwrap().is_success());
}
