//! The cost of 100,000 idle items: their memory and the time until the first one starts, compared with parked tasks.
//!
//! `cargo bench --bench idle`; see BENCHMARKS.md for the meaning of the figures.

mod common;

use std::alloc::System;
use std::future::pending;

use common::{Host, Running, is_test, listing, names, runtime, spawn_parked, until_cancelled};
use divan::Bencher;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use syncmgr::anyhow::anyhow;
use syncmgr::{HandlerId, HandlerInfo, ItemContext, Items, SyncHandler, SyncManager, SyncResult, Trigger, async_trait};
use tempfile::TempDir;
use tokio::runtime::Runtime;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ITEMS: usize = 100_000;

fn main() {
    divan::main();
    print_bytes(if is_test() { 1_000 } else { ITEMS });
}

/// Creates the listings of `handlers` handlers.
fn listings(items: usize, handlers: usize) -> Vec<Items> {
    names(items).chunks(items / handlers).map(listing).collect()
}

/// The time to spawn one task per item and poll each task once.
#[divan::bench(sample_size = 1)]
fn tasks(bencher: Bencher) {
    let runtime = runtime(1);
    bencher.bench_local(|| runtime.block_on(spawn_parked(ITEMS)));
}

/// The time from the start of a session of all items until the first item starts.
#[divan::bench(sample_size = 1, args = [1, 100])]
fn session_of_handlers(bencher: Bencher, handlers: usize) {
    let (runtime, host) = (runtime(1), Host::new(listings(ITEMS, handlers), until_cancelled));
    bencher.bench_local(|| Running::start(&runtime, &host, 1));
}

fn print_bytes(items: usize) {
    println!("live heap bytes per item, of {items} idle items, without the text of the names");
    row(items, "parked task", || runtime_with_tasks(items));
    row(items, "parked task of a JoinSet", || {
        let runtime = runtime(1);
        (runtime.block_on(spawn_parked(items)), runtime)
    });
    let (runtime, names) = (runtime(1), names(items));
    row(items, "item of 1 handler", || Host::new([listing(&names)], until_cancelled));
    let listings = |handlers: usize| names.chunks(items / handlers).map(listing);
    row(items, "item of 100 handlers", || Host::new(listings(100), until_cancelled));
    row(items, "item of 1 handler, after a session", || {
        let host = Host::new([listing(&names)], until_cancelled);
        drop(Running::start(&runtime, &host, 1));
        host
    });
    row(items, "item that backs off", || backing_off(SyncManager::new(), listing(&names)));
    row(items, "item that backs off, stored", || {
        let directory = TempDir::new().expect("a directory is created");
        let manager = SyncManager::open(directory.path().join("state")).expect("the store opens");
        (backing_off(manager, listing(&names)), directory)
    });
    row(items, "name of an item", || self::names(items));
}

/// A handler whose items fail.
struct Failing(Items);

#[async_trait]
impl SyncHandler for Failing {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HandlerId::from_u128(1), "Failing")
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.clone())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Err(anyhow!("connection refused"))
    }
}

/// Runs a session in which all items fail, and closes it.
fn backing_off(manager: SyncManager, items: Items) -> (SyncManager, Runtime) {
    let runtime = runtime(1);
    manager.register(Failing(items)).expect("the handler is new");
    runtime.block_on(async {
        let session = manager.session(Trigger::Manual).start().expect("inside a runtime");
        drop(session.finish().await);
    });
    (manager, runtime)
}

/// Creates a runtime with detached tasks that wait forever.
fn runtime_with_tasks(count: usize) -> Runtime {
    let runtime = runtime(1);
    for _ in 0..count {
        runtime.spawn(pending::<()>());
    }
    runtime
}

/// Prints the live heap bytes that `make` allocates, per item.
fn row<T>(count: usize, label: &str, make: impl FnOnce() -> T) {
    let region = Region::new(HEAP);
    let made = make();
    let change = region.change();
    let alive = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    println!("{label:<36} {:>8.1}", alive / count as f64);
    drop(made);
}
