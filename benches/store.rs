//! The cost to open and read a store of 1,000,000 records, compared with an empty store and a bare connection.
//!
//! `cargo bench --bench store`; see BENCHMARKS.md for the meaning of the figures. Creating the file takes half a minute.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use futures::executor::block_on;
use rusqlite::{Connection, OpenFlags};
use syncmgr::async_trait;
use syncmgr::retry::RetryState;
use syncmgr::retry::RetryStatus;
use syncmgr::store::{Checkpoint, Fence, ItemEnd};
use syncmgr::store::{SqliteStore, StateChange, StateStore};
use syncmgr::{HandlerId, HandlerInfo, ItemContext, ItemId, Items, Outcome};
use syncmgr::{SessionId, SyncHandler, SyncItem, SyncManager, SyncResult};
use tokio::runtime::{Builder, Runtime};

const HANDLER: HandlerId = HandlerId::from_u128(1);

/// One in this number of items has failed.
const ONE_FAILED_IN: usize = 100;

/// The number of records per write.
const BATCH: usize = 4_096;

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let (records, rounds) = if is_test { (100_000, 1) } else { (1_000_000, 15) };
    let directory = tempfile::tempdir().expect("a temporary directory is created");
    let (empty, full) = (directory.path().join("empty"), directory.path().join("full"));
    drop(SqliteStore::open(&empty).expect("the store opens"));
    let (time, ()) = measure(|| fill(&full, records));
    println!("{records} records in {:.1} s", time.as_secs_f64());
    let bytes = |path: &Path| path.metadata().expect("the file exists").len() as f64;
    println!("{:<44} {:>10.1}", "file bytes per record", (bytes(&full) - bytes(&empty)) / records as f64);
    print_opening(&empty, &full, rounds);
    print_reading(&full, records, rounds);
}

fn item(number: usize) -> ItemId {
    // The ids are scattered over all values, like the ids of real items.
    ItemId::from_u128((number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

/// Creates a store in which every item has committed and ended, and some have failed.
fn fill(path: &Path, records: usize) {
    let store = SqliteStore::open(path).expect("the store opens");
    let all: Vec<_> = (0..records).map(|number| (number, item(number))).collect();
    for some in all.chunks(BATCH) {
        let mut changes: Vec<_> = some.iter().map(|(_, item)| commit_change(*item)).collect();
        changes.push(end_change(some));
        block_on(store.write(changes)).expect("the write succeeds");
    }
}

fn fence() -> Fence {
    Fence::new(SessionId(1), 1)
}

/// A checkpoint of 64 bytes.
fn commit_change(item: ItemId) -> StateChange {
    let state = r#"{"etag":"0123456789abcdef0123456789abcdef","runs":1000000000000}"#;
    let checkpoint = Checkpoint::new(1, state);
    StateChange::Committed { handler: HANDLER, item, fence: fence(), checkpoint, sides: None, consumed: Vec::new() }
}

fn end_change(items: &[(usize, ItemId)]) -> StateChange {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let backoff = RetryState::new(RetryStatus::Backoff, time, Some(time)).with_failures(1, 1);
    let end = |(number, item): &(usize, ItemId)| {
        let failed = number.is_multiple_of(ONE_FAILED_IN);
        let outcome = if failed { Outcome::Failed } else { Outcome::Succeeded };
        (*item, ItemEnd::new(outcome).with_retry(failed.then_some(backoff)))
    };
    StateChange::Ended { handler: HANDLER, fence: fence(), time, items: items.iter().map(end).collect() }
}

/// A handler that lists one item.
struct Host;

#[async_trait]
impl SyncHandler for Host {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HANDLER, "Host")
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok([SyncItem::named("one")].into_iter().collect())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

/// Opens a manager and registers its handler. Dropping the runtime ends the tasks of the manager.
fn open_manager(path: &Path) -> (SyncManager, Runtime) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("the machine can start threads");
    let inside = runtime.enter();
    let manager = SyncManager::open(path).expect("the store opens");
    manager.register(Host).expect("the handler is new");
    drop(inside);
    (manager, runtime)
}

/// Opens a connection and reads one row.
fn open_bare(path: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).expect("the database opens");
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).expect("WAL mode is set");
    let epoch: i64 = connection.query_row("SELECT value FROM meta", [], |row| row.get(0)).expect("the row exists");
    black_box(epoch);
    connection
}

fn print_opening(empty: &Path, full: &Path, rounds: usize) {
    println!("\n{:<44} {:>10} {:>14}", "opening", "µs", "KiB resident");
    row("empty, bare connection and a row", rounds, || open_bare(empty));
    row("full, bare connection and a row", rounds, || open_bare(full));
    row("empty, store", rounds, || SqliteStore::open(empty).expect("the store opens"));
    row("full, store", rounds, || SqliteStore::open(full).expect("the store opens"));
    row("full, store read-only", rounds, || SqliteStore::open_read_only(full).expect("the store opens"));
    row("empty, manager and its handler", rounds, || open_manager(empty));
    row("full, manager and its handler", rounds, || open_manager(full));
}

fn print_reading(full: &Path, records: usize, rounds: usize) {
    println!("\n{:<44} {:>10} {:>14}", "reading the full store", "µs", "KiB resident");
    let store = SqliteStore::open(full).expect("the store opens");
    let mut number = 0;
    row("record, of 1,000 scattered items", rounds, || {
        for _ in 0..1_000 {
            number = (number + 7_919) % records;
            assert!(black_box(store.record(HANDLER, item(number)).expect("the read succeeds")).is_some());
        }
    });
    row("retry states", rounds, || store.retry_states(HANDLER).expect("the read succeeds"));
    row("known ids", rounds.min(5), || store.recorded_items(HANDLER).expect("the read succeeds"));
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn measure<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let made = work();
    (start.elapsed(), made)
}

/// Prints the median time, and the growth of resident memory in the first round.
fn row<T>(label: &str, rounds: usize, mut work: impl FnMut() -> T) {
    let before = resident_kib();
    let mut grown = 0;
    let mut times: Vec<_> = (0..rounds)
        .map(|round| {
            let (time, made) = measure(&mut work);
            if round == 0 {
                grown = resident_kib().saturating_sub(before);
            }
            drop(made);
            time
        })
        .collect();
    times.sort();
    println!("{label:<44} {:>10.1} {grown:>14}", times[rounds / 2].as_secs_f64() * 1e6);
}

/// Returns the resident memory of this process in KiB; 0 if the system does not report it.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
