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
    queue.set(handler(1), item(1), Some(&backoff(30)), at(0));
    queue.set(handler(2), item(1), Some(&backoff(10)), at(0));
    queue.set(handler(2), item(2), Some(&backoff(20)), at(0));
    assert_eq!(
        (queue.next(), queue.next_of(handler(1)), queue.next_of(handler(3))),
        (Some(at(10)), Some(at(30)), None)
    );
    assert_eq!(queue.take_due(at(9)), taken(&[]));
    assert_eq!(queue.take_due(at(20)), taken(&[(2, 1), (2, 2)]));
    queue.finish(handler(2));
    assert_eq!(queue.take_due(at(20)), taken(&[]), "an item is taken once");
    assert_eq!((queue.next(), queue.next_of(handler(2))), (Some(at(30)), None));
}

#[test]
fn setting_an_item_again_replaces_its_time() {
    let mut queue = RetryQueue::default();
    queue.set(handler(1), item(1), Some(&backoff(10)), at(0));
    queue.set(handler(1), item(1), Some(&backoff(50)), at(0));
    assert_eq!(queue.take_due(at(49)), taken(&[]));
    assert_eq!(queue.due_of(handler(1), item(1)), Some(at(50)));
    queue.set(handler(1), item(1), None, at(0));
    assert_eq!((queue.next(), queue.due_of(handler(1), item(1))), (None, None));
}

#[test]
fn only_a_status_with_a_known_end_makes_an_item_due() {
    for status in RetryStatus::ALL {
        let mut queue = RetryQueue::default();
        queue.set(handler(1), item(1), Some(&RetryState::new(status, at(5), Some(at(10)))), at(0));
        assert_eq!(queue.next().is_some(), status.is_timed(), "{status:?}");
        queue.set(handler(1), item(1), Some(&RetryState::new(status, at(5), None)), at(0));
        assert_eq!(queue.next(), None, "{status:?}");
    }
}

#[test]
fn a_clock_set_back_ends_a_backoff_but_not_a_not_before_time() {
    let mut queue = RetryQueue::default();
    let state = |status| RetryState::new(status, at(1_000), Some(at(1_030)));
    queue.set(handler(1), item(1), Some(&state(RetryStatus::Backoff)), at(0));
    queue.set(handler(1), item(2), Some(&state(RetryStatus::NotBefore)), at(0));
    assert_eq!(queue.take_due(at(1_000)), taken(&[]));
    assert_eq!(queue.take_due(at(999)), taken(&[(1, 1)]));
    assert_eq!(queue.next_of(handler(1)), Some(at(1_030)));
}

#[test]
fn a_forgotten_item_is_never_due() {
    let mut queue = RetryQueue::default();
    for number in 1..4 {
        queue.set(handler(1), item(number), Some(&backoff(10)), at(0));
        queue.set(handler(2), item(number), Some(&backoff(10)), at(0));
    }
    queue.forget(handler(1));
    queue.forget_item(handler(2), item(2));
    assert_eq!(queue.take_due(at(10)), taken(&[(2, 1), (2, 3)]));
    assert_empty(&queue);
}

fn assert_empty(queue: &RetryQueue) {
    assert!(queue.handlers.is_empty() && queue.groups.is_empty() && queue.starts.is_empty(), "{queue:?}");
}

#[test]
fn items_within_a_tenth_of_their_waits_are_due_together() {
    let mut queue = RetryQueue::default();
    for (number, until) in [(1, 30), (2, 31), (3, 33), (4, 34)] {
        queue.set(handler(1), item(number), Some(&backoff(until)), at(0));
    }
    assert_eq!(queue.next(), Some(at(33)), "the first item waits for at most 3 seconds");
    assert_eq!(queue.due_of(handler(1), item(1)), Some(at(33)));
    assert_eq!(queue.due_of(handler(1), item(4)), Some(at(34)), "it is due after the group");
    assert_eq!(queue.take_due(at(32)), taken(&[]));
    assert_eq!(queue.take_due(at(33)), taken(&[(1, 1), (1, 2), (1, 3)]));
}

#[test]
fn a_short_wait_does_not_wait_for_a_longer_one() {
    let mut queue = RetryQueue::default();
    queue.set(handler(1), item(1), Some(&backoff(1_000)), at(0));
    queue.set(handler(1), item(2), Some(&backoff(1_000)), at(990));
    queue.set(handler(1), item(3), Some(&backoff(1_002)), at(0));
    assert_eq!(queue.next(), Some(at(1_000)), "item 2 waits for at most one second");
}

#[test]
fn an_item_that_has_failed_for_days_waits_for_others_no_longer_than_a_new_one() {
    let mut queue = RetryQueue::default();
    queue.set(handler(1), item(1), Some(&backoff(100_000)), at(99_000));
    queue.set(handler(1), item(2), Some(&backoff(100_100)), at(99_000));
    queue.set(handler(1), item(3), Some(&backoff(100_101)), at(99_000));
    assert_eq!(queue.next(), Some(at(100_100)), "item 1 waits for at most 100 seconds");
}

#[test]
fn handlers_do_not_wait_for_each_other() {
    let mut queue = RetryQueue::default();
    queue.set(handler(1), item(1), Some(&backoff(30)), at(0));
    queue.set(handler(2), item(1), Some(&backoff(31)), at(0));
    assert_eq!(queue.take_due(at(30)), taken(&[(1, 1)]));
}

#[test]
fn the_items_of_a_handler_with_an_automatic_run_are_taken_by_that_run() {
    let mut queue = RetryQueue::default();
    queue.set(handler(1), item(1), Some(&backoff(10)), at(0));
    assert_eq!(queue.take_due(at(10)), taken(&[(1, 1)]));
    queue.set(handler(1), item(2), Some(&backoff(20)), at(0));
    queue.set(handler(1), item(3), Some(&backoff(40)), at(0));
    assert_eq!((queue.next(), queue.take_due(at(30))), (None, taken(&[])));
    assert_eq!(queue.take_due_of(handler(1), at(30)), BTreeSet::from([item(2)]));
    queue.finish(handler(1));
    assert_eq!((queue.next(), queue.is_running(handler(1))), (Some(at(40)), false));
}

#[derive(Clone, Debug)]
enum Op {
    Set(u8, u8, Option<RetryState>, u64),
    Forget(u8),
    ForgetItem(u8, u8),
    Take(u64),
    TakeOf(u8, u64),
    Finish(u8),
}

fn states() -> impl Strategy<Value = RetryState> {
    let until = proptest::option::weighted(0.8, 0..60_u64);
    (proptest::sample::select(&RetryStatus::ALL[..]), 0..60_u64, until)
        .prop_map(|(status, since, until)| RetryState::new(status, at(since), until.map(at)))
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let state = proptest::option::weighted(0.9, states());
    let op = prop_oneof![
        6 => (0..3_u8, 0..5_u8, state, 0..60_u64)
            .prop_map(|(handler, item, state, now)| Op::Set(handler, item, state, now)),
        1 => (0..3_u8).prop_map(Op::Forget),
        1 => (0..3_u8, 0..5_u8).prop_map(|(handler, item)| Op::ForgetItem(handler, item)),
        2 => (0..60_u64).prop_map(Op::Take),
        1 => (0..3_u8, 0..60_u64).prop_map(|(handler, time)| Op::TakeOf(handler, time)),
        2 => (0..3_u8).prop_map(Op::Finish),
    ];
    proptest::collection::vec(op, 0..60)
}

/// The expected content of the queue: retry states by item with the time at which they were set, and the handlers with an automatic
/// run.
#[derive(Default)]
struct Model {
    states: BTreeMap<(u8, u8), (RetryState, SystemTime)>,
    running: BTreeSet<u8>,
}

impl Model {
    fn set_of(&self, handler: u8) -> impl Iterator<Item = &(RetryState, SystemTime)> {
        self.states.iter().filter(move |((of, _), _)| *of == handler).map(|(_, set)| set)
    }

    fn of(&self, handler: u8) -> impl Iterator<Item = &RetryState> {
        self.set_of(handler).map(|(state, _)| state)
    }

    /// The latest of the due times that make no item wait more than a tenth longer than its own wait.
    fn group(&self, handler: u8) -> Option<SystemTime> {
        let limit = |(state, set): &(RetryState, SystemTime)| {
            let until = state.until.unwrap();
            until + until.duration_since(*set).unwrap_or_default() / 10
        };
        let limit = self.set_of(handler).map(limit).min()?;
        self.of(handler).filter_map(|state| state.until).filter(|until| *until <= limit).max()
    }

    fn next(&self) -> Option<SystemTime> {
        (0..3).filter(|of| !self.running.contains(of)).filter_map(|of| self.group(of)).min()
    }

    fn take(&mut self, now: SystemTime) -> BTreeMap<HandlerId, BTreeSet<ItemId>> {
        let is_early = |state: &RetryState| state.status != RetryStatus::NotBefore && now < state.since;
        let is_due = |of: &u8| self.group(*of).is_some_and(|time| time <= now) || self.of(*of).any(is_early);
        let due: Vec<_> = (0..3).filter(|of| !self.running.contains(of)).filter(is_due).collect();
        self.running.extend(&due);
        due.into_iter().map(|of| (handler(of), self.take_of(of, now))).collect()
    }

    fn take_of(&mut self, handler: u8, now: SystemTime) -> BTreeSet<ItemId> {
        let may = |state: &RetryState| may_run(state, RequestedBy::Automatic, now).is_ok();
        let due = self.states.iter().filter(|((of, _), (state, _))| *of == handler && may(state));
        let due: BTreeSet<_> = due.map(|((_, number), _)| item(*number)).collect();
        self.states.retain(|(of, _), (state, _)| *of != handler || !may(state));
        due
    }
}

fn ends_by_itself(state: &RetryState) -> bool {
    state.status.is_timed() && state.until.is_some()
}

proptest! {
    #[test]
    fn items_are_taken_once_and_groups_prolong_a_wait_by_at_most_a_tenth(ops in ops()) {
        let (mut queue, mut model) = (RetryQueue::default(), Model::default());
        for op in ops {
            match op {
                Op::Set(of, number, state, now) => {
                    queue.set(handler(of), item(number), state.as_ref(), at(now));
                    model.states.remove(&(of, number));
                    model.states.extend(state.filter(ends_by_itself).map(|state| ((of, number), (state, at(now)))));
                }
                Op::Forget(of) => {
                    queue.forget(handler(of));
                    model.states.retain(|(owner, _), _| *owner != of);
                }
                Op::ForgetItem(of, number) => {
                    queue.forget_item(handler(of), item(number));
                    model.states.remove(&(of, number));
                }
                Op::Take(now) => {
                    prop_assert_eq!(queue.take_due(at(now)), model.take(at(now)));
                    prop_assert!(queue.take_due(at(now)).is_empty(), "an item was taken twice");
                }
                Op::TakeOf(of, now) => {
                    prop_assert_eq!(queue.take_due_of(handler(of), at(now)), model.take_of(of, at(now)));
                }
                Op::Finish(of) => {
                    queue.finish(handler(of));
                    model.running.remove(&of);
                }
            }
            prop_assert_eq!(queue.next(), model.next());
            for of in 0..3 {
                prop_assert_eq!(queue.next_of(handler(of)), model.group(of));
            }
            for ((of, number), (state, _)) in &model.states {
                prop_assert_eq!(queue.due_of(handler(*of), item(*number)), state.until.max(model.group(*of)));
            }
        }
        (0..3).for_each(|of| queue.finish(handler(of)));
        queue.take_due(at(100));
        assert_empty(&queue);
    }
}
