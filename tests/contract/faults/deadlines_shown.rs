//! The deadlines of `show_error`, `show_properties` and classic handlers.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::handler::{HandlerFlags, PropertiesOutcome, Resolution};
use syncmgr::progress::Status;
use syncmgr::session::{RunChange, RunFault};
use syncmgr::{
    FailureClass, HandlerInfo, LogEntry, LogLevel, Outcome, Progress, Report, RunEnding, Subject, SyncManager, Trigger,
};
use syncmgr_test::{ScriptedHandler, ScriptedUser};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::asking::show_error::error;
use crate::faults::deadlines::{PREPARE, never};
use crate::support::awaitable_host::{CLASSIC, begin, host_classic, items_named, prepares, until_run, within};
use crate::support::window::Window;
use crate::support::{HANDLER, Scripted, id};

/// Returns a handler that logs a link.
fn linking_handler() -> Scripted {
    Scripted::new(&["a"]).on_item(|item| {
        item.log(LogEntry::new(LogLevel::Warning, "link").with_link(error()));
        async { Ok(()) }.boxed()
    })
}

/// Returns the log texts about missed deadlines.
fn deadline_entries(report: &Report) -> Vec<String> {
    let entries = report.runs[0].log.iter().filter(|entry| entry.text.contains("took too long"));
    entries.map(|entry| entry.text.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_hanging_show_error_is_dropped_and_can_be_repeated() {
    let handler = linking_handler().on_show_error(|_, _| never());
    let manager = SyncManager::new();
    manager.register(handler.clone()).unwrap();
    let session = begin(&manager);
    for opened in 1..=2 {
        session.report().await;
        let before = Instant::now();
        within(session.show_error(HANDLER, error())).await.unwrap();
        assert_eq!(before.elapsed(), PREPARE + Duration::from_millis(100));
        let report = session.report().await;
        assert_eq!(
            (deadline_entries(&report).len(), handler.transcript.count("show_error")),
            (opened, opened),
            "{report}"
        );
        assert!(deadline_entries(&report)[0].starts_with("could not explain an error: "), "{report}");
    }
    assert!(within(session.finish()).await.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_retry_requested_after_the_deadline_is_ignored() {
    let handler = linking_handler().on_show_error(|run, _| {
        async move {
            run.cancelled().await;
            Ok(Resolution::Retry(vec![id("a")]))
        }
        .boxed()
    });
    let manager = SyncManager::new();
    manager.register(handler.clone()).unwrap();
    let session = begin(&manager);
    session.report().await;
    within(session.show_error(HANDLER, error())).await.unwrap();
    let report = within(session.finish()).await;
    assert_eq!((deadline_entries(&report).len(), handler.transcript.count("item a")), (1, 1), "{report}");
}

#[tokio::test(start_paused = true)]
async fn the_show_error_deadline_pauses_while_the_user_is_asked() {
    let handler = linking_handler().on_show_error(|run, _| {
        async move {
            let _user = run.interaction().await?;
            sleep(3 * PREPARE).await;
            Ok(Resolution::Retry(vec![id("a")]))
        }
        .boxed()
    });
    let manager = SyncManager::builder().interaction(ScriptedUser::new()).build();
    manager.register(handler.clone()).unwrap();
    let session = begin(&manager);
    session.report().await;
    within(session.show_error(HANDLER, error())).await.unwrap();
    assert_eq!(handler.transcript.count("item a"), 2);
}

/// Returns a manager whose handler shows its properties for `time`, and a [`Notify`] that the handler notifies when it begins.
fn manager_with_properties(time: Duration) -> (SyncManager, Arc<Notify>) {
    let showing = Arc::new(Notify::new());
    let shows = showing.clone();
    let handler = Scripted::new(&["a"]).info(|info| info.with_flags(HandlerFlags::HAS_PROPERTIES)).on_show_properties(
        move |_, _| {
            shows.notify_one();
            sleep(time).map(|()| Ok(PropertiesOutcome::Done)).boxed()
        },
    );
    let manager = SyncManager::new();
    manager.register(handler).expect("the handler is valid");
    (manager, showing)
}

#[tokio::test(start_paused = true)]
async fn show_properties_has_no_deadline() {
    let day = Duration::from_secs(24 * 3600);
    let (manager, _) = manager_with_properties(day);
    let before = Instant::now();
    assert_eq!(manager.show_properties(HANDLER, Subject::Handler).await.unwrap().len(), 1);
    assert_eq!(before.elapsed(), day);
}

#[tokio::test(start_paused = true)]
async fn show_properties_ends_when_its_handler_is_forgotten() {
    let (manager, showing) = manager_with_properties(Duration::from_secs(24 * 3600));
    let asking = manager.clone();
    let asked = tokio::spawn(async move { asking.show_properties(HANDLER, Subject::Handler).await });
    within(showing.notified()).await;
    let before = Instant::now();
    within(manager.forget(HANDLER)).await.unwrap();
    assert_eq!(before.elapsed(), Duration::from_millis(100));
    let _ = within(asked).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_uncompleted_prepare_ends_its_run_and_cannot_complete_later() {
    let (manager, handler) = host_classic(ScriptedHandler::new(items_named(&["a"])));
    let session = begin(&manager);
    until_run(&session, RunChange::Preparing).await;
    let callback = handler.side().callback();
    let before = Instant::now();
    let report = within(session.report()).await;
    assert_eq!(before.elapsed(), PREPARE + Duration::from_secs(5), "the deadline and the hard grace");
    assert_eq!(report.runs[0].ending, Some(RunEnding::NotPrepared(RunFault::Failed)), "{report}");
    assert_eq!(deadline_entries(&report).len(), 1);
    assert_eq!(callback.prepare_for_sync_completed(HResult::S_OK), HResult::E_UNEXPECTED);
    assert!(!handler.side().is_attached());
    assert_eq!(handler.transcript().count("Synchronize"), 0);
}

/// Starts a session of a classic handler, and waits until its `PrepareForSync` has missed the deadline.
async fn start_overdue_session() -> (syncmgr::Session, Arc<ScriptedHandler>) {
    let (manager, handler) = host_classic(ScriptedHandler::new(items_named(&["a"])));
    let session = begin(&manager);
    until_run(&session, RunChange::Preparing).await;
    sleep(PREPARE + Duration::from_secs(1)).await;
    (session, handler)
}

#[tokio::test(start_paused = true)]
async fn a_prepare_completed_in_the_grace_after_its_deadline_fails() {
    let (session, handler) = start_overdue_session().await;
    assert_eq!(handler.side().callback().prepare_for_sync_completed(HResult::S_OK), HResult::S_OK);
    let report = within(session.report()).await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::NotPrepared(RunFault::Failed)), "{report}");
    assert_eq!(handler.transcript().count("Synchronize"), 0);
}

#[tokio::test(start_paused = true)]
async fn progress_answers_cancel_all_after_the_deadline_of_a_classic_handler() {
    let (_session, handler) = start_overdue_session().await;
    assert_eq!(handler.side().callback().progress(id("a"), None), HResult::S_SYNCMGR_CANCELALL);
}

#[tokio::test(start_paused = true)]
async fn a_classic_handler_past_its_deadline_receives_a_stopped_status() {
    let (_session, handler) = start_overdue_session().await;
    let pushed = format!("SetItemStatus {:?} {:?}", Subject::Handler, Status::Stopped);
    assert_eq!(handler.transcript().of(&["SetItemStatus"]), [pushed]);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_classic_handler_pauses_while_it_has_attention() {
    let manager = SyncManager::builder().interaction(ScriptedUser::new()).build();
    let handler = Arc::new(ScriptedHandler::new(items_named(&["a"])));
    crate::support::awaitable_host::host_in(&manager, &handler);
    let session = manager.session(Trigger::Manual).may_bother_user().start().unwrap();
    until_run(&session, RunChange::Preparing).await;
    let callback = handler.side().callback();
    assert_eq!(callback.enable_modeless(syncmgr::classic::Attention::Ask), HResult::S_OK);
    sleep(5 * PREPARE).await;
    callback.enable_modeless(syncmgr::classic::Attention::Release);
    assert_eq!(callback.prepare_for_sync_completed(HResult::S_OK), HResult::S_OK);
    until_run(&session, RunChange::Synchronizing).await;
    callback.progress(id("a"), Some(&Progress::new().with_status(Status::Succeeded)));
    callback.synchronize_completed(HResult::S_OK);
    assert!(within(session.finish()).await.is_success());
}

#[tokio::test(start_paused = true)]
async fn an_uncompleted_synchronize_ends_after_stall_time_and_hard_grace() {
    let window = Window::of(ScriptedHandler::new(items_named(&["a", "b"])).on_prepare(prepares())).await;
    let before = Instant::now();
    let report = within(window.session.report()).await;
    assert!(before.elapsed() >= Duration::from_secs(605), "{:?}", before.elapsed());
    assert!(before.elapsed() <= Duration::from_secs(755), "{:?}", before.elapsed());
    assert_eq!(report.runs[0].ending, Some(RunEnding::NotCompleted(RunFault::Failed)), "{report}");
    assert!(report.items().all(|item| (item.outcome, item.class) == (Outcome::Failed, Some(FailureClass::Transient))));
    assert_eq!(deadline_entries(&report).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_completion_of_a_dropped_synchronize_is_refused() {
    let window = Window::of(ScriptedHandler::new(items_named(&["a"])).on_prepare(prepares())).await;
    let callback = window.callback();
    within(window.session.report()).await;
    assert_eq!(callback.synchronize_completed(HResult::S_OK), HResult::E_UNEXPECTED);
}

#[tokio::test(start_paused = true)]
async fn a_session_continues_despite_a_handler_that_never_completes() {
    let (manager, _handler) = host_classic(ScriptedHandler::new(items_named(&["a"])));
    manager.register(Scripted::new(&["b"]).info(|_| HandlerInfo::new(HANDLER, "Other"))).unwrap();
    let report = within(begin(&manager).finish()).await;
    assert_eq!(report.run(CLASSIC).unwrap().ending, Some(RunEnding::NotPrepared(RunFault::Failed)));
    assert!(report.run(HANDLER).unwrap().is_success(), "{report}");
}
