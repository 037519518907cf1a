//! Many failing items of one handler: few automatic runs, each of which also runs the items that become due meanwhile.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::environment::{Environment, ManualEnvironment, Network};
use syncmgr::prelude::*;
use syncmgr::{Classify, HandlerInfo, RetryPolicy};
use tokio::time::sleep;

use crate::support::awaitable_host::within;
use crate::support::steps::{nth, register_all, start_manual};
use crate::support::test_clock::{EXACT, StartTimes, TestClock, builder_with_clock, transient_failure};

const LISTING: Duration = Duration::from_millis(200);

/// Counts the calls of a handler whose items all fail.
#[derive(Clone, Default)]
struct Counts {
    listings: Arc<AtomicUsize>,
    prepared: Arc<AtomicUsize>,
    started: Arc<AtomicUsize>,
}

/// A handler with many items, whose server is down.
struct DownServer {
    items: usize,
    counts: Counts,
}

#[syncmgr::async_trait]
impl SyncHandler for DownServer {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(nth(1), "Down server")
    }

    async fn items(&self) -> SyncResult<Items> {
        self.counts.listings.fetch_add(1, Ordering::Relaxed);
        sleep(LISTING).await;
        Ok((0..self.items).map(|number| SyncItem::named(format!("item {number}"))).collect())
    }

    async fn prepare(&self, _: &PrepareContext) -> SyncResult {
        self.counts.prepared.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        self.counts.started.fetch_add(1, Ordering::Relaxed);
        Err(anyhow!("connection refused"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_failing_items_are_listed_once_per_backoff_step() {
    let counts = Counts::default();
    let manager = SyncManager::builder().clock(TestClock::new()).retry(RetryPolicy::DEFAULT).build();
    manager.register(DownServer { items: 1_000, counts: counts.clone() }).unwrap();
    within(start_manual(&manager, 1).finish()).await;
    sleep(Duration::from_secs(600)).await;
    let steps = counts.started.load(Ordering::Relaxed) / 1_000;
    assert_eq!(counts.started.load(Ordering::Relaxed), steps * 1_000, "all items are at the same step");
    assert!(steps > 3, "{steps} steps");
    assert_eq!(counts.listings.load(Ordering::Relaxed), steps);
    assert_eq!(counts.prepared.load(Ordering::Relaxed), steps);
    assert!(manager.sessions().is_empty(), "no session waits");
}

#[tokio::test(start_paused = true)]
async fn an_automatic_run_also_runs_the_items_that_become_due_meanwhile() {
    let (began, clock, sessions) = (StartTimes::new(), TestClock::new(), Arc::new(Mutex::new(BTreeSet::new())));
    let noted = sessions.clone();
    let handler = began.handler(1, &["slow", "late", "later"], |item, times| match (item.name(), times) {
        ("slow", 1) => Err(anyhow!("busy")).retry_after(Duration::from_secs(30)),
        ("late", 1) => Err(anyhow!("busy")).retry_after(Duration::from_secs(40)),
        ("later", 1) => Err(anyhow!("busy")).retry_after(Duration::from_secs(70)),
        _ => Ok(()),
    });
    let handler = handler.on_prepare(move |run| {
        noted.lock().unwrap().insert(run.session());
        let is_retry = run.selection().len() == 1;
        async move {
            if is_retry {
                sleep(Duration::from_secs(20)).await;
            }
            Ok(())
        }
        .boxed()
    });
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(began.of("slow"), [0, 50]);
    assert_eq!(began.of("late"), [0, 70], "it is prepared in the same run");
    assert_eq!(began.of("later"), [0, 90]);
    assert_eq!(sessions.lock().unwrap().len(), 2, "one automatic session runs all three");
}

#[tokio::test(start_paused = true)]
async fn an_automatic_run_ends_although_its_items_are_always_due_again() {
    let (began, clock, sessions) = (StartTimes::new(), TestClock::new(), Arc::new(Mutex::new(BTreeSet::new())));
    let noted = sessions.clone();
    // One of the items becomes due while the other is prepared.
    let handler = began.handler(1, &["a", "b"], |item, times| {
        let wait = if (item.name(), times) == ("b", 1) { 3 } else { 1 };
        Err(anyhow!("busy")).retry_after(Duration::from_secs(wait))
    });
    let handler = handler.on_prepare(move |run| {
        noted.lock().unwrap().insert(run.session());
        async move {
            sleep(Duration::from_secs(2)).await;
            Ok(())
        }
        .boxed()
    });
    let manager = register_all(builder_with_clock(&clock).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(Duration::from_secs(200)).await;
    let (starts, sessions) = (began.of("a").len() + began.of("b").len(), sessions.lock().unwrap().len());
    assert!(starts > 60 && sessions > 2, "{starts} starts in {sessions} sessions");
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_automatic_run_does_not_block_the_next_retry() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let handler = began.handler(1, &["a"], |_, times| if times < 3 { transient_failure() } else { Ok(()) });
    let handler = handler.on_prepare(|run| {
        let waits = run.trigger() == Trigger::Scheduled;
        async move {
            if waits {
                sleep(Duration::from_secs(10)).await;
            }
            Ok(())
        }
        .boxed()
    });
    let manager = register_all(builder_with_clock(&clock).retry(EXACT).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(Duration::from_secs(35)).await;
    manager.sessions().into_iter().for_each(|session| session.stop());
    sleep(Duration::from_secs(24 * 60 * 60)).await;
    assert_eq!(began.of("a").len(), 3, "{:?}", began.of("a"));
}

#[tokio::test(start_paused = true)]
async fn a_flapping_network_starts_at_most_one_run_per_reconnect_interval() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let environment = ManualEnvironment::new(Environment::UNKNOWN.with_network(Network::Online));
    let handler = began.handler(1, &["a"], |_, _| transient_failure());
    let manager =
        builder_with_clock(&clock).environment(environment.clone()).reconnect_interval(Duration::from_secs(5));
    let manager = register_all(manager.build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    for _ in 0..10_000 {
        environment.set_network(Network::Offline);
        sleep(Duration::from_micros(500)).await;
        environment.set_network(Network::Online);
        sleep(Duration::from_micros(500)).await;
    }
    let starts = began.of("a").len();
    assert!((2..=5).contains(&starts), "{starts} starts in {:?}", began.of("a"));
}
