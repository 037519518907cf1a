//! The overhead of a session of one item, from its start to its report, over a direct call of the item's boxed future.
//!
//! `cargo bench --bench single`; see BENCHMARKS.md for the meaning of the figures.

use divan::{Bencher, black_box};
use syncmgr::{HandlerId, HandlerInfo, ItemContext, Items, SyncHandler, SyncItem, SyncManager, SyncResult};
use syncmgr::{Trigger, async_trait};
use tokio::runtime::{Builder, Runtime};

/// The number of sequential sessions per sample.
const SESSIONS: usize = 100;

fn main() {
    divan::main();
}

/// A handler with one item, which yields once.
struct One {
    items: Items,
}

impl One {
    fn new() -> Self {
        Self { items: [SyncItem::named("one")].into_iter().collect() }
    }
}

#[async_trait]
impl SyncHandler for One {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HandlerId::from_u128(1), "One")
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(self.items.clone())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        tokio::task::yield_now().await;
        item.progress(1, 1)?;
        Ok(())
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("the machine can start threads")
}

#[divan::bench]
fn bare(bencher: Bencher) {
    let (runtime, one, item) = (runtime(), One::new(), ItemContext::for_test("one"));
    let one: &dyn SyncHandler = black_box(&one);
    bencher.counter(SESSIONS).bench_local(|| {
        runtime.block_on(async {
            for _ in 0..SESSIONS {
                one.synchronize_item(&item).await.expect("the item is not cancelled");
            }
        });
    });
}

#[divan::bench]
fn session(bencher: Bencher) {
    let (runtime, manager) = (runtime(), SyncManager::new());
    manager.register(One::new()).expect("the handler is new");
    bencher.counter(SESSIONS).bench_local(|| {
        runtime.block_on(async {
            for _ in 0..SESSIONS {
                let session = manager.session(Trigger::Manual).start().expect("inside a runtime");
                assert!(session.finish().await.is_success());
            }
        });
    });
}
