//! Work started by cancelled items, and the state after a shutdown.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::handler::Resolution;
use syncmgr::{
    FailureClass, HandlerInfo, ItemContext, LogLevel, Outcome, SessionEvent, StartError, SyncManager, SyncResult,
    Trigger,
};
use syncmgr_test::Transcript;
use tokio::sync::Notify;

use crate::asking::show_error::error;
use crate::support::awaitable_host::{CLASSIC, until, within};
use crate::support::window::assert_in_order;
use crate::support::{HANDLER, Scripted, handlers_of, id, start};

/// Advances time. Paused time does not advance by itself while a thread is blocked.
pub(crate) async fn advance_in_steps(time: Duration) {
    for _ in 0..time.as_millis() / 100 {
        tokio::time::advance(Duration::from_millis(100)).await;
    }
}

/// A job on a blocking thread that runs until it is released.
pub(crate) struct Job {
    pub(crate) begun: Arc<Notify>,
    release: mpsc::Sender<()>,
    wait: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Job {
    pub(crate) fn new() -> Self {
        let (release, wait) = mpsc::channel();
        Self { begun: Arc::new(Notify::new()), release, wait: Arc::new(Mutex::new(wait)) }
    }

    /// Returns the blocking work of the item.
    pub(crate) fn work(
        &self,
        notes: &Transcript,
    ) -> impl Fn(ItemContext) -> SyncResult + Clone + Send + Sync + 'static {
        let (begun, wait, notes) = (self.begun.clone(), self.wait.clone(), notes.clone());
        move |_| {
            begun.notify_one();
            let _ = wait.lock().expect("not poisoned").recv();
            notes.note("the job has ended");
            Ok(())
        }
    }
}

/// Adds a line to the transcript on drop.
struct NoteOnDrop(Transcript, &'static str);

impl Drop for NoteOnDrop {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

fn is_ended(event: &SessionEvent) -> bool {
    matches!(event, SessionEvent::Ended { .. })
}

#[tokio::test(start_paused = true)]
async fn an_item_that_returned_ends_after_the_task_it_spawned() {
    let notes = Transcript::new();
    let spawned = notes.clone();
    let session = start(Scripted::new(&["a"]).on_item(move |item| {
        let notes = spawned.clone();
        drop(item.spawn(async move {
            tokio::time::sleep(Duration::from_secs(60)).await;
            notes.note("the task has ended");
            Ok(())
        }));
        async { Ok(()) }.boxed()
    }));
    until(&mut session.events(), is_ended).await;
    notes.note("ended");
    assert_in_order(&notes, &["the task has ended", "ended"]);
    assert!(within(session.finish()).await.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_item_ends_after_it_and_its_tasks_are_dropped() {
    let (notes, begun) = (Transcript::new(), Arc::new(Notify::new()));
    let (spawned, beginning) = (notes.clone(), begun.clone());
    let session = start(Scripted::new(&["a"]).on_item(move |item| {
        let (item_drop, task_drop, begun) = (
            NoteOnDrop(spawned.clone(), "the item is dropped"),
            NoteOnDrop(spawned.clone(), "the task is dropped"),
            beginning.clone(),
        );
        async move {
            let _item_drop = item_drop;
            let task = item.spawn(async move {
                let _task_drop = task_drop;
                begun.notify_one();
                std::future::pending::<SyncResult>().await
            });
            task.await
        }
        .boxed()
    }));
    within(begun.notified()).await;
    session.skip(HANDLER, id("a")).unwrap();
    until(&mut session.events(), is_ended).await;
    notes.note("ended");
    assert_eq!(notes.lines(), ["the item is dropped", "the task is dropped", "ended"]);
    assert_eq!(within(session.finish()).await.items().next().unwrap().outcome, Outcome::Skipped);
}

#[tokio::test(start_paused = true)]
async fn concurrent_work_of_a_cancelled_item_is_dropped_with_it() {
    let (notes, begun) = (Transcript::new(), Arc::new(Notify::new()));
    let (dropped, beginning) = (notes.clone(), begun.clone());
    let session = start(Scripted::new(&["a"]).on_item(move |item| {
        let (notes, begun) = (dropped.clone(), beginning.clone());
        async move {
            let work = async |_| {
                let _future_drop = NoteOnDrop(notes.clone(), "a future is dropped");
                begun.notify_one();
                std::future::pending::<SyncResult>().await
            };
            item.concurrently(3, 0..3, work).await.map(drop)
        }
        .boxed()
    }));
    within(begun.notified()).await;
    session.stop();
    until(&mut session.events(), is_ended).await;
    assert_eq!(notes.lines(), ["a future is dropped"; 3]);
    within(session.close()).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_item_ends_after_its_blocking_work() {
    let (notes, job) = (Transcript::new(), Job::new());
    let work = job.work(&notes);
    let session = start(Scripted::new(&["a"]).on_item(move |item| item.blocking(work.clone()).boxed()));
    job.begun.notified().await;
    session.skip(HANDLER, id("a")).unwrap();
    let mut report = Box::pin(session.report());
    assert!((&mut report).now_or_never().is_none());
    advance_in_steps(Duration::from_secs(4)).await;
    assert!((&mut report).now_or_never().is_none(), "the item ended before its job");
    job.release.send(()).unwrap();
    let report = report.await;
    notes.note("ended");
    assert_in_order(&notes, &["the job has ended", "ended"]);
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Skipped);
    assert!(report.runs[0].log.is_empty(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_blocking_work_outlives_the_hard_grace_is_abandoned() {
    let (notes, job) = (Transcript::new(), Job::new());
    let work = job.work(&notes);
    let manager = SyncManager::new();
    manager.register(Scripted::new(&["a"]).on_item(move |item| item.blocking(work.clone()).boxed())).unwrap();
    manager.register(Scripted::new(&["b"]).info(|_| HandlerInfo::new(CLASSIC, "Other"))).unwrap();
    let session = manager.session(Trigger::Manual).start().unwrap();
    job.begun.notified().await;
    let shutdown = manager.clone();
    let shutdown = tokio::spawn(async move { shutdown.shutdown().await });
    advance_in_steps(Duration::from_secs(6)).await;
    assert_eq!(handlers_of(&shutdown.await.unwrap()), [HANDLER]);
    assert!(notes.lines().is_empty(), "the job ended before its release");
    let report = session.report().await;
    let item = report.run(HANDLER).unwrap().item(id("a")).unwrap();
    assert_eq!((item.outcome, item.class), (Outcome::Failed, Some(FailureClass::Transient)));
    let [entry] = report.run(HANDLER).unwrap().log.as_slice() else { panic!("{report}") };
    assert_eq!((entry.level, entry.item), (LogLevel::Error, Some(id("a"))));
    assert!(entry.text.contains("abandoned"), "{report}");
    assert_eq!(report.run(CLASSIC).unwrap().item(id("b")).unwrap().outcome, Outcome::Succeeded);
    job.release.send(()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shut_down_manager_owns_no_task_and_starts_no_session() {
    let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let begun = Arc::new(Notify::new());
    let beginning = begun.clone();
    let handler = Scripted::new(&names).on_item(move |item| {
        beginning.notify_one();
        item.spawn(std::future::pending::<SyncResult>()).boxed()
    });
    let manager = SyncManager::new();
    manager.register(handler).unwrap();
    let (running, waiting) = (manager.session(Trigger::Manual).start().unwrap(), manager.update_all().unwrap());
    within(begun.notified()).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(tasks() > 0);
    assert!(within(manager.shutdown()).await.is_empty());
    assert_eq!(tasks(), 0);
    assert_eq!(manager.update_all().unwrap_err(), StartError::ShutDown);
    assert!(running.report().await.items().all(|item| item.outcome == Outcome::Stopped));
    assert_eq!(waiting.report().await.items().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_a_hanging_show_properties() {
    let manager = SyncManager::new();
    let info = |info: HandlerInfo| info.with_flags(syncmgr::handler::HandlerFlags::HAS_PROPERTIES);
    let showing = Arc::new(Notify::new());
    let show = showing.clone();
    let handler = Scripted::new(&["a"]).info(info).on_show_properties(move |_, _| {
        show.notify_one();
        std::future::pending().boxed()
    });
    manager.register(handler).unwrap();
    let asking = manager.clone();
    let asked = tokio::spawn(async move { asking.show_properties(HANDLER, syncmgr::Subject::Handler).await });
    within(showing.notified()).await;
    within(manager.shutdown()).await;
    let _ = within(asked).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_cancels_a_retry_that_waits_for_its_turn() {
    let begun = Arc::new(Notify::new());
    let beginning = begun.clone();
    let handler = Scripted::new(&["a", "hangs"])
        .on_item(move |item| {
            item.log(syncmgr::LogEntry::new(LogLevel::Error, "link").with_link(error()));
            if item.name() == "a" {
                return async { Ok(()) }.boxed();
            }
            beginning.notify_one();
            std::future::pending().boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("hangs")])) }.boxed());
    let manager = SyncManager::new();
    manager.register(handler.clone()).unwrap();
    let first = manager.session(Trigger::Manual).items(HANDLER, [id("a")]).start().unwrap();
    within(first.report()).await;
    let second = manager.session(Trigger::Manual).items(HANDLER, [id("hangs")]).start().unwrap();
    within(begun.notified()).await;
    // The handler is busy: the retry of the first session waits.
    let mut opened = Box::pin(first.show_error(HANDLER, error()));
    assert!((&mut opened).now_or_never().is_none());
    until(&mut second.events(), |event| matches!(event, SessionEvent::Began { .. })).await;
    within(manager.shutdown()).await;
    let _ = within(opened).await;
    assert_eq!(handler.transcript.count("item hangs"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_item_does_not_run_again_while_its_work_continues() {
    let (notes, job) = (Transcript::new(), Job::new());
    let work = job.work(&notes);
    let handler = Scripted::new(&["a"]).on_item(move |item| item.blocking(work.clone()).boxed());
    let manager = SyncManager::new();
    manager.register(handler.clone()).unwrap();
    let first = manager.session(Trigger::Manual).start().unwrap();
    job.begun.notified().await;
    first.stop();
    advance_in_steps(Duration::from_secs(6)).await;
    assert_eq!(first.report().await.items().next().unwrap().outcome, Outcome::Failed);
    let second = manager.session(Trigger::Manual).start().unwrap();
    advance_in_steps(Duration::from_secs(1)).await;
    let begun = handler.transcript.count("item a");
    // Release the thread before any assertion can fail.
    drop(job);
    second.stop();
    second.report().await;
    assert_eq!(begun, 1, "the item ran twice at the same time");
}
