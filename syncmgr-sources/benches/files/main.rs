//! The cost of 1,000,000 changes of 1,000 watched files, from the kernel to the manager, compared with notify alone.
//!
//! `cargo bench -p syncmgr-sources --features files --bench files`; see BENCHMARKS.md for the meaning of the figures.

#[path = "../../../benches/common/heap.rs"]
mod heap;
mod meter;
mod readers;
mod tree;

use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use heap::Heap;
use meter::readers_time;
use readers::{read_alone, read_in_manager, read_stream};
use tree::Tree;

/// The argument that makes this program measure one row and print it.
const ROW: &str = "--row";

/// The changes of each file in a round. A round is shorter than the queue of the kernel, which holds 16,384 events.
const CHANGES: usize = 8;

/// A time after which a change has been read if the files are watched.
const WARM_UP: Duration = Duration::from_millis(500);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(row) = arguments.iter().position(|argument| argument == ROW) {
        let [files, rounds] = [2, 3].map(|offset| arguments[row + offset].parse().expect("a number"));
        return measure(&arguments[row + 1], files, rounds);
    }
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let rounds: &[&str] = if is_test { &["2"] } else { &["12", "125"] };
    let files = if is_test { "10" } else { "1000" };
    println!(
        "{:<28} {:>10} {:>14} {:>16} {:>16}",
        "reader", "changes", "ns per change", "bytes per file", "more at peak"
    );
    for rounds in rounds {
        for reader in ["notify", "stream", "manager"] {
            run_row(reader, files, rounds);
        }
    }
}

/// Measures a row in a process of its own.
fn run_row(reader: &str, files: &str, rounds: &str) {
    let program = std::env::current_exe().expect("the program has a path");
    let status = Command::new(program).args([ROW, reader, files, rounds]).status().expect("the program starts");
    assert!(status.success(), "the row {reader} of {files} files failed");
}

/// Changes each file several times in each round, and waits until the reader has read the round. Prints the processor time of the
/// reader's threads for each change, the live heap bytes of a watched file, and the live heap bytes that the changes add to it, at
/// most.
fn measure(reader: &str, files: usize, rounds: usize) {
    let tree = Tree::new(files);
    let (send, read) = mpsc::channel();
    let heap = Heap::new();
    let _reader = match reader {
        "notify" => read_alone(&tree, send),
        "stream" => read_stream(&tree, send),
        _ => read_in_manager(&tree, send),
    };
    // A change before the files are watched is not read.
    while read.recv_timeout(WARM_UP).is_err() {
        tree.change_all(1);
    }
    while read.recv_timeout(WARM_UP).is_ok() {}
    let (watched, start) = (heap.live(), readers_time());
    let mut peak = watched;
    for _ in 0..rounds {
        tree.change_all(CHANGES);
        peak = peak.max(heap.live());
        read.recv().expect("the reader runs");
    }
    let (time, changes) = (readers_time() - start, rounds * CHANGES * files);
    let nanos = time.as_nanos() as f64 / changes as f64;
    let [each, more] = [watched, peak - watched].map(|bytes| bytes / files as f64);
    println!("{reader:<28} {changes:>10} {nanos:>14.0} {each:>16.0} {more:>16.1}");
    // The threads of the reader do not end by themselves.
    std::process::exit(0);
}
