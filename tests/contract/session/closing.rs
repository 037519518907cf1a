//! The end of runs and sessions: stale callbacks (R81), kept values, `close`, `report`, `finish` and the end of events.

use std::sync::{Arc, Mutex};

use futures::{FutureExt, poll};
use syncmgr::classic::{Attention, HResult, SyncCallback};
use syncmgr::handler::Resolution;
use syncmgr::log::{ErrorId, ErrorScope};
use syncmgr::session::RunChange;
use syncmgr::{
    CancelReason, LogEntry, LogLevel, Outcome, Progress, RunContext, RunEnding, Session, SessionError, SessionEvent,
    SyncManager, Trigger,
};
use syncmgr_test::{ScriptedHandler, Transcript};
use tokio::sync::Notify;

use crate::support::awaitable_host::{host_classic, items_named, until, until_run, within};
use crate::support::{HANDLER, Scripted, id, start};

/// Makes every call on a callback and returns the answers.
fn call_everything(callback: &dyn SyncCallback) -> [HResult; 9] {
    [
        callback.prepare_for_sync_completed(HResult::S_OK),
        callback.synchronize_completed(HResult::S_OK),
        callback.show_properties_completed(HResult::S_OK),
        callback.show_error_completed(HResult::S_SYNCMGR_RETRYSYNC, &[id("a")]),
        callback.progress(id("a"), Some(&Progress::new().with_value(9))),
        callback.log_error(LogLevel::Error, "stale", None),
        callback.delete_log_error(ErrorScope::All),
        callback.establish_connection(None),
        callback.enable_modeless(Attention::Ask),
    ]
}

#[tokio::test(start_paused = true)]
async fn r081_a_detached_callback_does_not_affect_later_sessions() {
    let stale: Arc<Mutex<Option<Arc<dyn SyncCallback>>>> = Arc::default();
    let (saved, refused) = (stale.clone(), HResult::E_FAIL);
    let (manager, handler) = host_classic(ScriptedHandler::new(items_named(&["a"])).on_prepare(move |side| {
        let mut stale = saved.lock().unwrap();
        if stale.is_some() {
            return HResult::S_OK;
        }
        *stale = Some(side.callback());
        refused
    }));
    manager.session(Trigger::Manual).start().unwrap().finish().await;
    let stale = stale.lock().unwrap().clone().expect("the first session has prepared");
    assert!(!call_everything(&*stale).contains(&HResult::S_OK), "{:?}", call_everything(&*stale));

    let session = manager.session(Trigger::Manual).start().unwrap();
    until_run(&session, RunChange::Preparing).await;
    handler.side().callback().log_error(LogLevel::Warning, "its own", None);
    call_everything(&*stale);
    handler.side().callback().prepare_for_sync_completed(HResult::E_OUTOFMEMORY);
    let report = session.finish().await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::NotPrepared(HResult::E_OUTOFMEMORY.into())));
    let log: Vec<_> = report.runs[0].log.iter().map(|entry| &*entry.text).collect();
    assert_eq!((log.len(), log[0]), (2, "its own"), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn r081_a_context_of_an_ended_run_does_not_affect_later_sessions() {
    let stale: Arc<Mutex<Option<RunContext>>> = Arc::default();
    let saved = stale.clone();
    let handler = Scripted::new(&["a"]).on_prepare(move |run| {
        saved.lock().unwrap().get_or_insert_with(|| (**run).clone());
        run.warn("prepared");
        async { Ok(()) }.boxed()
    });
    let manager = SyncManager::new();
    manager.register(handler).unwrap();
    let first = manager.session(Trigger::Manual).start().unwrap();
    first.close().await;
    let stale = stale.lock().unwrap().clone().expect("the first session has prepared");
    assert_eq!(stale.check().map_err(|cancelled| cancelled.reason), Err(CancelReason::Ended));
    within(stale.cancelled()).await;
    assert!(within(stale.interaction()).await.is_err());
    assert!(within(stale.establish_connection(None)).await.is_err());

    let second = manager.session(Trigger::Manual).start().unwrap();
    second.report().await;
    stale.warn("stale");
    stale.delete_log(ErrorScope::All);
    for session in [first, second] {
        let report = within(session.finish()).await;
        let log: Vec<_> = report.runs[0].log.iter().map(|entry| &*entry.text).collect();
        assert_eq!(log, ["prepared"]);
    }
}

/// Notes a line when it is dropped.
struct Guard(Transcript);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.note("dropped");
    }
}

/// A handler whose `prepare` keeps a guard and logs an entry with a link.
fn guard_keeping_handler(transcript: &Transcript) -> Scripted {
    let drops = transcript.clone();
    Scripted::new(&["a"])
        .with_transcript(transcript)
        .on_prepare(move |run| {
            run.keep(Guard(drops.clone()));
            run.log(LogEntry::new(LogLevel::Warning, "link").with_link(link()));
            async { Ok(()) }.boxed()
        })
        .on_show_error(|run, _| async move { run.kept::<Guard>().map(|_| Resolution::Done) }.boxed())
}

fn link() -> ErrorId {
    ErrorId::from_key("link")
}

#[tokio::test(start_paused = true)]
async fn a_kept_value_lives_until_the_results_are_closed() {
    let transcript = Transcript::new();
    let session = start(guard_keeping_handler(&transcript));
    session.report().await;
    within(session.show_error(HANDLER, link())).await.unwrap();
    assert_eq!(transcript.of(&["show_error", "dropped"]), [format!("show_error {}", link())]);
    within(session.close()).await;
    assert_eq!(transcript.count("dropped"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_kept_value_is_dropped_when_its_run_fails_to_initialize() {
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a"]).on_initialize({
        let drops = transcript.clone();
        move |run| {
            run.keep(Guard(drops.clone()));
            async { anyhow::bail!("no disk") }.boxed()
        }
    });
    let session = start(handler);
    session.report().await;
    assert_eq!(transcript.lines(), ["dropped"]);
}

#[tokio::test(start_paused = true)]
async fn a_kept_value_is_dropped_at_the_end_of_a_session_without_handles() {
    let transcript = Transcript::new();
    let session = start(guard_keeping_handler(&transcript));
    let mut events = session.events();
    drop(session);
    within(async { while events.next().await.is_some() {} }).await;
    assert_eq!(transcript.lines().last().map(String::as_str), Some("dropped"));
    assert_eq!(transcript.count("item a"), 1);
}

#[tokio::test(start_paused = true)]
async fn results_stay_open_while_any_handle_of_the_session_is_held() {
    let transcript = Transcript::new();
    let session = start(guard_keeping_handler(&transcript));
    let other = session.clone();
    session.report().await;
    let mut events = session.events();
    drop(session);
    until(&mut events, |event| *event == SessionEvent::Idle).await;
    within(other.show_error(HANDLER, link())).await.unwrap();
    drop(other);
    within(async { while events.next().await.is_some() {} }).await;
    assert_eq!(transcript.count("dropped"), 1);
}

/// A session whose only item waits for a notification.
fn waiting_session() -> (Session, Arc<Notify>) {
    let go = Arc::new(Notify::new());
    let waiting = go.clone();
    let handler = Scripted::new(&["a"]).on_item(move |_| waiting.clone().notified_owned().map(Ok).boxed());
    (start(handler), go)
}

#[tokio::test(start_paused = true)]
async fn closing_waits_until_running_items_have_ended() {
    let (session, go) = waiting_session();
    until(&mut session.events(), |event| matches!(event, SessionEvent::Began { .. })).await;
    let mut closing = Box::pin(session.close());
    assert!(poll!(&mut closing).is_pending());
    tokio::task::yield_now().await;
    assert!(poll!(&mut closing).is_pending());
    go.notify_one();
    within(closing).await;
    let report = session.report().await;
    assert!(report.items().all(|item| item.outcome == Outcome::Succeeded) && report.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_closed_session_opens_no_entry_and_can_be_closed_again() {
    let session = start(guard_keeping_handler(&Transcript::new()));
    within(session.close()).await;
    within(session.close()).await;
    assert_eq!(within(session.show_error(HANDLER, link())).await, Err(SessionError::Closed));
    session.stop();
    session.skip(HANDLER, id("a")).unwrap();
    assert!(session.report().await.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_report_waits_until_the_session_is_idle_and_can_be_repeated() {
    let (session, go) = waiting_session();
    let mut reporting = Box::pin(session.report());
    until(&mut session.events(), |event| matches!(event, SessionEvent::Began { .. })).await;
    assert!(poll!(&mut reporting).is_pending());
    go.notify_one();
    let first = within(reporting).await;
    let second = within(session.report()).await;
    assert_eq!(first.to_string(), second.to_string());
    assert_eq!(first.runs[0].ending, Some(RunEnding::Completed));
}

#[tokio::test(start_paused = true)]
async fn finish_returns_the_report_and_closes_the_session() {
    let transcript = Transcript::new();
    let session = start(guard_keeping_handler(&transcript));
    let other = session.clone();
    let report = within(session.finish()).await;
    assert!(report.is_success());
    assert_eq!(transcript.count("dropped"), 1);
    assert_eq!(within(other.show_error(HANDLER, link())).await, Err(SessionError::Closed));
}

#[tokio::test(start_paused = true)]
async fn the_event_stream_ends_when_the_session_is_closed() {
    let session = start(guard_keeping_handler(&Transcript::new()));
    let mut events = session.events();
    until(&mut events, |event| *event == SessionEvent::Idle).await;
    {
        let mut next = Box::pin(events.next());
        for _ in 0..10 {
            assert!(poll!(&mut next).is_pending());
            tokio::task::yield_now().await;
        }
    }
    session.close().await;
    assert_eq!(within(events.next()).await, Some(SessionEvent::Closed));
    assert_eq!(within(events.next()).await, None);
    assert_eq!(within(events.next()).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_event_stream_does_not_keep_the_session_open() {
    let session = start(guard_keeping_handler(&Transcript::new()));
    let mut events = session.events();
    session.report().await;
    drop(session);
    until(&mut events, |event| *event == SessionEvent::Idle).await;
    assert_eq!(within(events.next()).await, Some(SessionEvent::Closed));
    assert_eq!(within(events.next()).await, None);
}
