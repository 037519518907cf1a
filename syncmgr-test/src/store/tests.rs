use std::time::Duration;

use syncmgr_core::id::HandlerId;
use syncmgr_core::register::RegisterFlags;

use super::*;

const HANDLER: HandlerId = HandlerId::from_u128(7);

/// A change that can be read back.
fn set(flags: RegisterFlags) -> Vec<StateChange> {
    vec![StateChange::Flags { handler: HANDLER, flags }]
}

fn read(store: &dyn StateStore) -> Option<RegisterFlags> {
    store.handlers().unwrap().get(&HANDLER).and_then(|record| record.flags)
}

#[tokio::test(start_paused = true)]
async fn the_write_that_is_to_fail_fails_alone_and_stores_nothing() {
    let store = FaultyStore::new();
    store.fail_write(2);
    store.write(set(RegisterFlags::CONNECT)).await.unwrap();
    let error = store.write(set(RegisterFlags::IDLE)).await.unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&DiskFault { number: 2 }));
    assert_eq!(read(&store), Some(RegisterFlags::CONNECT));
    assert_eq!(read(&store.left_behind()), Some(RegisterFlags::CONNECT));
    store.write(set(RegisterFlags::IDLE)).await.unwrap();
    assert_eq!(read(&store), Some(RegisterFlags::IDLE));
}

#[tokio::test(start_paused = true)]
async fn every_write_fails_from_a_number_on_until_the_store_is_healed() {
    let store = FaultyStore::new();
    store.fail_from(1);
    assert!(store.write(set(RegisterFlags::CONNECT)).await.is_err());
    assert!(store.write(set(RegisterFlags::CONNECT)).await.is_err());
    store.heal();
    store.write(set(RegisterFlags::IDLE)).await.unwrap();
    assert_eq!((read(&store), store.writes()), (Some(RegisterFlags::IDLE), 3));
}

#[tokio::test(start_paused = true)]
async fn a_slow_write_is_seen_at_once_and_survives_only_when_it_was_stored() {
    let store = FaultyStore::new();
    store.slow_down(Duration::from_secs(1));
    let stored = store.write(set(RegisterFlags::CONNECT));
    assert_eq!(read(&store), Some(RegisterFlags::CONNECT));
    assert_eq!((read(&store.left_behind()), store.under_way()), (None, 1));
    assert_eq!(read(&store.left_behind_with(1)), Some(RegisterFlags::CONNECT));
    stored.await.unwrap();
    assert_eq!((read(&store.left_behind()), store.under_way()), (Some(RegisterFlags::CONNECT), 0));
}

#[tokio::test(start_paused = true)]
async fn a_quick_write_is_not_said_to_be_stored_before_a_slow_one_that_came_first() {
    let store = FaultyStore::new();
    store.slow_down(Duration::from_secs(2));
    drop(store.write(set(RegisterFlags::CONNECT)));
    store.heal();
    store.write(set(RegisterFlags::IDLE)).await.unwrap();
    assert_eq!(read(&store.left_behind()), Some(RegisterFlags::IDLE));
}

#[tokio::test(start_paused = true)]
async fn a_write_reaches_the_disk_although_nobody_waits_for_it() {
    let store = FaultyStore::new();
    store.slow_down(Duration::from_secs(1));
    drop(store.write(set(RegisterFlags::CONNECT)));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(read(&store.left_behind()), Some(RegisterFlags::CONNECT));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lies_says_stored_and_loses_it_unless_it_is_flushed() {
    let store = FaultyStore::new();
    store.lie();
    store.write(set(RegisterFlags::CONNECT)).await.unwrap();
    assert_eq!(read(&store.left_behind()), None);
    store.heal();
    store.write(set(RegisterFlags::IDLE)).await.unwrap();
    assert_eq!(read(&store.left_behind()), None, "what comes later does not overtake what was lost");
    store.flush();
    assert_eq!(read(&store.left_behind()), Some(RegisterFlags::IDLE));
}

#[tokio::test(start_paused = true)]
async fn a_store_goes_on_from_what_another_left_behind() {
    let first = FaultyStore::new();
    first.write(set(RegisterFlags::CONNECT)).await.unwrap();
    let second = FaultyStore::over(&first.left_behind());
    assert_eq!(read(&second), Some(RegisterFlags::CONNECT));
    second.write(set(RegisterFlags::IDLE)).await.unwrap();
    assert_eq!(read(&first), Some(RegisterFlags::CONNECT), "they share nothing");
}
