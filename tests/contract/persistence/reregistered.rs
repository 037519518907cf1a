//! Handlers that are registered again while runs of their old registration end.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::RetryPolicy;
use syncmgr::anyhow::anyhow;
use syncmgr::store::{MemoryStore, StateStore};
use syncmgr::{ItemContext, Outcome, RunEnding, Session, SyncManager, SyncResult};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::persistence::checkpoints::counting_handler;
use crate::persistence::settings::with_store;
use crate::support::awaitable_host::{begin, within};
use crate::support::recording_store::{find_record, record, saved_checkpoint};
use crate::support::steps::{assert_succeeds, outcome, wait_until_idle};
use crate::support::{HANDLER, Scripted, id};

/// A retry every second.
const SECOND: RetryPolicy = RetryPolicy::DEFAULT.with_initial(Duration::from_secs(1)).with_factor(1).with_jitter(0);

/// Commits, then fails once it is stopped and tries to commit again.
async fn commit_until_stopped(item: ItemContext) -> SyncResult {
    let mut count = item.saved::<u32>()?;
    *count = 100;
    count.commit().await?;
    item.cancelled().await;
    sleep(Duration::from_secs(2)).await;
    *count = 200;
    let _ = count.commit().await;
    Err(anyhow!("the old run failed"))
}

/// A manager whose handler is being forgotten during a session.
async fn forget_during_session(store: &MemoryStore) -> (SyncManager, Session, JoinHandle<()>) {
    let old = Scripted::new(&["a"]).on_item(|item| commit_until_stopped(item.clone()).boxed());
    let manager = with_store(store, &old);
    let session = begin(&manager);
    wait_until_idle().await;
    let forgetter = manager.clone();
    let forgetting =
        tokio::spawn(async move { forgetter.forget(HANDLER).await.expect("the store accepts the change") });
    wait_until_idle().await;
    assert!(!forgetting.is_finished(), "`forget` did not wait for the run");
    (manager, session, forgetting)
}

#[tokio::test(start_paused = true)]
async fn a_registration_during_forget_keeps_its_retries() {
    let (manager, old, forgetting) = forget_during_session(&MemoryStore::new()).await;
    let failing = Scripted::new(&["a"])
        .info(|info| info.with_retry(SECOND))
        .on_item(|_| async { Err(anyhow!("a transient failure")) }.boxed());
    manager.register(failing.clone()).expect("the old handler is unregistered");
    within(begin(&manager).finish()).await;
    within(forgetting).await.unwrap();
    within(old.finish()).await;
    let attempts = failing.transcript.count("item a");
    sleep(Duration::from_secs(5)).await;
    assert!(failing.transcript.count("item a") >= attempts + 4, "the item was not retried");
    assert!(manager.explain_item(HANDLER, id("a")).unwrap().next != syncmgr::explain::Next::Never);
}

#[tokio::test(start_paused = true)]
async fn a_registration_during_forget_starts_without_data_and_keeps_its_own() {
    let store = MemoryStore::new();
    let (manager, old, forgetting) = forget_during_session(&store).await;
    assert!(find_record(&store, "a").is_none(), "the data was not deleted at once");
    let new = counting_handler(&["a"]);
    manager.register(new.clone()).expect("the old handler is unregistered");
    let report = assert_succeeds(begin(&manager)).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Succeeded);
    within(forgetting).await.unwrap();
    within(old.finish()).await;
    assert_eq!(saved_checkpoint(&store, "a"), Some((1, "1".to_owned())));
    assert_eq!(record(&store, "a").outcome, Some(Outcome::Succeeded));
    assert!(store.handlers().unwrap().contains_key(&HANDLER), "the new registration was deleted");
}

#[tokio::test(start_paused = true)]
async fn a_new_registration_does_not_merge_with_runs_of_the_old_one() {
    let store = MemoryStore::new();
    let old = Scripted::new(&["a", "b"]).on_item(|_| {
        async {
            sleep(Duration::from_secs(1)).await;
            Ok(())
        }
        .boxed()
    });
    let manager = with_store(&store, &old);
    let first = begin(&manager);
    manager.unregister(HANDLER);
    let new = counting_handler(&["a", "b"]);
    manager.register(new.clone()).expect("the old handler is unregistered");
    assert_succeeds(begin(&manager)).await;
    assert_succeeds(first).await;
    assert_eq!((new.transcript.count("item a"), new.transcript.count("item b")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_an_old_run_is_retried_by_the_new_registration() {
    let store = MemoryStore::new();
    let old = Scripted::new(&["a"]).info(|info| info.with_retry(SECOND)).on_item(|_| {
        async {
            sleep(Duration::from_secs(1)).await;
            Err(anyhow!("a transient failure"))
        }
        .boxed()
    });
    let manager = with_store(&store, &old);
    let session = begin(&manager);
    wait_until_idle().await;
    manager.unregister(HANDLER);
    let new = counting_handler(&["a"]);
    manager.register(new.clone()).expect("the old handler is unregistered");
    within(session.finish()).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!((old.transcript.count("item a"), new.transcript.count("item a")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_forget_has_deleted_the_data() {
    let store = MemoryStore::new();
    let (manager, session, forgetting) = forget_during_session(&store).await;
    forgetting.abort();
    let report = within(session.finish()).await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::Completed));
    assert!(find_record(&store, "a").is_none() && manager.handlers().is_empty());
}
