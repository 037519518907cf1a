//! Live bytes of the heap, and processor time.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use super::processor_time::processor_time;

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
