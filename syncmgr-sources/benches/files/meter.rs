//! Live bytes of the heap, and the processor time of the threads that read.

use std::alloc::System;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The heap since the creation of this value.
pub(crate) struct Heap(Region<'static, System>);

impl Heap {
    pub(crate) fn new() -> Self {
        Self(Region::new(HEAP))
    }

    /// Returns the live bytes.
    pub(crate) fn live(&self) -> f64 {
        let change = self.0.change();
        change.bytes_allocated as f64 - change.bytes_deallocated as f64
    }
}

/// Returns the processor time of all threads but the main one, which writes the files. Zero if the system does not say.
pub(crate) fn readers_time() -> Duration {
    let main = std::process::id().to_string();
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let readers = threads.filter(|thread| thread.file_name() != *main);
    let times = readers.filter_map(|thread| {
        let times = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        times.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}
