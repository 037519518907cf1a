//! Commits whose future is dropped: a commit that the store has accepted consumes the answers it used.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use syncmgr::anyhow::bail;
use syncmgr::{ItemContext, Outcome};
use syncmgr_test::Transcript;
use tokio::time::sleep;

use crate::asking::stored_log::question;
use crate::guards::plans::many_deletions;
use crate::support::awaitable_host::{begin, within};
use crate::support::recording_store::{RecordingStore, saved_checkpoint};
use crate::support::steps::{outcome, wait_until_idle};
use crate::support::test_clock::HOUR;
use crate::support::{HANDLER, Scripted, id};

/// A handler whose item asks a question, notes the answer and, if there is one, continues with `rest`.
fn asking_handler(
    answers: &Transcript,
    rest: impl Fn(&ItemContext) -> futures::future::BoxFuture<'_, syncmgr::SyncResult> + Send + Sync + 'static,
) -> Scripted {
    let (answers, rest) = (answers.clone(), Arc::new(rest));
    Scripted::new(&["a"]).on_item(move |item| {
        let (answers, rest) = (answers.clone(), rest.clone());
        async move {
            let side = item.decide("side", "which side wins?", &["here", "there"]);
            answers.note(side.unwrap_or("nothing"));
            if side.is_none() { Ok(()) } else { rest(item).await }
        }
        .boxed()
    })
}

#[tokio::test(start_paused = true)]
async fn a_dropped_commit_consumes_the_answer() {
    let (store, answers) = (RecordingStore::default(), Transcript::new());
    let inside = store.clone();
    let handler = asking_handler(&answers, move |item| {
        let store = inside.clone();
        async move {
            let mut count = item.saved::<u32>()?;
            *count += 1;
            store.hold();
            assert!(count.commit().now_or_never().is_none(), "the commit did not wait for the store");
            store.flush();
            bail!("the commit was dropped");
        }
        .boxed()
    });
    let manager = store.manager(&handler);
    within(begin(&manager).finish()).await;
    within(manager.answer(HANDLER, question(&manager), 1).unwrap().finish()).await;
    assert_eq!(saved_checkpoint(&store, "a"), Some((1, "1".to_owned())), "the store did not accept the commit");
    within(begin(&manager).finish()).await;
    assert_eq!(answers.lines(), ["nothing", "there", "nothing"]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_during_which_its_item_is_skipped_consumes_the_answer() {
    let (store, answers) = (RecordingStore::default(), Transcript::new());
    let inside = store.clone();
    let handler = asking_handler(&answers, move |item| {
        let store = inside.clone();
        async move {
            let mut count = item.saved::<u32>()?;
            *count += 1;
            store.hold();
            count.commit().await
        }
        .boxed()
    });
    let manager = store.manager(&handler);
    within(begin(&manager).finish()).await;
    let session = manager.answer(HANDLER, question(&manager), 1).unwrap();
    wait_until_idle().await;
    session.skip(HANDLER, id("a")).unwrap();
    // The item is dropped after its soft grace, before the store completes the commit.
    sleep(HOUR).await;
    store.flush();
    assert_eq!(outcome(&within(session.finish()).await, id("a")), Outcome::Skipped);
    assert_eq!(saved_checkpoint(&store, "a"), Some((1, "1".to_owned())));
    within(begin(&manager).finish()).await;
    assert_eq!(answers.lines(), ["nothing", "there", "nothing"]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_commit_consumes_an_allowed_plan() {
    let (store, answers) = (RecordingStore::default(), Arc::new(Mutex::new(Vec::new())));
    let (inside, noting) = (store.clone(), answers.clone());
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (store, answers) = (inside.clone(), noting.clone());
        async move {
            let decision = item.propose(&many_deletions());
            answers.lock().unwrap().push(decision.is_ok());
            decision?;
            store.hold();
            assert!(item.saved::<u32>()?.commit().now_or_never().is_none());
            store.flush();
            bail!("the commit was dropped");
        }
        .boxed()
    });
    let manager = store.manager(&handler);
    within(begin(&manager).finish()).await;
    within(manager.answer(HANDLER, question(&manager), 0).unwrap().finish()).await;
    let report = within(begin(&manager).finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::NeedsUser);
    assert_eq!(*answers.lock().unwrap(), [false, true, false]);
}
