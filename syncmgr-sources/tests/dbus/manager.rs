//! A manager that works before the machine sleeps, with the delay lock of systemd-logind.

use std::sync::Arc;
use std::time::Duration;

use syncmgr::handler::Importance;
use syncmgr::prelude::*;
use syncmgr::request::RegisterFlags;
use syncmgr::retry::StartReason;
use syncmgr::session::ManagerEvents;
use syncmgr::{SessionEvent, SyncManagerBuilder};
use syncmgr_sources::Logind;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::private_bus::PrivateBus;
use crate::{TOO_LONG, logind};

/// An hour for which the system waits, so that no test reaches the deadline.
const MAX_DELAY: Duration = Duration::from_secs(60 * 60);

/// A handler whose items begin one after another, and end once the test lets them.
#[derive(Clone)]
struct Outbox {
    /// The item that began last.
    began: watch::Sender<String>,
    may_end: Arc<Semaphore>,
}

#[sync_handler(id = "0f5c9c6a-0f1c-4c43-9d36-9a3a8f0b6f12", name = "Outbox", limits(items = 1))]
impl SyncHandler for Outbox {
    async fn items(&self) -> SyncResult<Items> {
        let items = [("archive", Importance::Low), ("drafts", Importance::Normal), ("urgent", Importance::High)];
        Ok(items.map(|(name, importance)| SyncItem::named(name).with_importance(importance)).into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.began.send_replace(item.name().to_owned());
        self.may_end.acquire().await?.forget();
        Ok(())
    }
}

impl Outbox {
    fn new() -> Self {
        Self { began: watch::Sender::default(), may_end: Arc::new(Semaphore::new(0)) }
    }

    async fn until_begun(&self, item: &str) {
        let mut began = self.began.subscribe();
        timeout(TOO_LONG, began.wait_for(|began| began == item)).await.expect("the item begins").unwrap();
    }

    /// Starts a manager that sends before the machine sleeps.
    async fn start(&self, bus: &PrivateBus, builder: SyncManagerBuilder) -> SyncManager {
        let source = Logind::start_with(&bus.settings());
        source.ready().await;
        let manager = builder.environment(source).build();
        manager.register_for(Arc::new(self.clone()), RegisterFlags::PENDING_DISCONNECT).unwrap();
        manager.start_scheduler().unwrap();
        manager
    }
}

/// Waits until the next session has ended, and returns its items in the order in which they ended.
async fn next_session(events: &mut ManagerEvents) -> Vec<(String, Outcome)> {
    let mut ended = Vec::new();
    let session = async {
        loop {
            match events.next().await.expect("the manager exists").event {
                SessionEvent::Started { reason, .. } => assert_eq!(reason, StartReason::Ending),
                SessionEvent::Ended { name, outcome, .. } => ended.push((name.to_string(), outcome)),
                SessionEvent::Idle => return,
                _ => {}
            }
        }
    };
    timeout(TOO_LONG, session).await.expect("the announcement starts a run, which ends");
    ended
}

#[tokio::test]
async fn the_lock_is_released_after_the_work_and_taken_again_after_the_wake() {
    let Some(bus) = PrivateBus::start().await else { return };
    let (daemon, outbox) = (logind::start(&bus, MAX_DELAY).await, Outbox::new());
    let manager = outbox.start(&bus, SyncManager::builder()).await;
    let mut events = manager.events();
    for _ in 0..2 {
        daemon.until_inhibitors(1).await;
        daemon.prepare("PrepareForSleep", true).await;
        outbox.until_begun("urgent").await;
        assert_eq!(daemon.inhibitors().await.len(), 1, "the system waits");
        outbox.may_end.add_permits(3);
        let done = ["urgent", "drafts", "archive"].map(|name| (name.to_owned(), Outcome::Succeeded));
        assert_eq!(next_session(&mut events).await, done);
        daemon.until_inhibitors(0).await;
        daemon.prepare("PrepareForSleep", false).await;
    }
    daemon.until_inhibitors(1).await;
    assert!(manager.shutdown().await.is_empty());
}

#[tokio::test]
async fn work_that_takes_too_long_is_stopped_and_the_lock_released_in_time() {
    let Some(bus) = PrivateBus::start().await else { return };
    let (daemon, outbox) = (logind::start(&bus, MAX_DELAY).await, Outbox::new());
    // All work is stopped soon after the announcement, long before the system would stop waiting.
    let margin = MAX_DELAY - Duration::from_millis(100);
    let manager = outbox.start(&bus, SyncManager::builder().ending_margin(margin)).await;
    let mut events = manager.events();
    daemon.prepare("PrepareForSleep", true).await;
    let ended = next_session(&mut events).await;
    assert!(ended.len() == 3 && ended.iter().all(|(_, outcome)| *outcome == Outcome::Stopped), "{ended:?}");
    daemon.until_inhibitors(0).await;
    daemon.prepare("PrepareForSleep", false).await;
    daemon.until_inhibitors(1).await;
    assert!(manager.shutdown().await.is_empty());
}
