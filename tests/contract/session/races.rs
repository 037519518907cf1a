//! Tests on several threads, for races that one thread under paused time cannot show. No test waits for time to pass; the
//! deadline only ends a test that would hang.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use syncmgr::choice::{Chooser, Chosen, Offer};
use syncmgr::{HandlerId, HandlerInfo, StartError, SyncManager, Trigger, async_trait};
use tokio::sync::Barrier;
use tokio::time::timeout;

use crate::support::Scripted;
use crate::support::awaitable_host::begin;

const DEADLINE: Duration = Duration::from_secs(30);
const ROUNDS: usize = 200;

/// A chooser that chooses every item.
struct Everything;

#[async_trait]
impl Chooser for Everything {
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen> {
        let items = |offer: &Offer| offer.items.iter().map(|item| item.item).collect();
        Some(offers.iter().map(|offer| (offer.handler, items(offer))).collect())
    }
}

/// A handler whose items end only when they are cancelled.
fn endless_handler() -> Scripted {
    Scripted::new(&["a", "b", "c"]).on_item(|item| item.token().cancelled_owned().map(Ok).boxed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_sessions_of_the_same_handlers_never_deadlock() {
    for _ in 0..ROUNDS {
        let manager = SyncManager::builder().chooser(Everything).build();
        for number in 1..=6 {
            let info = HandlerInfo::new(HandlerId::from_u128(number), "One of six");
            manager.register(Scripted::new(&["a"]).info(|_| info)).unwrap();
        }
        let sessions = (0..4).map(|_| {
            let manager = manager.clone();
            tokio::spawn(async move { manager.update_all().unwrap().finish().await })
        });
        let reports = timeout(DEADLINE, join_all(sessions)).await.expect("every session ends");
        assert!(reports.into_iter().all(|report| report.unwrap().is_success()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_started_during_a_shutdown_is_refused_or_stopped() {
    for _ in 0..ROUNDS {
        let manager = SyncManager::new();
        manager.register(endless_handler()).unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let (starter, ready) = (manager.clone(), barrier.clone());
        let started = tokio::spawn(async move {
            ready.wait().await;
            starter.session(Trigger::Manual).start().map(drop)
        });
        barrier.wait().await;
        timeout(DEADLINE, manager.shutdown()).await.expect("a started session is stopped");
        assert!(matches!(started.await.unwrap(), Ok(()) | Err(StartError::ShutDown)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_stopped_from_another_thread_at_any_moment_ends() {
    for delay in 0..ROUNDS {
        let manager = SyncManager::new();
        manager.register(endless_handler()).unwrap();
        let session = begin(&manager);
        let stopper = session.clone();
        let stop = tokio::spawn(async move {
            for _ in 0..delay % 20 {
                tokio::task::yield_now().await;
            }
            stopper.stop();
        });
        timeout(DEADLINE, session.finish()).await.expect("a stopped session ends");
        stop.await.unwrap();
    }
}
