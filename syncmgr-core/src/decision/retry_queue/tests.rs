//! Examples and properties of the retry queue.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::decision::retry::{RequestedBy, may_run};

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn handler(number: u8) -> HandlerId {
    HandlerId::from_u128(number.into())
}

fn item(number: u8) -> ItemId {
    ItemId::from_u128(number.into())
}

fn backoff(until: u64) -> RetryState {
    RetryState::new(RetryStatus::Backoff, at(0), Some(at(until)))
}

fn taken(pairs: &[(u8, u8)]) -> BTreeMap<HandlerId, BTreeSet<ItemId>> {
    let mut taken = BTreeMap::<_, BTreeSet<_>>::new();
    pairs.iter().for_each(|(of, number)| {
        taken.entry(handler(*of)).or_default().insert(item(*number));
    });
    taken
}

#[test]
fn the_earliest_item_is_next_and_is_taken_at_its_time() {
    let mut queue = RetryQueue::default();
    queue.set(handler(1), item(1), Some(&backoff(30)));
    queue.set(handler(2), item(1), Some(&backoff(10)));
    queue.set(handler(2), item(2), Some(&backoff(20)));
    assert_eq!(
        (queue.next(), queue.next_of(handler(1)), queue.next_of(handler(3))),
        (Some(at(10)), Some(at(30)), None)
    );
    assert_eq!(queue.take_due(at(9)), taken(&[]));
    assert_eq!(queue.take_due(at(20)), taken(&[(2, 1), (2, 2)]));
    assert_eq!(queue.take_due(at(20)), taken(&[]), "an item is taken once");
    assert_eq!((queue.next(), queue.next_of(handler(2))), (Some(at(30)), None));
}

#[test]
fn setting_an_item_again_replaces_its_time() {
    let mut queue = RetryQueue::default();
    queue.set(handler(1), item(1), Some(&backoff(10)));
    queue.set(handler(1), item(1), Some(&backoff(50)));
    assert_eq!(queue.take_due(at(49)), taken(&[]));
    assert_eq!(queue.due_of(handler(1), item(1)), Some(at(50)));
    queue.set(handler(1), item(1), None);
    assert_eq!((queue.next(), queue.due_of(handler(1), item(1))), (None, None));
}

#[test]
fn only_a_backoff_or_a_not_before_time_makes_an_item_due() {
    for status in RetryStatus::ALL {
        let mut queue = RetryQueue::default();
        queue.set(handler(1), item(1), Some(&RetryState::new(status, at(5), Some(at(10)))));
        let timed = matches!(status, RetryStatus::Backoff | RetryStatus::NotBefore);
        assert_eq!(queue.next().is_some(), timed, "{status:?}");
        queue.set(handler(1), item(1), Some(&RetryState::new(status, at(5), None)));
        assert_eq!(queue.next(), None, "{status:?}");
    }
}

#[test]
fn a_clock_set_back_ends_a_backoff_but_not_a_not_before_time() {
    let mut queue = RetryQueue::default();
    let state = |status| RetryState::new(status, at(1_000), Some(at(1_030)));
    queue.set(handler(1), item(1), Some(&state(RetryStatus::Backoff)));
    queue.set(handler(1), item(2), Some(&state(RetryStatus::NotBefore)));
    assert_eq!(queue.take_due(at(1_000)), taken(&[]));
    assert_eq!(queue.take_due(at(999)), taken(&[(1, 1)]));
    assert_eq!(queue.next(), Some(at(1_030)));
}

#[test]
fn a_forgotten_item_is_never_due() {
    let mut queue = RetryQueue::default();
    for number in 1..4 {
        queue.set(handler(1), item(number), Some(&backoff(10)));
        queue.set(handler(2), item(number), Some(&backoff(10)));
    }
    queue.forget(handler(1));
    queue.forget_item(handler(2), item(2));
    assert_eq!(queue.take_due(at(10)), taken(&[(2, 1), (2, 3)]));
    assert!(queue.times.is_empty() && queue.handlers.is_empty() && queue.starts.is_empty());
}

#[derive(Clone, Debug)]
enum Op {
    Set(u8, u8, Option<RetryState>),
    Forget(u8),
    ForgetItem(u8, u8),
    Take(u64),
}

fn states() -> impl Strategy<Value = RetryState> {
    let until = proptest::option::weighted(0.8, 0..60_u64);
    (proptest::sample::select(&RetryStatus::ALL[..]), 0..60_u64, until)
        .prop_map(|(status, since, until)| RetryState::new(status, at(since), until.map(at)))
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let state = proptest::option::weighted(0.9, states());
    let op = prop_oneof![
        6 => (0..3_u8, 0..5_u8, state).prop_map(|(handler, item, state)| Op::Set(handler, item, state)),
        1 => (0..3_u8).prop_map(Op::Forget),
        1 => (0..3_u8, 0..5_u8).prop_map(|(handler, item)| Op::ForgetItem(handler, item)),
        2 => (0..60_u64).prop_map(Op::Take),
    ];
    proptest::collection::vec(op, 0..60)
}

/// The expected retry states of the queue, by item.
type Model = BTreeMap<(u8, u8), RetryState>;

fn ends_by_itself(state: &RetryState) -> bool {
    let timed = matches!(state.status, RetryStatus::Backoff | RetryStatus::NotBefore);
    timed && state.until.is_some()
}

fn take_from(model: &mut Model, now: SystemTime) -> BTreeMap<HandlerId, BTreeSet<ItemId>> {
    let may = |state: &RetryState| may_run(state, RequestedBy::Automatic, now).is_ok();
    let due: Vec<_> = model.iter().filter(|(_, state)| may(state)).map(|(key, _)| *key).collect();
    model.retain(|_, state| !may(state));
    taken(&due)
}

fn time(state: &RetryState) -> Option<SystemTime> {
    state.until
}

proptest! {
    #[test]
    fn an_item_is_taken_once_as_soon_as_it_may_run(ops in ops()) {
        let (mut queue, mut model) = (RetryQueue::default(), Model::new());
        for op in ops {
            match op {
                Op::Set(of, number, state) => {
                    queue.set(handler(of), item(number), state.as_ref());
                    model.remove(&(of, number));
                    model.extend(state.filter(ends_by_itself).map(|state| ((of, number), state)));
                }
                Op::Forget(of) => {
                    queue.forget(handler(of));
                    model.retain(|(owner, _), _| *owner != of);
                }
                Op::ForgetItem(of, number) => {
                    queue.forget_item(handler(of), item(number));
                    model.remove(&(of, number));
                }
                Op::Take(now) => {
                    prop_assert_eq!(queue.take_due(at(now)), take_from(&mut model, at(now)));
                    prop_assert!(queue.take_due(at(now)).is_empty(), "an item was taken twice");
                }
            }
            prop_assert_eq!(queue.next(), model.values().filter_map(time).min());
            for of in 0..3 {
                let own = model.iter().filter(|((owner, _), _)| *owner == of);
                prop_assert_eq!(queue.next_of(handler(of)), own.filter_map(|(_, state)| time(state)).min());
            }
            for ((of, number), state) in &model {
                prop_assert_eq!(queue.due_of(handler(*of), item(*number)), time(state));
            }
        }
        queue.take_due(at(60));
        prop_assert!(queue.queue.is_empty() && queue.times.is_empty() && queue.starts.is_empty(), "items are left");
        prop_assert!(queue.handlers.is_empty());
    }
}
