//! How long running items take to end once somebody has asked for it.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::{ItemContext, Limits, Outcome, Progress, SessionEvent, SyncManager};
use tokio::time::{advance, sleep};

use crate::cancellation::stopped::Job;
use crate::support::blocked::{Bench, Block, blocking};
use crate::support::watched::{begin, until, until_began, within};
use crate::support::{HANDLER, Scripted, id};

const SOFT: Duration = Duration::from_millis(100);
const HARD: Duration = Duration::from_secs(5);

/// A manager whose items do this, and a session in which all of them have begun.
async fn running(handler: Scripted, items: usize) -> (SyncManager, syncmgr::Session) {
    let manager = SyncManager::new();
    manager.register(handler).expect("nothing is wrong with it");
    let session = begin(&manager);
    let mut events = session.events();
    for _ in 0..items {
        until(&mut events, |event| matches!(event, SessionEvent::Began { .. })).await;
    }
    (manager, session)
}

/// Waits for the cancel and leaves.
async fn leaves(item: &ItemContext) -> syncmgr::SyncResult {
    item.cancelled().await;
    Ok(item.check()?)
}

/// Lets every task do what it has to do now.
async fn settled() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// What was counted: how often, and the longest.
fn counted(manager: &SyncManager) -> (u64, Option<Duration>) {
    let latencies = manager.stop_latencies();
    (latencies.count(), latencies.max())
}

#[tokio::test(start_paused = true)]
async fn nothing_is_counted_while_nobody_asks() {
    let (manager, session) = running(Scripted::new(&["a", "b"]), 2).await;
    within(session.finish()).await;
    assert_eq!(counted(&manager), (0, None));
}

#[tokio::test(start_paused = true)]
async fn each_running_item_of_a_stopped_session_counts_and_one_that_leaves_takes_no_time() {
    let (manager, session) = running(Scripted::new(&["a", "b", "c"]).on_item(|item| leaves(item).boxed()), 3).await;
    session.stop();
    within(session.finish()).await;
    assert_eq!(counted(&manager), (3, Some(Duration::ZERO)));
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_skipped_twice_and_then_stopped_counts_once_from_the_first_skip() {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async move {
            let _whole = item.uninterrupted();
            std::future::pending().await
        }
        .boxed()
    });
    let (manager, session) = running(handler, 1).await;
    session.skip(HANDLER, id("a")).unwrap();
    sleep(Duration::from_secs(1)).await;
    session.skip(HANDLER, id("a")).unwrap();
    session.stop();
    within(session.finish()).await;
    assert_eq!(counted(&manager), (1, Some(HARD)));
}

#[tokio::test(start_paused = true)]
async fn an_item_that_ignores_the_cancel_takes_the_soft_grace() {
    let (manager, session) = running(Scripted::new(&["a"]).on_item(|_| std::future::pending().boxed()), 1).await;
    session.skip(HANDLER, id("a")).unwrap();
    within(session.finish()).await;
    assert_eq!(counted(&manager), (1, Some(SOFT)));
}

#[tokio::test(start_paused = true)]
async fn an_item_takes_as_long_as_it_may_not_be_interrupted() {
    let whole = Duration::from_secs(2);
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        async move {
            let _whole = item.uninterrupted();
            item.cancelled().await;
            sleep(whole).map(Ok).await
        }
        .boxed()
    });
    let (manager, session) = running(handler, 1).await;
    session.stop();
    let report = within(session.finish()).await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Succeeded);
    assert_eq!(counted(&manager), (1, Some(whole)));
}

#[tokio::test(start_paused = true)]
async fn blocking_work_that_is_abandoned_takes_the_hard_grace() {
    let (notes, job) = (syncmgr_test::Transcript::new(), Job::new());
    let work = job.work(&notes);
    let manager = SyncManager::new();
    manager.register(Scripted::new(&["a"]).on_item(move |item| item.blocking(work.clone()).boxed())).unwrap();
    let session = begin(&manager);
    job.begun.notified().await;
    session.stop();
    // The worker is told before time passes.
    settled().await;
    crate::cancellation::stopped::pass(HARD + SOFT).await;
    session.report().await;
    let (count, max) = counted(&manager);
    // Time passes in steps here.
    assert_eq!(count, 1);
    assert!((HARD..=HARD + SOFT).contains(&max.unwrap()), "{max:?}");
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_worker_looks_late_is_given_its_whole_grace() {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async move {
            let _whole = item.uninterrupted();
            item.cancelled().await;
            sleep(HARD - SOFT).map(Ok).await
        }
        .boxed()
    });
    let (manager, session) = running(handler, 1).await;
    session.skip(HANDLER, id("a")).unwrap();
    // As on a runtime that is busy for a moment.
    advance(3 * SOFT).await;
    let report = within(session.finish()).await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Succeeded, "{report}");
    assert_eq!(counted(&manager).0, 1);
}

#[tokio::test(start_paused = true)]
async fn items_that_had_not_begun_are_not_counted() {
    let limits = Limits::DEFAULT.with_items(1);
    let handler = Scripted::new(&["a", "b", "c"]).info(|info| info.with_limits(limits));
    let (manager, session) = running(handler.on_item(|item| leaves(item).boxed()), 1).await;
    session.skip(HANDLER, id("b")).unwrap();
    session.stop();
    let report = within(session.finish()).await;
    assert_eq!(report.items().filter(|item| item.outcome == Outcome::Stopped).count(), 2, "{report}");
    assert_eq!(counted(&manager), (1, Some(Duration::ZERO)));
}

#[tokio::test(start_paused = true)]
async fn latencies_are_those_of_all_sessions_of_one_manager() {
    let (manager, first) = running(Scripted::new(&["a"]).on_item(|item| leaves(item).boxed()), 1).await;
    let (other, _) = running(Scripted::new(&["a"]), 1).await;
    first.stop();
    within(first.finish()).await;
    let second = begin(&manager);
    until_began(&second).await;
    within(manager.shutdown()).await;
    assert_eq!((counted(&manager).0, counted(&other).0), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_item_its_handler_reports_on_by_hand_counts_too() {
    let handler = Scripted::new(&["a"]).on_synchronize(|run| {
        async move {
            run.report(id("a"), Progress::new().with_value(1))?;
            run.cancelled().await;
            Ok(run.check()?)
        }
        .boxed()
    });
    let (manager, session) = running(handler, 1).await;
    session.stop();
    within(session.finish()).await;
    assert_eq!(counted(&manager).0, 1);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_stalled_is_not_counted_since_nobody_asked() {
    let by_hand = Scripted::new(&["a"]).on_synchronize(|run| {
        async move {
            run.report(id("a"), Progress::new().with_value(1))?;
            std::future::pending().await
        }
        .boxed()
    });
    let by_worker = Scripted::new(&["a"]).on_item(|_| std::future::pending().boxed());
    for handler in [by_hand, by_worker] {
        let (manager, session) = running(handler, 1).await;
        assert_eq!(within(session.finish()).await.items().next().map(|item| item.outcome), Some(Outcome::Failed));
        assert_eq!(counted(&manager).0, 0);
    }
}

#[test]
fn an_item_that_blocks_its_thread_counts_when_it_is_abandoned() {
    let block = Block::new();
    let bench = Bench::with(2, [blocking(&["blocks"], block.here(), |_| {})]);
    let session = bench.start();
    block.begun();
    bench.overdue(|| session.stop());
    bench.wait(session.report());
    block.let_go();
    assert_eq!(counted(&bench.manager).0, 1);
}
