//! The cost of a progress report without observers and with ten observers, compared with an indicatif bar.
//!
//! `cargo bench --bench progress`; see BENCHMARKS.md for the meaning of the figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use divan::{Bencher, black_box};
use indicatif::{ProgressBar, ProgressDrawTarget};
use syncmgr::async_trait;
use syncmgr::session::Events;
use syncmgr::{HandlerId, HandlerInfo, ItemContext, Session, SyncHandler, SyncManager, SyncResult, Trigger};
use tokio::sync::mpsc;

/// The number of reports per sample.
const REPORTS: u64 = 1_000;

fn main() {
    divan::main();
}

#[divan::bench]
fn indicatif_hidden(bencher: Bencher) {
    let bar = ProgressBar::with_draw_target(Some(u64::MAX), ProgressDrawTarget::hidden());
    bencher.counter(REPORTS).bench_local(|| (0..REPORTS).for_each(|_| bar.inc(black_box(1))));
}

#[divan::bench(args = [0, 10])]
fn syncmgr(bencher: Bencher, observers: usize) {
    let (item, _watched) = running_item(observers);
    let mut done = 0;
    bencher.counter(REPORTS).bench_local(|| {
        for _ in 0..REPORTS {
            done += 1;
            item.progress(black_box(done), None).expect("the item is not cancelled");
        }
    });
}

/// Sends the context of its only item and runs the item until it is cancelled.
struct ContextSender {
    contexts: mpsc::UnboundedSender<ItemContext>,
}

#[async_trait]
impl SyncHandler for ContextSender {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HandlerId::from_u128(1), "Context sender")
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.contexts.send(item.clone())?;
        item.cancelled().await;
        Ok(())
    }
}

/// A session on its own thread. It is stopped on drop.
struct Watched {
    session: Session,
    stopped: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        self.session.stop();
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// Starts a session with observers that read its events. Returns the context of its running item.
fn running_item(observers: usize) -> (ItemContext, Watched) {
    let (contexts, mut running) = mpsc::unbounded_channel();
    let (ready, session) = std::sync::mpsc::channel();
    let stopped = Arc::new(AtomicBool::new(false));
    let until = stopped.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("the runtime starts");
        runtime.block_on(async {
            let manager = SyncManager::new();
            manager.register(ContextSender { contexts }).expect("the handler is new");
            let session = manager.session(Trigger::Manual).start().expect("inside a runtime");
            let item = running.recv().await.expect("the item runs");
            for _ in 0..observers {
                tokio::spawn(watch(session.events()));
            }
            ready.send((item, session.clone())).expect("the bench waits");
            while !until.load(Ordering::Acquire) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            session.finish().await;
        });
    });
    let (item, session) = session.recv().expect("the thread runs");
    (item, Watched { session, stopped, thread: Some(thread) })
}

async fn watch(mut events: Events) {
    while let Some(event) = events.next().await {
        black_box(event);
    }
}
