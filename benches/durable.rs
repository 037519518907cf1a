//! The cost of durable state: a session of 10,000 items, compared with one rusqlite commit per record. Each item loads,
//! changes and commits its state.
//!
//! `cargo bench --bench durable`; see BENCHMARKS.md for the meaning of the figures. At the end the program runs itself
//! under `strace`, if available, and prints a table with the numbers of disk syncs.

use std::path::Path;
use std::process::Command;

use divan::Bencher;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use syncmgr::store::{Durability, SqliteOptions};
use syncmgr::{HandlerId, HandlerInfo, ItemContext, Items, Limits, SyncHandler, SyncItem};
use syncmgr::{SyncManager, SyncManagerBuilder, SyncResult, Trigger, async_trait};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const ITEMS: usize = 10_000;

/// The maximum numbers of concurrent items: the default of a manager, and four times as many.
const CONCURRENCY: [usize; 2] = [64, 256];

/// The flag with which the program runs itself under `strace`.
const COUNTED: &str = "--counted";

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [flag, durability, concurrency] = &arguments[..]
        && flag == COUNTED
    {
        return run_counted(durability, concurrency.parse().expect("the concurrency is a number"));
    }
    divan::main();
    print_syncs();
}

/// The saved state of an item: 64 bytes of JSON.
#[derive(Serialize, Deserialize)]
struct SavedState {
    etag: String,
    runs: u64,
}

impl Default for SavedState {
    fn default() -> Self {
        Self { etag: "0123456789abcdef0123456789abcdef".to_string(), runs: 1_000_000_000 }
    }
}

/// The work of an item.
#[derive(Clone, Copy)]
enum Work {
    /// Saves nothing.
    Nothing,
    /// Loads, changes and commits its state.
    Save,
}

/// A handler whose items save their state.
struct SavingHandler {
    items: Items,
    concurrency: usize,
    work: Work,
}

#[async_trait]
impl SyncHandler for SavingHandler {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HandlerId::from_u128(1), "Saving").with_limits(Limits::DEFAULT.with_items(self.concurrency))
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(self.items.clone())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if let Work::Nothing = self.work {
            tokio::task::yield_now().await;
            return Ok(());
        }
        let mut state = item.saved::<SavedState>()?;
        state.runs += 1;
        state.commit().await
    }
}

/// Creates a manager with a [`SavingHandler`].
fn manager(builder: SyncManagerBuilder, concurrency: usize, work: Work) -> SyncManager {
    let manager = builder.max_concurrent_items(concurrency).build();
    let items = (0..ITEMS).map(|index| SyncItem::named(format!("item {index}"))).collect();
    manager.register(SavingHandler { items, concurrency, work }).expect("the handler is new");
    manager
}

/// Creates a manager with a [`SavingHandler`] and a store in `directory`.
fn durable_manager(directory: &TempDir, durability: Durability, concurrency: usize, work: Work) -> SyncManager {
    let store =
        SqliteOptions::new().durability(durability).open(directory.path().join("state")).expect("the store opens");
    manager(SyncManager::builder().store(store), concurrency, work)
}

async fn session(manager: &SyncManager) {
    let session = manager.session(Trigger::Manual).start().expect("inside a runtime");
    assert!(session.finish().await.is_success());
}

fn runtime(threads: usize) -> Runtime {
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.worker_threads(threads).enable_time().build().expect("the machine can start threads")
}

/// The baseline: one SQLite commit per record.
struct Baseline {
    connection: Connection,
    _directory: TempDir,
}

impl Baseline {
    fn new(synchronous: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory is created");
        let connection = Connection::open(directory.path().join("state")).expect("the database opens");
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).expect("WAL mode is set");
        connection.pragma_update(None, "synchronous", synchronous).expect("the pragma is set");
        let table = "CREATE TABLE items (item BLOB PRIMARY KEY, outcome TEXT, time INTEGER, state TEXT) WITHOUT ROWID";
        connection.execute_batch(table).expect("the table is created");
        Self { connection, _directory: directory }
    }

    /// Commits `items` records. A new value of `runs` changes each of them.
    fn run(&self, items: usize, runs: u64) {
        const COMMIT: &str = "INSERT INTO items (item, outcome, time, state) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT DO UPDATE SET outcome = excluded.outcome, time = excluded.time, state = excluded.state";
        let mut commit = self.connection.prepare_cached(COMMIT).expect("the statement is valid");
        for item in 0..items as u128 {
            // The ids are scattered over all values, like the ids of real items.
            let id = (item + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes();
            let state = SavedState { runs: SavedState::default().runs + runs, ..SavedState::default() };
            let state = serde_json::to_string(&state).expect("the state is serializable");
            commit.execute(params![id, "succeeded", 1_800_000_000_000_i64, state]).expect("the record is committed");
        }
    }
}

/// Measures the baseline, with fewer records if each commit waits for the disk. Compare only the figures per item.
fn bench_baseline(bencher: Bencher, synchronous: &str) {
    let items = if synchronous == "FULL" { ITEMS / 20 } else { ITEMS };
    let baseline = Baseline::new(synchronous);
    baseline.run(items, 1);
    let mut runs = 1;
    bencher.counter(items).bench_local(|| {
        // SQLite does not write unchanged values.
        runs += 1;
        baseline.run(items, runs);
    });
}

/// Measures a session of items that the store already contains.
fn bench_session(bencher: Bencher, threads: usize, manager: &SyncManager) {
    let runtime = runtime(threads);
    runtime.block_on(session(manager));
    bencher.counter(ITEMS).bench_local(|| runtime.block_on(session(manager)));
}

macro_rules! sessions {
    ($module:ident, $threads:expr, $durability:expr, $synchronous:literal) => {
        #[divan::bench_group(sample_count = 20, sample_size = 1)]
        mod $module {
            use super::*;

            #[divan::bench]
            fn one_commit_per_record(bencher: Bencher) {
                bench_baseline(bencher, $synchronous);
            }

            #[divan::bench(args = CONCURRENCY)]
            fn session_that_saves(bencher: Bencher, concurrency: usize) {
                let directory = tempfile::tempdir().expect("a temporary directory is created");
                bench_session(bencher, $threads, &durable_manager(&directory, $durability, concurrency, Work::Save));
            }

            #[divan::bench]
            fn session_that_saves_nothing(bencher: Bencher) {
                let directory = tempfile::tempdir().expect("a temporary directory is created");
                bench_session(
                    bencher,
                    $threads,
                    &durable_manager(&directory, $durability, CONCURRENCY[0], Work::Nothing),
                );
            }

            #[divan::bench]
            fn session_that_saves_in_memory(bencher: Bencher) {
                bench_session(bencher, $threads, &manager(SyncManager::builder(), CONCURRENCY[0], Work::Save));
            }

            #[divan::bench]
            fn session_without_a_store(bencher: Bencher) {
                bench_session(bencher, $threads, &manager(SyncManager::builder(), CONCURRENCY[0], Work::Nothing));
            }
        }
    };
}

sessions!(process_one_thread, 1, Durability::Process, "NORMAL");
sessions!(process_two_threads, 2, Durability::Process, "NORMAL");
sessions!(power_one_thread, 1, Durability::Power, "FULL");

/// Opens a store, runs one session and closes the store.
fn run_counted(durability: &str, concurrency: usize) {
    let durability = if durability == "power" { Durability::Power } else { Durability::Process };
    let directory = tempfile::tempdir().expect("a temporary directory is created");
    let manager = durable_manager(&directory, durability, concurrency, Work::Save);
    runtime(1).block_on(session(&manager));
}

fn print_syncs() {
    println!("\ndisk syncs, from opening a new store to closing it after a session of {ITEMS} items that save");
    let is_test = std::env::args().any(|argument| argument == "--test");
    let tested = if is_test { &CONCURRENCY[..1] } else { &CONCURRENCY[..] };
    for durability in ["process", "power"] {
        for concurrency in tested {
            let row = format!("{durability} durability, {concurrency} in parallel");
            match count_syncs(durability, *concurrency) {
                Some(syncs) => {
                    println!("{row:<36} {syncs:>6} {:>8.2} per 100 items", syncs as f64 * 100.0 / ITEMS as f64)
                }
                None => println!("{row:<36} not counted: strace is not available"),
            }
        }
    }
}

/// Counts the disk syncs of one session, in a child process under `strace`.
fn count_syncs(durability: &str, concurrency: usize) -> Option<usize> {
    let directory = tempfile::tempdir().expect("a temporary directory is created");
    let calls = directory.path().join("calls");
    let mut strace = Command::new("strace");
    strace.args(["--follow-forks", "--seccomp-bpf", "--quiet=all"]);
    strace.arg("--trace=fsync,fdatasync,sync_file_range,syncfs,msync").arg("--output").arg(&calls);
    let status =
        strace.arg(std::env::current_exe().ok()?).args([COUNTED, durability, &concurrency.to_string()]).status();
    status.ok()?.success().then(|| count_calls(&calls))
}

/// Counts the sync calls. If another thread interrupts a call, strace prints it on two lines, the second with `resumed`.
fn count_calls(calls: &Path) -> usize {
    let calls = std::fs::read_to_string(calls).expect("strace wrote its output");
    calls.lines().filter(|line| line.contains("sync") && line.contains('(') && !line.contains("resumed")).count()
}
