//! Live bytes of the heap, and processor time.

use std::alloc::System;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Returns the live heap bytes that `make` allocates, and its result.
pub(crate) fn live_bytes<T>(make: impl FnOnce() -> T) -> (f64, T) {
    let region = Region::new(HEAP);
    let made = make();
    let change = region.change();
    (change.bytes_allocated as f64 - change.bytes_deallocated as f64, made)
}

/// Returns the processor time of `work`, in nanoseconds.
pub(crate) async fn processor_nanos(work: impl Future<Output = ()>) -> f64 {
    let start = processor_time();
    work.await;
    processor_time().saturating_sub(start).as_nanos() as f64
}

/// Returns the processor time of all threads of this process, or zero if the system does not say.
fn processor_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let times = threads.filter_map(|thread| {
        let times = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        times.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}
