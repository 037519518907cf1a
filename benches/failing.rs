//! The cost of 1,000 and 10,000 failing items over ten minutes of virtual time, compared with items that succeed.
//!
//! `cargo bench --bench failing`; see BENCHMARKS.md for the meaning of the figures.

#![expect(clippy::disallowed_methods, reason = "a bench measures elapsed time")]

use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use syncmgr::{HandlerInfo, RetryPolicy, async_trait};
use syncmgr_test::{SeededRandomness, VirtualClock};
use tokio::runtime::Builder;
use tokio::time::sleep;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The virtual duration of a listing.
const LISTING: Duration = Duration::from_millis(200);

/// The virtual duration of a measurement.
const SPAN: Duration = Duration::from_secs(600);

const ID: HandlerId = HandlerId::from_u128(1);

/// A handler that counts its listings and the starts of its items.
struct Server {
    listing: Items,
    fails: bool,
    listings: Arc<AtomicUsize>,
    starts: Arc<AtomicUsize>,
}

#[async_trait]
impl SyncHandler for Server {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(ID, "Server")
    }

    async fn items(&self) -> SyncResult<Items> {
        self.listings.fetch_add(1, Ordering::Relaxed);
        sleep(LISTING).await;
        Ok(self.listing.clone())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        self.starts.fetch_add(1, Ordering::Relaxed);
        if self.fails { Err(anyhow!("connection refused")) } else { Ok(()) }
    }
}

fn main() {
    println!("{:<24} {:>9} {:>9} {:>10} {:>12}", "over 10 virtual minutes", "listings", "starts", "ms", "live bytes");
    let is_test = std::env::args().any(|argument| argument == "--test");
    for items in if is_test { [10, 100] } else { [1_000, 10_000] } {
        measure(items, false);
        measure(items, true);
    }
}

/// Runs a manual session and then the scheduler, and prints a row.
fn measure(items: usize, fails: bool) {
    let listing = (0..items).map(|number| SyncItem::named(format!("item {number}"))).collect();
    let (listings, starts) = (Arc::default(), Arc::default());
    let server = Server { listing, fails, listings: Arc::clone(&listings), starts: Arc::clone(&starts) };
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime is created");
    let (region, start) = (Region::new(HEAP), Instant::now());
    let manager = runtime.block_on(async {
        let manager = SyncManager::builder()
            .clock(VirtualClock::at(std::time::SystemTime::UNIX_EPOCH))
            .randomness(SeededRandomness::new(1))
            .retry(RetryPolicy::DEFAULT)
            .build();
        manager.register(server).expect("the handler is registered");
        manager.session(Trigger::Manual).start().expect("the session starts").finish().await;
        sleep(SPAN).await;
        manager
    });
    let (time, change) = (start.elapsed(), region.change());
    let alive = change.bytes_allocated as i64 - change.bytes_deallocated as i64;
    let label = format!("{items} items that {}", if fails { "fail" } else { "succeed" });
    let (listings, starts) = (listings.load(Ordering::Relaxed), starts.load(Ordering::Relaxed));
    println!("{label:<24} {listings:>9} {starts:>9} {:>10.1} {alive:>12}", time.as_secs_f64() * 1_000.0);
    drop((manager, runtime));
}
