//! Commits that nobody waits for to the end: once the store has taken one, what it used up is used up.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use syncmgr::anyhow::bail;
use syncmgr::{ItemContext, Outcome};
use syncmgr_test::Transcript;
use tokio::time::sleep;

use crate::asking::stored_log::question;
use crate::guards::plans::many;
use crate::support::daytime::HOUR;
use crate::support::steps::{idle, outcome};
use crate::support::watched::{begin, within};
use crate::support::witness::{Witness, saved};
use crate::support::{HANDLER, Scripted, id};

/// What its item was told each time it asked; with an answer it does the rest.
fn asking(
    told: &Transcript,
    rest: impl Fn(&ItemContext) -> futures::future::BoxFuture<'_, syncmgr::SyncResult> + Send + Sync + 'static,
) -> Scripted {
    let (told, rest) = (told.clone(), Arc::new(rest));
    Scripted::new(&["a"]).on_item(move |item| {
        let (told, rest) = (told.clone(), rest.clone());
        async move {
            let side = item.decide("side", "which side wins?", &["here", "there"]);
            told.note(side.unwrap_or("nothing"));
            if side.is_none() { Ok(()) } else { rest(item).await }
        }
        .boxed()
    })
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_used_up_by_a_commit_that_was_begun_and_dropped() {
    let (store, told) = (Witness::default(), Transcript::new());
    let inside = store.clone();
    let handler = asking(&told, move |item| {
        let store = inside.clone();
        async move {
            let mut count = item.saved::<u32>()?;
            *count += 1;
            store.hold();
            assert!(count.commit().now_or_never().is_none(), "it waits for the store");
            store.flush();
            bail!("cut short");
        }
        .boxed()
    });
    let manager = store.manager(&handler);
    within(begin(&manager).finish()).await;
    within(manager.answer(HANDLER, question(&manager), 1).unwrap().finish()).await;
    assert_eq!(saved(&store, "a"), Some((1, "1".to_owned())), "the store has taken it");
    within(begin(&manager).finish()).await;
    assert_eq!(told.lines(), ["nothing", "there", "nothing"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_used_up_by_a_commit_whose_item_is_skipped_meanwhile() {
    let (store, told) = (Witness::default(), Transcript::new());
    let inside = store.clone();
    let handler = asking(&told, move |item| {
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
    idle().await;
    session.skip(HANDLER, id("a")).unwrap();
    // Long enough for what does not heed it to be dropped.
    sleep(HOUR).await;
    store.flush();
    assert_eq!(outcome(&within(session.finish()).await, id("a")), Outcome::Skipped);
    assert_eq!(saved(&store, "a"), Some((1, "1".to_owned())));
    within(begin(&manager).finish()).await;
    assert_eq!(told.lines(), ["nothing", "there", "nothing"]);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_allowed_is_asked_again_after_a_commit_that_was_begun_and_dropped() {
    let (store, told) = (Witness::default(), Arc::new(Mutex::new(Vec::new())));
    let (inside, telling) = (store.clone(), told.clone());
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (store, told) = (inside.clone(), telling.clone());
        async move {
            let clearance = item.clear(&many()).or_leave();
            told.lock().unwrap().push(clearance.is_ok());
            drop(clearance?);
            store.hold();
            assert!(item.saved::<u32>()?.commit().now_or_never().is_none());
            store.flush();
            bail!("cut short");
        }
        .boxed()
    });
    let manager = store.manager(&handler);
    within(begin(&manager).finish()).await;
    within(manager.answer(HANDLER, question(&manager), 0).unwrap().finish()).await;
    let report = within(begin(&manager).finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::NeedsUser);
    assert_eq!(*told.lock().unwrap(), [false, true, false]);
}
