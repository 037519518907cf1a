//! The cost of an item: a session of no-op items, compared with a `JoinSet` and a semaphore.
//!
//! The listing is created once and cloned. There is no subscriber for spans. `alloc` divided by the number of items is the number
//! of allocations per item; divan counts only one thread, so the number is meaningless with two threads.
//!
//! `cargo bench --bench session`; see BENCHMARKS.md for the meaning of the figures.

mod paths;

use std::sync::Arc;

use divan::{AllocProfiler, Bencher};
use futures::future::BoxFuture;
use syncmgr::{HandlerId, HandlerInfo, ItemContext, Items, Limits, Session, SyncHandler, SyncItem, SyncManager};
use syncmgr::{SyncResult, Trigger, async_trait};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// The maximum number of concurrent items, in the session and in the `JoinSet`.
const CONCURRENCY: usize = 64;

const ITEMS: [usize; 2] = [1_000, 100_000];

fn main() {
    divan::main();
}

/// The work of an item.
#[derive(Clone, Copy)]
enum Work {
    /// Does nothing.
    Nothing,
    /// Yields once, so that the future is not optimised into a direct call.
    Suspend,
}

impl Work {
    async fn perform(self) {
        match self {
            Self::Nothing => {}
            Self::Suspend => tokio::task::yield_now().await,
        }
    }
}

/// A handler with a listing created in advance.
struct Table {
    items: Items,
    work: Work,
}

#[async_trait]
impl SyncHandler for Table {
    fn info(&self) -> HandlerInfo {
        let limits = Limits::DEFAULT.with_items(CONCURRENCY);
        HandlerInfo::new(HandlerId::from_u128(1), "Table").with_limits(limits)
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(self.items.clone())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.work.perform().await;
        item.progress(1, 1)?;
        Ok(())
    }
}

/// The same work as a plain boxed future, for the baseline.
trait Plain: Send + Sync {
    fn run(&self, item: usize) -> BoxFuture<'_, ()>;
}

impl Plain for Work {
    fn run(&self, item: usize) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.perform().await;
            divan::black_box(item);
        })
    }
}

fn runtime(threads: usize) -> Runtime {
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.worker_threads(threads).enable_time().build().expect("the machine can start threads")
}

fn manager(count: usize, work: Work) -> SyncManager {
    let items = (0..count).map(|index| SyncItem::named(index.to_string())).collect();
    let manager = SyncManager::builder().max_concurrent_items(CONCURRENCY).build();
    manager.register(Table { items, work }).expect("the handler is new");
    manager
}

async fn session(manager: &SyncManager) {
    let session: Session = manager.session(Trigger::Manual).start().expect("inside a runtime");
    assert!(session.finish().await.is_success());
}

/// Runs a session with a reader of all its events.
async fn watched_session(manager: &SyncManager) {
    let session: Session = manager.session(Trigger::Manual).start().expect("inside a runtime");
    let mut events = session.events();
    let reader = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            divan::black_box(event);
        }
    });
    assert!(session.finish().await.is_success());
    reader.await.expect("the reader does not panic");
}

async fn join_set(count: usize, work: Work) {
    let (work, limit): (Arc<dyn Plain>, _) = (Arc::new(work), Arc::new(Semaphore::new(CONCURRENCY)));
    let mut tasks = JoinSet::new();
    for item in 0..count {
        let permit = limit.clone().acquire_owned().await.expect("the semaphore is open");
        let work = work.clone();
        tasks.spawn(async move {
            work.run(item).await;
            drop(permit);
        });
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
}

macro_rules! beside_join_set {
    ($module:ident, $threads:expr, $work:expr) => {
        mod $module {
            use super::*;

            #[divan::bench(args = ITEMS)]
            fn join_set(bencher: Bencher, count: usize) {
                let runtime = runtime($threads);
                bencher.counter(count).bench(|| runtime.block_on(async { super::join_set(count, $work).await }));
            }

            #[divan::bench(args = ITEMS)]
            fn session(bencher: Bencher, count: usize) {
                let (runtime, manager) = (runtime($threads), manager(count, $work));
                bencher.counter(count).bench(|| runtime.block_on(super::session(&manager)));
            }

            #[divan::bench(args = ITEMS)]
            fn session_watched(bencher: Bencher, count: usize) {
                let (runtime, manager) = (runtime($threads), manager(count, $work));
                bencher.counter(count).bench(|| runtime.block_on(super::watched_session(&manager)));
            }
        }
    };
}

beside_join_set!(one_thread_suspends, 1, Work::Suspend);
beside_join_set!(one_thread_does_nothing, 1, Work::Nothing);
beside_join_set!(two_threads_suspends, 2, Work::Suspend);
