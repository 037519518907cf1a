//! `Progress` reports and their timing: R106 to R108, R117 to R120.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::context::ReportError;
use syncmgr::progress::Status;
use syncmgr::request::RunFlags;
use syncmgr::session::{RunChange, RunningItem};
use syncmgr::{Limits, Outcome, Progress, SessionEvent, SyncManager, Trigger};
use syncmgr_test::Transcript;
use tokio::sync::Notify;

use crate::support::awaitable_host::{CLASSIC, HandlerOnHost, host_classic, until_run, within};
use crate::support::window::{Window, assert_in_order, waiting_handler};
use crate::support::{HANDLER, Scripted, id, run, start};

#[tokio::test(start_paused = true)]
async fn r106_a_host_is_notified_of_each_item_before_the_item_begins() {
    let transcript = Transcript::new();
    let one_at_a_time = Limits::DEFAULT.with_items(1);
    let handler = Scripted::new(&["a", "b"]).info(|info| info.with_limits(one_at_a_time)).with_transcript(&transcript);
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("a"), id("b")]).await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    let updating = |name| format!("Progress {} Updating", id(name));
    assert_in_order(&transcript, &[updating("a"), "item a".into(), updating("b"), "item b".into()]);
}

#[tokio::test(start_paused = true)]
async fn r106_the_began_event_precedes_all_other_events_of_an_item() {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async {
            item.progress(1, 2)?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(())
        }
        .boxed()
    });
    let reporting = Scripted::new(&["a"]).on_synchronize(|run| {
        async {
            run.report(id("a"), Progress::new().with_value(1))?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(run.report(id("a"), Progress::new().with_status(Status::Succeeded))?)
        }
        .boxed()
    });
    for handler in [handler, reporting] {
        let session = start(handler);
        let mut events = session.events();
        let mut seen = Vec::new();
        while seen.last() != Some(&"ended") {
            match within(events.next()).await.expect("the session is still open") {
                SessionEvent::Began { .. } => seen.push("began"),
                SessionEvent::Progress { .. } => seen.push("progress"),
                SessionEvent::Ended { .. } => seen.push("ended"),
                _ => {}
            }
        }
        assert_eq!(seen, ["began", "progress", "ended"]);
    }
}

#[tokio::test(start_paused = true)]
async fn r107_a_host_receives_about_ten_reports_per_second() {
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async {
            for done in 1..=1000 {
                item.progress(done, 1000)?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        }
        .boxed()
    });
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("a")]).await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    let reports = transcript.count(&format!("Progress {} value", id("a")));
    assert!((9..=11).contains(&reports), "{reports} reports in a second");
    assert!(on.host.script.state(id("a")).value >= 900);
}

#[tokio::test(start_paused = true)]
async fn r108_a_host_receives_progress_with_and_without_may_bother_user() {
    let mut reports = Vec::new();
    for flags in [RunFlags::empty(), RunFlags::MAY_BOTHER_USER] {
        let transcript = Transcript::new();
        let handler = Scripted::new(&["a"]).on_item(|item| async { Ok(item.progress(3, 4)?) }.boxed());
        let on = HandlerOnHost::created(handler, &transcript);
        on.adapter.initialize(Trigger::Scheduled, flags, None).await;
        on.adapter.enum_sync_items().await.unwrap();
        on.attach();
        on.adapter.prepare_for_sync(&[id("a")]);
        on.host.wait_for("PrepareForSyncCompleted").await;
        on.adapter.synchronize();
        on.host.wait_for("SynchronizeCompleted").await;
        reports.push(transcript.of(&["Progress"]));
    }
    assert!(!reports[0].is_empty());
    assert_eq!(reports[0], reports[1]);
}

#[tokio::test(start_paused = true)]
async fn r108_progress_is_shown_in_an_unattended_session() {
    let release = std::sync::Arc::new(Notify::new());
    let wait = release.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let wait = wait.clone();
        async move {
            item.progress(3, 4)?;
            wait.notified().await;
            Ok(())
        }
        .boxed()
    });
    let manager = SyncManager::new();
    manager.register(handler).unwrap();
    let session = manager.session(Trigger::Scheduled).start().unwrap();
    let mut events = session.events();
    crate::support::awaitable_host::until(
        &mut events,
        |event| matches!(event, SessionEvent::Progress { state, .. } if state.value == 3),
    )
    .await;
    release.notify_one();
    assert!(within(session.finish()).await.is_success());
}

#[tokio::test(start_paused = true)]
async fn r117_fields_outside_the_mask_keep_their_last_value() {
    let window = Window::of(waiting_handler(&["a"])).await;
    window.report("a", Progress::new().with_text("reading").with_max(10));
    window.report("a", Progress::new().with_value(4).with_status(Status::Updating));
    window.report("a", Progress::new().with_value(5));
    let RunningItem { handler, item, state, .. } = window.progress().remove(0);
    assert_eq!((handler, item), (CLASSIC, id("a")));
    assert_eq!(
        (state.text.as_deref(), state.status, state.value, state.max),
        (Some("reading"), Some(Status::Updating), 5, 10)
    );
}

#[tokio::test(start_paused = true)]
async fn r117_a_host_receives_only_the_changed_fields() {
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async {
            item.report(Progress::new().with_text("reading").with_max(10))?;
            tokio::time::sleep(Duration::from_millis(150)).await;
            item.progress(4, None)?;
            tokio::time::sleep(Duration::from_millis(150)).await;
            Ok(())
        }
        .boxed()
    });
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("a")]).await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted").await;
    let line = |rest: &str| format!("Progress {} {rest}", id("a"));
    assert_in_order(&transcript, &[line("max 10 text reading"), line("value 4"), line("Succeeded")]);
    let state = on.host.script.state(id("a"));
    assert_eq!((state.text.as_deref(), state.value, state.max), (Some("reading"), 4, 10));
}

#[tokio::test(start_paused = true)]
async fn r118_an_empty_report_changes_nothing_and_returns_the_cancellation() {
    let window = Window::of(waiting_handler(&["a"])).await;
    window.report("a", Progress::new().with_value(3).with_max(4));
    let before = window.progress();
    assert_eq!((window.poll("a"), window.report("a", Progress::new())), (HResult::S_OK, HResult::S_OK));
    assert_eq!(window.progress(), before);
    window.skip("a");
    let answers = (window.poll("a"), window.report("a", Progress::new()));
    assert_eq!(answers, (HResult::S_SYNCMGR_CANCELITEM, HResult::S_SYNCMGR_CANCELITEM));
    assert_eq!(window.progress(), before);
}

#[tokio::test(start_paused = true)]
async fn r118_an_empty_report_does_not_begin_an_item() {
    let window = Window::of(waiting_handler(&["a"])).await;
    assert_eq!((window.poll("a"), window.report("a", Progress::new())), (HResult::S_OK, HResult::S_OK));
    assert_eq!(window.progress(), []);
}

#[tokio::test(start_paused = true)]
async fn r118_checking_a_run_reports_nothing_about_its_items() {
    let report = run(Scripted::new(&["a"]).on_synchronize(|run| {
        async {
            run.check()?;
            Ok(())
        }
        .boxed()
    }))
    .await;
    // The handler has reported nothing, so the item counts as failed (R105).
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Failed);
}

#[tokio::test(start_paused = true)]
async fn r119_a_value_is_capped_at_the_maximum_and_unknown_without_a_maximum() {
    let window = Window::of(waiting_handler(&["a"])).await;
    let fraction = |value, max| {
        assert_eq!(window.report("a", Progress::new().with_value(value).with_max(max)), HResult::S_OK);
        window.progress()[0].state.fraction()
    };
    assert_eq!([fraction(5, 10), fraction(15, 10), fraction(15, 0)], [Some(0.5), Some(1.0), None]);
}

#[tokio::test(start_paused = true)]
async fn r120_an_id_outside_the_prepared_list_is_refused() {
    let (manager, handler) = host_classic(waiting_handler(&["a", "not chosen"]));
    let session = manager.session(Trigger::Manual).items(CLASSIC, [id("a")]).start().unwrap();
    until_run(&session, RunChange::Synchronizing).await;
    for name in ["not chosen", "unlisted"] {
        let report = Progress::new().with_value(1).with_status(Status::Succeeded);
        assert_eq!(handler.side().callback().progress(id(name), Some(&report)), HResult::E_INVALIDARG);
        assert_eq!(handler.side().callback().progress(id(name), None), HResult::E_INVALIDARG);
    }
    assert_eq!(session.progress(), []);
    handler.side().callback().synchronize_completed(HResult::S_OK);
    assert_eq!(within(session.finish()).await.items().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn r120_a_report_about_an_item_that_was_not_prepared_is_a_typed_error() {
    let handler = Scripted::new(&["a", "not chosen"]).on_synchronize(|run| {
        async {
            for name in ["not chosen", "unlisted"] {
                let refused = run.report(id(name), Progress::new().with_value(1));
                assert_eq!(refused, Err(ReportError::NotPrepared { item: id(name) }));
            }
            Ok(run.report(id("a"), Progress::new().with_status(Status::Succeeded))?)
        }
        .boxed()
    });
    let manager = SyncManager::new();
    manager.register(handler).unwrap();
    let session = manager.session(Trigger::Manual).items(HANDLER, [id("a")]).start().unwrap();
    assert!(within(session.finish()).await.is_success());
}
