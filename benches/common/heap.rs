//! Live bytes of the heap.

use std::alloc::System;

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
