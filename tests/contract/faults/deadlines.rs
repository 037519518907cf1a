//! The deadlines of `initialize`, `items` and `prepare`.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr::anyhow::anyhow;
use syncmgr::session::RunFault;
use syncmgr::{
    FailureClass, HandlerInfo, Limits, LogLevel, Outcome, Participation, Report, RunContext, RunEnding, RunReport,
    SyncManager, SyncResult, Trigger,
};
use syncmgr_test::{ScriptedUser, Transcript};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::support::awaitable_host::{CLASSIC, begin, items_named, within};
use crate::support::{HANDLER, Scripted, id};

/// The documented default limits and soft grace.
const INITIALIZE: Duration = Duration::from_secs(10);
const ITEMS: Duration = Duration::from_secs(60);
pub(crate) const PREPARE: Duration = Duration::from_secs(300);
const GRACE: Duration = Duration::from_millis(100);

/// Returns a future that never resolves.
pub(crate) fn never<T: Send + 'static>() -> BoxFuture<'static, SyncResult<T>> {
    std::future::pending().boxed()
}

/// Waits for cancellation, notes its reason, and returns `result()`.
fn return_once_cancelled<'a, T: Send + 'a>(
    run: &'a RunContext,
    reasons: &Transcript,
    result: fn() -> SyncResult<T>,
) -> BoxFuture<'a, SyncResult<T>> {
    let reasons = reasons.clone();
    async move {
        run.cancelled().await;
        reasons.note(format!("{:?}", run.check().expect_err("the run was not cancelled").reason));
        result()
    }
    .boxed()
}

/// Runs a handler together with a correct one.
async fn run_with_correct_handler(handler: &Scripted) -> Report {
    let manager = SyncManager::new();
    manager.register(handler.clone()).expect("the handler is valid");
    manager.register(Scripted::new(&["b"]).info(|_| HandlerInfo::new(CLASSIC, "Other"))).expect("the handler is valid");
    let report = within(begin(&manager).finish()).await;
    assert!(report.run(CLASSIC).expect("the handler ran").is_success(), "{report}");
    report
}

/// Asserts that the log has one entry, an error with this text.
fn assert_logs_only(run: &RunReport, wanted: &str) {
    let [entry] = run.log.as_slice() else { panic!("{:?}", run.log) };
    assert_eq!((entry.level, &*entry.text), (LogLevel::Error, wanted));
}

fn assert_ended(report: &Report, ending: RunEnding, why: &str) {
    let run = report.run(HANDLER).expect("the handler ran");
    assert_eq!(run.ending, Some(ending), "{report}");
    assert_logs_only(run, &format!("{why}: the handler took too long; raise its limit if it needs more time"));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_initialize_ends_its_run_after_deadline_and_soft_grace() {
    let handler = Scripted::new(&["a"]).on_initialize(|_| never());
    let before = Instant::now();
    let report = run_with_correct_handler(&handler).await;
    assert_eq!(before.elapsed(), INITIALIZE + GRACE);
    assert_ended(&report, RunEnding::NotBegun(RunFault::Failed), "could not begin");
    assert_eq!(handler.transcript.count("items"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_initialize_past_its_deadline_fails_whatever_it_returns() {
    let results: [fn() -> _; 4] = [
        || Ok(Participation::TakePart),
        || Ok(Participation::Decline),
        || Err(anyhow!("too late")),
        || Err(syncmgr::NeedsUser::new("a password").into()),
    ];
    for result in results {
        let reasons = Transcript::new();
        let noting = reasons.clone();
        let handler = Scripted::new(&["a"]).on_initialize(move |run| return_once_cancelled(run, &noting, result));
        let before = Instant::now();
        let report = run_with_correct_handler(&handler).await;
        assert_eq!(before.elapsed(), INITIALIZE);
        assert_ended(&report, RunEnding::NotBegun(RunFault::Failed), "could not begin");
        assert_eq!((reasons.lines(), handler.transcript.count("items")), (vec!["TimedOut".into()], 0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_initialize_deadline_excludes_the_wait_for_another_run() {
    let (go, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (waiting, beginning) = (go.clone(), begun.clone());
    let handler = Scripted::new(&["a"]).on_item(move |_| {
        let go = waiting.clone();
        beginning.notify_one();
        async move { go.notified().map(Ok).await }.boxed()
    });
    let manager = SyncManager::new();
    manager.register(handler).unwrap();
    let first = manager.session(Trigger::Manual).cookie(*b"1").start().unwrap();
    within(begun.notified()).await;
    let second = manager.session(Trigger::Invoke).handlers([HANDLER]).cookie(*b"2").start().unwrap();
    sleep(5 * INITIALIZE).await;
    go.notify_one();
    assert!(within(first.finish()).await.is_success());
    go.notify_one();
    let report = within(second.finish()).await;
    assert!(report.is_success(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_listing_ends_its_run_after_deadline_and_soft_grace() {
    let handler = Scripted::new(&[]).on_items(never);
    let before = Instant::now();
    let report = run_with_correct_handler(&handler).await;
    assert_eq!(before.elapsed(), ITEMS + GRACE);
    assert_ended(&report, RunEnding::NotBegun(RunFault::Failed), "could not list its items");
    assert_eq!(handler.transcript.count("prepare"), 0);
}

#[tokio::test(start_paused = true)]
async fn items_listed_within_the_soft_grace_are_discarded() {
    for result in [true, false] {
        let handler = Scripted::new(&[]).on_items(move || {
            async move {
                sleep(ITEMS + GRACE / 2).await;
                if result { Ok(items_named(&["a"])) } else { Err(anyhow!("too late")) }
            }
            .boxed()
        });
        let report = run_with_correct_handler(&handler).await;
        assert_ended(&report, RunEnding::NotBegun(RunFault::Failed), "could not list its items");
        assert_eq!(report.run(HANDLER).unwrap().items().count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_prepare_ends_its_run_after_deadline_and_soft_grace() {
    let handler = Scripted::new(&["a"]).on_prepare(|_| never());
    let before = Instant::now();
    let report = run_with_correct_handler(&handler).await;
    assert_eq!(before.elapsed(), PREPARE + GRACE);
    assert_ended(&report, RunEnding::NotPrepared(RunFault::Failed), "could not prepare");
    assert_eq!(handler.transcript.count("synchronize"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_prepare_past_its_deadline_fails_whatever_it_returns() {
    let results: [fn() -> _; 3] =
        [|| Ok(()), || Err(anyhow!("too late")), || Err(syncmgr::NeedsUser::new("a password").into())];
    for result in results {
        let reasons = Transcript::new();
        let noting = reasons.clone();
        let handler = Scripted::new(&["a"]).on_prepare(move |run| return_once_cancelled(run, &noting, result));
        let report = run_with_correct_handler(&handler).await;
        assert_ended(&report, RunEnding::NotPrepared(RunFault::Failed), "could not prepare");
        assert_eq!((reasons.lines(), handler.transcript.count("synchronize")), (vec!["TimedOut".into()], 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_prepare_past_its_deadline_fails_its_items_as_transient() {
    let report = run_with_correct_handler(&Scripted::new(&["a"]).on_prepare(|_| never())).await;
    let item = report.run(HANDLER).unwrap().item(id("a")).unwrap();
    assert_eq!((item.outcome, item.class), (Outcome::Failed, Some(FailureClass::Transient)), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_prepare_that_returns_just_before_its_deadline_succeeds() {
    let almost = PREPARE - Duration::from_millis(1);
    let handler = Scripted::new(&["a"]).on_prepare(move |_| sleep(almost).map(Ok).boxed());
    let report = run_with_correct_handler(&handler).await;
    assert!(report.is_success(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_prepare_dropped_by_a_stop_is_not_reported_as_late() {
    let manager = SyncManager::new();
    let preparing = Arc::new(Notify::new());
    let notifier = preparing.clone();
    manager
        .register(Scripted::new(&["a"]).on_prepare(move |_| {
            notifier.notify_one();
            never()
        }))
        .unwrap();
    let session = begin(&manager);
    within(preparing.notified()).await;
    sleep(PREPARE - GRACE / 2).await;
    session.stop();
    let report = within(session.finish()).await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Stopped, "{report}");
    assert!(report.runs[0].log.is_empty(), "{report}");
}

/// Makes a method of a handler hang.
type Hang = fn(Scripted) -> Scripted;

#[tokio::test(start_paused = true)]
async fn a_handler_sets_its_own_deadlines() {
    let limits = Limits::DEFAULT
        .with_initialize_deadline(Duration::from_secs(1))
        .with_items_deadline(Duration::from_secs(2))
        .with_prepare_deadline(Duration::from_secs(3))
        .with_soft_grace(Duration::ZERO);
    let handler = || Scripted::new(&["a"]).info(|info| info.with_limits(limits));
    let late: [(_, Hang); 3] = [
        (1, |handler| handler.on_initialize(|_| never())),
        (2, |handler| handler.on_items(never)),
        (3, |handler| handler.on_prepare(|_| never())),
    ];
    for (seconds, hangs) in late {
        let before = Instant::now();
        run_with_correct_handler(&hangs(handler())).await;
        assert_eq!(before.elapsed(), Duration::from_secs(seconds));
    }
}

#[tokio::test(start_paused = true)]
async fn an_infinite_limit_never_expires() {
    let limits = Limits::DEFAULT
        .with_initialize_deadline(Duration::MAX)
        .with_items_deadline(Duration::MAX)
        .with_prepare_deadline(Duration::MAX)
        .with_stall_after(Duration::MAX);
    let handler = Scripted::new(&["a"]).info(|info| info.with_limits(limits));
    let before = Instant::now();
    let report = crate::support::run(handler.on_prepare(|_| sleep(10 * PREPARE).map(Ok).boxed())).await;
    assert!(report.is_success(), "{report}");
    assert_eq!(before.elapsed(), 10 * PREPARE);
}

/// Returns a manager with a user and these handlers.
fn manager_with_user(handlers: impl IntoIterator<Item = Scripted>) -> SyncManager {
    let manager = SyncManager::builder().interaction(ScriptedUser::new()).build();
    handlers.into_iter().for_each(|handler| _ = manager.register(handler).expect("the handler is valid"));
    manager
}

/// Returns a handler whose `prepare` sleeps before, while and after it has the user's attention.
fn asking_handler(before: Duration, during: Duration, after: Duration) -> Scripted {
    Scripted::new(&["a"]).on_prepare(move |run| {
        async move {
            sleep(before).await;
            let user = run.interaction().await?;
            sleep(during).await;
            drop(user);
            sleep(after).map(Ok).await
        }
        .boxed()
    })
}

async fn run_attended(handlers: impl IntoIterator<Item = Scripted>) -> Report {
    let session =
        manager_with_user(handlers).session(Trigger::Manual).may_bother_user().start().expect("inside a runtime");
    session.finish().await
}

#[tokio::test(start_paused = true)]
async fn the_prepare_deadline_pauses_while_the_handler_asks_the_user() {
    let day = Duration::from_secs(24 * 3600);
    let rest = PREPARE / 2;
    let in_time = run_attended([asking_handler(rest, day, rest - GRACE)]).await;
    assert!(in_time.is_success(), "{in_time}");
    let before = Instant::now();
    let late = run_attended([asking_handler(rest, day, rest + 10 * GRACE)]).await;
    assert_ended(&late, RunEnding::NotPrepared(RunFault::Failed), "could not prepare");
    assert_eq!(before.elapsed(), PREPARE + day + GRACE);
}

#[tokio::test(start_paused = true)]
async fn the_prepare_deadline_pauses_while_another_handler_asks_the_user() {
    let long = 10 * PREPARE;
    let waits = asking_handler(PREPARE / 2, GRACE, PREPARE / 3).info(|_| HandlerInfo::new(CLASSIC, "Waits"));
    let report = run_attended([asking_handler(Duration::ZERO, long, Duration::ZERO), waits]).await;
    assert!(report.is_success(), "{report}");
    assert!(report.duration >= long, "{report}");
}

#[tokio::test(start_paused = true)]
async fn attention_granted_just_before_the_deadline_causes_no_busy_polling() {
    let polls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = polls.clone();
    let handler = Scripted::new(&["a"]).on_prepare(move |run| {
        let count = count.clone();
        let mut work = async move {
            sleep(PREPARE - Duration::from_millis(1)).await;
            let _user = run.interaction().await?;
            sleep(PREPARE).map(Ok).await
        }
        .boxed();
        std::future::poll_fn(move |cx| {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            work.poll_unpin(cx)
        })
        .boxed()
    });
    assert!(run_attended([handler]).await.is_success());
    assert!(polls.load(std::sync::atomic::Ordering::Relaxed) < 1_000, "{polls:?}");
}
