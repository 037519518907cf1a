//! Wake-ups while nothing fires.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncmgr::environment::{Clock, Now};
use syncmgr::schedule::Schedule;
use syncmgr::{SyncItem, SyncManager};
use tokio::time::sleep;

use super::{Scheduled, every, item};
use crate::support::test_clock::{DAY, HOUR, MINUTE, TestClock};

/// A clock that notes the times at which it is read. A task that looks at the clock was woken.
#[derive(Clone)]
struct NotingClock {
    clock: TestClock,
    reads: Arc<Mutex<BTreeSet<Duration>>>,
}

impl NotingClock {
    fn reads(&self) -> MutexGuard<'_, BTreeSet<Duration>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for NotingClock {
    fn now(&self) -> Now {
        let now = self.clock.now();
        self.reads().insert(now.mono);
        now
    }
}

/// Returns the number of times in an hour at which the manager looks at the clock. Its items have these schedules.
async fn wake_ups(schedules: Vec<Schedule>) -> usize {
    let scheduled = Scheduled::new();
    let clock = NotingClock { clock: scheduled.clock.clone(), reads: Arc::default() };
    let manager = SyncManager::builder().clock(clock.clone()).build();
    let items = move || {
        let named = |(number, schedule): (usize, &Schedule)| item(&number.to_string(), schedule.clone());
        Ok(schedules.iter().enumerate().map(named).chain([SyncItem::named("unscheduled")]).collect())
    };
    manager.register(scheduled.began.handler(1, &[], |_, _| Ok(())).items(items)).expect("the handler is new");
    manager.update_all().expect("there is a runtime").finish().await;
    manager.start_scheduler().expect("there is a runtime");
    sleep(Duration::from_secs(1)).await;
    clock.reads().clear();
    sleep(HOUR).await;
    let reads = clock.reads().len();
    manager.shutdown().await;
    reads
}

#[tokio::test(start_paused = true)]
async fn without_schedules_the_scheduler_does_not_wake_up() {
    assert_eq!(wake_ups(Vec::new()).await, 0);
}

#[tokio::test(start_paused = true)]
async fn while_nothing_fires_the_scheduler_wakes_up_once_a_minute() {
    let rare = (1..=1_000).map(|number| every(DAY + number * MINUTE)).collect();
    assert_eq!(wake_ups(rare).await, 60);
}

#[tokio::test(start_paused = true)]
async fn a_firing_between_two_looks_at_the_clock_wakes_the_scheduler_once() {
    let quarters = every(15 * MINUTE + Duration::from_secs(7));
    // Each firing also delays the next look by up to a minute.
    let wake_ups = wake_ups(vec![quarters]).await;
    assert!((60..=63).contains(&wake_ups), "{wake_ups}");
}
