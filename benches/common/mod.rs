//! What the benches of waiting items share: a host whose items wait until they are cancelled, and tasks that are parked.

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

/// How many items run at once.
pub(crate) const WIDTH: usize = 64;

/// What an item waits for.
pub(crate) type Wait = fn(&ItemContext) -> BoxFuture<'_, ()>;

/// Waits until the item is cancelled.
pub(crate) fn for_the_cancel(item: &ItemContext) -> BoxFuture<'_, ()> {
    Box::pin(item.cancelled())
}

/// A handler whose items wait.
struct Waiting {
    id: HandlerId,
    limits: Limits,
    items: Items,
    wait: Wait,
    begun: Arc<Semaphore>,
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
        self.begun.add_permits(1);
        (self.wait)(item).await;
        Ok(item.check()?)
    }
}

/// A manager with a handler for each listing.
pub(crate) struct Host {
    manager: SyncManager,
    begun: Arc<Semaphore>,
}

impl Host {
    pub(crate) fn new(listings: impl IntoIterator<Item = Items>, wait: Wait) -> Self {
        let limits = Limits::DEFAULT.with_items(WIDTH).with_soft_grace(Duration::ZERO);
        let host =
            Self { manager: SyncManager::builder().items_at_once(WIDTH).build(), begun: Semaphore::new(0).into() };
        for (items, id) in listings.into_iter().zip(1..) {
            let (id, begun) = (HandlerId::from_u128(id), host.begun.clone());
            host.manager.register(Waiting { id, limits, items, wait, begun }).expect("the handler is new");
        }
        host
    }

    /// Starts a session over everything and waits until so many items have begun.
    async fn start(&self, begun: usize) -> Session {
        let session = self.manager.session(Trigger::Manual).start().expect("inside a runtime");
        let begun = u32::try_from(begun).expect("a few items at once");
        self.begun.acquire_many(begun).await.expect("the semaphore is open").forget();
        session
    }

    /// Stops a session and lets go of it.
    async fn end(&self, session: &Session) {
        session.stop();
        session.clone().finish().await;
        self.begun.forget_permits(usize::MAX);
    }
}

/// A session under way; when it is dropped it is stopped and let go of.
pub(crate) struct Running<'a> {
    host: &'a Host,
    runtime: &'a Runtime,
    pub(crate) session: Session,
}

impl<'a> Running<'a> {
    /// Starts a session over everything; so many items have begun.
    pub(crate) fn start(runtime: &'a Runtime, host: &'a Host, begun: usize) -> Self {
        Self { host, runtime, session: runtime.block_on(host.start(begun)) }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.runtime.block_on(self.host.end(&self.session));
    }
}

/// Names of items, apart from the items, because anything that lists things has their names.
pub(crate) fn names(count: usize) -> Vec<Arc<str>> {
    (0..count).map(|place| Arc::from(format!("item {place}"))).collect()
}

/// A listing under these names.
pub(crate) fn listing(names: &[Arc<str>]) -> Items {
    names.iter().cloned().map(SyncItem::named).collect()
}

/// Tasks that were polled once and wait for ever.
pub(crate) async fn parked(count: usize) -> JoinSet<()> {
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

/// Whether only to see that everything runs.
pub(crate) fn is_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}
