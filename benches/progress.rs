//! What one progress report costs, beside an indicatif bar, with nobody watching and with ten who sample.
//!
//! `cargo bench --bench progress`; BENCHMARKS.md says what the figures mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use divan::{Bencher, black_box};
use indicatif::{ProgressBar, ProgressDrawTarget};
use syncmgr::async_trait;
use syncmgr::session::Events;
use syncmgr::{HandlerId, HandlerInfo, ItemContext, Session, SyncHandler, SyncManager, SyncResult, Trigger};
use tokio::sync::mpsc;

/// Reports per sample.
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
            item.progress(black_box(done), None).expect("nobody cancels");
        }
    });
}

/// Hands out the context of its one item and runs it until told to end.
struct Lender {
    lend: mpsc::UnboundedSender<ItemContext>,
}

#[async_trait]
impl SyncHandler for Lender {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HandlerId::from_u128(1), "Lender")
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.lend.send(item.clone())?;
        item.cancelled().await;
        Ok(())
    }
}

/// A session on a thread of its own, watched until it is dropped.
struct Watched {
    session: Session,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.session.stop();
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// The context of an item that runs, with observers who read its session's events.
fn running_item(observers: usize) -> (ItemContext, Watched) {
    let (lend, mut lent) = mpsc::unbounded_channel();
    let (ready, session) = std::sync::mpsc::channel();
    let over = Arc::new(AtomicBool::new(false));
    let until = over.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let manager = SyncManager::new();
            manager.register(Lender { lend }).expect("the handler is new");
            let session = manager.session(Trigger::Manual).start().expect("inside a runtime");
            let item = lent.recv().await.expect("the item runs");
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
    (item, Watched { session, over, thread: Some(thread) })
}

async fn watch(mut events: Events) {
    while let Some(event) = events.next().await {
        black_box(event);
    }
}
