//! When an answer is used up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use syncmgr::anyhow::bail;
use syncmgr::log::Question;
use syncmgr::store::{MemoryStore, StateStore};
use syncmgr::{ItemContext, NeedsUser, Outcome, SyncManager, SyncResult, Trigger};

use crate::asking::stored_log::{asking, question};
use crate::remembered::settings::over;
use crate::support::steps::{idle, outcome, succeeds};
use crate::support::watched::{begin, within};
use crate::support::{HANDLER, Scripted, id};

/// The question of [`side`].
fn which() -> Question {
    Question::new("side", "which side wins?", ["here", "there"].map(Arc::from))
}

/// The answer to the question of [`side`] that is stored for an item.
fn answered(store: &MemoryStore, item: &str) -> Option<usize> {
    store.answer(HANDLER, id(item), &which()).expect("nothing is wrong here")
}

/// Asks, and gives up without an answer.
fn side(item: &ItemContext) -> SyncResult<&'static str> {
    item.decide("side", "which side wins?", &["here", "there"]).ok_or_else(|| NeedsUser::new("an answer").into())
}

/// Runs the item until it asks, and answers.
async fn answer(manager: &SyncManager, choice: usize) -> syncmgr::Report {
    within(begin(manager).finish()).await;
    within(manager.answer(HANDLER, question(manager), choice).expect("nothing is wrong here").finish()).await
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_there_while_it_is_only_read_and_used_up_by_the_success() {
    let store = MemoryStore::new();
    let inside = store.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let store = inside.clone();
        async move {
            assert_eq!((side(item)?, side(item)?), ("there", "there"));
            assert_eq!(answered(&store, "a"), Some(1), "reading does not use it up");
            Ok(())
        }
        .boxed()
    });
    let manager = over(&store, &handler);
    assert!(answer(&manager, 1).await.is_success());
    assert_eq!(answered(&store, "a"), None);
    let report = within(begin(&manager).finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::NeedsUser);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_fails_is_stopped_or_panics_leaves_the_answer() {
    let (store, round) = (MemoryStore::new(), Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    let rounds = round.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let round = rounds.fetch_add(1, Ordering::Relaxed);
        async move {
            side(item)?;
            match round {
                1 => bail!("the fault"),
                2 => panic!("the fault"),
                3 => std::future::pending().await,
                _ => Ok(()),
            }
        }
        .boxed()
    });
    let manager = over(&store, &handler);
    assert_eq!(outcome(&answer(&manager, 1).await, id("a")), Outcome::Failed);
    assert_eq!(answered(&store, "a"), Some(1));
    assert_eq!(outcome(&within(begin(&manager).finish()).await, id("a")), Outcome::Failed);
    let session = begin(&manager);
    idle().await;
    session.stop();
    assert_eq!(outcome(&within(session.finish()).await, id("a")), Outcome::Stopped);
    assert_eq!(answered(&store, "a"), Some(1));
    succeeds(begin(&manager)).await;
    assert_eq!(answered(&store, "a"), None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_used_up_by_the_commit_that_used_it_although_the_item_fails_later() {
    let store = MemoryStore::new();
    let inside = store.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let store = inside.clone();
        async move {
            let mut saved = item.saved::<String>()?;
            if saved.is_empty() {
                *saved = side(item)?.to_owned();
                assert_eq!(answered(&store, "a"), Some(1));
                saved.commit().await?;
                assert_eq!(answered(&store, "a"), None);
                bail!("the fault");
            }
            assert_eq!(*saved, "there");
            Ok(())
        }
        .boxed()
    });
    let manager = over(&store, &handler);
    assert_eq!(outcome(&answer(&manager, 1).await, id("a")), Outcome::Failed);
    succeeds(begin(&manager)).await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_before_the_question_uses_nothing_up_nor_does_a_second_one_that_did_not_ask() {
    let store = MemoryStore::new();
    let (inside, again) = (store.clone(), Arc::new(AtomicBool::new(false)));
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (store, again) = (inside.clone(), again.clone());
        async move {
            let mut saved = item.saved::<u32>()?;
            saved.commit().await?;
            if side(item).is_err() {
                return Err(NeedsUser::new("an answer").into());
            }
            assert_eq!(answered(&store, "a"), Some(0), "the commit came before");
            saved.commit().await?;
            assert_eq!(answered(&store, "a"), None);
            // Somebody answers the same question again meanwhile.
            let change =
                syncmgr::store::StateChange::Answered { handler: HANDLER, item: id("a"), question: which(), choice: 1 };
            store.write(vec![change]).await?;
            saved.commit().await?;
            again.store(answered(&store, "a") == Some(1), Ordering::Relaxed);
            assert!(again.load(Ordering::Relaxed), "nobody asked for it");
            Ok(())
        }
        .boxed()
    });
    let manager = over(&store, &handler);
    let report = answer(&manager, 0).await;
    assert!(report.is_success(), "{report}");
    assert_eq!(answered(&store, "a"), Some(1), "nor by a success that did not ask again");
}

#[tokio::test(start_paused = true)]
async fn a_commit_the_store_refuses_leaves_the_answer() {
    let store = crate::support::witness::Witness::default();
    let (inside, first) = (store.clone(), Arc::new(AtomicBool::new(true)));
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (store, first) = (inside.clone(), first.clone());
        async move {
            side(item)?;
            let refuses = first.swap(false, Ordering::Relaxed);
            store.refuse(refuses);
            let committed = item.saved::<u32>()?.commit().await;
            store.refuse(false);
            committed
        }
        .boxed()
    });
    let manager = store.manager(&handler);
    assert_eq!(outcome(&answer(&manager, 1).await, id("a")), Outcome::Failed);
    assert_eq!(answered(&store.inner, "a"), Some(1));
    succeeds(begin(&manager)).await;
    assert_eq!(answered(&store.inner, "a"), None);
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_one_item_is_not_used_up_by_another_that_asks_the_same() {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["a", "b"]).on_item(|item| async move { side(item).map(drop) }.boxed());
    let manager = over(&store, &handler);
    for (item, choice) in [("a", 0), ("b", 1)] {
        let change =
            syncmgr::store::StateChange::Answered { handler: HANDLER, item: id(item), question: which(), choice };
        store.write(vec![change]).await.unwrap();
    }
    succeeds(manager.session(Trigger::Manual).items(HANDLER, [id("a")]).start().unwrap()).await;
    assert_eq!((answered(&store, "a"), answered(&store, "b")), (None, Some(1)));
}

/// Answered, and the process is gone while the item runs with the answer.
async fn cut_short() -> MemoryStore {
    let store = MemoryStore::new();
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async move {
            side(item)?;
            std::future::pending().await
        }
        .boxed()
    });
    let manager = over(&store, &handler);
    within(begin(&manager).finish()).await;
    let _session = manager.answer(HANDLER, question(&manager), 1).expect("nothing is wrong here");
    idle().await;
    assert_eq!(handler.transcript.count("item a"), 2);
    store.left_behind()
}

#[tokio::test(start_paused = true)]
async fn an_answer_survives_a_crash_between_reading_it_and_the_success() {
    let store = cut_short().await;
    assert_eq!(answered(&store, "a"), Some(1));
    let handler = Scripted::new(&["a"]).on_item(|item| async move { side(item).map(drop) }.boxed());
    succeeds(begin(&over(&store, &handler))).await;
    assert_eq!(answered(&store, "a"), None);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_was_answered_before_a_crash_runs_by_itself_after_it() {
    let store = cut_short().await;
    let handler = Scripted::new(&["a"]).on_item(|item| async move { side(item).map(drop) }.boxed());
    let manager = over(&store, &handler);
    let session = manager.session(Trigger::Scheduled).handlers([HANDLER]).start().unwrap();
    assert_eq!(outcome(&within(session.finish()).await, id("a")), Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn an_answer_given_to_a_session_nobody_asked_for_runs_its_item_there() {
    let manager = over(&MemoryStore::new(), &asking());
    let session = manager.session(Trigger::Scheduled).handlers([HANDLER]).start().unwrap();
    let report = within(session.report()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::NeedsUser);
    within(session.answer(HANDLER, question(&manager), 0)).await.unwrap();
    let report = within(session.finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Succeeded, "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_used_up_by_a_success_that_could_not_be_stored_is_asked_for_again_by_nobody() {
    let store = crate::support::witness::Witness::default();
    let (inside, first) = (store.clone(), Arc::new(AtomicBool::new(true)));
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (store, first) = (inside.clone(), first.clone());
        async move {
            side(item)?;
            store.refuse(first.swap(false, Ordering::Relaxed));
            Ok(())
        }
        .boxed()
    });
    let manager = store.manager(&handler);
    let report = answer(&manager, 1).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Succeeded);
    let lost = report.runs[0].log.iter().any(|entry| entry.text.contains("could not be recorded"));
    assert!(lost, "{report}");
    store.refuse(false);
    assert_eq!(answered(&store.inner, "a"), Some(1), "the store was never told");
    let report = within(begin(&manager).finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Succeeded, "{report}");
}
