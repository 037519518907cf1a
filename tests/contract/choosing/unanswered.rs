//! Choosers that do not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use syncmgr::choice::{Chooser, Chosen, Offer};
use syncmgr::store::{MemoryStore, StateStore};
use syncmgr::{Outcome, RunEnding, Session, SyncManager, Trigger, async_trait};
use tokio::time::{Instant, sleep};

use crate::support::awaitable_host::{begin, within};
use crate::support::steps::{nth, register_all, start_manual, wait_until_idle};
use crate::support::test_clock::{StartTimes, transient_failure};
use crate::support::window::ran;
use crate::support::{HANDLER, Scripted, id};

/// A chooser that never answers. Counts its calls that were dropped.
#[derive(Clone, Default)]
struct Silent(Arc<AtomicUsize>);

struct CountDrop(Arc<AtomicUsize>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Chooser for Silent {
    async fn choose(&self, _: &[Offer]) -> Option<Chosen> {
        let _dropped = CountDrop(self.0.clone());
        std::future::pending().await
    }
}

/// A manager whose chooser is silent, and a session that waits for it.
async fn choosing() -> (SyncManager, Silent, Session) {
    let chooser = Silent::default();
    let manager = SyncManager::builder().chooser(chooser.clone()).build();
    manager.register(Scripted::new(&["a", "b"])).expect("the handler can be registered");
    let session = manager.session(Trigger::Manual).may_bother_user().start().expect("inside a runtime");
    wait_until_idle().await;
    (manager, chooser, session)
}

/// Asserts that the handler runs in a later session, without waiting for a deadline.
async fn assert_runs(manager: &SyncManager, chooser: &Silent) {
    let began = Instant::now();
    let report = within(begin(manager).finish()).await;
    assert!(report.is_success(), "{report}");
    assert_eq!(report.items().count(), 2);
    assert!(began.elapsed() < Duration::from_secs(1), "the session waited for the choice of another one");
    assert_eq!(chooser.0.load(Ordering::Relaxed), 1, "the call of the chooser was not dropped");
}

#[tokio::test(start_paused = true)]
async fn a_choice_has_a_deadline() {
    let (manager, chooser, session) = choosing().await;
    let began = Instant::now();
    let report = within(session.report()).await;
    assert_eq!(began.elapsed().as_secs(), 599);
    assert_eq!(ran(&report, HANDLER).ending, Some(RunEnding::NothingToDo));
    assert!(report.runs[0].log.iter().any(|entry| entry.text.contains("did not answer within 600s")), "{report}");
    assert_runs(&manager, &chooser).await;
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_choice_can_be_set() {
    let manager = SyncManager::builder().chooser(Silent::default()).choosing_deadline(Duration::from_secs(7)).build();
    manager.register(Scripted::new(&["a"])).expect("the handler can be registered");
    let began = Instant::now();
    within(manager.session(Trigger::Manual).may_bother_user().start().unwrap().finish()).await;
    assert_eq!(began.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_closed_session_lets_go_of_its_offers() {
    let (manager, chooser, session) = choosing().await;
    within(session.close()).await;
    assert_runs(&manager, &chooser).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_session_lets_go_of_its_offers() {
    let (manager, chooser, session) = choosing().await;
    drop(session);
    assert_runs(&manager, &chooser).await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_session_lets_go_of_its_offers() {
    let (manager, chooser, session) = choosing().await;
    session.stop();
    assert_runs(&manager, &chooser).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_closed_while_a_handler_lists_offers_nothing() {
    let chooser = Silent::default();
    let manager = SyncManager::builder().chooser(chooser.clone()).build();
    let slow = Scripted::new(&[]).on_items(|| {
        Box::pin(async {
            sleep(Duration::from_secs(5)).await;
            Ok(std::iter::empty().collect())
        })
    });
    manager.register(slow).expect("the handler can be registered");
    let session = manager.session(Trigger::Manual).may_bother_user().start().unwrap();
    wait_until_idle().await;
    within(session.close()).await;
    assert_eq!(chooser.0.load(Ordering::Relaxed), 0, "the chooser was called");
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_the_choice_does_not_hide_later_results() {
    let began = StartTimes::new();
    let process = |store: &MemoryStore| {
        let handler = began.handler(1, &["a"], |_, times| if times == 1 { Ok(()) } else { transient_failure() });
        let builder = SyncManager::builder().store(store.clone()).chooser(Silent::default());
        register_all(builder.build(), [handler, Scripted::new(&["b"])])
    };
    let store = MemoryStore::new();
    let first = process(&store);
    let running = start_manual(&first, 1);
    let _choosing = first.session(Trigger::Manual).handlers([HANDLER]).may_bother_user().start().unwrap();
    within(running.finish()).await;
    let store = store.after_crash();
    within(start_manual(&process(&store), 1).finish()).await;
    let record = store.record(nth(1), id("a")).unwrap().expect("the item has run");
    assert_eq!(record.outcome, Some(Outcome::Failed), "the result of the second process was not stored");
}
