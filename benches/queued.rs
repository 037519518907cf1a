//! What an item costs that waits for its turn in a running session of 1,000,000, beside parked tasks of a `JoinSet`.
//!
//! `cargo bench --bench queued`; BENCHMARKS.md says what the figures mean.

mod common;

use std::alloc::System;

use common::{Host, Running, WIDTH, for_the_cancel, is_test, listing, names, parked, runtime};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let items = if is_test() { 1_000 } else { 1_000_000 };
    println!("heap bytes alive for each of {items} queued items, the text of its name apart; {WIDTH} more run");
    print_tasks(items);
    print_session(items);
}

fn print_tasks(items: usize) {
    let (runtime, tasks) = (runtime(1), Region::new(HEAP));
    let _parked = runtime.block_on(parked(items));
    row("parked task of a JoinSet", items, &tasks);
}

fn print_session(items: usize) {
    let (runtime, names) = (runtime(1), names(items + WIDTH));
    let all = Region::new(HEAP);
    let host = Host::new([listing(&names)], for_the_cancel);
    row("its place in the handler's listing", items, &all);
    let session = Region::new(HEAP);
    let running = Running::start(&runtime, &host, WIDTH);
    row("its place in the session", items, &session);
    row("both", items, &all);
    let report = Region::new(HEAP);
    running.session.stop();
    let stopped = runtime.block_on(running.session.report());
    row("its place in the report", items, &report);
    row("all of it", items, &all);
    drop(stopped);
}

/// What is alive that was not when `since` began.
fn row(what: &str, count: usize, since: &Region<'_, System>) {
    let change = since.change();
    let alive = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    println!("{what:<36} {:>8.1}", alive / count as f64);
}
