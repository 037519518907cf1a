//! A time of day that goes on with tokio's time and can be set, and a handler that notes when its items begin.

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

/// The default rules without chance: waits of 30 s, 1, 2, 4, 8, 16, 32 min, and 1 h.
pub(crate) const EXACT: RetryPolicy = RetryPolicy::DEFAULT.with_jitter(0);

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
pub(crate) const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Shows the time of day; clones show the same.
#[derive(Clone, Debug)]
pub(crate) struct Daytime {
    start: Instant,
    at_start: Arc<Mutex<SystemTime>>,
}

impl Daytime {
    /// It is some morning.
    pub(crate) fn new() -> Self {
        let morning = SystemTime::UNIX_EPOCH + 50 * YEAR;
        Self { start: Instant::now(), at_start: Arc::new(Mutex::new(morning)) }
    }

    /// Somebody sets the clock back.
    pub(crate) fn set_back(&self, by: Duration) {
        *self.at_start.lock().unwrap_or_else(PoisonError::into_inner) -= by;
    }

    /// Somebody sets the clock forward.
    pub(crate) fn set_forward(&self, by: Duration) {
        *self.at_start.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    pub(crate) fn wall(&self) -> SystemTime {
        self.now().wall
    }
}

impl Clock for Daytime {
    fn now(&self) -> Now {
        let mono = self.start.elapsed();
        Now::new(mono, *self.at_start.lock().unwrap_or_else(PoisonError::into_inner) + mono)
    }
}

/// When items began, in seconds since this was made.
#[derive(Clone)]
pub(crate) struct Began {
    start: Instant,
    times: Arc<Mutex<Vec<(String, u64)>>>,
}

impl Began {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), times: Arc::default() }
    }

    /// When the item of this name began.
    pub(crate) fn of(&self, name: &str) -> Vec<u64> {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.iter().filter(|(of, _)| of == name).map(|(_, time)| *time).collect()
    }

    /// Notes a beginning; returns how many there were of this name.
    pub(crate) fn note(&self, name: &str) -> usize {
        let time = (self.start.elapsed() + Duration::from_millis(1)).as_secs();
        self.times.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), time));
        self.of(name).len()
    }

    /// A handler whose items do this; they are told how often they have begun. `a:x` claims `x`.
    pub(crate) fn handler(
        &self,
        number: u128,
        items: &[&'static str],
        act: impl Fn(&ItemContext, usize) -> SyncResult + Send + Sync + 'static,
    ) -> Scripted {
        let (began, items) = (self.clone(), items.to_vec());
        Scripted::new(&[])
            .info(|_| HandlerInfo::new(nth(number), "Notes when"))
            .items(move || Ok(items.iter().copied().map(claiming).collect()))
            .on_item(move |item| {
                let times = began.note(item.name());
                let result = act(item, times);
                // What never ends by itself would keep a paused clock from going on.
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

/// A failure that may pass.
pub(crate) fn fails() -> SyncResult {
    Err(anyhow!("no luck"))
}

/// A failure so often, and success from then on.
pub(crate) fn fails_until(times: usize, last: usize) -> SyncResult {
    if times <= last { fails() } else { Ok(()) }
}

/// A manager that reads the time here and retries exactly.
pub(crate) fn timed(clock: &Daytime) -> SyncManagerBuilder {
    SyncManager::builder().clock(clock.clone()).retry(EXACT)
}

/// The same, over a store.
pub(crate) fn stored(clock: &Daytime, store: &MemoryStore) -> SyncManagerBuilder {
    timed(clock).store(store.clone())
}

/// What failures have left of an item.
pub(crate) fn setback(store: &MemoryStore, number: u128, name: &str) -> Option<syncmgr::retry::RetryState> {
    store.record(nth(number), crate::support::id(name)).expect("it can be read").and_then(|record| record.retry)
}

/// How long a hold lasts from now on, in seconds.
pub(crate) fn left(clock: &Daytime, hold: &Hold) -> u64 {
    let (Hold::BackingOff { until, .. } | Hold::NotBefore { until }) = hold else { panic!("{hold} has no end") };
    (until.duration_since(clock.wall()).unwrap_or_default() + Duration::from_millis(1)).as_secs()
}
