//! The time to stop a session of 10,000 items of which 64 run, compared with `JoinSet::shutdown` of 10,000 parked tasks.
//!
//! `cargo bench --bench stop`; see BENCHMARKS.md for the meaning of the figures. Afterwards a table shows when items are
//! reported as stopped while one of them blocks its thread.

mod common;

use std::future::pending;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::{CONCURRENCY, Host, Running, Wait, is_test, listing, names, runtime, spawn_parked, until_cancelled};
use divan::Bencher;
use syncmgr::{HandlerId, HandlerInfo, ItemContext, Items, Limits, Outcome, Session, SessionEvent, SyncHandler};
use syncmgr::{SyncItem, SyncManager, SyncResult, Trigger, async_trait};
use tokio::sync::Semaphore;

const ITEMS: usize = 10_000;

fn main() {
    divan::main();
    print_blocked(if is_test() { 1 } else { 10 });
}

/// Stops a session and waits until it is idle. Every item must be reported as stopped.
async fn stop(session: &Session) {
    session.stop();
    let report = session.report().await;
    assert_eq!(report.items().filter(|item| item.outcome == Outcome::Stopped).count(), ITEMS);
}

/// Stops a session and waits until a reader of its events has seen the end of every item and of the session.
async fn stop_watched(session: &Session) {
    let mut events = session.events();
    session.stop();
    let mut stopped = 0;
    while let Some(event) = events.next().await {
        match event {
            SessionEvent::Ended { outcome: Outcome::Stopped, .. } => stopped += 1,
            SessionEvent::Idle => break,
            _ => {}
        }
    }
    assert_eq!(stopped, ITEMS);
}

macro_rules! stops {
    ($module:ident, $threads:expr) => {
        mod $module {
            use super::*;

            #[divan::bench(sample_size = 1)]
            fn join_set(bencher: Bencher) {
                let runtime = runtime($threads);
                let tasks = || runtime.block_on(spawn_parked(ITEMS));
                bencher.with_inputs(tasks).bench_local_values(|mut tasks| runtime.block_on(tasks.shutdown()));
            }

            #[divan::bench(sample_size = 1)]
            fn session(bencher: Bencher) {
                bench(bencher, until_cancelled, async |session| stop(session).await);
            }

            #[divan::bench(sample_size = 1)]
            fn session_of_items_that_ignore_cancellation(bencher: Bencher) {
                bench(bencher, |_| Box::pin(pending()), async |session| stop(session).await);
            }

            #[divan::bench(sample_size = 1)]
            fn session_watched(bencher: Bencher) {
                bench(bencher, until_cancelled, async |session| stop_watched(session).await);
            }

            fn bench(bencher: Bencher, wait: Wait, stop: impl AsyncFn(&Session)) {
                let (runtime, host) = (runtime($threads), Host::new([listing(&names(ITEMS))], wait));
                bencher.with_inputs(|| Running::start(&runtime, &host, CONCURRENCY)).bench_local_values(|running| {
                    runtime.block_on(stop(&running.session));
                    running
                });
            }
        }
    };
}

stops!(one_thread, 1);
stops!(two_threads, 2);

/// The time for which one item blocks its thread.
const BLOCKS: Duration = Duration::from_millis(200);

/// A handler with `CONCURRENCY` items. The last item blocks its thread once all others wait for cancellation.
struct OneBlocks {
    waiting: Semaphore,
    blocks: Sender<()>,
}

#[async_trait]
impl SyncHandler for OneBlocks {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HandlerId::from_u128(1), "One blocks").with_limits(Limits::DEFAULT.with_items(CONCURRENCY))
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok((0..CONCURRENCY).map(|index| SyncItem::named(index.to_string())).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if item.index() + 1 < CONCURRENCY {
            self.waiting.add_permits(1);
            item.cancelled().await;
        } else {
            self.waiting.acquire_many(CONCURRENCY as u32 - 1).await?.forget();
            self.blocks.send(())?;
            block();
        }
        Ok(item.check()?)
    }
}

#[expect(clippy::disallowed_methods, reason = "the bench measures a handler that blocks its thread")]
fn block() {
    thread::sleep(BLOCKS);
}

/// The times from the stop until an item is reported as stopped: the first and last waiting item, and the blocking item.
#[derive(Clone, Copy)]
struct Stopped {
    first: Duration,
    last: Duration,
    blocked: Duration,
}

/// Stops a session on `threads` threads while one of its items blocks a thread.
fn stop_blocked(threads: usize) -> Stopped {
    let ((blocks, blocked), (started, session)) = (channel(), channel());
    let runs = thread::spawn(move || {
        runtime(threads).block_on(async {
            let manager = SyncManager::new();
            manager.register(OneBlocks { waiting: Semaphore::new(0), blocks }).expect("the handler is new");
            let session = manager.session(Trigger::Manual).start().expect("inside a runtime");
            started.send(session.clone()).expect("the bench waits");
            session.finish().await;
        });
    });
    let session: Session = session.recv().expect("the thread runs");
    let stopped = runtime(1).block_on(watch_stop(&session, &blocked));
    drop(session);
    runs.join().expect("the session is finished");
    stopped
}

/// Reads the session's events on a thread that is never blocked.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
async fn watch_stop(session: &Session, blocked: &Receiver<()>) -> Stopped {
    let last_item = SyncItem::named((CONCURRENCY - 1).to_string()).id();
    blocked.recv().expect("the last item begins");
    let (mut events, mut others, mut blocked) = (session.events(), Vec::new(), Duration::ZERO);
    let start = Instant::now();
    session.stop();
    while let Some(event) = events.next().await {
        match event {
            SessionEvent::Ended { item, .. } if item == last_item => blocked = start.elapsed(),
            SessionEvent::Ended { .. } => others.push(start.elapsed()),
            SessionEvent::Idle => break,
            _ => {}
        }
    }
    assert_eq!(others.len(), CONCURRENCY - 1);
    Stopped { first: others[0], last: others[others.len() - 1], blocked }
}

fn print_blocked(rounds: usize) {
    println!(
        "ms from the stop to the report of an item's end, while one item blocks its thread for {BLOCKS:?}; best of {rounds}"
    );
    println!("{:<12} {:>12} {:>12} {:>12}", "", "first other", "last other", "blocking");
    for threads in [1, 2] {
        let best = (0..rounds).map(|_| stop_blocked(threads)).min_by_key(|stopped| stopped.last);
        let Some(Stopped { first, last, blocked }) = best else { return };
        let [first, last, blocked] = [first, last, blocked].map(|time| time.as_secs_f64() * 1e3);
        println!("{:<12} {first:>12.2} {last:>12.2} {blocked:>12.2}", format!("{threads} thread(s)"));
    }
}
