//! The order and atomicity of writes.

use std::sync::Barrier;

use futures::executor::block_on;
use syncmgr::store::StateStore;
use syncmgr::{ItemId, Outcome};

use crate::common::*;

cases! {
    a_read_sees_all_earlier_writes_even_if_not_awaited,
    writes_are_applied_in_call_order,
    concurrent_writers_lose_nothing,
    there_is_room_again_after_many_writes,
}

fn a_read_sees_all_earlier_writes_even_if_not_awaited(store: &dyn StateStore) {
    for number in 0..200_u32 {
        drop(store.write(vec![committed(ITEM, fence(1, number), &number.to_string())]));
        assert_eq!(record(store, ITEM).expect("stored").fence.attempt, number);
        drop(store.write(vec![logged(1, &[plain("x")])]));
        assert_eq!(texts(store).len(), number as usize + 1);
    }
}

fn writes_are_applied_in_call_order(store: &dyn StateStore) {
    let writes = (0..1_000).map(|number| store.write(vec![logged(1, &[plain(&number.to_string())])]));
    let writes: Vec<_> = writes.collect();
    assert!(block_on(futures::future::join_all(writes)).iter().all(Result::is_ok));
    let expected: Vec<String> = (0..1_000).map(|number| format!("1: {number}")).collect();
    assert_eq!(texts(store), expected);
}

fn concurrent_writers_lose_nothing(store: &dyn StateStore) {
    let (writers, each) = (4_u128, 500_u128);
    let together = Barrier::new(4);
    let write = |writer: u128| {
        together.wait();
        for number in 0..each {
            let item = ItemId::from_u128(1 + writer * each + number);
            drop(store.write(vec![ended(1, [(item, ending(Outcome::Succeeded))])]));
            assert!(record(store, item).is_some());
        }
    };
    std::thread::scope(|scope| {
        let write = &write;
        (0..writers).for_each(|writer| drop(scope.spawn(move || write(writer))));
    });
    assert_eq!(store.known(HANDLER).expect("read").len(), 2_000);
}

fn there_is_room_again_after_many_writes(store: &dyn StateStore) {
    for item in 1..=20_000 {
        drop(store.write(vec![ended(1, [(ItemId::from_u128(item), ending(Outcome::Succeeded))])]));
    }
    if let Some(room) = store.room() {
        block_on(room);
    }
    assert_eq!(store.known(HANDLER).expect("read").len(), 20_000);
    assert!(store.room().is_none());
}
