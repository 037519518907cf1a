//! A clock that follows tokio's time and can be set, and a handler that records the start times of its items.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::environment::{Clock, Now};
use syncmgr::store::{MemoryStore, StateStore};
use syncmgr::{HandlerInfo, Hold, ItemContext, RetryPolicy, SyncItem, SyncManager, SyncManagerBuilder, SyncResult};
use tokio::time::Instant;

use crate::support::Scripted;
use crate::support::steps::nth;

/// The default retry policy without jitter: waits of 30 s, 1, 2, 4, 8, 16, 32 min, and 1 h.
pub(crate) const EXACT: RetryPolicy = RetryPolicy::DEFAULT.with_jitter(0);

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
pub(crate) const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A clock that can be set. Clones share one time.
#[derive(Clone, Debug)]
pub(crate) struct TestClock {
    start: Instant,
    at_start: Arc<Mutex<SystemTime>>,
}

impl TestClock {
    /// Creates a clock that shows an arbitrary time.
    pub(crate) fn new() -> Self {
        let start = SystemTime::UNIX_EPOCH + 50 * YEAR;
        Self { start: Instant::now(), at_start: Arc::new(Mutex::new(start)) }
    }

    /// Sets the clock back.
    pub(crate) fn set_back(&self, by: Duration) {
        *self.at_start.lock().unwrap_or_else(PoisonError::into_inner) -= by;
    }

    /// Sets the clock forward.
    pub(crate) fn set_forward(&self, by: Duration) {
        *self.at_start.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    pub(crate) fn wall(&self) -> SystemTime {
        self.now().wall
    }
}

impl Clock for TestClock {
    fn now(&self) -> Now {
        let mono = self.start.elapsed();
        Now::new(mono, *self.at_start.lock().unwrap_or_else(PoisonError::into_inner) + mono)
    }
}

/// The start times of items, in seconds since the creation of this value.
#[derive(Clone)]
pub(crate) struct StartTimes {
    start: Instant,
    times: Arc<Mutex<Vec<(String, u64)>>>,
}

impl StartTimes {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), times: Arc::default() }
    }

    /// Returns the start times of the item with this name.
    pub(crate) fn of(&self, name: &str) -> Vec<u64> {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.iter().filter(|(of, _)| of == name).map(|(_, time)| *time).collect()
    }

    /// Records a start of the item, and returns its number of starts.
    pub(crate) fn note(&self, name: &str) -> usize {
        let time = (self.start.elapsed() + Duration::from_millis(1)).as_secs();
        self.times.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), time));
        self.of(name).len()
    }

    /// Returns a handler whose items call `act` with their number of starts. The item `a:x` claims `x`.
    pub(crate) fn handler(
        &self,
        number: u128,
        items: &[&'static str],
        act: impl Fn(&ItemContext, usize) -> SyncResult + Send + Sync + 'static,
    ) -> Scripted {
        let (began, items) = (self.clone(), items.to_vec());
        Scripted::new(&[])
            .info(|_| HandlerInfo::new(nth(number), "Notes start times"))
            .items(move || Ok(items.iter().copied().map(claiming).collect()))
            .on_item(move |item| {
                let times = began.note(item.name());
                let result = act(item, times);
                // Hangs from the 501st start on, because endless retries would stop paused time from advancing.
                async move { if times > 500 { std::future::pending().await } else { result } }.boxed()
            })
    }
}

fn claiming(text: &'static str) -> SyncItem {
    match text.split_once(':') {
        Some((name, claim)) => SyncItem::named(name).with_claim(claim),
        None => SyncItem::named(text),
    }
}

/// Returns a transient failure.
pub(crate) fn transient_failure() -> SyncResult {
    Err(anyhow!("no luck"))
}

/// Returns a failure up to and including start number `last`, and success for every later start.
pub(crate) fn fail_until(times: usize, last: usize) -> SyncResult {
    if times <= last { transient_failure() } else { Ok(()) }
}

/// Returns a builder with this clock and exact retry times.
pub(crate) fn builder_with_clock(clock: &TestClock) -> SyncManagerBuilder {
    SyncManager::builder().clock(clock.clone()).retry(EXACT)
}

/// Returns a builder with this clock, exact retry times and a store.
pub(crate) fn builder_with_store(clock: &TestClock, store: &MemoryStore) -> SyncManagerBuilder {
    builder_with_clock(clock).store(store.clone())
}

/// Returns the retry state of an item, if any.
pub(crate) fn retry_state(store: &MemoryStore, number: u128, name: &str) -> Option<syncmgr::retry::RetryState> {
    store.record(nth(number), crate::support::id(name)).expect("the store can be read").and_then(|record| record.retry)
}

/// Returns the remaining seconds of a hold.
pub(crate) fn seconds_left(clock: &TestClock, hold: &Hold) -> u64 {
    let (Hold::BackingOff { until, .. } | Hold::NotBefore { until }) = hold else { panic!("{hold} has no end") };
    (until.duration_since(clock.wall()).unwrap_or_default() + Duration::from_millis(1)).as_secs()
}
