//! What viewers of a console cost its manager: sessions of 100,000 items beside those of a manager without a console, and the live heap
//! bytes of a viewer.
//!
//! `cargo bench -p syncmgr-console --bench viewers`; see BENCHMARKS.md for the meaning of the figures.

#[cfg(unix)]
#[path = "../../../benches/common/heap.rs"]
mod heap;
#[cfg(unix)]
mod table;
#[cfg(unix)]
mod viewer;

#[cfg(unix)]
fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let (items, rounds, viewers) = if is_test { (1_000, 1, 10) } else { (100_000, 15, 1_000) };
    viewer::allow_many_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("the system has threads").block_on(async {
        table::compare(items, rounds).await;
        table::weigh(items, viewers).await;
    });
}

#[cfg(not(unix))]
fn main() {}
