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
    let fixture = BlockingFixture::with(2, [blocking_handler(&["blocks"], block.block_thread(), |_| {})]);
    let session = fixture.start();
    block.wait_until_blocked();
    (0..10).for_each(|second| _ = fixture.watchdog.check(1_000 * second));
    block.release();
    let report = fixture.wait(session.finish());
    assert!(report.is_success(), "{report}");
    let entries = blocked_thread_entries(&report);
    let [entry] = entries.as_slice() else { panic!("{report}") };
    assert_eq!((entry.level, entry.item), (LogLevel::Warning, Some(id("blocks"))));
}

#[test]
fn an_item_that_blocks_for_less_than_a_second_is_not_reported() {
    let block = Blocker::new();
    let fixture = BlockingFixture::with(2, [blocking_handler(&["blocks"], block.block_thread(), |_| {})]);
    let session = fixture.start();
    block.wait_until_blocked();
    [5_000, 5_500, 5_999].into_iter().for_each(|now| _ = fixture.watchdog.check(now));
    block.release();
    assert!(blocked_thread_entries(&fixture.wait(session.finish())).is_empty());
}

#[test]
fn an_awaiting_item_is_not_reported() {
    let go = Arc::new(tokio::sync::Notify::new());
    let going = go.clone();
    let fixture = BlockingFixture::with(
        1,
        [Scripted::new(&["a"]).on_item(move |_| {
            let go = going.clone();
            async move { go.notified().map(Ok).await }.boxed()
        })],
    );
    let session = fixture.start();
    fixture.wait(crate::support::awaitable_host::until_began(&session));
    // The runtime has one thread, so it runs this task only after the poll in which the item began.
    let thread = fixture.handlers.as_ref().expect("the runtime is running");
    fixture.wait(thread.spawn(async {})).expect("the task does not panic");
    (0..10).for_each(|second| _ = fixture.watchdog.check(1_000 * second));
    go.notify_one();
    assert!(blocked_thread_entries(&fixture.wait(session.finish())).is_empty());
}

#[test]
fn an_abandoned_item_that_blocks_its_thread_is_refused_later_reports() {
    for stop in [Session::stop as fn(&Session), |session| session.skip(HANDLER, id("blocks")).unwrap()] {
        let (block, late) = (Blocker::new(), Transcript::new());
        let noting = late.clone();
        let note = move |item: &syncmgr::ItemContext| noting.note(format!("{:?}", item.progress(1, None)));
        let mut fixture = BlockingFixture::with(2, [blocking_handler(&["blocks"], block.block_thread(), note)]);
        let session = fixture.start();
        block.wait_until_blocked();
        fixture.expire_graces(|| stop(&session));
        let report = fixture.wait(session.report());
        assert_eq!(outcome(&report, "blocks"), ABANDONED, "{report}");
        assert!(report.run(HANDLER).unwrap().log.iter().any(|entry| entry.text.contains("it blocks its thread")));
        assert_eq!((count_quarantined(&fixture.manager), late.lines().len()), (1, 0));
        fixture.wait(session.close());
        block.release();
        fixture.end();
        assert_eq!(late.lines(), ["Err(Cancelled { reason: Ended })"]);
    }
}

#[test]
fn other_items_end_while_one_blocks_its_thread() {
    // The runtime may choose other threads for the workers each time, so the test repeats the scenario.
    for _ in 0..20 {
        let block = Blocker::new();
        let other = Scripted::new(&["b"]).info(|_| HandlerInfo::new(CLASSIC, "Other"));
        let fixture = BlockingFixture::with(
            2,
            [blocking_handler(&["fine", "blocks", "fine too"], block.block_thread(), |_| {}), other],
        );
        let session = fixture.start();
        block.wait_until_blocked();
        fixture.expire_graces(|| session.skip(HANDLER, id("blocks")).unwrap());
        let report = fixture.wait(session.report());
        assert_eq!(outcome(&report, "blocks"), ABANDONED, "{report}");
        assert_eq!(report.items().filter(|item| item.outcome == Outcome::Succeeded).count(), 3, "{report}");
        block.release();
    }
}

#[test]
fn a_quarantine_lifts_when_the_thread_returns() {
    let block = Blocker::new();
    let mut fixture = BlockingFixture::with(2, [blocking_handler(&["blocks"], block.block_thread(), |_| {})]);
    let session = fixture.start();
    block.wait_until_blocked();
    fixture.expire_graces(|| session.stop());
    fixture.wait(session.close());
    assert_eq!(count_quarantined(&fixture.manager), 1);
    block.release();
    fixture.end();
    assert_eq!(count_quarantined(&fixture.manager), 0);
}

#[test]
fn an_abandoned_item_runs_again_after_its_thread_returned() {
    let (block, first) = (Blocker::new(), Arc::new(AtomicBool::new(true)));
    let (block_thread, blocks) = (block.block_thread(), first.clone());
    let blocks_once = move || {
        if blocks.swap(false, Ordering::Relaxed) {
            block_thread()
        }
    };
    let mut fixture = BlockingFixture::with(2, [blocking_handler(&["blocks"], blocks_once, |_| {})]);
    let session = fixture.start();
    block.wait_until_blocked();
    fixture.expire_graces(|| session.stop());
    fixture.wait(session.close());
    let second = fixture.start();
    assert_eq!(outcome(&fixture.wait(second.finish()), "blocks").0, Outcome::Skipped, "the quarantined item ran");
    block.release();
    fixture.end();
    fixture.handlers = Some(Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
    let third = fixture.start();
    assert_eq!(outcome(&fixture.wait(third.finish()), "blocks").0, Outcome::Succeeded);
}

#[test]
fn an_abandoned_item_keeps_its_claim_until_its_thread_returns() {
    let block = Blocker::new();
    let claiming = |name: &&str| SyncItem::named(*name).with_claim("modem");
    // The handler runs one item at a time, so the first item gets the claim first.
    let handler = blocking_handler(&[], block.block_thread(), |_| {})
        .items(move || Ok(["blocks", "next"].iter().map(claiming).collect()))
        .info(|info| info.with_limits(Limits::DEFAULT.with_items(1)));
    let fixture = BlockingFixture::with(2, [handler.clone()]);
    let session = fixture.start();
    block.wait_until_blocked();
    fixture.expire_graces(|| session.skip(HANDLER, id("blocks")).unwrap());
    assert_eq!(handler.transcript.count("item next"), 0);
    block.release();
    let report = fixture.wait(session.finish());
    assert_eq!(outcome(&report, "next").0, Outcome::Succeeded, "{report}");
}

#[test]
fn an_item_that_blocks_the_thread_of_its_run_ends_before_the_run() {
    let block = Blocker::new();
    let block_thread = block.block_thread();
    let handler = Scripted::new(&["blocks"]).on_synchronize(move |run| {
        let block_thread = block_thread.clone();
        async move {
            run.each(|_| {
                let block_thread = block_thread.clone();
                async move {
                    block_thread();
                    Ok(())
                }
            })
            .await
        }
        .boxed()
    });
    let fixture = BlockingFixture::with(2, [handler]);
    let session = fixture.start();
    block.wait_until_blocked();
    fixture.expire_graces(|| session.stop());
    assert_eq!((count_quarantined(&fixture.manager), fixture.wait(async { session.progress().len() })), (1, 0));
    block.release();
    let report = fixture.wait(session.finish());
    assert_eq!(outcome(&report, "blocks"), ABANDONED, "{report}");
}

#[test]
fn an_item_that_blocks_before_its_first_await_is_reported_by_name() {
    let block = Blocker::new();
    let block_thread = block.block_thread();
    let handler = Scripted::new(&["blocks"]).on_synchronize(move |run| {
        let block_thread = block_thread.clone();
        async move {
            run.each(|_| {
                block_thread();
                async { Ok(()) }
            })
            .await
        }
        .boxed()
    });
    let fixture = BlockingFixture::with(2, [handler]);
    let session = fixture.start();
    block.wait_until_blocked();
    (0..3).for_each(|second| _ = fixture.watchdog.check(1_000 * second));
    block.release();
    let report = fixture.wait(session.finish());
    assert_eq!(blocked_thread_entries(&report).first().and_then(|entry| entry.item), Some(id("blocks")), "{report}");
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
        let fixture = BlockingFixture::with(2, [block_in(Scripted::new(&["a"]), Arc::new(block.block_thread()))]);
        let session = fixture.start();
        block.wait_until_blocked();
        (0..3).for_each(|second| _ = fixture.watchdog.check(1_000 * second));
        let still_running = fixture.shutdown();
        let [still_running] = still_running.as_slice() else { panic!("{still_running:?}") };
        assert_eq!((still_running.handler, &*still_running.name, still_running.items.len()), (HANDLER, "Scripted", 0));
        assert!(fixture.watchdog.stopped.load(Ordering::Relaxed), "the watchdog was not stopped");
        block.release();
        let report = fixture.wait(session.report());
        assert_eq!(
            blocked_thread_entries(&report).iter().map(|entry| entry.item).collect::<Vec<_>>(),
            [None],
            "{report}"
        );
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
    let fixture = BlockingFixture::with(2, [blocking_handler(&["blocks"], block.block_thread(), |_| {})]);
    let session = fixture.start();
    block.wait_until_blocked();
    fixture.expire_graces(|| session.stop());
    fixture.wait(session.report());
    let still_running = fixture.shutdown();
    let [still_running] = still_running.as_slice() else { panic!("{still_running:?}") };
    assert_eq!((&*still_running.name, &still_running.items), ("Scripted", &BTreeSet::from([id("blocks")])));
    assert_eq!(still_running.to_string(), "Scripted could not be stopped: 1 abandoned");
    block.release();
}

#[test]
fn a_probe_ends_once_its_manager_is_dropped() {
    let mut fixture = BlockingFixture::with(1, [Scripted::new(&["a"])]);
    fixture.wait(fixture.start().finish());
    assert_eq!(fixture.watchdog.check(0), ProbeStatus::Active);
    let watchdog = fixture.watchdog.clone();
    fixture.end();
    drop(fixture);
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

/// A waker that signals the end of the watchdog thread that wakes it. Drops its sender then.
struct EndWaker(Mutex<Option<mpsc::Sender<()>>>);

impl futures::task::ArcWake for EndWaker {
    fn wake_by_ref(this: &Arc<Self>) {
        if std::thread::current().name() == Some("syncmgr-watchdog") {
            let ended = this.0.lock().expect("not poisoned").take();
            THREAD_END.with(|end| ended.into_iter().for_each(|ended| *end.borrow_mut() = Some(ThreadEnd(ended))));
        }
    }
}

#[test]
fn the_watchdog_abandons_an_item_that_blocks_the_only_thread() {
    // On a busy machine the watchdog may act before the events are polled again. Its end is then unknown.
    let known = (0..20).any(|_| shutdown_after_the_watchdog_abandoned_an_item());
    assert!(known, "the watchdog never woke the reader of the events");
}

/// Checks that a shutdown ends the watchdog. Returns `false` if the watchdog has not woken the reader of the events.
fn shutdown_after_the_watchdog_abandoned_an_item() -> bool {
    let (block, limits) =
        (Blocker::new(), Limits::DEFAULT.with_soft_grace(Duration::ZERO).with_hard_grace(Duration::from_millis(200)));
    let clock = Builder::new_current_thread().enable_all().start_paused(true).build().expect("the runtime starts");
    let only = Builder::new_current_thread().enable_all().build().expect("the runtime starts");
    let watchdog = syncmgr::environment::ThreadWatchdog::every(Duration::from_millis(1));
    let manager = SyncManager::builder().watchdog(watchdog).build();
    manager
        .register(blocking_handler(&["blocks"], block.block_thread(), |_| {}).info(|info| info.with_limits(limits)))
        .expect("the handler is new");
    let _inside = only.enter();
    let session = manager.session(Trigger::Manual).start().expect("inside a runtime");
    let (mut events, (ended, ends)) = (session.events(), mpsc::channel());
    let waker = Arc::new(EndWaker(Mutex::new(Some(ended))));
    let (end_waker, waker) = (waker.clone(), futures::task::waker(waker));
    let finish = session.clone();
    let mut next = || {
        let mut cx = std::task::Context::from_waker(&waker);
        futures::StreamExt::poll_next_unpin(&mut events, &mut cx)
    };
    while next().is_ready() {}
    std::thread::scope(|scope| {
        let only = &only;
        let report = scope.spawn(move || only.block_on(finish.report()));
        block.wait_until_blocked();
        session.stop();
        while count_quarantined(&manager) == 0 {
            if next().is_pending() {
                std::thread::yield_now();
            }
        }
        let still_running = clock.block_on(manager.shutdown());
        assert_eq!(still_running[0].items, BTreeSet::from([id("blocks")]));
        let was_woken = end_waker.0.lock().expect("not poisoned").is_none();
        assert!(!was_woken || ends.try_recv() == Ok(()), "the thread of the watchdog is still running");
        block.release();
        assert_eq!(outcome(&report.join().expect("the report is returned"), "blocks"), ABANDONED);
        was_woken
    })
}

#[test]
fn shutdown_without_a_watchdog_names_the_item_that_blocks_the_thread() {
    let block = Blocker::new();
    let clock = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let only = Builder::new_current_thread().enable_all().build().unwrap();
    let manager = SyncManager::new();
    manager.register(blocking_handler(&["blocks"], block.block_thread(), |_| {})).unwrap();
    let inside = only.enter();
    let session = manager.session(Trigger::Manual).start().unwrap();
    let still_running = std::thread::scope(|scope| {
        let only = &only;
        scope.spawn(move || only.block_on(session.report()));
        block.wait_until_blocked();
        let still_running = clock.block_on(manager.shutdown());
        block.release();
        still_running
    });
    drop(inside);
    assert_eq!(still_running[0].items, BTreeSet::from([id("blocks")]));
}
