//! Scheduled items that fire.

use std::sync::Arc;
use std::time::Duration;

use syncmgr::schedule::Schedule;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

use crate::fixture::{DAY, HOUR, Host, MANY, Plain, Work, cron_expressions, names, runtime, scheduled, unscheduled};
use crate::meter::processor_nanos;
use crate::print;

const SECOND: Duration = Duration::from_secs(1);

/// The number of firings of which the cheapest counts.
const ROUNDS: u32 = 10;

/// The days in which scheduled items fire, once a day.
const DAYS: u32 = 10;

/// Tasks that already sleep.
pub(crate) fn sleeping_tasks(count: usize) {
    let nanos = runtime().block_on(async {
        let work = Work::default();
        spawn_sleeping(count, DAYS, &work);
        yield_now().await;
        processor_nanos(days(DAYS, &work, count)).await
    });
    print("task that sleeps and works", &[nanos / f64::from(DAYS) / count as f64]);
}

pub(crate) fn started_tasks(count: usize) {
    let nanos = runtime().block_on(async {
        let work = Work::default();
        processor_nanos(async {
            spawn_sleeping(count, 1, &work);
            days(1, &work, count).await;
        })
        .await
    });
    print("the same, with its start", &[nanos / count as f64]);
}

/// Spawns tasks, each of which sleeps in each of these days until one of as many times as there are schedules, and then works.
fn spawn_sleeping(count: usize, days: u32, work: &Work) {
    let (start, shared): (_, Arc<dyn Plain>) = (Instant::now(), Arc::new(work.clone()));
    for task in 0..count {
        let (work, minutes) = (shared.clone(), 1 + task % MANY);
        let first = start + 60 * SECOND * u32::try_from(minutes).expect("a few minutes");
        tokio::spawn(async move {
            for day in 0..days {
                sleep_until(first + day * DAY).await;
                work.run().await;
            }
        });
    }
}

/// A handler with all items, each of which has a schedule.
pub(crate) fn scheduled_items(count: usize) {
    let (names, schedules) = (names(count), cron_expressions(count.min(MANY)));
    fire("scheduled item", count, Host::new([(scheduled(&names, &schedules), None)]));
}

/// Handlers with a schedule each.
pub(crate) fn scheduled_handlers(count: usize) {
    let (names, schedules) = (names(count), cron_expressions(count.min(MANY)));
    let handlers = names.chunks(count / schedules.len()).map(unscheduled).zip(schedules.iter().cloned().map(Some));
    fire("item of 1,000 scheduled handlers", count, Host::new(handlers));
}

/// Prints the processor time of each firing.
fn fire(name: &str, count: usize, host: Host) {
    let nanos = runtime().block_on(async {
        host.begin().await;
        processor_nanos(days(DAYS, &host.work, count)).await
    });
    print(name, &[nanos / f64::from(DAYS) / count as f64]);
}

/// Waits for these days and a moment. On each day the work is done by all items.
async fn days(days: u32, work: &Work, items: usize) {
    let before = work.done();
    sleep(days * DAY + SECOND).await;
    assert_eq!(work.done() - before, days as usize * items);
}

pub(crate) fn at_once(count: usize) {
    come_due("one schedule", count, 1);
}

pub(crate) fn at_once_of_many(count: usize) {
    come_due("1,000 schedules", count, MANY);
}

pub(crate) fn at_once_each(count: usize) {
    come_due("a schedule for each item", count, count);
}

/// Prints the processor time of each item in a session started by hand, in one that schedules start, and their ratio.
fn come_due(name: &str, count: usize, schedules: usize) {
    let (runtime, names) = (runtime(), names(count));
    let host = Host::new([(scheduled(&names, &together(schedules)), None)]);
    let (by_hand, fired) = runtime.block_on(async {
        host.begin().await;
        // The schedules fire at each full hour.
        sleep(SECOND).await;
        let (mut by_hand, mut fired) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..ROUNDS {
            by_hand = by_hand.min(processor_nanos(host.session()).await);
            sleep(HOUR - 2 * SECOND).await;
            let before = host.work.done();
            fired = fired.min(processor_nanos(sleep(2 * SECOND)).await);
            assert_eq!(host.work.done(), before + count);
        }
        (by_hand, fired)
    });
    print(name, &[by_hand / count as f64, fired / count as f64, fired / by_hand]);
}

/// Creates different intervals that fire together: an hour, with different minimum gaps.
fn together(count: usize) -> Vec<Schedule> {
    let interval = Schedule::every(HOUR).expect("the interval is positive");
    (0..count as u64).map(|gap| interval.clone().with_min_gap(Duration::from_millis(gap))).collect()
}
