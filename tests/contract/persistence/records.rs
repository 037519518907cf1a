//! The records that items get when they end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use syncmgr::anyhow::{anyhow, bail};
use syncmgr::retry::{RetryState, RetryStatus};
use syncmgr::session::RunChange;
use syncmgr::store::{Fence, MemoryStore, StaleWriter, StateChange, StateStore};
use syncmgr::{
    Classify, ItemContext, LogLevel, NeedsUser, Outcome, RunEnding, SessionEvent, SessionId, SyncManager, SyncResult,
    Trigger,
};
use syncmgr_test::{ManualClock, Transcript};

use crate::persistence::checkpoints::counting_handler;
use crate::persistence::settings::with_store;
use crate::support::awaitable_host::{begin, until, until_began, within};
use crate::support::recording_store::{RecordingStore, commit, find_record, record, saved_checkpoint};
use crate::support::steps::{Steps, assert_succeeds, outcome, register_all, wait_until_idle};
use crate::support::{HANDLER, Scripted, id};

/// Ends an item as its name says.
async fn end_as_named(item: ItemContext) -> SyncResult {
    match item.name() {
        "transient" => bail!("the fault"),
        "later" => Err(anyhow!("the fault")).retry_after(Duration::from_secs(7_200)),
        "permanent" => Err(anyhow!("the fault")).permanent(),
        "gone" => Err(anyhow!("the fault")).gone(),
        "unreadable" => Err(anyhow!("the fault")).unreadable_state(),
        "user" => Err(NeedsUser::new("an answer").into()),
        "panic" => panic!("the fault"),
        "tolerates" => {
            let _ = item.tolerate("a file", Err::<(), _>(anyhow!("the fault")));
            Ok(())
        }
        "skipped" | "stopped" => std::future::pending().await,
        _ => Ok(()),
    }
}

const EACH: [&str; 9] = ["fine", "transient", "later", "permanent", "gone", "unreadable", "user", "panic", "tolerates"];

fn handler_with_each_end() -> Scripted {
    Scripted::new(&EACH).on_item(|item| end_as_named(item.clone()).boxed())
}

fn manager_with_clock(store: &MemoryStore, clock: &ManualClock, handler: &Scripted) -> SyncManager {
    register_all(SyncManager::builder().store(store.clone()).clock(clock.clone()).build(), [handler.clone()])
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_end_is_recorded_with_its_time_and_retry_status() {
    let (store, clock) = (MemoryStore::new(), ManualClock::default());
    clock.advance(Duration::from_secs(1_000));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    let session = begin(&manager_with_clock(&store, &clock, &handler_with_each_end()));
    within(session.report()).await;
    let status = |item: &str| record(&store, item).retry.map(|retry| retry.status);
    let expected = [
        ("fine", Outcome::Succeeded, None),
        ("transient", Outcome::Failed, Some(RetryStatus::Backoff)),
        ("later", Outcome::Failed, Some(RetryStatus::NotBefore)),
        ("permanent", Outcome::Failed, Some(RetryStatus::Permanent)),
        ("gone", Outcome::Failed, Some(RetryStatus::Gone)),
        ("unreadable", Outcome::Failed, Some(RetryStatus::UnreadableState)),
        ("user", Outcome::NeedsUser, Some(RetryStatus::NeedsUser)),
        ("panic", Outcome::Failed, Some(RetryStatus::Backoff)),
        ("tolerates", Outcome::Failed, Some(RetryStatus::Backoff)),
    ];
    for (item, outcome, retry) in expected {
        let stored = record(&store, item);
        assert_eq!((stored.outcome, stored.last_attempt, status(item)), (Some(outcome), Some(now), retry), "{item}");
        assert_eq!(stored.last_success, (outcome == Outcome::Succeeded).then_some(now), "{item}");
    }
    let until = record(&store, "later").retry.and_then(|retry| retry.until);
    assert_eq!(until, Some(now + Duration::from_secs(7_200)));
    assert!(store.retry_states(HANDLER).unwrap().len() == EACH.len() - 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_the_last_success_and_a_success_clears_failures() {
    let (store, clock) = (MemoryStore::new(), ManualClock::default());
    let good = Scripted::new(&["permanent"]);
    let bad = Scripted::new(&["permanent"]).on_item(|item| end_as_named(item.clone()).boxed());
    let mut ends = Vec::new();
    for (second, handler) in [(1, &good), (2, &bad), (3, &bad), (4, &good)] {
        clock.set_wall(SystemTime::UNIX_EPOCH + Duration::from_secs(second));
        within(begin(&manager_with_clock(&store, &clock, handler)).finish()).await;
        let stored = record(&store, "permanent");
        let seconds =
            |time: Option<SystemTime>| time.unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let failures = stored.retry.map(|retry: RetryState| retry.total);
        ends.push((seconds(stored.last_attempt), seconds(stored.last_success), failures));
    }
    assert_eq!(ends, [(1, 1, None), (2, 1, Some(1)), (3, 1, Some(2)), (4, 4, None)]);
}

#[tokio::test(start_paused = true)]
async fn skipped_and_stopped_items_are_recorded_without_a_retry_status() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["skipped", "stopped"]).on_item(|item| end_as_named(item.clone()).boxed());
    let session = begin(&with_store(&store, &handler));
    wait_until_idle().await;
    session.skip(HANDLER, id("skipped")).unwrap();
    wait_until_idle().await;
    session.stop();
    within(session.report()).await;
    let of = |item| (record(&store, item).outcome, record(&store, item).retry);
    assert_eq!(of("skipped"), (Some(Outcome::Skipped), None));
    assert_eq!(of("stopped"), (Some(Outcome::Stopped), None));
}

#[tokio::test(start_paused = true)]
async fn an_end_and_its_log_entries_are_stored_in_one_write() {
    let store = RecordingStore::default();
    let handler = handler_with_each_end().on_item(|item| {
        async move {
            item.info(format!("about {}", item.name()));
            // Each item ends at a different time.
            tokio::time::sleep(Duration::from_millis(item.index() as u64)).await;
            end_as_named(item.clone()).await
        }
        .boxed()
    });
    within(begin(&store.manager(&handler)).finish()).await;
    let position = |wanted: &dyn Fn(&StateChange) -> bool| store.writes().iter().position(|all| all.iter().any(wanted));
    for item in EACH.iter().filter(|item| !["fine", "panic"].contains(item)) {
        let ended = position(&|change| match change {
            StateChange::Ended { items, .. } => items.iter().any(|(of, _)| *of == id(item)),
            _ => false,
        });
        let logged = position(&|change| match change {
            StateChange::Logged { entries, .. } | StateChange::Log { entries, .. } => {
                entries.iter().any(|entry| entry.item == Some(id(item)) && entry.level > LogLevel::Information)
            }
            _ => false,
        });
        assert!(ended.is_some() && logged.is_some(), "{item}: {ended:?} {logged:?}");
        assert!(logged <= ended, "{item}: its end was stored before its log entries");
        assert!(*item == "tolerates" || logged == ended, "{item}: {ended:?} {logged:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_records_are_stored_before_the_end_event_of_the_run() {
    let store = MemoryStore::new();
    let session = begin(&with_store(&store, &handler_with_each_end()));
    let mut events = session.events();
    let ended = |event: &SessionEvent| matches!(event, SessionEvent::Run { change: RunChange::Ended(_), .. });
    until(&mut events, ended).await;
    assert!(EACH.iter().all(|item| record(&store, item).outcome.is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_report_waits_until_the_records_are_stored() {
    let store = RecordingStore::default();
    let manager = store.manager(&handler_with_each_end());
    wait_until_idle().await;
    store.hold();
    let session = begin(&manager);
    let early = tokio::time::timeout(Duration::from_secs(60), session.report()).await;
    assert!(early.is_err(), "the report did not wait for the records");
    store.flush();
    within(session.finish()).await;
}

/// Asserts that these items have ended with this outcome.
fn assert_ended(store: &MemoryStore, items: &[&str], outcome: Outcome) {
    for item in items {
        assert_eq!(find_record(store, item).and_then(|record| record.outcome), Some(outcome), "{item}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_session_records_items_that_never_began() {
    let store = MemoryStore::new();
    let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let handler = Scripted::new(&names).on_item(|_| std::future::pending().boxed());
    let session = begin(&with_store(&store, &handler));
    until_began(&session).await;
    session.stop();
    within(session.report()).await;
    assert_ended(&store, &names, Outcome::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_prepare_fails_records_each_of_its_items() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["a", "b"]).on_prepare(|_| async { Err(anyhow!("the fault")).permanent() }.boxed());
    let report = within(begin(&with_store(&store, &handler)).finish()).await;
    assert!(matches!(report.runs[0].ending, Some(RunEnding::NotPrepared(_))), "{report}");
    assert_ended(&store, &["a", "b"], Outcome::Failed);
    let retry_status = |item| record(&store, item).retry.map(|retry| retry.status);
    assert_eq!([retry_status("a"), retry_status("b")], [Some(RetryStatus::Permanent); 2]);
}

#[tokio::test(start_paused = true)]
async fn excluded_items_are_recorded_with_those_that_run() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["a", "b"]).on_prepare(|run| {
        let excluded = run.exclude(id("a"), Err::<(), _>(anyhow!("the fault")).gone().unwrap_err());
        async move { Ok(excluded?) }.boxed()
    });
    within(begin(&with_store(&store, &handler)).finish()).await;
    assert_ended(&store, &["a"], Outcome::Failed);
    assert_ended(&store, &["b"], Outcome::Succeeded);
    assert_eq!(record(&store, "a").retry.map(|retry| retry.status), Some(RetryStatus::Gone));
}

#[tokio::test(start_paused = true)]
async fn a_failed_listing_is_recorded_and_keeps_the_records_of_items() {
    let store = MemoryStore::new();
    assert_succeeds(begin(&with_store(&store, &Scripted::new(&["a"])))).await;
    let broken = Scripted::new(&["a"]).items(|| Err(anyhow!("the fault")));
    let manager = with_store(&store, &broken);
    within(begin(&manager).finish()).await;
    assert_ended(&store, &["a"], Outcome::Succeeded);
    let failures = |store: &MemoryStore| store.retry_states(HANDLER).unwrap().len();
    assert_eq!(failures(&store), 1, "the failed listing was not recorded");
    drop(manager);
    assert_succeeds(begin(&with_store(&store, &Scripted::new(&["a"])))).await;
    assert_eq!(failures(&store), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stale_attempt_cannot_overwrite_the_record_of_a_later_one() {
    let (store, seen) = (MemoryStore::new(), Transcript::new());
    let later = Fence::new(SessionId(99), 0);
    let (inside, notes) = (store.clone(), seen.clone());
    let handler = Scripted::new(&["a", "b"]).on_item(move |item| {
        let (store, notes) = (inside.clone(), notes.clone());
        async move {
            commit(&store, item.name(), later, 1, "5").await?;
            if item.name() == "b" {
                return Ok(());
            }
            let refused = item.saved::<u32>()?.commit().await.expect_err("the commit is stale");
            let stale = refused.chain().find_map(|cause| cause.downcast_ref::<StaleWriter>());
            let writer = Fence::new(item.run().session(), 2);
            assert_eq!(stale, Some(&StaleWriter::new(item.id(), writer, later)));
            notes.note("refused");
            Err(refused)
        }
        .boxed()
    });
    within(begin(&with_store(&store, &handler)).finish()).await;
    assert_eq!(seen.lines(), ["refused"]);
    for item in ["a", "b"] {
        let stored = record(&store, item);
        assert_eq!((stored.fence, stored.outcome, stored.last_attempt), (later, None, None), "{item}");
        assert_eq!(saved_checkpoint(&store, item), Some((1, "5".to_owned())));
    }
}

/// The fence orders attempts by their start, so it names the latest session, which is not always that of the attempt.
#[tokio::test(start_paused = true)]
async fn a_later_attempt_of_an_earlier_session_overwrites_the_record() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let of_steps = steps.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (steps, item) = (of_steps.clone(), item.clone());
        async move {
            steps.step(item.clone()).await?;
            if item.run().trigger() == Trigger::Scheduled { Err(anyhow!("the fault")) } else { Ok(()) }
        }
        .boxed()
    });
    let manager = with_store(&store, &handler);
    let _running = begin(&manager);
    wait_until_idle().await;
    let waiting = manager.session(Trigger::Scheduled).may_bother_user().start().unwrap();
    let urgent = begin(&manager);
    steps.release(&["a", "a"]).await;
    assert_succeeds(urgent).await;
    let before = record(&store, "a").fence;
    steps.release(&["a"]).await;
    within(waiting.report()).await;
    let after = record(&store, "a");
    assert_eq!((after.fence.session, after.outcome), (SessionId(3), Some(Outcome::Failed)));
    assert!(before < after.fence && before.session == after.fence.session, "{before}, then {}", after.fence);
}

#[tokio::test(start_paused = true)]
async fn the_next_manager_continues_the_session_numbers_and_can_write() {
    let (store, handler) = (MemoryStore::new(), counting_handler(&["a"]));
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let manager = with_store(&store, &handler);
        for _ in 0..2 {
            numbers.push(assert_succeeds(begin(&manager)).await.session);
        }
    }
    assert_eq!(numbers, [1, 2, 3, 4].map(SessionId));
    assert_eq!((store.last_session().unwrap(), record(&store, "a").fence.session), (SessionId(4), SessionId(4)));
    // The same holds after a crash.
    let stuck = Scripted::new(&["a"]).on_item(|_| std::future::pending().boxed());
    let _session = begin(&with_store(&store, &stuck));
    wait_until_idle().await;
    assert_eq!(assert_succeeds(begin(&with_store(&store.after_crash(), &handler))).await.session, SessionId(6));
}

#[tokio::test(start_paused = true)]
async fn a_manager_without_a_store_records_failures_until_success() {
    let fails = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let failing = fails.clone();
    let handler = Scripted::new(&["a", "b"]).on_item(move |item| {
        let fails = item.name() == "a" && failing.load(std::sync::atomic::Ordering::Relaxed);
        async move { if fails { Err(anyhow!("the fault")).permanent() } else { Ok(()) } }.boxed()
    });
    let manager = register_all(SyncManager::new(), [handler]);
    within(begin(&manager).finish()).await;
    let last = |item| manager.explain_item(HANDLER, id(item)).unwrap().last.map(|last| last.outcome);
    assert_eq!(
        (last("a"), last("b")),
        (Some(Outcome::Failed), None),
        "a success without an earlier failure was recorded"
    );
    fails.store(false, std::sync::atomic::Ordering::Relaxed);
    let report = assert_succeeds(begin(&manager)).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Succeeded);
    assert_eq!((last("a"), last("b")), (Some(Outcome::Succeeded), None));
    assert!(manager.history().await.unwrap().is_empty());
}
