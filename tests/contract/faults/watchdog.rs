//! Handlers that block their thread, and the watchdog that detects them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr::environment::ProbeStatus;
use syncmgr::{HandlerInfo, Limits, LogLevel, Outcome, Session, SyncItem, SyncManager, SyncResult, Trigger};
use syncmgr_test::Transcript;
use tokio::runtime::Builder;

use crate::support::awaitable_host::CLASSIC;
use crate::support::blocked::*;
use crate::support::{HANDLER, Scripted, id};

#[test]
fn an_item_that_blocks_its_thread_is_reported_once_with_its_name() {
    let block = Blocker::new();
    let bench = Bench::with(2, [blocking(&["blocks"], block.here(), |_| {})]);
    let session = bench.start();
    block.begun();
    (0..10).for_each(|second| _ = bench.watchdog.check(1_000 * second));
    block.release();
    let report = bench.wait(session.finish());
    assert!(report.is_success(), "{report}");
    let entries = reported(&report);
    let [entry] = entries.as_slice() else { panic!("{report}") };
    assert_eq!((entry.level, entry.item), (LogLevel::Warning, Some(id("blocks"))));
}

#[test]
fn an_item_that_blocks_for_less_than_a_second_is_not_reported() {
    let block = Blocker::new();
    let bench = Bench::with(2, [blocking(&["blocks"], block.here(), |_| {})]);
    let session = bench.start();
    block.begun();
    [5_000, 5_500, 5_999].into_iter().for_each(|now| _ = bench.watchdog.check(now));
    block.release();
    assert!(reported(&bench.wait(session.finish())).is_empty());
}

#[test]
fn an_awaiting_item_is_not_reported() {
    let go = Arc::new(tokio::sync::Notify::new());
    let going = go.clone();
    let bench = Bench::with(
        1,
        [Scripted::new(&["a"]).on_item(move |_| {
            let go = going.clone();
            async move { go.notified().map(Ok).await }.boxed()
        })],
    );
    let session = bench.start();
    bench.wait(crate::support::awaitable_host::until_began(&session));
    // The only thread runs this task after the poll in which the item began.
    let thread = bench.handlers.as_ref().expect("the runtime is running");
    bench.wait(thread.spawn(async {})).expect("the task does not panic");
    (0..10).for_each(|second| _ = bench.watchdog.check(1_000 * second));
    go.notify_one();
    assert!(reported(&bench.wait(session.finish())).is_empty());
}

#[test]
fn an_abandoned_item_that_blocks_its_thread_is_refused_later_reports() {
    for stop in [Session::stop as fn(&Session), |session| session.skip(HANDLER, id("blocks")).unwrap()] {
        let (block, late) = (Blocker::new(), Transcript::new());
        let noting = late.clone();
        let note = move |item: &syncmgr::ItemContext| noting.note(format!("{:?}", item.progress(1, None)));
        let mut bench = Bench::with(2, [blocking(&["blocks"], block.here(), note)]);
        let session = bench.start();
        block.begun();
        bench.expire_graces(|| stop(&session));
        let report = bench.wait(session.report());
        assert_eq!(outcome(&report, "blocks"), ABANDONED, "{report}");
        assert!(report.run(HANDLER).unwrap().log.iter().any(|entry| entry.text.contains("it blocks its thread")));
        assert_eq!((quarantined(&bench.manager), late.lines().len()), (1, 0));
        bench.wait(session.close());
        block.release();
        bench.end();
        assert_eq!(late.lines(), ["Err(Cancelled { reason: Ended })"]);
    }
}

#[test]
fn other_items_end_while_one_blocks_its_thread() {
    // The runtime chooses the thread of each worker, so the test runs several times.
    for _ in 0..20 {
        let block = Blocker::new();
        let other = Scripted::new(&["b"]).info(|_| HandlerInfo::new(CLASSIC, "Other"));
        let bench = Bench::with(2, [blocking(&["fine", "blocks", "fine too"], block.here(), |_| {}), other]);
        let session = bench.start();
        block.begun();
        bench.expire_graces(|| session.skip(HANDLER, id("blocks")).unwrap());
        let report = bench.wait(session.report());
        assert_eq!(outcome(&report, "blocks"), ABANDONED, "{report}");
        assert_eq!(report.items().filter(|item| item.outcome == Outcome::Succeeded).count(), 3, "{report}");
        block.release();
    }
}

#[test]
fn a_quarantine_lifts_when_the_thread_returns() {
    let block = Blocker::new();
    let mut bench = Bench::with(2, [blocking(&["blocks"], block.here(), |_| {})]);
    let session = bench.start();
    block.begun();
    bench.expire_graces(|| session.stop());
    bench.wait(session.close());
    assert_eq!(quarantined(&bench.manager), 1);
    block.release();
    bench.end();
    assert_eq!(quarantined(&bench.manager), 0);
}

#[test]
fn an_abandoned_item_runs_again_after_its_thread_returned() {
    let (block, first) = (Blocker::new(), Arc::new(AtomicBool::new(true)));
    let (here, blocks) = (block.here(), first.clone());
    let blocks_once = move || {
        if blocks.swap(false, Ordering::Relaxed) {
            here()
        }
    };
    let mut bench = Bench::with(2, [blocking(&["blocks"], blocks_once, |_| {})]);
    let session = bench.start();
    block.begun();
    bench.expire_graces(|| session.stop());
    bench.wait(session.close());
    let second = bench.start();
    assert_eq!(outcome(&bench.wait(second.finish()), "blocks").0, Outcome::Skipped, "it is quarantined");
    block.release();
    bench.end();
    bench.handlers = Some(Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
    let third = bench.start();
    assert_eq!(outcome(&bench.wait(third.finish()), "blocks").0, Outcome::Succeeded);
}

#[test]
fn an_abandoned_item_keeps_its_claim_until_its_thread_returns() {
    let block = Blocker::new();
    let claiming = |name: &&str| SyncItem::named(*name).with_claim("modem");
    // One worker, so that the first item claims first.
    let handler = blocking(&[], block.here(), |_| {})
        .items(move || Ok(["blocks", "next"].iter().map(claiming).collect()))
        .info(|info| info.with_limits(Limits::DEFAULT.with_items(1)));
    let bench = Bench::with(2, [handler.clone()]);
    let session = bench.start();
    block.begun();
    bench.expire_graces(|| session.skip(HANDLER, id("blocks")).unwrap());
    assert_eq!(handler.transcript.count("item next"), 0);
    block.release();
    let report = bench.wait(session.finish());
    assert_eq!(outcome(&report, "next").0, Outcome::Succeeded, "{report}");
}

#[test]
fn an_item_that_blocks_the_thread_of_its_run_ends_before_the_run() {
    let block = Blocker::new();
    let here = block.here();
    let handler = Scripted::new(&["blocks"]).on_synchronize(move |run| {
        let here = here.clone();
        async move {
            run.each(|_| {
                let here = here.clone();
                async move {
                    here();
                    Ok(())
                }
            })
            .await
        }
        .boxed()
    });
    let bench = Bench::with(2, [handler]);
    let session = bench.start();
    block.begun();
    bench.expire_graces(|| session.stop());
    assert_eq!((quarantined(&bench.manager), bench.wait(async { session.progress().len() })), (1, 0));
    block.release();
    let report = bench.wait(session.finish());
    assert_eq!(outcome(&report, "blocks"), ABANDONED, "{report}");
}

#[test]
fn an_item_that_blocks_before_its_first_await_is_reported_by_name() {
    let block = Blocker::new();
    let here = block.here();
    let handler = Scripted::new(&["blocks"]).on_synchronize(move |run| {
        let here = here.clone();
        async move {
            run.each(|_| {
                here();
                async { Ok(()) }
            })
            .await
        }
        .boxed()
    });
    let bench = Bench::with(2, [handler]);
    let session = bench.start();
    block.begun();
    (0..3).for_each(|second| _ = bench.watchdog.check(1_000 * second));
    block.release();
    let report = bench.wait(session.finish());
    assert_eq!(reported(&report).first().and_then(|entry| entry.item), Some(id("blocks")), "{report}");
}

#[test]
fn shutdown_does_not_wait_for_a_handler_that_blocks_outside_its_items() {
    let methods: [fn(Scripted, BlockFn) -> Scripted; 3] = [
        |handler, block| handler.on_initialize(move |_| block_then(&block, syncmgr::Participation::TakePart)),
        |handler, block| handler.on_prepare(move |_| block_then(&block, ())),
        |handler, block| handler.on_synchronize(move |_| block_then(&block, ())),
    ];
    for block_in in methods {
        let block = Blocker::new();
        let bench = Bench::with(2, [block_in(Scripted::new(&["a"]), Arc::new(block.here()))]);
        let session = bench.start();
        block.begun();
        (0..3).for_each(|second| _ = bench.watchdog.check(1_000 * second));
        let unstopped = bench.shutdown();
        let [unstopped] = unstopped.as_slice() else { panic!("{unstopped:?}") };
        assert_eq!((unstopped.handler, &*unstopped.name, unstopped.items.len()), (HANDLER, "Scripted", 0));
        assert!(bench.watchdog.stopped.load(Ordering::Relaxed), "the watchdog is stopped");
        block.release();
        let report = bench.wait(session.report());
        assert_eq!(reported(&report).iter().map(|entry| entry.item).collect::<Vec<_>>(), [None], "{report}");
    }
}

type BlockFn = Arc<dyn Fn() + Send + Sync>;

fn block_then<T: Send + 'static>(block: &BlockFn, value: T) -> BoxFuture<'static, SyncResult<T>> {
    let block = block.clone();
    async move {
        block();
        Ok(value)
    }
    .boxed()
}

#[test]
fn shutdown_lists_the_items_that_block_their_threads_and_returns() {
    let block = Blocker::new();
    let bench = Bench::with(2, [blocking(&["blocks"], block.here(), |_| {})]);
    let session = bench.start();
    block.begun();
    bench.expire_graces(|| session.stop());
    bench.wait(session.report());
    let unstopped = bench.shutdown();
    let [unstopped] = unstopped.as_slice() else { panic!("{unstopped:?}") };
    assert_eq!((&*unstopped.name, &unstopped.items), ("Scripted", &BTreeSet::from([id("blocks")])));
    assert_eq!(unstopped.to_string(), "Scripted could not be stopped: 1 abandoned");
    block.release();
}

#[test]
fn a_probe_ends_once_its_manager_is_dropped() {
    let mut bench = Bench::with(1, [Scripted::new(&["a"])]);
    bench.wait(bench.start().finish());
    assert_eq!(bench.watchdog.check(0), ProbeStatus::Active);
    let watchdog = bench.watchdog.clone();
    bench.end();
    drop(bench);
    assert_eq!(watchdog.check(1), ProbeStatus::Finished);
}

/// Signals the end of its thread on drop.
struct ThreadEnd(mpsc::Sender<()>);

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

thread_local! {
    static THREAD_END: std::cell::RefCell<Option<ThreadEnd>> = const { std::cell::RefCell::new(None) };
}

/// A waker that signals the end of the watchdog thread that wakes it.
struct EndWaker(Mutex<mpsc::Sender<()>>);

impl futures::task::ArcWake for EndWaker {
    fn wake_by_ref(this: &Arc<Self>) {
        if std::thread::current().name() == Some("syncmgr-watchdog") {
            let ended = this.0.lock().expect("not poisoned").clone();
            THREAD_END.with(|end| *end.borrow_mut() = Some(ThreadEnd(ended)));
        }
    }
}

#[test]
fn the_watchdog_abandons_an_item_that_blocks_the_only_thread() {
    let (block, limits) =
        (Blocker::new(), Limits::DEFAULT.with_soft_grace(Duration::ZERO).with_hard_grace(Duration::from_millis(200)));
    let clock = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let only = Builder::new_current_thread().enable_all().build().unwrap();
    let watchdog = syncmgr::environment::ThreadWatchdog::every(Duration::from_millis(1));
    let manager = SyncManager::builder().watchdog(watchdog).build();
    manager.register(blocking(&["blocks"], block.here(), |_| {}).info(|info| info.with_limits(limits))).unwrap();
    let inside = only.enter();
    let session = manager.session(Trigger::Manual).start().unwrap();
    let (mut events, (ended, ends)) = (session.events(), mpsc::channel());
    let waker = futures::task::waker(Arc::new(EndWaker(Mutex::new(ended))));
    let finish = session.clone();
    let mut next = || {
        let mut cx = std::task::Context::from_waker(&waker);
        futures::StreamExt::poll_next_unpin(&mut events, &mut cx)
    };
    while next().is_ready() {}
    std::thread::scope(|scope| {
        let only = &only;
        let adapter = scope.spawn(move || only.block_on(finish.report()));
        block.begun();
        session.stop();
        while quarantined(&manager) == 0 {
            if next().is_pending() {
                std::thread::yield_now();
            }
        }
        let unstopped = clock.block_on(manager.shutdown());
        assert_eq!(unstopped[0].items, BTreeSet::from([id("blocks")]));
        assert_eq!(ends.try_recv(), Ok(()), "the watchdog's thread has ended");
        block.release();
        assert_eq!(outcome(&adapter.join().unwrap(), "blocks"), ABANDONED);
    });
    drop(inside);
}

#[test]
fn shutdown_without_a_watchdog_names_the_item_that_blocks_the_thread() {
    let block = Blocker::new();
    let clock = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let only = Builder::new_current_thread().enable_all().build().unwrap();
    let manager = SyncManager::new();
    manager.register(blocking(&["blocks"], block.here(), |_| {})).unwrap();
    let inside = only.enter();
    let session = manager.session(Trigger::Manual).start().unwrap();
    let unstopped = std::thread::scope(|scope| {
        let only = &only;
        scope.spawn(move || only.block_on(session.report()));
        block.begun();
        let unstopped = clock.block_on(manager.shutdown());
        block.release();
        unstopped
    });
    drop(inside);
    assert_eq!(unstopped[0].items, BTreeSet::from([id("blocks")]));
}
