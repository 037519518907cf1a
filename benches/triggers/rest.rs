//! Scheduled items at rest.

use std::time::{Duration, SystemTime};

use syncmgr::Items;
use syncmgr::schedule::Schedule;
use tokio::time::sleep;

use crate::fixture::{DAY, Host, MANY, cron_expressions, intervals, names, runtime, scheduled, unscheduled};
use crate::meter::live_bytes;
use crate::print;

pub(crate) fn tasks(count: usize) {
    let runtime = runtime();
    let (bytes, _tasks) = live_bytes(|| {
        let spawn = |_| runtime.spawn(sleep(DAY));
        runtime.block_on(async {
            (0..count).for_each(|index| drop(spawn(index)));
            tokio::task::yield_now().await;
        });
    });
    print("task with a sleep", &[bytes / count as f64]);
}

pub(crate) fn none(count: usize) {
    at_rest("item without a schedule", count, |_| Vec::new(), None);
}

pub(crate) fn of_handler(count: usize) {
    at_rest("its handler has the schedule", count, |_| Vec::new(), intervals(1).first());
}

pub(crate) fn one(count: usize) {
    at_rest("all items share one", count, |_| intervals(1), None);
}

pub(crate) fn intervals_of_many(count: usize) {
    at_rest("1,000 intervals", count, |count| intervals(count.min(MANY)), None);
}

pub(crate) fn intervals_each(count: usize) {
    at_rest("an interval for each item", count, intervals, None);
}

pub(crate) fn single_times(count: usize) {
    at_rest("a single time for each item", count, single_times_after_a_day, None);
}

pub(crate) fn cron_each(count: usize) {
    at_rest("a cron expression for each item", count, cron_expressions, None);
}

/// Prints the bytes of each item after a first session, which lists the items.
fn at_rest(name: &str, count: usize, schedules: impl Fn(usize) -> Vec<Schedule>, of_handler: Option<&Schedule>) {
    let (runtime, names) = (runtime(), names(count));
    let (bytes, host) = live_bytes(|| {
        let schedules = schedules(count);
        let items: Items = match schedules.is_empty() {
            true => unscheduled(&names),
            false => scheduled(&names, &schedules),
        };
        drop(schedules);
        let host = Host::new([(items, of_handler.cloned())]);
        runtime.block_on(host.begin());
        host
    });
    print(name, &[bytes / count as f64]);
    drop(host);
}

fn single_times_after_a_day(count: usize) -> Vec<Schedule> {
    let time = |index: usize| SystemTime::UNIX_EPOCH + DAY + Duration::from_millis(index as u64);
    (0..count).map(|index| Schedule::once(time(index)).expect("the time is representable")).collect()
}
