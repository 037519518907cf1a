//! What durable state costs: a session of 10,000 items, each of which loads what it saved, changes it and commits it, beside
//! one rusqlite commit for each record.
//!
//! `cargo bench --bench durable`; BENCHMARKS.md says what the figures mean. Afterwards a table counts how often the disk is
//! waited for, with `strace` where there is one: the program runs itself under it.

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

/// How many items run at once: as many as a manager runs unless said otherwise, and four times as many.
const WIDTHS: [usize; 2] = [64, 256];

/// Names the durability to count for, when the program runs itself.
const COUNTED: &str = "--counted";

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [flag, durability, width] = &arguments[..]
        && flag == COUNTED
    {
        return run_counted(durability, width.parse().expect("a number"));
    }
    divan::main();
    print_syncs();
}

/// What a provider keeps of an item: 64 bytes of JSON.
#[derive(Serialize, Deserialize)]
struct Seen {
    etag: String,
    runs: u64,
}

impl Default for Seen {
    fn default() -> Self {
        Self { etag: "0123456789abcdef0123456789abcdef".to_string(), runs: 1_000_000_000 }
    }
}

/// What an item does.
#[derive(Clone, Copy)]
enum Work {
    /// Nothing that is saved.
    Nothing,
    /// Loads, changes, commits.
    Save,
}

/// A handler of items that save.
struct Saving {
    items: Items,
    width: usize,
    work: Work,
}

#[async_trait]
impl SyncHandler for Saving {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HandlerId::from_u128(1), "Saving").with_limits(Limits::DEFAULT.with_items(self.width))
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(self.items.clone())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if let Work::Nothing = self.work {
            tokio::task::yield_now().await;
            return Ok(());
        }
        let mut seen = item.saved::<Seen>()?;
        seen.runs += 1;
        seen.commit().await
    }
}

/// A manager of such items.
fn manager(builder: SyncManagerBuilder, width: usize, work: Work) -> SyncManager {
    let manager = builder.items_at_once(width).build();
    let items = (0..ITEMS).map(|place| SyncItem::named(format!("item {place}"))).collect();
    manager.register(Saving { items, width, work }).expect("the handler is new");
    manager
}

/// The same with a store in this directory.
fn durable(directory: &TempDir, durability: Durability, width: usize, work: Work) -> SyncManager {
    let store = SqliteOptions::new().durability(durability).open(directory.path().join("state")).expect("a store");
    manager(SyncManager::builder().store(store), width, work)
}

async fn session(manager: &SyncManager) {
    let session = manager.session(Trigger::Manual).start().expect("inside a runtime");
    assert!(session.finish().await.is_success());
}

fn runtime(threads: usize) -> Runtime {
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.worker_threads(threads).enable_time().build().expect("the machine can start threads")
}

/// One commit of SQLite's own for each record.
struct OneByOne {
    connection: Connection,
    _directory: TempDir,
}

impl OneByOne {
    fn new(synchronous: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let connection = Connection::open(directory.path().join("state")).expect("a database");
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).expect("a log");
        connection.pragma_update(None, "synchronous", synchronous).expect("set");
        let table = "CREATE TABLE items (item BLOB PRIMARY KEY, outcome TEXT, time INTEGER, state TEXT) WITHOUT ROWID";
        connection.execute_batch(table).expect("a table");
        Self { connection, _directory: directory }
    }

    /// So many records that were seen so often.
    fn run(&self, items: usize, runs: u64) {
        const COMMIT: &str = "INSERT INTO items (item, outcome, time, state) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT DO UPDATE SET outcome = excluded.outcome, time = excluded.time, state = excluded.state";
        let mut commit = self.connection.prepare_cached(COMMIT).expect("a statement");
        for item in 0..items as u128 {
            // As scattered as ids of items are.
            let id = (item + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes();
            let seen = Seen { runs: Seen::default().runs + runs, ..Seen::default() };
            let seen = serde_json::to_string(&seen).expect("JSON");
            commit.execute(params![id, "succeeded", 1_800_000_000_000_i64, seen]).expect("committed");
        }
    }
}

/// Fewer records where each waits for the disk; the figures of one item are what to compare.
fn bench_one_by_one(bencher: Bencher, synchronous: &str) {
    let items = if synchronous == "FULL" { ITEMS / 20 } else { ITEMS };
    let baseline = OneByOne::new(synchronous);
    baseline.run(items, 1);
    let mut runs = 1;
    bencher.counter(items).bench_local(|| {
        // What does not change is not written.
        runs += 1;
        baseline.run(items, runs);
    });
}

/// A session over items the store knows already.
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
            fn a_commit_of_its_own_each(bencher: Bencher) {
                bench_one_by_one(bencher, $synchronous);
            }

            #[divan::bench(args = WIDTHS)]
            fn session_that_saves(bencher: Bencher, width: usize) {
                let directory = tempfile::tempdir().expect("a directory");
                bench_session(bencher, $threads, &durable(&directory, $durability, width, Work::Save));
            }

            #[divan::bench]
            fn session_that_only_ends(bencher: Bencher) {
                let directory = tempfile::tempdir().expect("a directory");
                bench_session(bencher, $threads, &durable(&directory, $durability, WIDTHS[0], Work::Nothing));
            }

            #[divan::bench]
            fn session_that_saves_in_memory(bencher: Bencher) {
                bench_session(bencher, $threads, &manager(SyncManager::builder(), WIDTHS[0], Work::Save));
            }

            #[divan::bench]
            fn session_without_a_store(bencher: Bencher) {
                bench_session(bencher, $threads, &manager(SyncManager::builder(), WIDTHS[0], Work::Nothing));
            }
        }
    };
}

sessions!(process_one_thread, 1, Durability::Process, "NORMAL");
sessions!(process_two_threads, 2, Durability::Process, "NORMAL");
sessions!(power_one_thread, 1, Durability::Power, "FULL");

/// Opens a store, runs one session, closes the store.
fn run_counted(durability: &str, width: usize) {
    let durability = if durability == "power" { Durability::Power } else { Durability::Process };
    let directory = tempfile::tempdir().expect("a directory");
    let manager = durable(&directory, durability, width, Work::Save);
    runtime(1).block_on(session(&manager));
}

fn print_syncs() {
    println!("\nwaits for the disk, from opening a new store over a session of {ITEMS} items that save to closing it");
    let is_test = std::env::args().any(|argument| argument == "--test");
    let widths = if is_test { &WIDTHS[..1] } else { &WIDTHS[..] };
    for durability in ["process", "power"] {
        for width in widths {
            let row = format!("survives {durability}, {width} at once");
            match count_syncs(durability, *width) {
                Some(syncs) => {
                    println!("{row:<36} {syncs:>6} {:>8.2} in 100 items", syncs as f64 * 100.0 / ITEMS as f64)
                }
                None => println!("{row:<36} not counted: no strace that may be used"),
            }
        }
    }
}

/// How often a run of ours waits for the disk.
fn count_syncs(durability: &str, width: usize) -> Option<usize> {
    let directory = tempfile::tempdir().expect("a directory");
    let calls = directory.path().join("calls");
    let mut strace = Command::new("strace");
    strace.args(["--follow-forks", "--seccomp-bpf", "--quiet=all"]);
    strace.arg("--trace=fsync,fdatasync,sync_file_range,syncfs,msync").arg("--output").arg(&calls);
    let status = strace.arg(std::env::current_exe().ok()?).args([COUNTED, durability, &width.to_string()]).status();
    status.ok()?.success().then(|| count_calls(&calls))
}

/// A call that another thread interrupts takes two lines, of which the first has its arguments.
fn count_calls(calls: &Path) -> usize {
    let calls = std::fs::read_to_string(calls).expect("the calls");
    calls.lines().filter(|line| line.contains("sync") && line.contains('(') && !line.contains("resumed")).count()
}
