//! What 100,000 items cost that nobody synchronizes: bytes, and the time until the first begins, beside parked tasks.
//!
//! `cargo bench --bench idle`; BENCHMARKS.md says what the figures mean.

mod common;

use std::alloc::System;
use std::future::pending;

use common::{Host, Running, for_the_cancel, is_test, listing, names, parked, runtime};
use divan::Bencher;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use syncmgr::Items;
use tokio::runtime::Runtime;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ITEMS: usize = 100_000;

fn main() {
    divan::main();
    print_bytes(if is_test() { 1_000 } else { ITEMS });
}

/// The listings of so many handlers.
fn listings(items: usize, handlers: usize) -> Vec<Items> {
    names(items).chunks(items / handlers).map(listing).collect()
}

/// The time to spawn as many tasks and let each come to its await.
#[divan::bench(sample_size = 1)]
fn tasks(bencher: Bencher) {
    let runtime = runtime(1);
    bencher.bench_local(|| runtime.block_on(parked(ITEMS)));
}

/// The time to start a session over all items until the first begins.
#[divan::bench(sample_size = 1, args = [1, 100])]
fn session_of_handlers(bencher: Bencher, handlers: usize) {
    let (runtime, host) = (runtime(1), Host::new(listings(ITEMS, handlers), for_the_cancel));
    bencher.bench_local(|| Running::start(&runtime, &host, 1));
}

fn print_bytes(items: usize) {
    println!("heap bytes alive for each of {items} idle items, the text of its name apart");
    row(items, "parked task", || spawned(items));
    row(items, "parked task of a JoinSet", || {
        let runtime = runtime(1);
        (runtime.block_on(parked(items)), runtime)
    });
    let (runtime, names) = (runtime(1), names(items));
    row(items, "item of 1 handler", || Host::new([listing(&names)], for_the_cancel));
    let listings = |handlers: usize| names.chunks(items / handlers).map(listing);
    row(items, "item of 100 handlers", || Host::new(listings(100), for_the_cancel));
    row(items, "item of 1 handler, after a session", || {
        let host = Host::new([listing(&names)], for_the_cancel);
        drop(Running::start(&runtime, &host, 1));
        host
    });
    row(items, "name of an item", || self::names(items));
}

/// A runtime with tasks that wait for ever, without a handle.
fn spawned(count: usize) -> Runtime {
    let runtime = runtime(1);
    for _ in 0..count {
        runtime.spawn(pending::<()>());
    }
    runtime
}

/// What `make` leaves alive.
fn row<T>(count: usize, what: &str, make: impl FnOnce() -> T) {
    let region = Region::new(HEAP);
    let made = make();
    let change = region.change();
    let alive = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    println!("{what:<36} {:>8.1}", alive / count as f64);
    drop(made);
}
