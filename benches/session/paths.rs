//! Sessions as users have them: listings made anew, claims, many handlers, a store, failures. Each is compared with the same
//! `JoinSet` as the plain session, on one thread, with items that suspend once.

use divan::Bencher;
use syncmgr::anyhow::anyhow;
use syncmgr::store::SqliteStore;
use syncmgr::{
    HandlerId, HandlerInfo, ItemContext, Items, Limits, SyncHandler, SyncItem, SyncManager, SyncResult, Trigger,
    async_trait,
};
use tempfile::TempDir;
use tokio::task::yield_now;

use super::{CONCURRENCY, runtime};

const ITEMS: usize = 100_000;

/// A resource with one permit for each concurrent item.
const CLAIM: &str = "server";

/// The source of a handler's listing.
enum Source {
    /// A clone of these items.
    Kept(Items),
    /// This number of items, created in each session.
    Anew(usize),
}

#[derive(Clone, Copy)]
enum End {
    Success,
    Failure,
}

struct Handler {
    id: HandlerId,
    source: Source,
    end: End,
}

#[async_trait]
impl SyncHandler for Handler {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(self.id, "Path").with_limits(Limits::DEFAULT.with_items(CONCURRENCY))
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(match &self.source {
            Source::Kept(items) => items.clone(),
            Source::Anew(count) => items(*count).collect(),
        })
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        yield_now().await;
        item.progress(1, 1)?;
        match self.end {
            End::Success => Ok(()),
            End::Failure => Err(anyhow!("connection refused")),
        }
    }
}

fn items(count: usize) -> impl Iterator<Item = SyncItem> {
    (0..count).map(|index| SyncItem::named(index.to_string()))
}

fn manager() -> SyncManager {
    SyncManager::builder().max_concurrent_items(CONCURRENCY).capacity(CLAIM, CONCURRENCY).build()
}

fn register(manager: &SyncManager, id: usize, source: Source, end: End) {
    let id = HandlerId::from_u128(id as u128 + 1);
    manager.register(Handler { id, source, end }).expect("the handler is new");
}

/// Measures sessions of all items of a manager.
fn bench(bencher: Bencher, manager: &SyncManager) {
    let runtime = runtime(1);
    let session = || async { manager.session(Trigger::Manual).start().expect("inside a runtime").finish().await };
    let report = runtime.block_on(session());
    assert_eq!(report.items().count(), ITEMS);
    bencher.counter(ITEMS).bench_local(|| runtime.block_on(session()));
}

fn bench_one(bencher: Bencher, source: Source, end: End) {
    let manager = manager();
    register(&manager, 0, source, end);
    bench(bencher, &manager);
}

#[divan::bench]
fn listing_kept(bencher: Bencher) {
    bench_one(bencher, Source::Kept(items(ITEMS).collect()), End::Success);
}

#[divan::bench]
fn listing_made_anew(bencher: Bencher) {
    bench_one(bencher, Source::Anew(ITEMS), End::Success);
}

/// The listing alone, which a handler makes with or without this library.
#[divan::bench]
fn listing_only(bencher: Bencher) {
    bencher.counter(ITEMS).bench(|| items(ITEMS).collect::<Items>());
}

#[divan::bench]
fn claim_each(bencher: Bencher) {
    let claiming = items(ITEMS).map(|item| item.with_claim(CLAIM)).collect();
    bench_one(bencher, Source::Kept(claiming), End::Success);
}

#[divan::bench]
fn a_thousand_handlers(bencher: Bencher) {
    let manager = manager();
    for id in 0..1_000 {
        register(&manager, id, Source::Kept(items(ITEMS / 1_000).collect()), End::Success);
    }
    bench(bencher, &manager);
}

#[divan::bench]
fn all_fail(bencher: Bencher) {
    bench_one(bencher, Source::Kept(items(ITEMS).collect()), End::Failure);
}

#[divan::bench]
fn stored(bencher: Bencher) {
    let directory = TempDir::new().expect("a directory is created");
    let store = SqliteStore::open(directory.path().join("state")).expect("the store opens");
    let manager = SyncManager::builder().max_concurrent_items(CONCURRENCY).store(store).build();
    register(&manager, 0, Source::Kept(items(ITEMS).collect()), End::Success);
    bench(bencher, &manager);
}
