//! A handler whose items end in a given way, and managers with it.

use std::time::SystemTime;

use syncmgr::anyhow::anyhow;
use syncmgr::store::{MemoryStore, SqliteStore};
use syncmgr::{
    HandlerId, HandlerInfo, ItemContext, Items, Limits, NeedsUser, RetryPolicy, Session, SessionEvent, SyncHandler,
    SyncItem, SyncManager, SyncManagerBuilder, SyncResult, Trigger, async_trait,
};
use syncmgr_test::{SeededRandomness, VirtualClock};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

/// The id of the only handler of a manager.
pub(crate) const ID: HandlerId = HandlerId::from_u128(1);

/// The end of each item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Success,
    Failure,
    NeedsUser,
    /// Asks a question until it is answered.
    Question,
    /// Commits its state.
    Save,
    /// Waits until it is cancelled.
    Wait,
}

pub(crate) struct Fixture {
    id: HandlerId,
    items: Items,
    end: End,
    limits: Limits,
}

#[async_trait]
impl SyncHandler for Fixture {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(self.id, "Fixture").with_limits(self.limits)
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(self.items.clone())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        yield_now().await;
        match self.end {
            End::Success => {}
            End::Failure => return Err(anyhow!("connection refused")),
            End::NeedsUser => return Err(NeedsUser::new("sign in").into()),
            End::Question => drop(item.decide("conflict", "Which side is right?", &["here", "there"])),
            End::Save => {
                let mut saved = item.saved::<u64>()?;
                *saved += 1;
                saved.commit().await?;
            }
            End::Wait => item.cancelled().await,
        }
        Ok(item.check()?)
    }
}

/// Creates a handler with these items.
pub(crate) fn fixture(number: usize, items: Items, end: End) -> Fixture {
    Fixture { id: HandlerId::from_u128(number as u128 + 1), items, end, limits: Limits::DEFAULT }
}

impl Fixture {
    pub(crate) fn one_at_a_time(self) -> Self {
        Self { limits: self.limits.with_items(1), ..self }
    }
}

pub(crate) fn items(count: usize) -> Items {
    (0..count).map(|number| SyncItem::named(format!("item {number}"))).collect()
}

/// Creates items that need this resource.
pub(crate) fn claiming(count: usize, claim: &'static str) -> Items {
    (0..count).map(|number| SyncItem::named(format!("item {number}")).with_claim(claim)).collect()
}

/// Returns a runtime of one thread with virtual time.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("the runtime is created")
}

/// A manager with a store in memory, virtual time and seeded randomness.
pub(crate) fn builder() -> SyncManagerBuilder {
    SyncManager::builder()
        .clock(VirtualClock::at(SystemTime::UNIX_EPOCH))
        .randomness(SeededRandomness::new(1))
        .retry(RetryPolicy::DEFAULT)
        .store(MemoryStore::new())
}

/// A manager with an SQLite store.
pub(crate) fn stored() -> (SyncManager, TempDir) {
    let directory = TempDir::new().expect("a directory is created");
    let store = SqliteStore::open(directory.path().join("state")).expect("the store opens");
    (SyncManager::builder().store(store).build(), directory)
}

/// A manager with one handler.
pub(crate) fn with(fixture: Fixture) -> SyncManager {
    let manager = builder().build();
    manager.register(fixture).expect("the handler is new");
    manager
}

pub(crate) fn start(manager: &SyncManager) -> Session {
    manager.session(Trigger::Manual).start().expect("inside a runtime")
}

/// Runs a session of all items.
pub(crate) async fn session(manager: &SyncManager) {
    start(manager).finish().await;
}

/// Starts a session and waits until its first item has begun.
pub(crate) async fn started(manager: &SyncManager) -> Session {
    let session = start(manager);
    let mut events = session.events();
    while !matches!(events.next().await, Some(SessionEvent::Began { .. }) | None) {}
    session
}
