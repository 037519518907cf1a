//! A handler whose items count their runs, and its schedules.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use syncmgr::schedule::Schedule;
use syncmgr::{
    HandlerId, HandlerInfo, ItemContext, Items, SyncHandler, SyncItem, SyncManager, SyncResult, Trigger, async_trait,
};
use syncmgr_test::VirtualClock;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The number of different schedules where many items share one.
pub(crate) const MANY: usize = 1_000;

/// The work of an item: it suspends once and counts.
#[derive(Clone, Default)]
pub(crate) struct Work(Arc<AtomicUsize>);

impl Work {
    async fn perform(&self) {
        yield_now().await;
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of times that it was done.
    pub(crate) fn done(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same work as a plain boxed future, for the baseline.
pub(crate) trait Plain: Send + Sync {
    fn run(&self) -> BoxFuture<'_, ()>;
}

impl Plain for Work {
    fn run(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.perform())
    }
}

/// A handler with a listing created in advance.
struct Table {
    id: HandlerId,
    items: Items,
    schedule: Option<Schedule>,
    work: Work,
}

#[async_trait]
impl SyncHandler for Table {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(self.id, "Table").with_schedule(self.schedule.clone())
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(self.items.clone())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        self.work.perform().await;
        Ok(())
    }
}

/// A manager in virtual time.
pub(crate) struct Host {
    pub(crate) manager: SyncManager,
    pub(crate) work: Work,
}

impl Host {
    /// Creates a manager with a handler for each listing and schedule.
    pub(crate) fn new(handlers: impl IntoIterator<Item = (Items, Option<Schedule>)>) -> Self {
        let manager = SyncManager::builder().clock(VirtualClock::at(SystemTime::UNIX_EPOCH)).build();
        let host = Self { manager, work: Work::default() };
        for ((items, schedule), id) in handlers.into_iter().zip(1..) {
            let table = Table { id: HandlerId::from_u128(id), items, schedule, work: host.work.clone() };
            host.manager.register(table).expect("the handler is new");
        }
        host
    }

    /// Runs a first session, which tells the schedules of the items, and starts the scheduler.
    pub(crate) async fn begin(&self) {
        self.session().await;
        self.manager.start_scheduler().expect("inside a runtime");
        yield_now().await;
    }

    /// Runs a session of all items.
    pub(crate) async fn session(&self) {
        let session = self.manager.session(Trigger::Manual).start().expect("inside a runtime");
        assert!(session.finish().await.is_success());
    }
}

/// Creates items with these names, and without schedules.
pub(crate) fn unscheduled(names: &[Arc<str>]) -> Items {
    names.iter().cloned().map(SyncItem::named).collect()
}

/// Creates items with these names. Item `n` has the schedule number `n`, counted modulo the number of schedules.
pub(crate) fn scheduled(names: &[Arc<str>], schedules: &[Schedule]) -> Items {
    let items = names.iter().cloned().zip(schedules.iter().cycle());
    items.map(|(name, schedule)| SyncItem::named(name).with_schedule(schedule.clone())).collect()
}

/// Creates the names of items. The names are not counted as part of the items, because every caller needs names anyway.
pub(crate) fn names(count: usize) -> Vec<Arc<str>> {
    (0..count).map(|index| Arc::from(format!("item {index}"))).collect()
}

/// Creates different intervals of an hour and a number of milliseconds.
pub(crate) fn intervals(count: usize) -> Vec<Schedule> {
    let interval = |index: usize| HOUR + Duration::from_millis(index as u64);
    (0..count).map(|index| Schedule::every(interval(index)).expect("the interval is positive")).collect()
}

/// Creates different cron expressions: a time on each day, of each of 28 days of a month, of each month.
pub(crate) fn cron_expressions(count: usize) -> Vec<Schedule> {
    let days = |number: usize| match number {
        0 => "* *".to_owned(),
        number => format!("{} {}", 1 + number % 28, 1 + number / 28 % 12),
    };
    let expression = |index: usize| format!("{} {} {}", index % 60, index / 60 % 24, days(index / 1_440));
    (0..count)
        .map(|index| Schedule::cron(&format!("{} *", expression(index)), "Europe/Berlin").expect("it is valid"))
        .collect()
}

/// Returns a runtime of one thread with virtual time.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("the runtime is created")
}
