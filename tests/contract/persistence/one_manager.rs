//! One manager at a time has a store.

#[cfg(feature = "sqlite")]
use syncmgr::SyncManager;
use syncmgr::store::{MemoryStore, StateStore, StoreAccessError, StoreInUse};
use syncmgr::{StartError, Trigger};

use crate::persistence::settings::with_store;
use crate::support::awaitable_host::{begin, until_began, within};
use crate::support::steps::{Steps, assert_succeeds, start_manual};
use crate::support::{HANDLER, Scripted, id};

#[tokio::test(start_paused = true)]
async fn no_session_of_a_second_manager_starts() {
    let store = MemoryStore::new();
    let first = with_store(&store, &Scripted::new(&["a"]));
    let second = with_store(&store, &Scripted::new(&["a"]));
    let refused = StartError::StoreInUse(StoreInUse);
    assert_eq!(second.session(Trigger::Manual).start().err(), Some(refused.clone()));
    assert_eq!(second.start_scheduler(), Err(refused));
    assert_succeeds(begin(&first)).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_manager_reads_the_store_but_does_not_change_it() {
    let store = MemoryStore::new();
    let first = with_store(&store, &Scripted::new(&["a"]));
    assert_succeeds(begin(&first)).await;
    let second = with_store(&store, &Scripted::new(&["a"]));
    assert_eq!(second.history().await.unwrap(), first.history().await.unwrap());
    let error = second.forget(HANDLER).await.unwrap_err();
    assert!(matches!(&error, StoreAccessError::Refused(cause) if cause.is::<StoreInUse>()), "{error}");
    assert!(store.record(HANDLER, id("a")).unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_manager_can_use_a_store_after_its_last_manager_shut_down() {
    let store = MemoryStore::new();
    let first = with_store(&store, &Scripted::new(&["a"]));
    within(first.shutdown()).await;
    assert_succeeds(begin(&with_store(&store, &Scripted::new(&["a"])))).await;
}

#[tokio::test(start_paused = true)]
async fn a_manager_can_use_a_store_once_the_last_handle_of_another_is_dropped() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let first = with_store(&store, &steps.handler(1, &["a"]));
    let session = start_manual(&first, 1);
    until_began(&session).await;
    drop(first);
    let too_early = with_store(&store, &Scripted::new(&["a"]));
    assert_eq!(too_early.update_all().err(), Some(StartError::StoreInUse(StoreInUse)));
    drop(session);
    assert_succeeds(begin(&with_store(&store, &Scripted::new(&["a"])))).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_file_has_one_writing_manager_and_any_number_of_reading_ones() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let store = syncmgr::store::SqliteStore::open(&path).unwrap();
    let first = SyncManager::builder().store(store.clone()).build();
    first.run(Scripted::new(&["a"])).await.unwrap();
    let second = SyncManager::builder().store(store).build();
    assert_eq!(second.update_all().err(), Some(StartError::StoreInUse(StoreInUse)));
    for _ in 0..2 {
        let reader = syncmgr::store::SqliteStore::open_read_only(&path).unwrap();
        assert_eq!(SyncManager::builder().store(reader).build().history().await.unwrap().len(), 1);
    }
}
