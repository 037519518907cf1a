//! Retries that a shutdown stops, and runs that outlive the registration of their handler.

use std::time::Duration;

use futures::FutureExt;
use futures::future::pending;
use syncmgr::anyhow::anyhow;
use syncmgr::store::MemoryStore;
use syncmgr::{Classify, Hold, Session, SyncManager, Trigger};
use tokio::time::sleep;

use crate::support::awaitable_host::within;
use crate::support::steps::{
    Steps, assert_succeeds, hold_of, nth, register_all, start_background, start_manual, wait_until_idle,
};
use crate::support::test_clock::{DAY, StartTimes, TestClock, builder_with_store, retry_state, transient_failure};
use crate::support::{Scripted, id};

/// A handler whose item fails, hangs in the first retry and then succeeds.
fn hanging_handler(began: &StartTimes) -> Scripted {
    let noting = began.clone();
    began.handler(1, &["a"], |_, _| Ok(())).on_item(move |_| {
        let times = noting.note("a");
        async move {
            match times {
                1 => transient_failure(),
                2 => pending().await,
                _ => Ok(()),
            }
        }
        .boxed()
    })
}

async fn manager_in_first_retry(began: &StartTimes, clock: &TestClock, store: &MemoryStore) -> SyncManager {
    let manager = register_all(builder_with_store(clock, store).build(), [hanging_handler(began)]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(Duration::from_secs(31)).await;
    assert_eq!(began.of("a"), [0, 30]);
    manager
}

#[tokio::test(start_paused = true)]
async fn a_retry_stopped_by_a_shutdown_is_due_immediately_after_a_restart() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let first = manager_in_first_retry(&began, &clock, &store).await;
    within(first.shutdown()).await;
    drop(first);
    assert_eq!(retry_state(&store, 1, "a").map(|left| left.failures), Some(1), "the shutdown counted as a failure");
    let second = register_all(builder_with_store(&clock, &store).build(), [hanging_handler(&began)]);
    second.start_scheduler().unwrap();
    wait_until_idle().await;
    assert_eq!(began.of("a").len(), 3, "{:?}", retry_state(&store, 1, "a"));
    assert_eq!(retry_state(&store, 1, "a"), None);
}

#[tokio::test(start_paused = true)]
async fn a_retry_stopped_by_the_user_is_not_due_immediately_after_a_restart() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let first = manager_in_first_retry(&began, &clock, &store).await;
    for session in first.sessions() {
        session.stop();
        within(session.finish()).await;
    }
    within(first.shutdown()).await;
    drop(first);
    let second = register_all(builder_with_store(&clock, &store).build(), [hanging_handler(&began)]);
    second.start_scheduler().unwrap();
    wait_until_idle().await;
    assert_eq!(began.of("a"), [0, 30]);
}

/// A handler whose item `never` fails permanently in its first run. All other runs of its items wait for `steps`.
fn gated_handler(began: &StartTimes, steps: &Steps) -> Scripted {
    let (noting, steps) = (began.clone(), steps.clone());
    began.handler(1, &["never", "slow"], |_, _| Ok(())).on_item(move |item| {
        let times = noting.note(item.name());
        let (item, steps) = (item.clone(), steps.clone());
        async move {
            if item.name() == "never" && times == 1 {
                return Err(anyhow!("never")).permanent();
            }
            steps.step(item).await
        }
        .boxed()
    })
}

/// Starts a session of one item.
fn start_item(manager: &SyncManager, name: &str) -> Session {
    manager.session(Trigger::Manual).items(nth(1), [id(name)]).start().expect("inside a runtime")
}

#[tokio::test(start_paused = true)]
async fn a_queued_run_of_an_unregistered_handler_skips_permanent_failures() {
    let (began, store, steps) = (StartTimes::new(), MemoryStore::new(), Steps::default());
    let manager = register_all(builder_with_store(&TestClock::new(), &store).build(), [gated_handler(&began, &steps)]);
    within(start_item(&manager, "never").finish()).await;
    let (running, waiting) = (start_item(&manager, "slow"), start_background(&manager, 1));
    assert_eq!(steps.running().await, "slow");
    assert!(manager.unregister(nth(1)));
    ["slow", "never"].iter().for_each(|name| steps.open(name));
    assert_succeeds(running).await;
    let report = within(waiting.finish()).await;
    assert_eq!((hold_of(&report, id("never")), began.of("never").len()), (Some(Hold::Permanent), 1), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_item_stopped_after_its_handler_was_unregistered_keeps_its_retry_status() {
    let (began, store, steps) = (StartTimes::new(), MemoryStore::new(), Steps::default());
    let manager = register_all(builder_with_store(&TestClock::new(), &store).build(), [gated_handler(&began, &steps)]);
    within(start_item(&manager, "never").finish()).await;
    let left = retry_state(&store, 1, "never");
    assert!(left.is_some());
    let session = start_item(&manager, "never");
    assert_eq!(steps.running().await, "never");
    manager.unregister(nth(1));
    session.stop();
    within(session.finish()).await;
    assert_eq!(retry_state(&store, 1, "never"), left);
    sleep(DAY).await;
    assert!(manager.sessions().is_empty());
}
