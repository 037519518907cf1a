//! Shared code of the benches: a host whose items wait, and parked tasks.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use syncmgr::{
    HandlerId, HandlerInfo, ItemContext, Items, Limits, Session, SyncHandler, SyncItem, SyncManager, SyncResult,
    Trigger, async_trait,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};

/// The maximum number of concurrent items.
pub(crate) const CONCURRENCY: usize = 64;

/// The future that an item waits for.
pub(crate) type Wait = fn(&ItemContext) -> BoxFuture<'_, ()>;

/// Waits until the item is cancelled.
pub(crate) fn until_cancelled(item: &ItemContext) -> BoxFuture<'_, ()> {
    Box::pin(item.cancelled())
}

/// A handler whose items wait.
struct Waiting {
    id: HandlerId,
    limits: Limits,
    items: Items,
    wait: Wait,
    /// Has one permit for each item that has started.
    started: Arc<Semaphore>,
}

#[async_trait]
impl SyncHandler for Waiting {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(self.id, "Waiting").with_limits(self.limits)
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(self.items.clone())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.started.add_permits(1);
        (self.wait)(item).await;
        Ok(item.check()?)
    }
}

/// A manager with a handler for each listing.
pub(crate) struct Host {
    manager: SyncManager,
    started: Arc<Semaphore>,
}

impl Host {
    pub(crate) fn new(listings: impl IntoIterator<Item = Items>, wait: Wait) -> Self {
        let limits = Limits::DEFAULT.with_items(CONCURRENCY).with_soft_grace(Duration::ZERO);
        let host = Self {
            manager: SyncManager::builder().max_concurrent_items(CONCURRENCY).build(),
            started: Semaphore::new(0).into(),
        };
        for (items, id) in listings.into_iter().zip(1..) {
            let (id, started) = (HandlerId::from_u128(id), host.started.clone());
            host.manager.register(Waiting { id, limits, items, wait, started }).expect("the handler is new");
        }
        host
    }

    /// Starts a session of all items and waits until `started` of them have started.
    async fn start(&self, started: usize) -> Session {
        let session = self.manager.session(Trigger::Manual).start().expect("inside a runtime");
        let started = u32::try_from(started).expect("at most `CONCURRENCY` items start");
        self.started.acquire_many(started).await.expect("the semaphore is open").forget();
        session
    }

    /// Stops a session and waits for its end.
    async fn end(&self, session: &Session) {
        session.stop();
        session.clone().finish().await;
        self.started.forget_permits(usize::MAX);
    }
}

/// A running session, which is stopped on drop.
pub(crate) struct Running<'a> {
    host: &'a Host,
    runtime: &'a Runtime,
    pub(crate) session: Session,
}

impl<'a> Running<'a> {
    /// Starts a session of all items and waits until `started` of them have started.
    pub(crate) fn start(runtime: &'a Runtime, host: &'a Host, started: usize) -> Self {
        Self { host, runtime, session: runtime.block_on(host.start(started)) }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.runtime.block_on(self.host.end(&self.session));
    }
}

/// Creates the names of items. The names are not counted as part of the items, because every caller needs names anyway.
pub(crate) fn names(count: usize) -> Vec<Arc<str>> {
    (0..count).map(|index| Arc::from(format!("item {index}"))).collect()
}

/// Creates a listing of items with these names.
pub(crate) fn listing(names: &[Arc<str>]) -> Items {
    names.iter().cloned().map(SyncItem::named).collect()
}

/// Spawns tasks that are polled once and then wait forever.
pub(crate) async fn spawn_parked(count: usize) -> JoinSet<()> {
    static POLLED: AtomicUsize = AtomicUsize::new(0);
    POLLED.store(0, Ordering::Relaxed);
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        tasks.spawn(async {
            POLLED.fetch_add(1, Ordering::Relaxed);
            pending().await
        });
    }
    while POLLED.load(Ordering::Relaxed) < count {
        yield_now().await;
    }
    tasks
}

pub(crate) fn runtime(threads: usize) -> Runtime {
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.worker_threads(threads).enable_time().build().expect("the machine can start threads")
}

/// Returns `true` under `--test`, which only checks that the benches run.
pub(crate) fn is_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}
