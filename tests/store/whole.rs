//! The order and atomicity of writes.

use std::sync::Barrier;

use futures::executor::block_on;
use syncmgr::store::StateStore;
use syncmgr::{ItemId, Outcome};

use crate::common::*;

cases! {
    a_read_sees_all_earlier_writes_even_if_not_awaited,
    writes_are_applied_in_call_order,
    concurrent_writers_lose_no_write,
    write_capacity_returns_after_many_writes,
}

fn a_read_sees_all_earlier_writes_even_if_not_awaited(store: &dyn StateStore) {
    for number in 0..200_u32 {
        drop(store.write(vec![commit_change(ITEM, fence(1, number), &number.to_string())]));
        assert_eq!(record(store, ITEM).expect("the record exists").fence.attempt, number);
        drop(store.write(vec![add_log_change(1, &[plain("x")])]));
        assert_eq!(texts(store).len(), number as usize + 1);
    }
}

fn writes_are_applied_in_call_order(store: &dyn StateStore) {
    let writes = (0..1_000).map(|number| store.write(vec![add_log_change(1, &[plain(&number.to_string())])]));
    let writes: Vec<_> = writes.collect();
    assert!(block_on(futures::future::join_all(writes)).iter().all(Result::is_ok));
    let expected: Vec<String> = (0..1_000).map(|number| format!("1: {number}")).collect();
    assert_eq!(texts(store), expected);
}

fn concurrent_writers_lose_no_write(store: &dyn StateStore) {
    let (writers, each) = (4_u128, 500_u128);
    let start = Barrier::new(4);
    let write = |writer: u128| {
        start.wait();
        for number in 0..each {
            let item = ItemId::from_u128(1 + writer * each + number);
            drop(store.write(vec![end_change(1, [(item, item_end(Outcome::Succeeded))])]));
            assert!(record(store, item).is_some());
        }
    };
    std::thread::scope(|scope| {
        let write = &write;
        (0..writers).for_each(|writer| drop(scope.spawn(move || write(writer))));
    });
    assert_eq!(store.recorded_items(HANDLER).expect("the read succeeds").len(), 2_000);
}

fn write_capacity_returns_after_many_writes(store: &dyn StateStore) {
    for item in 1..=20_000 {
        drop(store.write(vec![end_change(1, [(ItemId::from_u128(item), item_end(Outcome::Succeeded))])]));
    }
    if let Some(room) = store.write_capacity() {
        block_on(room);
    }
    assert_eq!(store.recorded_items(HANDLER).expect("the read succeeds").len(), 20_000);
    assert!(store.write_capacity().is_none());
}
