//! The cost of 1,000 and 10,000 failing items over ten minutes of virtual time, compared with items that succeed and with
//! failing jobs of apalis, and the cost of starting a session while others wait.
//!
//! `cargo bench --bench failing`; see BENCHMARKS.md for the meaning of the figures.

#![expect(clippy::disallowed_methods, reason = "a bench measures elapsed time")]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use apalis::layers::WorkerBuilderExt;
use apalis::layers::retry::backoff::{ExponentialBackoffMaker, MakeBackoff};
use apalis::layers::retry::{HasherRng, RetryPolicy as ApalisRetryPolicy};
use apalis::prelude::{BoxDynError, Data, MemoryStorage, TaskSink, WorkerBuilder};
use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use syncmgr::store::MemoryStore;
use syncmgr::{HandlerInfo, RetryPolicy, Session, async_trait};
use syncmgr_test::{SeededRandomness, VirtualClock};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

/// The virtual duration of a listing.
const LISTING: Duration = Duration::from_millis(200);

/// The virtual duration of a measurement.
const SPAN: Duration = Duration::from_secs(600);

const ID: HandlerId = HandlerId::from_u128(1);

/// The argument that makes this program measure one row and print it.
const ROW: &str = "--row";

/// A handler that counts its listings and the starts of its items.
struct Server {
    listing: Items,
    fails: bool,
    counts: Counts,
}

#[derive(Clone, Default)]
struct Counts {
    listings: Arc<AtomicUsize>,
    starts: Arc<AtomicUsize>,
}

#[async_trait]
impl SyncHandler for Server {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(ID, "Server")
    }

    async fn items(&self) -> SyncResult<Items> {
        self.counts.listings.fetch_add(1, Ordering::Relaxed);
        sleep(LISTING).await;
        Ok(self.listing.clone())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        self.counts.starts.fetch_add(1, Ordering::Relaxed);
        if self.fails { Err(anyhow!("connection refused")) } else { Ok(()) }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(row) = arguments.iter().position(|argument| argument == ROW) {
        return measure(&arguments[row + 1], arguments[row + 2].parse().expect("the number of items"));
    }
    let is_test = arguments.iter().any(|argument| argument == "--test");
    println!("{:<44} {:>9} {:>9} {:>9} {:>12}", "over 10 virtual minutes", "listings", "starts", "ms", "peak KiB");
    for items in if is_test { ["10", "100"] } else { ["1000", "10000"] } {
        for case in ["succeed", "fail", "succeed, stored", "fail, stored", "apalis"] {
            run_row(case, items);
        }
    }
    println!("\n{:<44} {:>9}", "start of a session", "us");
    for waiting in if is_test { ["1", "10"] } else { ["10", "10000"] } {
        run_row("waiting", waiting);
    }
}

/// Measures a row in a process of its own, so that its peak of memory is its own.
fn run_row(case: &str, items: &str) {
    let program = std::env::current_exe().expect("the program has a path");
    let status = Command::new(program).args([ROW, case, items]).status().expect("the program starts");
    assert!(status.success(), "the row {case} of {items} items failed");
}

fn measure(case: &str, items: usize) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime is created");
    let start = Instant::now();
    let counts = match case {
        "apalis" => failing_jobs(&runtime, items),
        "waiting" => return start_among_waiting(&runtime, items),
        _ => session_and_retries(&runtime, items, case),
    };
    let (listings, starts) = (counts.listings.load(Ordering::Relaxed), counts.starts.load(Ordering::Relaxed));
    let (label, time) = (format!("{items} items: {case}"), start.elapsed().as_secs_f64() * 1_000.0);
    println!("{label:<44} {listings:>9} {starts:>9} {time:>9.1} {:>12}", peak_memory());
}

/// Runs a manual session and then the scheduler.
fn session_and_retries(runtime: &Runtime, items: usize, case: &str) -> Counts {
    let counts = Counts::default();
    let listing = (0..items).map(|number| SyncItem::named(format!("item {number}"))).collect();
    let server = Server { listing, fails: case.starts_with("fail"), counts: counts.clone() };
    runtime.block_on(async {
        let builder = SyncManager::builder()
            .clock(VirtualClock::at(SystemTime::UNIX_EPOCH))
            .randomness(SeededRandomness::new(1))
            .retry(RetryPolicy::DEFAULT);
        let manager = match case.ends_with("stored") {
            true => builder.store(MemoryStore::new()).build(),
            false => builder.build(),
        };
        manager.register(server).expect("the handler is registered");
        manager.session(Trigger::Manual).start().expect("the session starts").finish().await;
        sleep(SPAN).await;
        manager.shutdown().await;
    });
    counts
}

/// Runs failing jobs with the same backoff. Each job is alone: nothing is listed or prepared once for many.
fn failing_jobs(runtime: &Runtime, jobs: usize) -> Counts {
    async fn fail(_: usize, starts: Data<Arc<AtomicUsize>>) -> Result<(), BoxDynError> {
        starts.fetch_add(1, Ordering::Relaxed);
        Err("connection refused".into())
    }
    let counts = Counts::default();
    let policy = RetryPolicy::DEFAULT;
    let mut backoff = ExponentialBackoffMaker::new(policy.initial, policy.cap, 0.1, HasherRng::default())
        .expect("the waits are in order");
    runtime.block_on(async {
        let mut storage = MemoryStorage::new();
        for job in 0..jobs {
            storage.push(job).await.expect("the storage is in memory");
        }
        let worker = WorkerBuilder::new("failing")
            .backend(storage)
            .concurrency(jobs)
            .retry(ApalisRetryPolicy::retries(policy.budget as usize).with_backoff(backoff.make_backoff()))
            .data(Arc::clone(&counts.starts))
            .build(fail);
        tokio::select! {
            biased;
            ended = worker.run() => ended.expect("the worker runs until the end of the measurement"),
            () = sleep(SPAN) => {}
        }
    });
    counts
}

/// Starts a session of a handler whose other sessions wait behind a paused one.
fn start_among_waiting(runtime: &Runtime, waiting: usize) {
    const STARTS: u32 = 100;
    let listing = [SyncItem::named("item")].into_iter().collect();
    runtime.block_on(async {
        let manager = SyncManager::builder().store(MemoryStore::new()).build();
        manager
            .register(Server { listing, fails: false, counts: Counts::default() })
            .expect("the handler is registered");
        manager.pause();
        let start_one = || manager.session(Trigger::Manual).start().expect("the session starts");
        let before: Vec<Session> = (0..waiting).map(|_| start_one()).collect();
        let start = Instant::now();
        let timed: Vec<Session> = (0..STARTS).map(|_| start_one()).collect();
        let each = start.elapsed() / STARTS;
        println!("{:<44} {:>9.1}", format!("while {waiting} others wait"), each.as_secs_f64() * 1e6);
        drop((before, timed));
    });
}

/// Returns the peak of the resident memory of this process, in KiB.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.split_whitespace().next()).unwrap_or("unknown").to_owned()
}
