//! Failed items before their retry is due: background sessions skip them, and manual and forced sessions run them.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::retry::{RetryState, RetryStatus};
use syncmgr::store::MemoryStore;
use syncmgr::{Classify, Hold, LogLevel, NeedsUser, Outcome, RunEnding, Session, SyncManager, SyncResult, Trigger};
use tokio::time::sleep;

use crate::support::awaitable_host::within;
use crate::support::id;
use crate::support::steps::{assert_succeeds, hold_of, nth, outcome, register_all, start_background, start_manual};
use crate::support::test_clock::{
    DAY, EXACT, HOUR, MINUTE, StartTimes, TestClock, YEAR, builder_with_clock, builder_with_store, retry_state,
    seconds_left, transient_failure,
};

/// Runs an item that ends with `end` in a manual session.
async fn run_once(
    clock: &TestClock,
    began: &StartTimes,
    end: impl Fn(usize) -> SyncResult + Send + Sync + 'static,
) -> Ended {
    let store = MemoryStore::new();
    let handler = began.handler(1, &["a"], move |_, times| end(times));
    let manager = register_all(builder_with_store(clock, &store).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    Ended { manager, store }
}

struct Ended {
    manager: SyncManager,
    store: MemoryStore,
}

impl Ended {
    fn state(&self) -> RetryState {
        retry_state(&self.store, 1, "a").expect("the item has a retry status")
    }

    fn start_forced(&self, trigger: Trigger) -> Session {
        self.manager.session(trigger).handlers([nth(1)]).force().start().expect("inside a runtime")
    }
}

#[tokio::test(start_paused = true)]
async fn a_background_session_skips_an_item_in_backoff_without_an_error() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let ended = run_once(&clock, &began, |_| transient_failure()).await;
    let before = ended.state();
    for trigger in [Trigger::Scheduled, Trigger::Idle, Trigger::Connect] {
        sleep(Duration::from_secs(5)).await;
        let session = ended.manager.session(trigger).handlers([nth(1)]).start().unwrap();
        let report = within(session.finish()).await;
        let hold = hold_of(&report, id("a")).expect("the item is held");
        assert!(matches!(hold, Hold::BackingOff { failures: 1, .. }), "{hold}");
        assert_eq!(outcome(&report, id("a")), Outcome::Skipped);
        assert_eq!(report.runs[0].ending, Some(RunEnding::NothingToDo));
        assert!(report.runs[0].log.iter().all(|entry| entry.level < LogLevel::Error), "{report}");
    }
    assert_eq!(ended.state(), before, "frequent sessions extended the wait");
    sleep(Duration::from_secs(20)).await;
    assert_eq!(began.of("a"), [0, 30]);
}

#[tokio::test(start_paused = true)]
async fn a_manual_session_runs_an_item_in_backoff_and_restarts_its_waits() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let ended = run_once(&clock, &began, |_| transient_failure()).await;
    sleep(Duration::from_secs(100)).await;
    assert_eq!(began.of("a"), [0, 30, 90]);
    within(start_manual(&ended.manager, 1).finish()).await;
    let state = ended.state();
    assert_eq!((state.failures, state.total), (1, 1));
    sleep(Duration::from_secs(100)).await;
    assert_eq!(began.of("a"), [0, 30, 90, 100, 130, 190]);
}

#[tokio::test(start_paused = true)]
async fn repeated_manual_sessions_do_not_extend_waits_or_use_the_budget() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let ended = run_once(&clock, &began, |_| transient_failure()).await;
    for _ in 0..40 {
        within(start_manual(&ended.manager, 1).finish()).await;
    }
    let state = ended.state();
    assert_eq!((state.status, state.failures, state.total), (RetryStatus::Backoff, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_wait_requested_by_the_peer_holds_manual_but_not_forced_sessions() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let ended = run_once(&clock, &began, |_| Err(anyhow!("busy")).retry_after(HOUR)).await;
    for trigger in [Trigger::Manual, Trigger::Scheduled] {
        let session = ended.manager.session(trigger).handlers([nth(1)]).start().unwrap();
        let report = within(session.finish()).await;
        let hold = hold_of(&report, id("a")).expect("the item is held");
        assert!(matches!(hold, Hold::NotBefore { .. }), "{hold}");
        assert_eq!(seconds_left(&clock, &hold), 3600);
    }
    assert_eq!(began.of("a"), [0]);
    within(ended.start_forced(Trigger::Manual).finish()).await;
    within(ended.start_forced(Trigger::Scheduled).finish()).await;
    assert_eq!(began.of("a"), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_requested_by_the_peer_is_exact_and_has_no_maximum() {
    for wait in [Duration::from_secs(1), MINUTE, 3 * HOUR, 40 * DAY] {
        let (began, clock) = (StartTimes::new(), TestClock::new());
        let until = clock.wall() + wait;
        let end = move |times| if times == 1 { Err(anyhow!("busy")).not_before(until) } else { Ok(()) };
        let _ended = run_once(&clock, &began, end).await;
        sleep(wait - Duration::from_millis(2)).await;
        assert_eq!(began.of("a"), [0], "{wait:?}");
        sleep(Duration::from_millis(4)).await;
        assert_eq!(began.of("a"), [0, wait.as_secs()]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_past_time_from_the_peer_counts_as_the_first_wait() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let past = clock.wall() - YEAR;
    let _ended = run_once(&clock, &began, move |_| Err(anyhow!("busy")).not_before(past)).await;
    sleep(Duration::from_secs(95)).await;
    assert_eq!(began.of("a"), [0, 30, 60, 90]);
}

#[tokio::test(start_paused = true)]
async fn an_endless_wait_holds_the_item_without_a_panic() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let ended = run_once(&clock, &began, |_| Err(anyhow!("busy")).retry_after(Duration::MAX)).await;
    sleep(30 * DAY).await;
    assert_eq!(began.of("a"), [0]);
    assert_eq!(ended.state().status, RetryStatus::NotBefore);
    assert!(!ended.manager.explain_item(nth(1), id("a")).unwrap().to_string().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_item_that_only_the_user_can_unblock_runs_only_in_manual_sessions() {
    type End = fn() -> SyncResult;
    let ends: [(End, RetryStatus, Hold, Outcome); 3] = [
        (|| Err(anyhow!("never")).permanent(), RetryStatus::Permanent, Hold::Permanent, Outcome::Failed),
        (|| Err(anyhow!("no more")).gone(), RetryStatus::Gone, Hold::Gone, Outcome::Failed),
        (|| Err(NeedsUser::new("an answer").into()), RetryStatus::NeedsUser, Hold::NeedsUser, Outcome::NeedsUser),
    ];
    for (end, left, hold, ending) in ends {
        let (began, clock) = (StartTimes::new(), TestClock::new());
        let ended = run_once(&clock, &began, move |times| if times == 1 { end() } else { Ok(()) }).await;
        assert_eq!(ended.state().status, left);
        sleep(DAY).await;
        let report = within(start_background(&ended.manager, 1).finish()).await;
        assert_eq!((hold_of(&report, id("a")), began.of("a").len()), (Some(hold), 1));
        assert_eq!(ended.store.after_crash().last_outcome("a"), Some(ending));
        assert_succeeds(start_manual(&ended.manager, 1)).await;
        assert_eq!(retry_state(&ended.store, 1, "a"), None);
        assert_succeeds(start_background(&ended.manager, 1)).await;
    }
}

/// The last outcome of an item.
trait LastOutcome {
    fn last_outcome(&self, name: &str) -> Option<Outcome>;
}

impl LastOutcome for MemoryStore {
    fn last_outcome(&self, name: &str) -> Option<Outcome> {
        syncmgr::store::StateStore::record(self, nth(1), id(name)).expect("the store can be read")?.outcome
    }
}

#[tokio::test(start_paused = true)]
async fn needing_the_user_is_not_a_failure_and_keeps_the_backoff() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let end = |times| if times == 2 { Err(NeedsUser::new("an answer").into()) } else { transient_failure() };
    let ended = run_once(&clock, &began, end).await;
    sleep(MINUTE).await;
    let state = ended.state();
    assert_eq!((state.status, state.failures, state.total, state.until), (RetryStatus::NeedsUser, 1, 1, None));
    let log = ended.manager.log(nth(1)).await.unwrap();
    assert_eq!(log.iter().filter(|record| record.entry.level == LogLevel::Error).count(), 1, "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_item_has_not_failed() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let handler = began.handler(1, &["a", "b"], |_, _| Ok(()));
    let handler = handler.on_item(|item| {
        async {
            item.cancelled().await;
            item.check().map_err(Into::into)
        }
        .boxed()
    });
    let manager = register_all(builder_with_store(&clock, &store).build(), [handler]);
    let session = start_manual(&manager, 1);
    sleep(MINUTE).await;
    session.skip(nth(1), id("a")).unwrap();
    session.stop();
    within(session.finish()).await;
    assert_eq!((retry_state(&store, 1, "a"), retry_state(&store, 1, "b")), (None, None));
    sleep(DAY).await;
    assert!(manager.sessions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_item_in_backoff_does_not_hold_other_items_of_its_handler() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let handler =
        began.handler(1, &["a", "b"], |item, _| if item.name() == "a" { transient_failure() } else { Ok(()) });
    let manager = register_all(builder_with_clock(&clock).retry(EXACT.with_initial(HOUR)).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    let report = within(start_background(&manager, 1).finish()).await;
    assert_eq!((outcome(&report, id("a")), outcome(&report, id("b"))), (Outcome::Skipped, Outcome::Succeeded));
}
