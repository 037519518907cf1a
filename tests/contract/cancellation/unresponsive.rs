//! Handlers that never yield, drop their items, or leave work running.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::environment::{Connection, ConnectionProvider};
use syncmgr::handler::HandlerFlags;
use syncmgr::{Classify, FailureClass, Outcome, RunEnding, SyncManager, SyncResult, Trigger, async_trait};
use tokio::sync::Notify;

use crate::support::awaitable_host::within;
use crate::support::{HANDLER, Scripted, handlers_of, id, run, start};

#[tokio::test(start_paused = true)]
async fn items_without_await_points_yield_the_thread_between_items() {
    let names: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let session = start(Scripted::new(&names).on_item(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok(()) }.boxed()
    }));
    while begun.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    session.stop();
    let report = within(session.finish()).await;
    assert!(begun.load(Ordering::Relaxed) < 100, "{begun:?} items began before the stop took effect");
    assert!(report.items().any(|item| item.outcome == Outcome::Stopped));
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_tasks_were_dropped_has_not_succeeded() {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        drop(item.spawn(std::future::pending::<SyncResult>()));
        async { Ok(()) }.boxed()
    });
    let session = start(handler);
    let mut events = session.events();
    crate::support::awaitable_host::until(&mut events, |event| matches!(event, syncmgr::SessionEvent::Began { .. }))
        .await;
    session.skip(HANDLER, id("a")).unwrap();
    let report = within(session.finish()).await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Skipped);
}

#[tokio::test(start_paused = true)]
async fn unfinished_items_of_a_failed_run_have_its_failure_class() {
    let gone = Scripted::new(&["a"]).on_synchronize(|_| async { Err(anyhow!("no mailbox")).gone() }.boxed());
    let report = run(gone).await;
    assert_eq!(report.items().next().unwrap().class, Some(FailureClass::Gone));
}

/// A connection that panics on drop, and the provider of such a connection.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("the fault")
    }
}

#[async_trait]
impl ConnectionProvider for PanicsOnDrop {
    async fn connect(&self, _: Option<&str>) -> SyncResult<Connection> {
        Ok(Box::new(PanicsOnDrop))
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_panics_on_close_does_not_keep_the_session_open() {
    let manager = SyncManager::builder().connections(PanicsOnDrop).build();
    let handler = Scripted::new(&["a"])
        .info(|info| info.with_flags(HandlerFlags::MAY_ESTABLISH_CONNECTION))
        .on_item(|item| async { item.run().establish_connection(None).await }.boxed());
    manager.register(handler).unwrap();
    let report = within(manager.session(Trigger::Manual).start().unwrap().finish()).await;
    assert!(report.is_success(), "{report}");
    // The provider panics on drop too.
    drop(manager);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_session_is_not_a_success() {
    let session = start(Scripted::new(&["a"]));
    session.stop();
    let report = within(session.finish()).await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::Stopped));
    assert!(!report.is_success());
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_does_not_apply_to_a_changed_question() {
    let text = Arc::new(std::sync::Mutex::new("keep which side?"));
    let asked = text.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let text = *asked.lock().unwrap();
        let answer = item.decide("key", text, &["here", "there"]);
        let done = answer.is_some();
        async move { if done { Ok(()) } else { Err(syncmgr::NeedsUser::new("an answer").into()) } }.boxed()
    });
    let session = start(handler);
    let report = session.report().await;
    let error = report.runs[0].log.iter().find_map(|entry| entry.id).expect("the log has a question");
    *text.lock().unwrap() = "delete which side?";
    within(session.answer(HANDLER, error, 1)).await.unwrap();
    assert_eq!(session.report().await.items().next().unwrap().outcome, Outcome::NeedsUser);
}

#[tokio::test(start_paused = true)]
async fn many_log_entries_do_not_displace_errors() {
    let report = run(Scripted::new(&["a"]).on_item(|item| {
        (0..20_000).for_each(|number| item.info(number.to_string()));
        async { Err(anyhow!("the reason")) }.boxed()
    }))
    .await;
    assert!(report.runs[0].log.iter().any(|entry| &*entry.text == "the reason"));
}

#[tokio::test(start_paused = true)]
async fn blocking_work_of_items_that_their_run_drops_is_abandoned() {
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let (gate, begun) = (Arc::new(std::sync::Mutex::new(gate)), Arc::new(Notify::new()));
    let starts = begun.clone();
    let handler = Scripted::new(&["a"]).on_synchronize(move |run| {
        let (gate, starts) = (gate.clone(), starts.clone());
        async move {
            let work = run.each(|item| {
                let (gate, starts) = (gate.clone(), starts.clone());
                async move {
                    item.blocking(move |_| {
                        starts.notify_one();
                        // Blocks until the test drops the sender.
                        let _ = gate.lock().unwrap().recv();
                        Ok(())
                    })
                    .await
                }
            });
            tokio::select! {
                biased;
                () = run.cancelled() => Ok(()),
                done = work => done,
            }
        }
        .boxed()
    });
    let manager = SyncManager::new();
    manager.register(handler.clone()).unwrap();
    let first = manager.session(Trigger::Manual).start().unwrap();
    begun.notified().await;
    first.stop();
    let report = first.report().await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Failed, "{report}");
    let second = manager.session(Trigger::Manual).start().unwrap();
    let report = within(second.report()).await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Skipped, "{report}");
    assert_eq!(handlers_of(&manager.shutdown().await), [HANDLER]);
    drop(release);
}

/// A provider that needs the runtime's timer to open a connection.
struct Slow;

#[async_trait]
impl ConnectionProvider for Slow {
    async fn connect(&self, _: Option<&str>) -> SyncResult<Connection> {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        Ok(Box::new(()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn r079_a_connection_can_be_requested_from_any_thread() {
    use syncmgr::classic::HResult;
    use syncmgr::{HandlerInfo, SyncItem};
    for own_thread in [false, true] {
        let handler = syncmgr_test::ScriptedHandler::new([SyncItem::named("a")].into_iter().collect())
            .with_info(HandlerInfo::new(HANDLER, "Dialing").with_flags(HandlerFlags::MAY_ESTABLISH_CONNECTION))
            .on_prepare(|side| side.callback().prepare_for_sync_completed(HResult::S_OK))
            .on_synchronize(move |side| {
                let callback = side.callback();
                let work = move || callback.synchronize_completed(callback.establish_connection(None));
                match own_thread {
                    true => drop(std::thread::spawn(work)),
                    false => {
                        work();
                    }
                }
                HResult::S_OK
            });
        let handler = Arc::new(handler);
        let manager = SyncManager::builder().connections(Slow).build();
        manager.register(syncmgr::classic::ClassicAdapter::new(move || handler.clone()).unwrap()).unwrap();
        let session = manager.session(Trigger::Manual).start().unwrap();
        let report = tokio::time::timeout(std::time::Duration::from_secs(30), session.finish()).await.unwrap();
        assert_eq!(report.runs[0].ending, Some(RunEnding::Completed), "{report}");
    }
}
