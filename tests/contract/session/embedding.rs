//! Managers inside a larger program: several at the same time, on any runtime, without leaks.

use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::FutureExt;
use syncmgr::choice::{Chooser, Chosen, Offer};
use syncmgr::handler::HandlerFlags;
use syncmgr::{Limits, Outcome, Report, RunEnding, Session, SessionEvent, StartError, Subject, SyncManager, Trigger};
use syncmgr_test::ManualClock;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::faults::deadlines::never;
use crate::support::awaitable_host::{begin, until, until_began, within};
use crate::support::{HANDLER, Scripted, id};

/// Sends a message when it is dropped.
struct Guard(mpsc::Sender<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A handler whose items and tasks hang, each with a guard, and the receiver of the guards' messages.
fn guarded_handler(names: &[&str]) -> (Scripted, mpsc::Receiver<()>) {
    let (dropped, drops) = mpsc::channel();
    let dropped = std::sync::Mutex::new(dropped);
    let handler = Scripted::new(names).on_item(move |item| {
        let guard = || Guard(dropped.lock().expect("no thread panics while it holds the lock").clone());
        let (item_guard, task_guard) = (guard(), guard());
        async move {
            let _item_guard = item_guard;
            let task = item.spawn(async move {
                let _task_guard = task_guard;
                never::<()>().await
            });
            item.progress(1, None)?;
            task.await
        }
        .boxed()
    });
    (handler, drops)
}

fn alive_tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Waits until pending drops have happened.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

fn manager_of(handler: &Scripted) -> SyncManager {
    let manager = SyncManager::new();
    manager.register(handler.clone()).expect("the handler can be registered");
    manager
}

#[tokio::test(start_paused = true)]
async fn managers_of_one_process_share_nothing() {
    let handler = Scripted::new(&["a", "b"]).on_item(|_| never());
    let (one, two) = (manager_of(&handler), manager_of(&handler));
    assert_ne!(one.id(), two.id());
    let (first, second) = (begin(&one), begin(&two));
    assert_eq!(first.id(), second.id(), "the managers share their session numbers");
    until_began(&first).await;
    until_began(&second).await;
    one.pause();
    first.skip(HANDLER, id("a")).unwrap();
    assert!(within(one.shutdown()).await.is_empty());
    assert_eq!(second.progress().len(), 2, "the shutdown of one manager stopped the session of another");
    assert!(two.held().is_empty());
    assert_eq!((one.stop_latencies().count(), two.stop_latencies().count()), (2, 0));
    assert!(two.unregister(HANDLER) && one.registration(HANDLER).is_some());
    assert!(within(two.shutdown()).await.is_empty());
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("the runtime can be built")
}

fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("the runtime can be built")
}

/// A program with items that succeed, fail and are skipped.
async fn program() -> Vec<(String, Outcome)> {
    let hangs = Arc::new(Notify::new());
    let hanging = hangs.clone();
    let handler = Scripted::new(&["fine", "fails", "hangs", "panics"]).on_item(move |item| match item.name() {
        "fails" => async { Err(syncmgr::anyhow::anyhow!("the reason")) }.boxed(),
        "panics" => panic!("the fault"),
        "hangs" => {
            hanging.notify_one();
            never()
        }
        _ => async { Ok(()) }.boxed(),
    });
    let manager = manager_of(&handler);
    let session = begin(&manager);
    hangs.notified().await;
    session.skip(HANDLER, id("hangs")).expect("the item is known");
    let report = session.finish().await;
    assert!(manager.shutdown().await.is_empty());
    // Another thread may still be dropping the last task.
    while alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
    report.items().map(|item| (item.item.name().to_owned(), item.outcome)).collect()
}

#[test]
fn a_program_has_the_same_outcomes_on_one_thread_and_on_two() {
    let one = current_thread().block_on(program());
    assert_eq!(one, two_threads().block_on(program()));
    let outcomes: Vec<_> = one.iter().map(|(_, outcome)| *outcome).collect();
    assert_eq!(outcomes, [Outcome::Succeeded, Outcome::Failed, Outcome::Skipped, Outcome::Failed]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_of_a_manager_drops_its_handlers_work() {
    let (handler, drops) = guarded_handler(&["a", "b"]);
    let manager = manager_of(&handler);
    let session = begin(&manager);
    until_began(&session).await;
    drop(session);
    settle().await;
    assert!(drops.try_recv().is_err(), "the session stopped when its handle was dropped");
    drop(manager);
    settle().await;
    assert_eq!((drops.try_iter().count(), alive_tasks()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_session_handle_keeps_its_manager_alive() {
    let (handler, drops) = guarded_handler(&["a"]);
    let session = begin(&manager_of(&handler));
    until_began(&session).await;
    settle().await;
    assert!(drops.try_recv().is_err());
    drop(session);
    settle().await;
    assert_eq!((drops.try_iter().count(), alive_tasks()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_event_stream_keeps_its_manager_alive() {
    let (handler, drops) = guarded_handler(&["a"]);
    let session = begin(&manager_of(&handler));
    until_began(&session).await;
    let events = session.events();
    drop(session);
    settle().await;
    assert!(drops.try_recv().is_err());
    drop(events);
    settle().await;
    assert_eq!((drops.try_iter().count(), alive_tasks()), (2, 0));
}

#[test]
fn a_manager_is_usable_after_its_runtime_is_dropped_during_a_session() {
    for runtime in [current_thread, two_threads] {
        let (handler, drops) = guarded_handler(&["a", "b"]);
        let handler = handler.info(|info| info.with_claim("line"));
        let manager = SyncManager::builder().max_concurrent_items(1).build();
        manager.register(handler).unwrap();
        let first = runtime();
        let session = first.block_on(async {
            let session = begin(&manager);
            until(&mut session.events(), |event| matches!(event, SessionEvent::Progress { .. })).await;
            session
        });
        drop(first);
        assert_eq!(drops.try_iter().count(), 2);
        let second = current_thread();
        let report = second.block_on(session.report());
        assert!(report.items().all(|item| item.outcome != Outcome::Succeeded), "{report}");
        assert!(manager.held().is_empty(), "{:?}", manager.held());
        second.block_on(async {
            let again = begin(&manager);
            until_began(&again).await;
            assert_eq!(again.progress().len(), 1);
            assert!(manager.shutdown().await.is_empty());
        });
    }
}

#[test]
fn an_item_with_a_task_is_stopped_when_its_runtime_is_dropped() {
    let (handler, _drops) = guarded_handler(&["a", "b"]);
    let manager = SyncManager::builder().max_concurrent_items(1).build();
    manager.register(handler.info(|info| info.with_claim("line"))).unwrap();
    let runtime = two_threads();
    let session = runtime.block_on(async {
        let session = begin(&manager);
        until_began(&session).await;
        session
    });
    drop(runtime);
    assert_all_stopped(&current_thread().block_on(session.report()));
}

/// Shuts a manager down and asserts that no task remains and no session can be started.
async fn shut_down(manager: &SyncManager) {
    assert!(within(manager.shutdown()).await.is_empty());
    assert_eq!(alive_tasks(), 0);
    assert_eq!(manager.session(Trigger::Manual).start().err(), Some(StartError::ShutDown));
}

/// A chooser that never answers.
struct Undecided(Arc<Notify>);

#[async_trait]
impl Chooser for Undecided {
    async fn choose(&self, _: &[Offer]) -> Option<Chosen> {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_a_pending_choice() {
    let asked = Arc::new(Notify::new());
    let manager = SyncManager::builder().chooser(Undecided(asked.clone())).build();
    manager.register(Scripted::new(&["a"])).unwrap();
    let session = manager.update_all().unwrap();
    within(asked.notified()).await;
    shut_down(&manager).await;
    assert_eq!(session.report().await.runs[0].ending, Some(RunEnding::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_properties_and_leaves_no_task() {
    let showing = Arc::new(Notify::new());
    let shows = showing.clone();
    let handler = Scripted::new(&["a"]).info(|info| info.with_flags(HandlerFlags::HAS_PROPERTIES));
    let manager = manager_of(&handler.on_show_properties(move |_, _| {
        shows.notify_one();
        never()
    }));
    let asker = manager.clone();
    let mut asked = Box::pin(async move { asker.show_properties(HANDLER, Subject::Handler).await });
    tokio::select! {
        biased;
        _ = &mut asked => panic!("the properties closed before the shutdown"),
        () = showing.notified() => {}
    }
    shut_down(&manager).await;
    let _ = within(asked).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_runs_that_wait_for_another_run() {
    let manager = manager_of(&Scripted::new(&["a"]).on_item(|_| never()));
    let running = begin(&manager);
    until_began(&running).await;
    let _waiting = manager.session(Trigger::Invoke).handlers([HANDLER]).cookie(*b"1").start().unwrap();
    shut_down(&manager).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_paused_sessions() {
    let manager = manager_of(&Scripted::new(&["a"]));
    manager.pause();
    let session = begin(&manager);
    settle().await;
    shut_down(&manager).await;
    assert!(session.report().await.items().all(|item| item.outcome == Outcome::Stopped));
}

#[tokio::test(start_paused = true)]
async fn concurrent_and_repeated_shutdowns_all_succeed() {
    let manager = manager_of(&Scripted::new(&["a"]).on_item(|_| never()));
    let session = begin(&manager);
    until_began(&session).await;
    let shutdowns = futures::future::join3(manager.shutdown(), manager.shutdown(), manager.shutdown());
    assert_eq!(within(shutdowns).await, (vec![], vec![], vec![]));
    shut_down(&manager).await;
}

#[tokio::test(start_paused = true)]
async fn an_unused_manager_shuts_down_and_refuses_an_earlier_request() {
    let manager = manager_of(&Scripted::new(&["a"]));
    let request = manager.session(Trigger::Manual);
    shut_down(&manager).await;
    assert_eq!(request.start().err(), Some(StartError::ShutDown));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_whose_future_is_dropped_still_stops_the_sessions() {
    let manager = manager_of(&Scripted::new(&["a"]).on_item(|_| never()));
    let session = begin(&manager);
    until_began(&session).await;
    assert!(manager.shutdown().now_or_never().is_none());
    assert!(within(session.report()).await.items().all(|item| item.outcome == Outcome::Stopped));
    shut_down(&manager).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_of_a_handler_with_an_endless_grace_does_not_panic() {
    let limits = Limits::DEFAULT.with_hard_grace(Duration::MAX);
    let manager = manager_of(&Scripted::new(&["a"]).info(|info| info.with_limits(limits)));
    let session = begin(&manager);
    within(session.report()).await;
    shut_down(&manager).await;
}

/// Starts a session whose deadline is `time` from now.
async fn start_with_deadline(handler: &Scripted, time: Duration) -> (SyncManager, Session) {
    let clock = ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
    let now = syncmgr::environment::Clock::now(&clock).wall;
    let manager = SyncManager::builder().clock(clock).build();
    manager.register(handler.clone()).expect("the handler can be registered");
    let session = manager.session(Trigger::Manual).deadline(now + time).start().expect("the deadline is in the future");
    (manager, session)
}

fn assert_all_stopped(report: &Report) {
    assert!(report.items().all(|item| item.outcome == Outcome::Stopped), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_session_is_stopped_at_its_deadline() {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async move {
            item.cancelled().await;
            item.info(format!("{:?}", item.check().unwrap_err().reason));
            Ok(item.check()?)
        }
        .boxed()
    });
    let before = Instant::now();
    let (_manager, session) = start_with_deadline(&handler, Duration::from_secs(90)).await;
    let report = within(session.finish()).await;
    assert_eq!(before.elapsed(), Duration::from_secs(90));
    assert_all_stopped(&report);
    assert_eq!(&*report.runs[0].log[0].text, "SessionStopped");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_before_its_deadline_leaves_no_timer() {
    let (_manager, session) = start_with_deadline(&Scripted::new(&["a"]), Duration::from_secs(90)).await;
    assert!(within(session.finish()).await.is_success());
    settle().await;
    assert_eq!(alive_tasks(), 0);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_signal_that_ends_a_program_is_caught() {
    const HUP_INT_QUIT_TERM: u64 = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14;
    let manager = manager_of(&Scripted::new(&["a"]));
    begin(&manager).finish().await;
    manager.shutdown().await;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("Linux lists the caught signals");
    let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
    assert_eq!(caught & HUP_INT_QUIT_TERM, 0, "{caught:x}");
}

#[tokio::test(start_paused = true)]
async fn no_subscriber_is_installed() {
    let session = crate::support::start(Scripted::new(&["a"]));
    assert!(within(session.finish()).await.is_success());
    assert!(!tracing::dispatcher::has_been_set());
}
