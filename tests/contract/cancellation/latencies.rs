//! Stop latencies: the time from the cancellation of a running item to its end.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::{ItemContext, Limits, Outcome, Progress, SessionEvent, SyncManager};
use tokio::time::{advance, sleep};

use crate::cancellation::stopped::Job;
use crate::support::awaitable_host::{begin, until, until_began, within};
use crate::support::blocked::{Blocker, BlockingFixture, blocking_handler};
use crate::support::{HANDLER, Scripted, id};

const SOFT: Duration = Duration::from_millis(100);
const HARD: Duration = Duration::from_secs(5);

/// Starts a session, and waits until `items` items have begun.
async fn session_with_running_items(handler: Scripted, items: usize) -> (SyncManager, syncmgr::Session) {
    let manager = SyncManager::new();
    manager.register(handler).expect("the handler can be registered");
    let session = begin(&manager);
    let mut events = session.events();
    for _ in 0..items {
        until(&mut events, |event| matches!(event, SessionEvent::Began { .. })).await;
    }
    (manager, session)
}

/// Waits for the cancellation and returns it as an error.
async fn return_cancelled(item: &ItemContext) -> syncmgr::SyncResult {
    item.cancelled().await;
    Ok(item.check()?)
}

/// Lets every task run until it waits.
async fn yield_to_all() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// Returns the number of latencies and the longest one.
fn count_and_max(manager: &SyncManager) -> (u64, Option<Duration>) {
    let latencies = manager.stop_latencies();
    (latencies.count(), latencies.max())
}

#[tokio::test(start_paused = true)]
async fn no_latency_is_counted_without_a_cancel() {
    let (manager, session) = session_with_running_items(Scripted::new(&["a", "b"]), 2).await;
    within(session.finish()).await;
    assert_eq!(count_and_max(&manager), (0, None));
}

#[tokio::test(start_paused = true)]
async fn every_running_item_of_a_stopped_session_is_counted() {
    let (manager, session) =
        session_with_running_items(Scripted::new(&["a", "b", "c"]).on_item(|item| return_cancelled(item).boxed()), 3)
            .await;
    session.stop();
    within(session.finish()).await;
    assert_eq!(count_and_max(&manager), (3, Some(Duration::ZERO)));
}

#[tokio::test(start_paused = true)]
async fn an_item_cancelled_repeatedly_counts_once_from_the_first_cancel() {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async move {
            let _uninterrupted = item.uninterrupted();
            std::future::pending().await
        }
        .boxed()
    });
    let (manager, session) = session_with_running_items(handler, 1).await;
    session.skip(HANDLER, id("a")).unwrap();
    sleep(Duration::from_secs(1)).await;
    session.skip(HANDLER, id("a")).unwrap();
    session.stop();
    within(session.finish()).await;
    assert_eq!(count_and_max(&manager), (1, Some(HARD)));
}

#[tokio::test(start_paused = true)]
async fn the_latency_of_an_item_that_ignores_cancellation_is_the_soft_grace() {
    let (manager, session) =
        session_with_running_items(Scripted::new(&["a"]).on_item(|_| std::future::pending().boxed()), 1).await;
    session.skip(HANDLER, id("a")).unwrap();
    within(session.finish()).await;
    assert_eq!(count_and_max(&manager), (1, Some(SOFT)));
}

#[tokio::test(start_paused = true)]
async fn uninterrupted_work_is_counted_until_it_ends() {
    let work = Duration::from_secs(2);
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        async move {
            let _uninterrupted = item.uninterrupted();
            item.cancelled().await;
            sleep(work).map(Ok).await
        }
        .boxed()
    });
    let (manager, session) = session_with_running_items(handler, 1).await;
    session.stop();
    let report = within(session.finish()).await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Succeeded);
    assert_eq!(count_and_max(&manager), (1, Some(work)));
}

#[tokio::test(start_paused = true)]
async fn the_latency_of_abandoned_blocking_work_is_the_hard_grace() {
    let (notes, job) = (syncmgr_test::Transcript::new(), Job::new());
    let work = job.work(&notes);
    let manager = SyncManager::new();
    manager.register(Scripted::new(&["a"]).on_item(move |item| item.blocking(work.clone()).boxed())).unwrap();
    let session = begin(&manager);
    job.begun.notified().await;
    session.stop();
    // The worker notices the cancellation before time passes.
    yield_to_all().await;
    crate::cancellation::stopped::advance_in_steps(HARD + SOFT).await;
    session.report().await;
    let (count, max) = count_and_max(&manager);
    assert_eq!(count, 1);
    // `advance_in_steps` advances time in steps, so the latency may exceed the hard grace.
    assert!((HARD..=HARD + SOFT).contains(&max.unwrap()), "{max:?}");
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_worker_is_polled_late_gets_its_full_grace() {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async move {
            let _uninterrupted = item.uninterrupted();
            item.cancelled().await;
            sleep(HARD - SOFT).map(Ok).await
        }
        .boxed()
    });
    let (manager, session) = session_with_running_items(handler, 1).await;
    session.skip(HANDLER, id("a")).unwrap();
    // Simulates a runtime that is busy for a moment.
    advance(3 * SOFT).await;
    let report = within(session.finish()).await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Succeeded, "{report}");
    assert_eq!(count_and_max(&manager).0, 1);
}

#[tokio::test(start_paused = true)]
async fn items_that_had_not_begun_are_not_counted() {
    let limits = Limits::DEFAULT.with_items(1);
    let handler = Scripted::new(&["a", "b", "c"]).info(|info| info.with_limits(limits));
    let (manager, session) =
        session_with_running_items(handler.on_item(|item| return_cancelled(item).boxed()), 1).await;
    session.skip(HANDLER, id("b")).unwrap();
    session.stop();
    let report = within(session.finish()).await;
    assert_eq!(report.items().filter(|item| item.outcome == Outcome::Stopped).count(), 2, "{report}");
    assert_eq!(count_and_max(&manager), (1, Some(Duration::ZERO)));
}

#[tokio::test(start_paused = true)]
async fn latencies_cover_all_sessions_of_one_manager() {
    let (manager, first) =
        session_with_running_items(Scripted::new(&["a"]).on_item(|item| return_cancelled(item).boxed()), 1).await;
    let (other, _) = session_with_running_items(Scripted::new(&["a"]), 1).await;
    first.stop();
    within(first.finish()).await;
    let second = begin(&manager);
    until_began(&second).await;
    within(manager.shutdown()).await;
    assert_eq!((count_and_max(&manager).0, count_and_max(&other).0), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_item_reported_manually_is_counted() {
    let handler = Scripted::new(&["a"]).on_synchronize(|run| {
        async move {
            run.report(id("a"), Progress::new().with_value(1))?;
            run.cancelled().await;
            Ok(run.check()?)
        }
        .boxed()
    });
    let (manager, session) = session_with_running_items(handler, 1).await;
    session.stop();
    within(session.finish()).await;
    assert_eq!(count_and_max(&manager).0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_item_is_not_counted() {
    let manually = Scripted::new(&["a"]).on_synchronize(|run| {
        async move {
            run.report(id("a"), Progress::new().with_value(1))?;
            std::future::pending().await
        }
        .boxed()
    });
    let by_worker = Scripted::new(&["a"]).on_item(|_| std::future::pending().boxed());
    for handler in [manually, by_worker] {
        let (manager, session) = session_with_running_items(handler, 1).await;
        assert_eq!(within(session.finish()).await.items().next().map(|item| item.outcome), Some(Outcome::Failed));
        assert_eq!(count_and_max(&manager).0, 0);
    }
}

#[test]
fn an_item_that_blocks_its_thread_is_counted_when_abandoned() {
    let block = Blocker::new();
    let fixture = BlockingFixture::with(2, [blocking_handler(&["blocks"], block.block_thread(), |_| {})]);
    let session = fixture.start();
    block.wait_until_blocked();
    fixture.expire_graces(|| session.stop());
    fixture.wait(session.report());
    block.release();
    assert_eq!(count_and_max(&fixture.manager).0, 1);
}
