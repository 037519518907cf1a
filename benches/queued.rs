//! The memory of a queued item in a running session of 1,000,000 items, compared with a parked task of a `JoinSet`.
//!
//! `cargo bench --bench queued`; see BENCHMARKS.md for the meaning of the figures.

mod common;

use std::alloc::System;

use common::{CONCURRENCY, Host, Running, is_test, listing, names, runtime, spawn_parked, until_cancelled};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let items = if is_test() { 1_000 } else { 1_000_000 };
    println!(
        "live heap bytes per item, of {items} queued items, without the text of the names; {CONCURRENCY} more items run"
    );
    print_tasks(items);
    print_session(items);
}

fn print_tasks(items: usize) {
    let (runtime, tasks) = (runtime(1), Region::new(HEAP));
    let _parked = runtime.block_on(spawn_parked(items));
    row("parked task of a JoinSet", items, &tasks);
}

fn print_session(items: usize) {
    let (runtime, names) = (runtime(1), names(items + CONCURRENCY));
    let all = Region::new(HEAP);
    let host = Host::new([listing(&names)], until_cancelled);
    row("in the handler's listing", items, &all);
    let session = Region::new(HEAP);
    let running = Running::start(&runtime, &host, CONCURRENCY);
    row("in the session", items, &session);
    row("listing and session", items, &all);
    let report = Region::new(HEAP);
    running.session.stop();
    let stopped = runtime.block_on(running.session.report());
    row("in the report", items, &report);
    row("total", items, &all);
    drop(stopped);
}

/// Prints the live heap bytes allocated since the start of `since`, per item.
fn row(label: &str, count: usize, since: &Region<'_, System>) {
    let change = since.change();
    let alive = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    println!("{label:<36} {:>8.1}", alive / count as f64);
}
