//! Consumption of the user's answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use syncmgr::anyhow::bail;
use syncmgr::log::Question;
use syncmgr::store::{MemoryStore, StateChange, StateStore};
use syncmgr::{ItemContext, NeedsUser, Outcome, SyncManager, SyncResult, Trigger};

use crate::asking::stored_log::{asking_handler, question};
use crate::persistence::settings::with_store;
use crate::support::awaitable_host::{begin, within};
use crate::support::recording_store::RecordingStore;
use crate::support::steps::{assert_succeeds, outcome, wait_until_idle};
use crate::support::{HANDLER, Scripted, id};

/// The question that [`ask_side`] asks.
fn side_question() -> Question {
    Question::new("side", "which side wins?", ["here", "there"].map(Arc::from))
}

/// The answer to [`side_question`] that is stored for an item.
fn stored_answer(store: &MemoryStore, item: &str) -> Option<usize> {
    store.answer(HANDLER, id(item), &side_question()).expect("a memory store does not fail")
}

/// Asks a question and fails if there is no answer.
fn ask_side(item: &ItemContext) -> SyncResult<&'static str> {
    item.decide("side", "which side wins?", &["here", "there"]).ok_or_else(|| NeedsUser::new("an answer").into())
}

/// Runs the item until it asks its question, then answers it and returns the report.
async fn run_and_answer(manager: &SyncManager, choice: usize) -> syncmgr::Report {
    within(begin(manager).finish()).await;
    within(manager.answer(HANDLER, question(manager), choice).expect("the question is open").finish()).await
}

#[tokio::test(start_paused = true)]
async fn a_success_consumes_an_answer_but_reading_the_answer_does_not() {
    let store = MemoryStore::new();
    let inside = store.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let store = inside.clone();
        async move {
            assert_eq!((ask_side(item)?, ask_side(item)?), ("there", "there"));
            assert_eq!(stored_answer(&store, "a"), Some(1), "reading consumed the answer");
            Ok(())
        }
        .boxed()
    });
    let manager = with_store(&store, &handler);
    assert!(run_and_answer(&manager, 1).await.is_success());
    assert_eq!(stored_answer(&store, "a"), None);
    let report = within(begin(&manager).finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::NeedsUser);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_fails_panics_or_is_stopped_keeps_the_answer() {
    let (store, round) = (MemoryStore::new(), Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    let rounds = round.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let round = rounds.fetch_add(1, Ordering::Relaxed);
        async move {
            ask_side(item)?;
            match round {
                1 => bail!("the fault"),
                2 => panic!("the fault"),
                3 => std::future::pending().await,
                _ => Ok(()),
            }
        }
        .boxed()
    });
    let manager = with_store(&store, &handler);
    assert_eq!(outcome(&run_and_answer(&manager, 1).await, id("a")), Outcome::Failed);
    assert_eq!(stored_answer(&store, "a"), Some(1));
    assert_eq!(outcome(&within(begin(&manager).finish()).await, id("a")), Outcome::Failed);
    let session = begin(&manager);
    wait_until_idle().await;
    session.stop();
    assert_eq!(outcome(&within(session.finish()).await, id("a")), Outcome::Stopped);
    assert_eq!(stored_answer(&store, "a"), Some(1));
    assert_succeeds(begin(&manager)).await;
    assert_eq!(stored_answer(&store, "a"), None);
}

#[tokio::test(start_paused = true)]
async fn a_commit_consumes_the_answer_it_used_even_if_the_item_fails_later() {
    let store = MemoryStore::new();
    let inside = store.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let store = inside.clone();
        async move {
            let mut saved = item.saved::<String>()?;
            if saved.is_empty() {
                *saved = ask_side(item)?.to_owned();
                assert_eq!(stored_answer(&store, "a"), Some(1));
                saved.commit().await?;
                assert_eq!(stored_answer(&store, "a"), None);
                bail!("the fault");
            }
            assert_eq!(*saved, "there");
            Ok(())
        }
        .boxed()
    });
    let manager = with_store(&store, &handler);
    assert_eq!(outcome(&run_and_answer(&manager, 1).await, id("a")), Outcome::Failed);
    assert_succeeds(begin(&manager)).await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_consumes_only_answers_read_since_the_previous_commit() {
    let store = MemoryStore::new();
    let (inside, again) = (store.clone(), Arc::new(AtomicBool::new(false)));
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (store, again) = (inside.clone(), again.clone());
        async move {
            let mut saved = item.saved::<u32>()?;
            saved.commit().await?;
            if ask_side(item).is_err() {
                return Err(NeedsUser::new("an answer").into());
            }
            assert_eq!(stored_answer(&store, "a"), Some(0), "a commit before the question consumed its answer");
            saved.commit().await?;
            assert_eq!(stored_answer(&store, "a"), None);
            // The user answers the same question again meanwhile.
            let change = syncmgr::store::StateChange::Answered {
                handler: HANDLER,
                item: id("a"),
                question: side_question(),
                choice: 1,
            };
            store.write(vec![change]).await?;
            saved.commit().await?;
            again.store(stored_answer(&store, "a") == Some(1), Ordering::Relaxed);
            assert!(again.load(Ordering::Relaxed), "the commit consumed an answer that the item had not read");
            Ok(())
        }
        .boxed()
    });
    let manager = with_store(&store, &handler);
    let report = run_and_answer(&manager, 0).await;
    assert!(report.is_success(), "{report}");
    assert_eq!(stored_answer(&store, "a"), Some(1), "the success consumed an answer that the item had not read");
}

#[tokio::test(start_paused = true)]
async fn a_refused_commit_keeps_the_answer() {
    let store = crate::support::recording_store::RecordingStore::default();
    let (inside, first) = (store.clone(), Arc::new(AtomicBool::new(true)));
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (store, first) = (inside.clone(), first.clone());
        async move {
            ask_side(item)?;
            let refuses = first.swap(false, Ordering::Relaxed);
            store.refuse(refuses);
            let committed = item.saved::<u32>()?.commit().await;
            store.refuse(false);
            committed
        }
        .boxed()
    });
    let manager = store.manager(&handler);
    assert_eq!(outcome(&run_and_answer(&manager, 1).await, id("a")), Outcome::Failed);
    assert_eq!(stored_answer(&store.inner, "a"), Some(1));
    assert_succeeds(begin(&manager)).await;
    assert_eq!(stored_answer(&store.inner, "a"), None);
}

#[tokio::test(start_paused = true)]
async fn an_item_does_not_consume_another_items_answer_to_the_same_question() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["a", "b"]).on_item(|item| async move { ask_side(item).map(drop) }.boxed());
    let manager = with_store(&store, &handler);
    for (item, choice) in [("a", 0), ("b", 1)] {
        let change = syncmgr::store::StateChange::Answered {
            handler: HANDLER,
            item: id(item),
            question: side_question(),
            choice,
        };
        store.write(vec![change]).await.unwrap();
    }
    assert_succeeds(manager.session(Trigger::Manual).items(HANDLER, [id("a")]).start().unwrap()).await;
    assert_eq!((stored_answer(&store, "a"), stored_answer(&store, "b")), (None, Some(1)));
}

/// The store after a crash while an item with an answer runs.
async fn store_after_crash() -> MemoryStore {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async move {
            ask_side(item)?;
            std::future::pending().await
        }
        .boxed()
    });
    let manager = with_store(&store, &handler);
    within(begin(&manager).finish()).await;
    let _session = manager.answer(HANDLER, question(&manager), 1).expect("the question is open");
    wait_until_idle().await;
    assert_eq!(handler.transcript.count("item a"), 2);
    store.after_crash()
}

#[tokio::test(start_paused = true)]
async fn an_answer_survives_a_crash_between_reading_it_and_the_success() {
    let store = store_after_crash().await;
    assert_eq!(stored_answer(&store, "a"), Some(1));
    let handler = Scripted::new(&["a"]).on_item(|item| async move { ask_side(item).map(drop) }.boxed());
    assert_succeeds(begin(&with_store(&store, &handler))).await;
    assert_eq!(stored_answer(&store, "a"), None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_stored_atomically_with_the_start_of_its_session() {
    let store = RecordingStore::default();
    let manager = store.manager(&asking_handler());
    within(begin(&manager).finish()).await;
    within(manager.answer(HANDLER, question(&manager), 1).expect("the question is open").finish()).await;
    let writes = store.writes();
    let answered =
        writes.iter().find(|write| write.iter().any(|change| matches!(change, StateChange::Answered { .. })));
    let began = |change: &StateChange| matches!(change, StateChange::SessionBegan(_));
    assert!(answered.is_some_and(|write| write.iter().any(began)), "{writes:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_item_with_an_answer_runs_in_a_background_session_after_a_crash() {
    let store = store_after_crash().await;
    let handler = Scripted::new(&["a"]).on_item(|item| async move { ask_side(item).map(drop) }.boxed());
    let manager = with_store(&store, &handler);
    let session = manager.session(Trigger::Scheduled).handlers([HANDLER]).start().unwrap();
    assert_eq!(outcome(&within(session.finish()).await, id("a")), Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn answering_in_an_open_background_session_runs_the_item_in_that_session() {
    let manager = with_store(&MemoryStore::new(), &asking_handler());
    let session = manager.session(Trigger::Scheduled).handlers([HANDLER]).start().unwrap();
    let report = within(session.report()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::NeedsUser);
    within(session.answer(HANDLER, question(&manager), 0)).await.unwrap();
    let report = within(session.finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Succeeded, "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_survives_a_success_that_could_not_be_stored() {
    let store = crate::support::recording_store::RecordingStore::default();
    let (inside, first) = (store.clone(), Arc::new(AtomicBool::new(true)));
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (store, first) = (inside.clone(), first.clone());
        async move {
            ask_side(item)?;
            store.refuse(first.swap(false, Ordering::Relaxed));
            Ok(())
        }
        .boxed()
    });
    let manager = store.manager(&handler);
    let report = run_and_answer(&manager, 1).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Succeeded);
    let logged = report.runs[0].log.iter().any(|entry| entry.text.contains("could not be recorded"));
    assert!(logged, "{report}");
    store.refuse(false);
    assert_eq!(
        stored_answer(&store.inner, "a"),
        Some(1),
        "the answer was consumed although the success was not stored"
    );
    let report = within(begin(&manager).finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Succeeded, "{report}");
}
