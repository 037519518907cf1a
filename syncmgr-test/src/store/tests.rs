use std::time::Duration;

use syncmgr_core::id::HandlerId;
use syncmgr_core::register::RegisterFlags;

use super::*;

const HANDLER: HandlerId = HandlerId::from_u128(7);

/// Returns a change that `read` can read back.
fn set(flags: RegisterFlags) -> Vec<StateChange> {
    vec![StateChange::Flags { handler: HANDLER, flags }]
}

fn read(store: &dyn StateStore) -> Option<RegisterFlags> {
    store.handlers().unwrap().get(&HANDLER).and_then(|record| record.flags)
}

#[tokio::test(start_paused = true)]
async fn only_the_selected_write_fails_and_it_stores_nothing() {
    let store = FaultyStore::new();
    store.fail_write(2);
    store.write(set(RegisterFlags::CONNECT)).await.unwrap();
    let error = store.write(set(RegisterFlags::IDLE)).await.unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&DiskFault { number: 2 }));
    assert_eq!(read(&store), Some(RegisterFlags::CONNECT));
    assert_eq!(read(&store.after_crash()), Some(RegisterFlags::CONNECT));
    store.write(set(RegisterFlags::IDLE)).await.unwrap();
    assert_eq!(read(&store), Some(RegisterFlags::IDLE));
}

#[tokio::test(start_paused = true)]
async fn writes_fail_from_a_given_write_until_the_store_recovers() {
    let store = FaultyStore::new();
    store.fail_from(1);
    assert!(store.write(set(RegisterFlags::CONNECT)).await.is_err());
    assert!(store.write(set(RegisterFlags::CONNECT)).await.is_err());
    store.recover();
    store.write(set(RegisterFlags::IDLE)).await.unwrap();
    assert_eq!((read(&store), store.writes()), (Some(RegisterFlags::IDLE), 3));
}

#[tokio::test(start_paused = true)]
async fn a_slow_write_is_readable_immediately_but_survives_a_crash_only_if_stored() {
    let store = FaultyStore::new();
    store.slow_down(Duration::from_secs(1));
    let stored = store.write(set(RegisterFlags::CONNECT));
    assert_eq!(read(&store), Some(RegisterFlags::CONNECT));
    assert_eq!((read(&store.after_crash()), store.pending_writes()), (None, 1));
    assert_eq!(read(&store.after_crash_with(1)), Some(RegisterFlags::CONNECT));
    stored.await.unwrap();
    assert_eq!((read(&store.after_crash()), store.pending_writes()), (Some(RegisterFlags::CONNECT), 0));
}

#[tokio::test(start_paused = true)]
async fn a_fast_write_is_not_acknowledged_before_an_earlier_slow_one() {
    let store = FaultyStore::new();
    store.slow_down(Duration::from_secs(2));
    drop(store.write(set(RegisterFlags::CONNECT)));
    store.recover();
    store.write(set(RegisterFlags::IDLE)).await.unwrap();
    assert_eq!(read(&store.after_crash()), Some(RegisterFlags::IDLE));
}

#[tokio::test(start_paused = true)]
async fn a_write_reaches_the_disk_even_if_its_future_is_dropped() {
    let store = FaultyStore::new();
    store.slow_down(Duration::from_secs(1));
    drop(store.write(set(RegisterFlags::CONNECT)));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(read(&store.after_crash()), Some(RegisterFlags::CONNECT));
}

#[tokio::test(start_paused = true)]
async fn dropped_writes_are_acknowledged_but_lost_unless_flushed() {
    let store = FaultyStore::new();
    store.drop_writes();
    store.write(set(RegisterFlags::CONNECT)).await.unwrap();
    assert_eq!(read(&store.after_crash()), None);
    store.recover();
    store.write(set(RegisterFlags::IDLE)).await.unwrap();
    assert_eq!(read(&store.after_crash()), None, "later writes do not overtake dropped ones");
    store.flush();
    assert_eq!(read(&store.after_crash()), Some(RegisterFlags::IDLE));
}

#[tokio::test(start_paused = true)]
async fn a_store_starts_with_the_contents_left_by_a_crash() {
    let first = FaultyStore::new();
    first.write(set(RegisterFlags::CONNECT)).await.unwrap();
    let second = FaultyStore::with_contents(&first.after_crash());
    assert_eq!(read(&second), Some(RegisterFlags::CONNECT));
    second.write(set(RegisterFlags::IDLE)).await.unwrap();
    assert_eq!(read(&first), Some(RegisterFlags::CONNECT), "the stores are independent");
}
