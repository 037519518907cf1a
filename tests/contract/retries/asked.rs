//! What failed before its time: held back in sessions nobody asked for, and run where somebody asks or insists.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::retry::{RetryState, Setback};
use syncmgr::store::MemoryStore;
use syncmgr::{Classify, Hold, LogLevel, NeedsUser, Outcome, RunEnding, Session, SyncManager, SyncResult, Trigger};
use tokio::time::sleep;

use crate::support::daytime::{Began, DAY, Daytime, EXACT, HOUR, MINUTE, YEAR, fails, left, setback, stored, timed};
use crate::support::id;
use crate::support::steps::{background, hold_of, manual, nth, outcome, registered, succeeds};
use crate::support::watched::within;

/// An item that ends like this, once run by hand; with the store its record is in.
async fn after(clock: &Daytime, began: &Began, end: impl Fn(usize) -> SyncResult + Send + Sync + 'static) -> Ended {
    let store = MemoryStore::new();
    let handler = began.handler(1, &["a"], move |_, times| end(times));
    let manager = registered(stored(clock, &store).build(), [handler]);
    within(manual(&manager, 1).finish()).await;
    Ended { manager, store }
}

struct Ended {
    manager: SyncManager,
    store: MemoryStore,
}

impl Ended {
    fn state(&self) -> RetryState {
        setback(&self.store, 1, "a").expect("something is left")
    }

    fn forced(&self, trigger: Trigger) -> Session {
        self.manager.session(trigger).handlers([nth(1)]).force().start().expect("inside a runtime")
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_nobody_asked_for_leaves_out_what_backs_off_and_says_so_without_an_error() {
    let (began, clock) = (Began::new(), Daytime::new());
    let ended = after(&clock, &began, |_| fails()).await;
    let before = ended.state();
    for trigger in [Trigger::Scheduled, Trigger::Idle, Trigger::Connect] {
        sleep(Duration::from_secs(5)).await;
        let session = ended.manager.session(trigger).handlers([nth(1)]).start().unwrap();
        let report = within(session.finish()).await;
        let hold = hold_of(&report, id("a")).expect("it is held");
        assert!(matches!(hold, Hold::BackingOff { failures: 1, .. }), "{hold}");
        assert_eq!(outcome(&report, id("a")), Outcome::Skipped);
        assert_eq!(report.runs[0].ending, Some(RunEnding::NothingToDo));
        assert!(report.runs[0].log.iter().all(|entry| entry.level < LogLevel::Error), "{report}");
    }
    assert_eq!(ended.state(), before, "asking often makes no wait longer");
    sleep(Duration::from_secs(20)).await;
    assert_eq!(began.of("a"), [0, 30]);
}

#[tokio::test(start_paused = true)]
async fn by_hand_it_runs_at_once_and_the_waits_begin_afresh() {
    let (began, clock) = (Began::new(), Daytime::new());
    let ended = after(&clock, &began, |_| fails()).await;
    sleep(Duration::from_secs(100)).await;
    assert_eq!(began.of("a"), [0, 30, 90]);
    within(manual(&ended.manager, 1).finish()).await;
    let state = ended.state();
    assert_eq!((state.failures, state.total), (1, 1));
    sleep(Duration::from_secs(100)).await;
    assert_eq!(began.of("a"), [0, 30, 90, 100, 130, 190]);
}

#[tokio::test(start_paused = true)]
async fn pressing_the_button_often_makes_no_wait_longer_and_brings_nobody_nearer_to_giving_up() {
    let (began, clock) = (Began::new(), Daytime::new());
    let ended = after(&clock, &began, |_| fails()).await;
    for _ in 0..40 {
        within(manual(&ended.manager, 1).finish()).await;
    }
    let state = ended.state();
    assert_eq!((state.setback, state.failures, state.total), (Setback::Backoff, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_peer_asked_for_holds_by_hand_too_and_yields_to_those_who_insist() {
    let (began, clock) = (Began::new(), Daytime::new());
    let ended = after(&clock, &began, |_| Err(anyhow!("busy")).retry_after(HOUR)).await;
    for trigger in [Trigger::Manual, Trigger::Scheduled] {
        let session = ended.manager.session(trigger).handlers([nth(1)]).start().unwrap();
        let report = within(session.finish()).await;
        let hold = hold_of(&report, id("a")).expect("it is held");
        assert!(matches!(hold, Hold::NotBefore { .. }), "{hold}");
        assert_eq!(left(&clock, &hold), 3600);
    }
    assert_eq!(began.of("a"), [0]);
    within(ended.forced(Trigger::Manual).finish()).await;
    within(ended.forced(Trigger::Scheduled).finish()).await;
    assert_eq!(began.of("a"), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_the_peer_asked_for_is_kept_to_the_second_and_has_no_longest_wait() {
    for wait in [Duration::from_secs(1), MINUTE, 3 * HOUR, 40 * DAY] {
        let (began, clock) = (Began::new(), Daytime::new());
        let until = clock.wall() + wait;
        let end = move |times| if times == 1 { Err(anyhow!("busy")).not_before(until) } else { Ok(()) };
        let _ended = after(&clock, &began, end).await;
        sleep(wait - Duration::from_millis(2)).await;
        assert_eq!(began.of("a"), [0], "{wait:?}");
        sleep(Duration::from_millis(4)).await;
        assert_eq!(began.of("a"), [0, wait.as_secs()]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_of_the_peers_that_has_passed_is_the_first_wait() {
    let (began, clock) = (Began::new(), Daytime::new());
    let past = clock.wall() - YEAR;
    let _ended = after(&clock, &began, move |_| Err(anyhow!("busy")).not_before(past)).await;
    sleep(Duration::from_secs(95)).await;
    assert_eq!(began.of("a"), [0, 30, 60, 90]);
}

#[tokio::test(start_paused = true)]
async fn a_time_without_end_is_no_panic_and_holds() {
    let (began, clock) = (Began::new(), Daytime::new());
    let ended = after(&clock, &began, |_| Err(anyhow!("busy")).retry_after(Duration::MAX)).await;
    sleep(30 * DAY).await;
    assert_eq!(began.of("a"), [0]);
    assert_eq!(ended.state().setback, Setback::NotBefore);
    assert!(!ended.manager.explain_item(nth(1), id("a")).unwrap().to_string().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_only_somebody_can_end_runs_only_when_somebody_asks() {
    type End = fn() -> SyncResult;
    let ends: [(End, Setback, Hold, Outcome); 3] = [
        (|| Err(anyhow!("never")).permanent(), Setback::Permanent, Hold::Permanent, Outcome::Failed),
        (|| Err(anyhow!("no more")).gone(), Setback::Gone, Hold::Gone, Outcome::Failed),
        (|| Err(NeedsUser::new("an answer").into()), Setback::NeedsUser, Hold::NeedsUser, Outcome::NeedsUser),
    ];
    for (end, left, hold, ending) in ends {
        let (began, clock) = (Began::new(), Daytime::new());
        let ended = after(&clock, &began, move |times| if times == 1 { end() } else { Ok(()) }).await;
        assert_eq!(ended.state().setback, left);
        sleep(DAY).await;
        let report = within(background(&ended.manager, 1).finish()).await;
        assert_eq!((hold_of(&report, id("a")), began.of("a").len()), (Some(hold), 1));
        assert_eq!(ended.store.left_behind().record_of("a"), Some(ending));
        succeeds(manual(&ended.manager, 1)).await;
        assert_eq!(setback(&ended.store, 1, "a"), None);
        succeeds(background(&ended.manager, 1)).await;
    }
}

/// How the item last ended.
trait LastOutcome {
    fn record_of(&self, name: &str) -> Option<Outcome>;
}

impl LastOutcome for MemoryStore {
    fn record_of(&self, name: &str) -> Option<Outcome> {
        syncmgr::store::StateStore::record(self, nth(1), id(name)).expect("it can be read")?.outcome
    }
}

#[tokio::test(start_paused = true)]
async fn needing_somebody_is_no_failure_and_moves_no_backoff() {
    let (began, clock) = (Began::new(), Daytime::new());
    let end = |times| if times == 2 { Err(NeedsUser::new("an answer").into()) } else { fails() };
    let ended = after(&clock, &began, end).await;
    sleep(MINUTE).await;
    let state = ended.state();
    assert_eq!((state.setback, state.failures, state.total, state.until), (Setback::NeedsUser, 1, 1, None));
    let log = ended.manager.log(nth(1)).unwrap();
    assert_eq!(log.iter().filter(|record| record.entry.level == LogLevel::Error).count(), 1, "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_stopped_has_not_failed() {
    let (began, clock, store) = (Began::new(), Daytime::new(), MemoryStore::new());
    let handler = began.handler(1, &["a", "b"], |_, _| Ok(()));
    let handler = handler.on_item(|item| {
        async {
            item.cancelled().await;
            item.check().map_err(Into::into)
        }
        .boxed()
    });
    let manager = registered(stored(&clock, &store).build(), [handler]);
    let session = manual(&manager, 1);
    sleep(MINUTE).await;
    session.skip(nth(1), id("a")).unwrap();
    session.stop();
    within(session.finish()).await;
    assert_eq!((setback(&store, 1, "a"), setback(&store, 1, "b")), (None, None));
    sleep(DAY).await;
    assert!(manager.sessions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_item_that_backs_off_holds_no_other_of_its_handler() {
    let (began, clock) = (Began::new(), Daytime::new());
    let handler = began.handler(1, &["a", "b"], |item, _| if item.name() == "a" { fails() } else { Ok(()) });
    let manager = registered(timed(&clock).retry(EXACT.with_initial(HOUR)).build(), [handler]);
    within(manual(&manager, 1).finish()).await;
    let report = within(background(&manager, 1).finish()).await;
    assert_eq!((outcome(&report, id("a")), outcome(&report, id("b"))), (Outcome::Skipped, Outcome::Succeeded));
}
