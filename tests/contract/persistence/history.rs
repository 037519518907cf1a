//! The stored history of sessions.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::anyhow::bail;
use syncmgr::store::{MemoryStore, SessionEnd, SessionOutcome, SessionRecord, StateChange, StateStore};
use syncmgr::{Outcome, Participation, SessionId, SyncManager, Trigger, Uuid};
use syncmgr_test::ManualClock;

use crate::persistence::settings::{LINK, repairable, with_store};
use crate::support::awaitable_host::{begin, until_began, within};
use crate::support::steps::{Steps, assert_succeeds, register_all, start_manual, wait_until_idle};
use crate::support::{HANDLER, Scripted, id};

/// The outcomes of a store's sessions and of their items.
fn ends(store: &MemoryStore) -> Vec<(SessionOutcome, Vec<(Outcome, u64)>)> {
    let end = |record: SessionRecord| record.end.map(|end| (end.outcome, end.outcomes.into_iter().collect()));
    store.sessions().expect("a memory store does not fail").into_iter().filter_map(end).collect()
}

fn failing_handler() -> Scripted {
    Scripted::new(&["a", "b", "c"]).on_item(|item| {
        let fails = item.name() != "b";
        async move { if fails { bail!("the fault") } else { Ok(()) } }.boxed()
    })
}

#[tokio::test(start_paused = true)]
async fn a_session_with_a_failure_has_problems_and_others_are_clean() {
    let store = MemoryStore::new();
    assert_succeeds(begin(&with_store(&store, &Scripted::new(&["a", "b"])))).await;
    within(begin(&with_store(&store, &failing_handler())).finish()).await;
    let declines = Scripted::new(&["a"]).on_initialize(|_| async { Ok(Participation::Decline) }.boxed());
    within(begin(&with_store(&store, &declines)).finish()).await;
    let broken = Scripted::new(&[]).items(|| bail!("the fault"));
    within(begin(&with_store(&store, &broken)).finish()).await;
    let expected = [
        (SessionOutcome::Clean, vec![(Outcome::Succeeded, 2)]),
        (SessionOutcome::WithProblems, vec![(Outcome::Succeeded, 1), (Outcome::Failed, 2)]),
        (SessionOutcome::Clean, vec![]),
        (SessionOutcome::WithProblems, vec![]),
    ];
    assert_eq!(ends(&store), expected);
}

#[tokio::test(start_paused = true)]
async fn a_session_record_has_its_manager_start_time_and_requested_items() {
    let (store, clock) = (MemoryStore::new(), ManualClock::default());
    let builder = SyncManager::builder().store(store.clone()).clock(clock.clone());
    let manager = register_all(builder.build(), [Scripted::new(&["a", "b"])]);
    let began = syncmgr::environment::Clock::now(&clock).wall;
    let session = manager.session(Trigger::Scheduled).items(HANDLER, [id("b")]).start().unwrap();
    assert_succeeds(session).await;
    let [record] = &manager.history().await.unwrap()[..] else { panic!() };
    assert_eq!((record.session, record.manager, record.began), (SessionId(1), manager.id(), began));
    assert_eq!(record.runs.len(), 1);
    assert_eq!(record.runs[0].items.as_ref().map(|items| items.contains(&id("b"))), Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_session_has_problems_and_a_dropped_one_is_interrupted() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let manager = || register_all(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["a"])]);
    let stopped = manager();
    let session = start_manual(&stopped, 1);
    until_began(&session).await;
    session.stop();
    within(session.finish()).await;
    drop(stopped);
    let dropped = manager();
    drop(start_manual(&dropped, 1));
    wait_until_idle().await;
    drop(dropped);
    wait_until_idle().await;
    let stopped = (SessionOutcome::WithProblems, vec![(Outcome::Stopped, 1)]);
    assert_eq!(ends(&store), [stopped]);
    let interrupted = store.after_crash().interrupted().unwrap();
    assert_eq!(interrupted.iter().map(|record| record.session).collect::<Vec<_>>(), [SessionId(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_while_results_are_open_is_not_an_interruption() {
    let store = MemoryStore::new();
    let session = begin(&with_store(&store, &Scripted::new(&["a"])));
    within(session.report()).await;
    assert!(store.after_crash().interrupted().unwrap().is_empty());
    assert_eq!(ends(&store).len(), 1);
    within(session.finish()).await;
}

#[tokio::test(start_paused = true)]
async fn a_successful_retry_keeps_the_other_items_in_the_history() {
    let (store, handler) = (MemoryStore::new(), repairable());
    let session = begin(&with_store(&store, &handler));
    within(session.report()).await;
    within(session.show_error(HANDLER, LINK)).await.unwrap();
    let report = within(session.finish()).await;
    assert!(report.is_success(), "{report}");
    let [(_, outcomes)] = &ends(&store)[..] else { panic!("{:?}", ends(&store)) };
    assert_eq!(outcomes.iter().map(|(_, count)| count).sum::<u64>(), 2);
}

/// Stores the beginning and the end of a session.
async fn store_session(store: &MemoryStore, number: u64, outcome: SessionOutcome) {
    let (session, manager, time) = (SessionId(number), Uuid::nil(), std::time::SystemTime::UNIX_EPOCH);
    let record = SessionRecord::new(session, manager, Trigger::Manual, time, Vec::new());
    let end = SessionEnd::new(time, outcome, Default::default());
    store.write(vec![StateChange::SessionBegan(record)]).await.expect("a memory store does not fail");
    store.write(vec![StateChange::SessionEnded { session, manager, end }]).await.expect("a memory store does not fail");
}

#[tokio::test(start_paused = true)]
async fn the_history_drops_the_oldest_clean_sessions_first() {
    let store = MemoryStore::new();
    let handler = failing_handler();
    let manager = with_store(&store, &handler);
    within(begin(&manager).finish()).await;
    for number in 2..=300 {
        store_session(&store, number, SessionOutcome::Clean).await;
    }
    let stored: Vec<u64> = store.sessions().unwrap().iter().map(|record| record.session.0).collect();
    assert_eq!(stored.len(), 200);
    assert_eq!((stored[0], stored[1], stored[199]), (1, 102, 300));
    for number in 301..=600 {
        store_session(&store, number, SessionOutcome::WithProblems).await;
    }
    let stored: Vec<u64> = store.sessions().unwrap().iter().map(|record| record.session.0).collect();
    assert_eq!((stored.len(), stored[0], stored[199]), (200, 401, 600));
    assert_eq!(store.last_session().unwrap(), SessionId(600));
}

#[tokio::test(start_paused = true)]
async fn the_history_never_drops_a_running_session() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let manager = register_all(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["a"])]);
    let _session = start_manual(&manager, 1);
    wait_until_idle().await;
    for number in 2..=300 {
        store_session(&store, number, SessionOutcome::WithProblems).await;
    }
    let interrupted = store.after_crash().interrupted().unwrap();
    assert_eq!(interrupted.iter().map(|of| of.session).collect::<Vec<_>>(), [SessionId(1)]);
}

#[tokio::test(start_paused = true)]
async fn latencies_and_durations_accumulate_across_managers() {
    let (store, clock) = (MemoryStore::new(), ManualClock::default());
    let handler = Scripted::new(&["a"]).on_item(|_| std::future::pending().boxed());
    for round in 1..=2 {
        let builder = SyncManager::builder().store(store.clone()).clock(clock.clone());
        let manager = register_all(builder.build(), [handler.clone()]);
        let session = begin(&manager);
        until_began(&session).await;
        clock.advance(Duration::from_secs(round));
        session.stop();
        within(session.finish()).await;
        assert_eq!((manager.stop_latencies().count(), manager.session_durations().count()), (round, round));
        assert_eq!(manager.session_durations().max(), Some(Duration::from_secs(round)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_history_shows_interrupted_sessions_and_no_end_for_running_ones() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let manager = |store: &MemoryStore| {
        register_all(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["a"])])
    };
    let session_outcomes = |manager: &SyncManager| -> Vec<Option<SessionOutcome>> {
        let history = manager.history().now_or_never().expect("a store in memory is read on the spot");
        history.unwrap().into_iter().map(|record| record.end.map(|end| end.outcome)).collect()
    };
    let first = manager(&store);
    let _first = start_manual(&first, 1);
    assert_eq!(steps.running().await, "a");
    assert_eq!(session_outcomes(&first), [None]);
    let second = manager(&store.after_crash());
    assert_eq!(session_outcomes(&second), [Some(SessionOutcome::Interrupted)]);
    let session = start_manual(&second, 1);
    wait_until_idle().await;
    assert_eq!(session_outcomes(&second), [Some(SessionOutcome::Interrupted), None]);
    steps.open("a");
    assert_succeeds(session).await;
    assert_eq!(session_outcomes(&second), [Some(SessionOutcome::Interrupted), Some(SessionOutcome::Clean)]);
}
