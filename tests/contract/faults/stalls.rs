//! Stalls: items without progress, and handlers whose `synchronize` is idle.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::context::ReportError;
use syncmgr::handler::StallPolicy;
use syncmgr::progress::Status;
use syncmgr::session::RunFault;
use syncmgr::{
    Claim, FailureClass, HandlerInfo, ItemContext, Limits, LogEntry, LogLevel, Outcome, Progress, Report, RunEnding,
    RunReport, SyncItem, SyncManager, SyncResult, SynchronizeContext, Trigger,
};
use syncmgr_test::{ScriptedUser, Transcript};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::faults::deadlines::never;
use crate::support::awaitable_host::{CLASSIC, begin, until_began, within};
use crate::support::{HANDLER, Scripted, id, run};

/// The default stall time.
const STALL: Duration = Duration::from_secs(600);
const GRACE: Duration = Duration::from_millis(100);

/// Returns a handler whose items hang if their name starts with `hangs`, and succeed otherwise.
fn hanging_handler(names: &[&str]) -> Scripted {
    Scripted::new(names)
        .on_item(|item| if item.name().starts_with("hangs") { never() } else { async { Ok(()) }.boxed() })
}

/// Returns the log entries about an item.
fn entries_about<'a>(run: &'a RunReport, name: &str) -> Vec<&'a LogEntry> {
    run.log.iter().map(|entry| &**entry).filter(|entry| entry.item == Some(id(name))).collect()
}

/// Asserts that the item has stalled and that one log entry says so.
fn assert_stalled(report: &Report, name: &str) {
    let run = report.run(HANDLER).expect("the handler ran");
    let item = run.item(id(name)).expect("the item was chosen");
    assert_eq!((item.outcome, item.class), (Outcome::Failed, Some(FailureClass::Transient)), "{report}");
    let entries = entries_about(run, name);
    let [entry] = entries.as_slice() else { panic!("{report}") };
    assert_eq!(entry.level, LogLevel::Error);
    assert!(entry.text.starts_with("stalled: no progress for "), "{report}");
}

/// Asserts that the stall was detected in time: at most a quarter of the stall time late.
fn assert_in_time(passed: Duration, stall: Duration) {
    let range = stall..=stall + stall / 4 + GRACE;
    assert!(range.contains(&passed), "{passed:?} is not within {range:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_item_is_logged_and_cancelled_and_the_others_continue() {
    let before = Instant::now();
    let report = run(hanging_handler(&["a", "hangs", "b"])).await;
    assert_in_time(before.elapsed(), STALL);
    assert_stalled(&report, "hangs");
    let others = report.items().filter(|item| item.outcome == Outcome::Succeeded).count();
    assert_eq!((others, report.runs[0].ending), (2, Some(RunEnding::Completed)), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_item_that_returns_within_its_grace_keeps_its_result() {
    let results: [(fn() -> SyncResult, Outcome); 2] =
        [(|| Err(anyhow!("no answer")), Outcome::Failed), (|| Ok(()), Outcome::Succeeded)];
    for (result, outcome) in results {
        let reasons = Transcript::new();
        let noting = reasons.clone();
        let report = run(Scripted::new(&["a"]).on_item(move |item| {
            let reasons = noting.clone();
            async move {
                item.cancelled().await;
                reasons.note(format!("{:?}", item.check().unwrap_err().reason));
                result()
            }
            .boxed()
        }))
        .await;
        assert_eq!(reasons.lines(), ["TimedOut"]);
        assert_eq!(report.items().next().unwrap().outcome, outcome, "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_item_that_returns_cancelled_is_logged_once() {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async move {
            item.cancelled().await;
            Ok(item.check()?)
        }
        .boxed()
    });
    assert_stalled(&run(handler).await, "a");
}

/// Reports progress `times` times, each time after a sleep of `every`.
async fn report_regularly(item: &ItemContext, every: Duration, times: u64) -> SyncResult {
    for done in 1..=times {
        sleep(every).await;
        item.progress(done, times)?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_item_that_reports_regularly_never_stalls() {
    let every = STALL - Duration::from_secs(1);
    let report = run(Scripted::new(&["a"]).on_item(move |item| report_regularly(item, every, 500).boxed())).await;
    assert!(report.is_success(), "{report}");
    assert!(report.runs[0].log.is_empty(), "{report}");
    assert_eq!(report.runs[0].ending, Some(RunEnding::Completed));
}

#[tokio::test(start_paused = true)]
async fn reports_of_spawned_work_count_for_the_item() {
    let report = run(Scripted::new(&["a"]).on_item(move |item| {
        let mine = item.clone();
        item.spawn(async move { report_regularly(&mine, STALL / 2, 10).await }).boxed()
    }))
    .await;
    assert!(report.is_success(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_report_of_the_same_value_counts_as_progress() {
    let report = run(Scripted::new(&["a"]).on_item(move |item| {
        async move {
            for _ in 0..10 {
                sleep(STALL / 2).await;
                item.progress(7, None)?;
            }
            Ok(())
        }
        .boxed()
    }))
    .await;
    assert!(report.is_success(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_item_stalls_even_if_other_items_report() {
    let report = run(Scripted::new(&["a", "hangs"]).on_item(move |item| {
        if item.name() == "hangs" { never() } else { report_regularly(item, STALL / 4, 12).boxed() }
    }))
    .await;
    assert_stalled(&report, "hangs");
    assert_eq!(report.runs[0].item(id("a")).unwrap().outcome, Outcome::Succeeded, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_item_stalled_runs_the_next_item() {
    let handler =
        hanging_handler(&["hangs", "a", "hangs too", "b"]).info(|info| info.with_limits(Limits::DEFAULT.with_items(1)));
    let report = within(run(handler)).await;
    ["hangs", "hangs too"].iter().for_each(|name| assert_stalled(&report, name));
    assert_eq!(report.items().filter(|item| item.outcome == Outcome::Succeeded).count(), 2, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_sets_its_own_stall_time() {
    let limits = Limits::DEFAULT.with_stall_after(Duration::from_secs(4));
    let before = Instant::now();
    let report = run(hanging_handler(&["hangs"]).info(|info| info.with_limits(limits))).await;
    assert_in_time(before.elapsed(), Duration::from_secs(4));
    assert_stalled(&report, "hangs");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_uninterrupted_item_gets_the_hard_grace() {
    let before = Instant::now();
    let report = run(Scripted::new(&["a"]).on_item(|item| {
        async move {
            let _uninterrupted = item.uninterrupted();
            std::future::pending().await
        }
        .boxed()
    }))
    .await;
    assert_in_time(before.elapsed() - Limits::DEFAULT.hard_grace(), STALL);
    assert_stalled(&report, "a");
}

/// Sets the stall policy of a handler to `Report`.
fn with_report_policy(handler: Scripted) -> Scripted {
    handler.info(|info| info.with_limits(Limits::DEFAULT.with_stall_policy(StallPolicy::Report)))
}

#[tokio::test(start_paused = true)]
async fn a_stalled_item_continues_under_the_report_policy() {
    let handler = with_report_policy(Scripted::new(&["a"]).on_item(|_| sleep(STALL + STALL / 2).map(Ok).boxed()));
    let report = run(handler).await;
    assert!(report.is_success(), "{report}");
    let entries = entries_about(&report.runs[0], "a");
    let [entry] = entries.as_slice() else { panic!("{report}") };
    assert_eq!((entry.level, &*entry.text), (LogLevel::Warning, "no progress for 600s; the item continues"));
}

#[tokio::test(start_paused = true)]
async fn the_report_policy_logs_a_stall_once_until_the_next_report() {
    let handler = with_report_policy(Scripted::new(&["a"]).on_item(|item| {
        async move {
            sleep(5 * STALL).await;
            item.progress(1, None)?;
            sleep(5 * STALL).map(Ok).await
        }
        .boxed()
    }));
    let report = run(handler).await;
    assert_eq!(entries_about(&report.runs[0], "a").len(), 2, "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_synchronize_continues_under_the_report_policy() {
    let handler = with_report_policy(Scripted::new(&["a"]).on_synchronize(|run| {
        async move {
            sleep(2 * STALL).await;
            run.each_item().await
        }
        .boxed()
    }));
    let report = run(handler).await;
    assert!(report.is_success(), "{report}");
    assert!(!report.runs[0].log.is_empty(), "{report}");
}

/// Reports progress of an item manually.
fn report_manually(run: &SynchronizeContext, name: &str, report: Progress) -> Result<(), ReportError> {
    run.report(id(name), report)
}

#[tokio::test(start_paused = true)]
async fn a_manually_reported_item_stalls_and_its_next_report_is_refused() {
    let answers = Transcript::new();
    let noting = answers.clone();
    let report = run(Scripted::new(&["a", "b"]).on_synchronize(move |run| {
        let answers = noting.clone();
        async move {
            report_manually(run, "a", Progress::new().with_value(1))?;
            for value in 0..8 {
                sleep(STALL / 4).await;
                report_manually(run, "b", Progress::new().with_value(value))?;
            }
            answers.note(format!("{:?}", report_manually(run, "a", Progress::new().with_value(2)).is_err()));
            Ok(report_manually(run, "b", Progress::new().with_status(Status::Succeeded))?)
        }
        .boxed()
    }))
    .await;
    assert_eq!(answers.lines(), ["true"]);
    assert_stalled(&report, "a");
    assert_eq!(report.runs[0].item(id("b")).unwrap().outcome, Outcome::Succeeded, "{report}");
}

#[tokio::test(start_paused = true)]
async fn manually_reported_items_never_stall_while_they_report() {
    let report = run(Scripted::new(&["a"]).on_synchronize(move |run| {
        async move {
            for value in 0..100 {
                report_manually(run, "a", Progress::new().with_value(value))?;
                sleep(STALL - Duration::from_secs(1)).await;
            }
            Ok(report_manually(run, "a", Progress::new().with_status(Status::Succeeded))?)
        }
        .boxed()
    }))
    .await;
    assert!(report.is_success(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_synchronize_that_hangs_after_a_manual_report_is_dropped() {
    let report = within(run(Scripted::new(&["a", "b"]).on_synchronize(move |run| {
        async move {
            report_manually(run, "a", Progress::new().with_value(1))?;
            std::future::pending().await
        }
        .boxed()
    })))
    .await;
    assert!(report.items().all(|item| item.class == Some(FailureClass::Transient)), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_synchronize_times_out_and_its_items_fail_as_transient() {
    let reasons = Transcript::new();
    for returns in [false, true] {
        let noting = reasons.clone();
        let handler = Scripted::new(&["a", "b"]).on_synchronize(move |run| {
            let reasons = noting.clone();
            async move {
                run.cancelled().await;
                reasons.note(format!("{:?}", run.check().unwrap_err().reason));
                if returns { Ok(()) } else { std::future::pending().await }
            }
            .boxed()
        });
        let before = Instant::now();
        let report = run(handler).await;
        assert_in_time(before.elapsed(), STALL);
        assert_eq!(report.runs[0].ending, Some(RunEnding::NotCompleted(RunFault::Failed)), "{report}");
        assert!(report.items().all(|item| item.class == Some(FailureClass::Transient)), "{report}");
        let [entry] = report.runs[0].log.as_slice() else { panic!("{report}") };
        assert!(entry.text.starts_with("could not synchronize: the handler took too long"), "{report}");
    }
    assert_eq!(reasons.lines(), ["TimedOut"; 2]);
}

#[tokio::test(start_paused = true)]
async fn items_keep_their_outcome_if_synchronize_hangs_after_them() {
    let report = run(Scripted::new(&["a"]).on_synchronize(|run| {
        async move {
            run.each_item().await?;
            std::future::pending().await
        }
        .boxed()
    }))
    .await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Succeeded, "{report}");
    assert_eq!(report.runs[0].ending, Some(RunEnding::NotCompleted(RunFault::Failed)), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_item_does_not_stall_while_it_or_another_item_asks_the_user() {
    let handler = Scripted::new(&["asks", "waits"]).on_item(|item| {
        async move {
            let _user = item.run().interaction().await?;
            sleep(3 * STALL).map(Ok).await
        }
        .boxed()
    });
    let other = Scripted::new(&["waits too"]).info(|_| HandlerInfo::new(CLASSIC, "Other"));
    let other = other.on_item(|item| async { item.run().interaction().await.map(drop) }.boxed());
    let manager = SyncManager::builder().interaction(ScriptedUser::new()).build();
    manager.register(handler).unwrap();
    manager.register(other).unwrap();
    let session = manager.session(Trigger::Manual).may_bother_user().start().unwrap();
    let report = session.finish().await;
    assert!(report.is_success(), "{report}");
    assert!(report.runs.iter().all(|run| run.log.is_empty()), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_item_can_stall_after_it_asked_the_user() {
    let manager = SyncManager::builder().interaction(ScriptedUser::new()).build();
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async move {
            let user = item.run().interaction().await?;
            sleep(3 * STALL).await;
            drop(user);
            std::future::pending().await
        }
        .boxed()
    });
    manager.register(handler).unwrap();
    let session = manager.session(Trigger::Manual).may_bother_user().start().unwrap();
    let before = Instant::now();
    assert_stalled(&session.finish().await, "a");
    // The stall time restarts at the first check after the user interaction.
    assert!(before.elapsed() <= 3 * STALL + 3 * STALL / 2 + GRACE, "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn nothing_stalls_while_the_manager_is_paused() {
    let manager = SyncManager::new();
    manager.register(Scripted::new(&["a", "b"])).unwrap();
    manager.pause();
    let session = begin(&manager);
    sleep(10 * STALL).await;
    manager.resume();
    let report = within(session.finish()).await;
    assert!(report.is_success(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn items_do_not_stall_while_they_wait_for_claims_or_workers() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let handler = Scripted::new(&[])
        .items(|| {
            let claiming = |name: &str| SyncItem::named(name).with_claim(Claim::new("modem"));
            Ok(["a", "b"].map(claiming).into_iter().chain(["c", "d"].map(SyncItem::named)).collect())
        })
        .on_item(move |item| {
            count.fetch_add(1, Ordering::Relaxed);
            report_regularly(item, STALL / 2, 6).boxed()
        });
    let manager = SyncManager::builder().max_concurrent_items(1).build();
    manager.register(handler.clone()).unwrap();
    manager.register(handler.info(|_| HandlerInfo::new(CLASSIC, "Other"))).unwrap();
    let report = begin(&manager).finish().await;
    assert!(report.is_success(), "{report}");
    assert_eq!(begun.load(Ordering::Relaxed), 8);
}

#[tokio::test(start_paused = true)]
async fn an_item_skipped_just_before_it_stalls_ends_skipped() {
    let manager = SyncManager::new();
    manager.register(hanging_handler(&["hangs"])).unwrap();
    let session = begin(&manager);
    until_began(&session).await;
    sleep(STALL - GRACE).await;
    session.skip(HANDLER, id("hangs")).unwrap();
    let report = within(session.finish()).await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Skipped, "{report}");
    assert!(report.runs[0].log.is_empty(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_item_with_an_infinite_grace_is_never_dropped() {
    for limits in [Limits::DEFAULT.with_soft_grace(Duration::MAX), Limits::DEFAULT.with_hard_grace(Duration::MAX)] {
        let go = Arc::new(Notify::new());
        let going = go.clone();
        let handler = Scripted::new(&["a"]).info(|info| info.with_limits(limits)).on_item(move |item| {
            let go = going.clone();
            async move {
                let _uninterrupted = item.uninterrupted();
                go.notified().map(Ok).await
            }
            .boxed()
        });
        let manager = SyncManager::new();
        manager.register(handler).unwrap();
        let session = begin(&manager);
        until_began(&session).await;
        session.skip(HANDLER, id("a")).unwrap();
        sleep(STALL).await;
        go.notify_one();
        let report = within(session.finish()).await;
        assert!(report.is_success(), "{report}");
        within(manager.shutdown()).await;
    }
}
