//! Shutting the manager down.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::log::ErrorId;
use syncmgr::{Limits, LogEntry, LogLevel, Outcome, RunEnding, SessionEvent, StartError, SyncManager, Trigger};
use syncmgr_test::Transcript;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::support::awaitable_host::{begin, manager_with_waiting_item, until, within};
use crate::support::recording_store::RecordingStore;
use crate::support::{HANDLER, Scripted, handlers_of};

#[tokio::test(start_paused = true)]
async fn shutdown_stops_running_and_queued_sessions_and_refuses_new_ones() {
    let transcript = Transcript::new();
    let (manager, _go) = manager_with_waiting_item(&transcript);
    let (running, queued) = (begin(&manager), begin(&manager));
    until(&mut running.events(), |event| matches!(event, SessionEvent::Began { .. })).await;
    assert_eq!(within(manager.shutdown()).await, []);
    let report = running.report().await;
    assert!(report.items().all(|item| item.outcome == Outcome::Stopped), "{report}");
    assert_eq!(queued.report().await.runs[0].ending, Some(RunEnding::Stopped));
    assert_eq!(manager.session(Trigger::Manual).start().err(), Some(StartError::ShutDown));
    assert_eq!(manager.clone().update_all().err(), Some(StartError::ShutDown));
    assert_eq!(within(manager.shutdown()).await, []);
}

#[tokio::test(start_paused = true)]
async fn shutdown_closes_open_results() {
    let (manager, go) = manager_with_waiting_item(&Transcript::new());
    let session = begin(&manager);
    go.notify_one();
    session.report().await;
    let mut events = session.events();
    within(manager.shutdown()).await;
    within(async { while events.next().await.is_some() {} }).await;
    assert!(session.report().await.is_success());
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_a_pending_show_error() {
    let (error, opened) = (ErrorId::from_key("link"), Arc::new(Notify::new()));
    let opening = opened.clone();
    let handler = Scripted::new(&["a"])
        .on_prepare(move |run| {
            run.log(LogEntry::new(LogLevel::Warning, "link").with_link(error));
            async { Ok(()) }.boxed()
        })
        .on_show_error(move |_, _| {
            opening.notify_one();
            std::future::pending().boxed()
        });
    let manager = SyncManager::new();
    manager.register(handler).unwrap();
    let session = begin(&manager);
    session.report().await;
    let opener = session.clone();
    let shown = tokio::spawn(async move { opener.show_error(HANDLER, error).await });
    within(opened.notified()).await;
    within(manager.shutdown()).await;
    // The call may have ended before the shutdown or because of it: both answers are correct.
    let _ = within(shown).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_unstoppable_work_and_names_its_handler() {
    let (sender, receiver) = mpsc::channel::<()>();
    let (receiver, begun) = (Arc::new(Mutex::new(receiver)), Arc::new(Notify::new()));
    let beginning = begun.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (receiver, begun) = (receiver.clone(), beginning.clone());
        let busy = move || {
            begun.notify_one();
            receiver.lock().unwrap().recv()
        };
        async move { item.blocking(move |_| Ok(busy()?)).await }.boxed()
    });
    let manager = SyncManager::new();
    manager.register(handler).unwrap();
    let session = begin(&manager);
    begun.notified().await;
    let closer = manager.clone();
    let shutdown = tokio::spawn(async move { closer.shutdown().await });
    // Paused time does not advance by itself while a thread is busy.
    while !shutdown.is_finished() {
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(handlers_of(&shutdown.await.unwrap()), [HANDLER]);
    assert!(session.report().await.items().all(|item| item.outcome == Outcome::Failed));
    drop(sender);
}

/// Shuts down a manager without handlers during a session. Its store answers after `delay`, or never. Returns the number of
/// remaining tasks.
async fn tasks_after_shutdown(delay: Option<Duration>) -> usize {
    let (alive, store) = (tokio::runtime::Handle::current().metrics().num_alive_tasks(), RecordingStore::default());
    let manager = SyncManager::builder().store(store.clone()).build();
    store.hold();
    let _session = begin(&manager);
    let answering = async {
        match delay {
            Some(delay) => sleep(delay).await,
            None => std::future::pending().await,
        }
        store.flush();
        std::future::pending().await
    };
    tokio::select! {
        biased;
        still_running = within(manager.shutdown()) => assert_eq!(still_running, []),
        () = answering => {}
    }
    tokio::runtime::Handle::current().metrics().num_alive_tasks() - alive
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_a_slow_store_although_no_handler_runs() {
    assert_eq!(tasks_after_shutdown(Some(Duration::from_secs(4))).await, 0);
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_work_that_ends_once_its_sessions_are_aborted() {
    assert_eq!(tasks_after_shutdown(Some(Duration::from_millis(6_500))).await, 0);
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_once_for_handlers_and_a_hanging_store() {
    let start = tokio::time::Instant::now();
    tasks_after_shutdown(None).await;
    assert!(start.elapsed() < Limits::DEFAULT.hard_grace() * 2, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn shutdown_without_a_session_does_not_wait_forever_for_a_hanging_store() {
    let store = RecordingStore::default();
    let manager = SyncManager::builder().store(store.clone()).build();
    store.hold();
    manager.register(Scripted::new(&["a"])).expect("the handler can be registered");
    assert_eq!(within(manager.shutdown()).await, []);
}
