//! Items whose blocking work outlived them are skipped and listed until that work has ended.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::handler::Resolution;
use syncmgr::log::ErrorId;
use syncmgr::{
    Hold, ItemContext, LogEntry, LogLevel, Outcome, Session, SessionEvent, SyncManager, SyncResult, Trigger,
};
use tokio::sync::Notify;

use crate::cancellation::stopped::advance_in_steps;
use crate::support::awaitable_host::{begin, until};
use crate::support::steps::{hold_of, manager_with, nth, outcome, register_all, start_manual};
use crate::support::{HANDLER, Scripted, handlers_of, id};

/// Work that blocks its thread each time it runs, until it is released. Dropping the value releases the work.
pub(crate) struct Blocked {
    pub(crate) begun: Arc<Notify>,
    pub(crate) release: mpsc::Sender<()>,
    wait: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Blocked {
    pub(crate) fn new() -> Self {
        let (release, wait) = mpsc::channel();
        Self { begun: Arc::default(), release, wait: Arc::new(Mutex::new(wait)) }
    }

    pub(crate) fn work(&self) -> impl Fn(ItemContext) -> SyncResult + Clone + Send + Sync + 'static {
        let (begun, wait) = (self.begun.clone(), self.wait.clone());
        move |_| {
            begun.notify_one();
            // An error means that the test has ended.
            let _ = wait.lock().expect("no thread panics while it holds the lock").recv();
            Ok(())
        }
    }

    /// A handler with items of these names. Item `a` blocks.
    pub(crate) fn handler(&self, items: &[&str]) -> Scripted {
        let work = self.work();
        Scripted::new(items).on_item(move |item| match item.name() {
            "a" => item.blocking(work.clone()).boxed(),
            _ => async { Ok(()) }.boxed(),
        })
    }

    /// Starts a session, stops it while item `a` blocks, and waits until the item is abandoned.
    pub(crate) async fn abandoned(&self, manager: &SyncManager) -> Session {
        let session = begin(manager);
        self.begun.notified().await;
        session.stop();
        let_hard_grace_pass().await;
        let report = session.report().await;
        assert_eq!(outcome(&report, id("a")), Outcome::Failed, "{report}");
        session
    }
}

/// Lets the workers notice the stop, and then lets the hard grace pass.
pub(crate) async fn let_hard_grace_pass() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    advance_in_steps(Duration::from_secs(6)).await;
}

#[tokio::test(start_paused = true)]
async fn later_sessions_skip_an_abandoned_item_and_run_the_others() {
    let blocked = Blocked::new();
    let handler = blocked.handler(&["a", "b"]);
    let transcript = handler.transcript.clone();
    let manager = manager_with([handler]);
    blocked.abandoned(&manager).await;
    let all = || manager.session(Trigger::Manual);
    for request in [all(), all().items(HANDLER, [id("a"), id("b")])] {
        let report = request.start().unwrap().report().await;
        assert_eq!((outcome(&report, id("a")), hold_of(&report, id("a"))), (Outcome::Skipped, Some(Hold::Quarantined)));
        assert_eq!((outcome(&report, id("b")), hold_of(&report, id("b"))), (Outcome::Succeeded, None));
        assert!(!report.is_success());
        let [entry] = &report.runs[0].log[..] else { panic!("{report}") };
        assert_eq!((entry.level, entry.item), (LogLevel::Warning, Some(id("a"))), "{report}");
    }
    assert_eq!(transcript.count("item a"), 1);
    assert_eq!(transcript.count("prepare b"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_waited_skips_an_item_abandoned_meanwhile() {
    let blocked = Blocked::new();
    let handler = blocked.handler(&["a", "b"]);
    let transcript = handler.transcript.clone();
    let manager = manager_with([handler]);
    let first = begin(&manager);
    blocked.begun.notified().await;
    let second = begin(&manager);
    first.stop();
    let_hard_grace_pass().await;
    assert_eq!(outcome(&first.report().await, id("a")), Outcome::Failed);
    let report = second.report().await;
    assert_eq!((outcome(&report, id("a")), hold_of(&report, id("a"))), (Outcome::Skipped, Some(Hold::Quarantined)));
    assert_eq!(transcript.count("item a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_waited_skips_an_item_abandoned_meanwhile() {
    let (blocked, error) = (Blocked::new(), ErrorId::from_key("again"));
    let handler = blocked
        .handler(&["a"])
        .on_prepare(move |run| {
            run.log(LogEntry::new(LogLevel::Warning, "again?").with_link(error));
            async { Ok(()) }.boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("a")])) }.boxed());
    let transcript = handler.transcript.clone();
    let manager = manager_with([handler]);
    let first = begin(&manager);
    blocked.begun.notified().await;
    blocked.release.send(()).unwrap();
    first.report().await;
    let second = begin(&manager);
    blocked.begun.notified().await;
    let mut retry = Box::pin(first.show_error(HANDLER, error));
    assert!(futures::poll!(&mut retry).is_pending());
    second.stop();
    let_hard_grace_pass().await;
    assert_eq!(outcome(&second.report().await, id("a")), Outcome::Failed);
    advance_in_steps(Duration::from_secs(1)).await;
    let begun = transcript.count("item a");
    drop(blocked);
    retry.await.unwrap();
    assert_eq!(begun, 2, "the item ran twice at the same time");
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_item_blocks_neither_other_handlers_nor_the_shutdown() {
    let blocked = Blocked::new();
    let other = Scripted::new(&["b"]).info(|_| syncmgr::HandlerInfo::new(nth(2), "Other"));
    let manager =
        register_all(SyncManager::builder().max_concurrent_items(1).build(), [blocked.handler(&["a"]), other]);
    let first = manager.session(Trigger::Manual).handlers([HANDLER]).start().unwrap();
    blocked.begun.notified().await;
    first.stop();
    let_hard_grace_pass().await;
    first.report().await;
    let report = start_manual(&manager, 2).report().await;
    assert!(report.is_success(), "the abandoned item kept its worker: {report}");
    let still_running = manager.shutdown().await;
    assert_eq!(handlers_of(&still_running), [HANDLER]);
    assert_eq!(still_running[0].items, [id("a")].into());
}

#[tokio::test(start_paused = true)]
async fn events_report_the_end_of_a_skipped_abandoned_item() {
    let blocked = Blocked::new();
    let manager = manager_with([blocked.handler(&["a"])]);
    blocked.abandoned(&manager).await;
    let second = begin(&manager);
    let mut events = second.events();
    let ended = until(&mut events, |event| matches!(event, SessionEvent::Ended { .. })).await;
    let SessionEvent::Ended { handler, item, outcome, .. } = ended else { panic!("{ended:?}") };
    assert_eq!((handler, item, outcome), (HANDLER, id("a"), Outcome::Skipped));
    until(&mut events, |event| *event == SessionEvent::Idle).await;
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_item_stays_held_after_its_handler_registers_again() {
    let blocked = Blocked::new();
    let handler = blocked.handler(&["a"]);
    let transcript = handler.transcript.clone();
    let manager = manager_with([handler.clone()]);
    blocked.abandoned(&manager).await;
    manager.forget(HANDLER).await.unwrap();
    manager.register(handler).unwrap();
    let report = begin(&manager).report().await;
    assert_eq!(hold_of(&report, id("a")), Some(Hold::Quarantined));
    assert_eq!(transcript.count("item a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_session_skips_an_item_that_another_one_abandoned() {
    let blocked = Blocked::new();
    let limits = syncmgr::Limits::DEFAULT.with_items(1);
    let go = Arc::new(Notify::new());
    let (waits, work) = (go.clone(), blocked.work());
    let handler = Scripted::new(&["b", "a"]).info(|info| info.with_limits(limits)).on_item(move |item| {
        let (waits, work) = (waits.clone(), work.clone());
        match item.name() {
            "a" => item.blocking(work).boxed(),
            _ => async move {
                waits.notified().await;
                Ok(())
            }
            .boxed(),
        }
    });
    let manager = manager_with([handler]);
    let first = begin(&manager);
    until(&mut first.events(), |event| matches!(event, SessionEvent::Began { .. })).await;
    let second = begin(&manager);
    go.notify_one();
    blocked.begun.notified().await;
    first.skip(HANDLER, id("a")).unwrap();
    let_hard_grace_pass().await;
    assert_eq!(outcome(&first.report().await, id("a")), Outcome::Failed);
    go.notify_one();
    let report = second.report().await;
    assert_eq!((outcome(&report, id("a")), hold_of(&report, id("a"))), (Outcome::Skipped, Some(Hold::Quarantined)));
}
