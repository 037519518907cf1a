//! What a store of 1,000,000 records costs to open and to read, beside an empty one and a bare connection.
//!
//! `cargo bench --bench store`; BENCHMARKS.md says what the figures mean. Making the file takes half a minute.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use futures::executor::block_on;
use rusqlite::{Connection, OpenFlags};
use syncmgr::async_trait;
use syncmgr::retry::RetryState;
use syncmgr::retry::Setback;
use syncmgr::store::{Checkpoint, Fence, ItemEnd};
use syncmgr::store::{SqliteStore, StateChange, StateStore};
use syncmgr::{HandlerId, HandlerInfo, ItemContext, ItemId, Items, Outcome};
use syncmgr::{SessionId, SyncHandler, SyncItem, SyncManager, SyncResult};
use tokio::runtime::{Builder, Runtime};

const HANDLER: HandlerId = HandlerId::from_u128(1);

/// One item in so many has failed.
const ONE_FAILED_IN: usize = 100;

/// Records written at once.
const BATCH: usize = 4_096;

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let (records, rounds) = if is_test { (100_000, 1) } else { (1_000_000, 15) };
    let directory = tempfile::tempdir().expect("a directory");
    let (empty, full) = (directory.path().join("empty"), directory.path().join("full"));
    drop(SqliteStore::open(&empty).expect("a store"));
    let (time, ()) = timed(|| fill(&full, records));
    println!("{records} records in {:.1} s", time.as_secs_f64());
    let bytes = |path: &Path| path.metadata().expect("a file").len() as f64;
    println!("{:<44} {:>10.1}", "bytes each in the file", (bytes(&full) - bytes(&empty)) / records as f64);
    print_opening(&empty, &full, rounds);
    print_reading(&full, records, rounds);
}

fn item(number: usize) -> ItemId {
    // As scattered as ids of items are.
    ItemId::from_u128((number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

/// Makes a store in which every item has committed and ended, and some have failed.
fn fill(path: &Path, records: usize) {
    let store = SqliteStore::open(path).expect("a store");
    let all: Vec<_> = (0..records).map(|number| (number, item(number))).collect();
    for some in all.chunks(BATCH) {
        let mut changes: Vec<_> = some.iter().map(|(_, item)| committed(*item)).collect();
        changes.push(ended(some));
        block_on(store.write(changes)).expect("stored");
    }
}

fn fence() -> Fence {
    Fence::new(SessionId(1), 1)
}

/// A checkpoint of 64 bytes.
fn committed(item: ItemId) -> StateChange {
    let state = r#"{"etag":"0123456789abcdef0123456789abcdef","runs":1000000000000}"#;
    let checkpoint = Checkpoint::new(1, state);
    StateChange::Committed { handler: HANDLER, item, fence: fence(), checkpoint, sides: None, consumed: Vec::new() }
}

fn ended(items: &[(usize, ItemId)]) -> StateChange {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let backoff = RetryState::new(Setback::Backoff, time, Some(time)).with_failures(1, 1);
    let end = |(number, item): &(usize, ItemId)| {
        let failed = number.is_multiple_of(ONE_FAILED_IN);
        let outcome = if failed { Outcome::Failed } else { Outcome::Succeeded };
        (*item, ItemEnd::new(outcome).with_retry(failed.then_some(backoff)))
    };
    StateChange::Ended { handler: HANDLER, fence: fence(), time, items: items.iter().map(end).collect() }
}

/// Who lists one item, which the store knows or not.
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

/// A manager and its handler. With the runtime goes whatever the manager has running on it.
fn managed(path: &Path) -> (SyncManager, Runtime) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("the machine can start threads");
    let inside = runtime.enter();
    let manager = SyncManager::open(path).expect("a store");
    manager.register(Host).expect("the handler is new");
    drop(inside);
    (manager, runtime)
}

/// A connection that has found one row.
fn bare(path: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).expect("a database");
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).expect("a log");
    let epoch: i64 = connection.query_row("SELECT value FROM meta", [], |row| row.get(0)).expect("a row");
    black_box(epoch);
    connection
}

fn print_opening(empty: &Path, full: &Path, rounds: usize) {
    println!("\n{:<44} {:>10} {:>14}", "opening", "µs", "KiB resident");
    row("an empty one, bare connection and a row", rounds, || bare(empty));
    row("the full one, bare connection and a row", rounds, || bare(full));
    row("an empty one, store", rounds, || SqliteStore::open(empty).expect("a store"));
    row("the full one, store", rounds, || SqliteStore::open(full).expect("a store"));
    row("the full one, looking", rounds, || SqliteStore::look(full).expect("a store"));
    row("an empty one, manager and its handler", rounds, || managed(empty));
    row("the full one, manager and its handler", rounds, || managed(full));
}

fn print_reading(full: &Path, records: usize, rounds: usize) {
    println!("\n{:<44} {:>10} {:>14}", "reading the full one", "µs", "KiB resident");
    let store = SqliteStore::open(full).expect("a store");
    let mut number = 0;
    row("record, of 1,000 items anywhere", rounds, || {
        for _ in 0..1_000 {
            number = (number + 7_919) % records;
            assert!(black_box(store.record(HANDLER, item(number)).expect("read")).is_some());
        }
    });
    row("setbacks", rounds, || store.setbacks(HANDLER).expect("read"));
    row("known", rounds.min(5), || store.known(HANDLER).expect("read"));
}

#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let made = work();
    (start.elapsed(), made)
}

/// Prints the median time, and by how much what is resident grows the first time.
fn row<T>(what: &str, rounds: usize, mut work: impl FnMut() -> T) {
    let before = resident();
    let mut grown = 0;
    let mut times: Vec<_> = (0..rounds)
        .map(|round| {
            let (time, made) = timed(&mut work);
            if round == 0 {
                grown = resident().saturating_sub(before);
            }
            drop(made);
            time
        })
        .collect();
    times.sort();
    println!("{what:<44} {:>10.1} {grown:>14}", times[rounds / 2].as_secs_f64() * 1e6);
}

/// KiB of this process in memory, where the system says.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
