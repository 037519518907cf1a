//! Runs that schedules start.

mod agenda;

mod firing;
mod idle;
mod persons;
mod reregistered;
mod restart;
mod waiting;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use syncmgr::environment::ManualEnvironment;
use syncmgr::request::RegisterFlags;
use syncmgr::schedule::Schedule;
use syncmgr::store::MemoryStore;
use syncmgr::{SyncItem, SyncManager, SyncManagerBuilder};
use tokio::time::sleep;

use crate::support::Scripted;
use crate::support::test_clock::{MINUTE, StartTimes, TestClock, builder_with_clock};

fn every(interval: Duration) -> Schedule {
    Schedule::every(interval).expect("the interval is valid")
}

/// A manager with a clock and a store that outlive it.
struct Scheduled {
    clock: TestClock,
    began: StartTimes,
    store: MemoryStore,
    environment: ManualEnvironment,
}

impl Scheduled {
    fn new() -> Self {
        Self {
            clock: TestClock::new(),
            began: StartTimes::new(),
            store: MemoryStore::new(),
            environment: ManualEnvironment::default(),
        }
    }

    fn builder(&self) -> SyncManagerBuilder {
        builder_with_clock(&self.clock).store(self.store.clone()).environment(self.environment.clone())
    }

    /// Starts a manager with this handler.
    fn start(&self, handler: Scripted) -> SyncManager {
        let manager = self.builder().build();
        manager.register_for(Arc::new(handler), RegisterFlags::empty()).expect("the handler is new");
        manager.start_scheduler().expect("there is a runtime");
        manager
    }

    /// Returns a handler with this schedule, whose items succeed at once.
    fn handler(&self, items: &[&'static str], schedule: Schedule) -> Scripted {
        self.began.handler(1, items, |_, _| Ok(())).info(|info| info.with_schedule(schedule))
    }

    /// Starts a manager with the item `a`, which runs every minute.
    fn start_every_minute(&self) -> SyncManager {
        self.start(self.handler(&["a"], every(MINUTE)))
    }
}

/// Returns an item with a schedule of its own.
fn item(name: &str, schedule: Schedule) -> SyncItem {
    SyncItem::named(name).with_schedule(schedule)
}

/// Waits for this many minutes and a moment.
async fn minutes(count: u32) {
    sleep(count * MINUTE + Duration::from_millis(10)).await;
}
