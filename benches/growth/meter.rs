//! The figures of a dimension.

use std::alloc::System;
use std::fmt;
use std::hint::black_box;
use std::process::Output;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use super::processor_time::processor_time;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The name of the function in which instructions are counted, as a pattern of callgrind.
pub(crate) const COUNTED: &str = "*counted_work*";

/// Measures the operations of a dimension and prints their figures.
pub(crate) struct Meter;

/// The cost of one operation.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    micros: f64,
    allocations: f64,
    /// The bytes that stay allocated.
    bytes: f64,
    operations: f64,
    instructions: Option<f64>,
}

impl Meter {
    /// Runs the operations and prints the cost of one. Call it once.
    pub(crate) fn measure<T>(&self, operations: usize, work: impl FnOnce() -> T) -> T {
        let (mut work, mut result) = (Some(work), None);
        let (heap, start) = (Region::new(HEAP), processor_time());
        counted_work(&mut || result = work.take().map(|work| work()));
        let (time, change) = (processor_time().saturating_sub(start), heap.change());
        let alive = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
        let micros = time.as_secs_f64() * 1e6;
        let each = [micros, change.allocations as f64, alive].map(|total| total / operations as f64);
        println!("{} {} {} {operations}", each[0], each[1], each[2]);
        result.expect("the work was done")
    }
}

#[inline(never)]
fn counted_work(work: &mut dyn FnMut()) {
    work();
    // The function must not end with a jump into the work.
    black_box(());
}

impl Figures {
    /// Parses the line that [`Meter::measure`] prints.
    pub(crate) fn parse(line: &str) -> Self {
        let values: Vec<f64> = line.split_whitespace().map(|value| value.parse().expect("a number")).collect();
        let [micros, allocations, bytes, operations] = values[..] else { panic!("no figures: {line}") };
        Self { micros, allocations, bytes, operations, instructions: None }
    }

    pub(crate) fn with_instructions(self, callgrind: Option<Output>) -> Self {
        let total = callgrind.and_then(|output| {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            text.split_once("Collected : ")?.1.split_whitespace().next()?.parse::<f64>().ok()
        });
        Self { instructions: total.map(|total| total / self.operations), ..self }
    }

    /// Returns the counted work of one operation: instructions if they could be counted, otherwise allocations. Work on other
    /// threads has no instructions, but allocations.
    pub(crate) fn work(&self) -> f64 {
        self.instructions.filter(|counted| *counted > self.allocations).unwrap_or(self.allocations).max(1.0)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { micros, allocations, bytes, .. } = self;
        write!(to, "{micros:>9.2} {allocations:>8.1} {bytes:>8.0} {:>12.0}", self.instructions.unwrap_or(f64::NAN))
    }
}
