//! Examples and properties of an attempt's items.

use proptest::prelude::*;

use super::*;

#[test]
fn a_queued_item_takes_11_bytes() {
    assert_eq!(size_of::<Phase>(), 1);
    assert_eq!(size_of::<Packed>(), 5, "each item has two entries");
}

#[test]
fn a_skipped_item_is_never_begun() {
    let mut attempt = AttemptState::new(3);
    assert_eq!(attempt.skip(1), Skip::Ended);
    assert_eq!([attempt.begin_next(), attempt.begin_next(), attempt.begin_next()], [Some(0), Some(2), None]);
    assert_eq!(attempt.skip(0), Skip::Signal);
    assert!(attempt.end(0, Outcome::Skipped));
    assert_eq!(attempt.skip(0), Skip::TooLate);
}

#[test]
fn a_stop_ends_queued_items_and_leaves_running_items_to_their_workers() {
    let mut attempt = AttemptState::new(3);
    attempt.begin_next();
    attempt.stop(CancelReason::SessionStopped);
    attempt.stop(CancelReason::ShuttingDown);
    assert_eq!(attempt.stopped(), Some(CancelReason::SessionStopped));
    assert_eq!(attempt.phases(), [Phase::Running, Phase::Ended(Outcome::Stopped), Phase::Ended(Outcome::Stopped)]);
    assert_eq!((attempt.remaining(), attempt.begin_next()), (1, None));
}

#[test]
fn a_pause_or_stop_before_the_selection_stays_in_effect() {
    let mut attempt = AttemptState::default();
    attempt.select(2);
    assert_eq!((attempt.remaining(), attempt.begin_next(), attempt.pause()), (2, Some(0), Pause::Running));
    let mut attempt = AttemptState::default();
    assert!(attempt.set_pause(Pause::Paused).is_empty());
    attempt.select(2);
    assert_eq!((attempt.pause(), attempt.begin_next()), (Pause::Paused, None));
    let mut attempt = AttemptState::default();
    attempt.stop(CancelReason::Skipped);
    attempt.select(1);
    assert_eq!(attempt.phases(), [Phase::Ended(Outcome::Skipped)]);
    assert_eq!(attempt.stopped(), Some(CancelReason::Skipped));
}

#[test]
fn a_held_item_begins_before_others_once_it_is_ready() {
    let mut attempt = AttemptState::new(3);
    assert_eq!(attempt.peek_next(), Some(0));
    attempt.hold(0);
    assert_eq!(attempt.begin_next(), Some(1));
    assert!(attempt.has_waiting() && attempt.ready(0));
    assert_eq!([attempt.begin_next(), attempt.begin_next(), attempt.begin_next()], [Some(0), Some(2), None]);
    assert!(!attempt.has_waiting() && !attempt.ready(0));
}

#[test]
fn a_ready_item_that_is_skipped_does_not_affect_other_ready_items() {
    let mut attempt = AttemptState::new(3);
    (0..3).for_each(|item| attempt.hold(item));
    assert!((0..3).all(|item| attempt.ready(item)));
    assert_eq!(attempt.skip(1), Skip::Released);
    assert_eq!([attempt.begin_next(), attempt.begin_next(), attempt.begin_next()], [Some(0), Some(2), None]);
}

#[test]
fn items_waiting_for_claims_and_ready_items_are_counted_separately() {
    let mut attempt = AttemptState::new(5);
    (0..5).for_each(|item| attempt.hold(item));
    assert_eq!((attempt.waiting_for_claims(), attempt.ready_count(), attempt.has_ready()), (5, 0, false));
    assert!(!attempt.has_next() && attempt.has_waiting(), "all items wait for their claims");
    assert!(attempt.ready(1) && attempt.ready(2));
    assert_eq!((attempt.waiting_for_claims(), attempt.ready_count(), attempt.has_ready()), (3, 2, true));
    assert!(attempt.has_next() && attempt.has_waiting());
    assert_eq!([attempt.begin_next(), attempt.begin_next()], [Some(1), Some(2)]);
    assert_eq!((attempt.waiting_for_claims(), attempt.ready_count(), attempt.has_ready()), (3, 0, false));
    assert!(attempt.end(0, Outcome::Failed));
    assert_eq!(attempt.waiting_for_claims(), 2);
}

#[test]
fn only_a_queued_item_begins_before_its_turn() {
    let mut attempt = AttemptState::new(3);
    attempt.hold(0);
    assert!(attempt.begin(2));
    assert_eq!([0, 2, 3].map(|item| attempt.begin(item)), [false; 3], "held, begun, unknown");
    assert_eq!(attempt.phases(), [Phase::Held, Phase::Queued, Phase::Running]);
    assert!(attempt.journal(0).eq([JournalEntry { item: 2, change: Change::Began }]));
}

#[test]
fn an_attempt_whose_items_have_all_begun_has_no_next_item() {
    let mut attempt = AttemptState::new(1);
    assert!(attempt.has_next() && attempt.has_waiting());
    attempt.begin_next();
    assert_eq!((attempt.peek_next(), attempt.has_next(), attempt.has_waiting()), (None, false, false));
}

#[test]
fn an_item_that_becomes_ready_twice_begins_once() {
    let mut attempt = AttemptState::new(1);
    attempt.hold(0);
    assert!(attempt.ready(0) && attempt.ready(0));
    assert_eq!([attempt.begin_next(), attempt.begin_next()], [Some(0), None]);
}

#[test]
fn a_held_item_that_is_skipped_or_stopped_releases_its_claims() {
    let mut attempt = AttemptState::new(3);
    attempt.hold(0);
    attempt.hold(1);
    assert_eq!(attempt.skip(0), Skip::Released);
    assert_eq!(attempt.stop(CancelReason::SessionStopped), [1]);
    assert!(!attempt.ready(1));
    assert_eq!((attempt.begin_next(), attempt.remaining()), (None, 0));
}

#[test]
fn a_pause_releases_the_claims_of_items_that_have_not_begun() {
    let mut attempt = AttemptState::new(3);
    (0..3).for_each(|item| attempt.hold(item));
    assert!(attempt.ready(1));
    assert_eq!(attempt.set_pause(Pause::Paused), [1]);
    assert!(!attempt.ready(2), "the item became ready while paused");
    assert!(attempt.set_pause(Pause::Running).is_empty());
    assert_eq!(attempt.peek_next(), Some(1));
    attempt.hold(1);
    assert_eq!(attempt.peek_next(), Some(2));
}

#[test]
fn no_item_begins_while_the_attempt_is_paused() {
    let mut attempt = AttemptState::new(2);
    attempt.begin_next();
    assert!(attempt.set_pause(Pause::Paused).is_empty());
    assert_eq!(attempt.pause(), Pause::Paused);
    assert_eq!(
        (attempt.begin_next(), attempt.peek_next(), attempt.has_next(), attempt.has_waiting()),
        (None, None, false, true)
    );
    assert!(attempt.set_pause(Pause::Running).is_empty());
    assert_eq!(attempt.begin_next(), Some(1));
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Next,
    Hold,
    Ready(usize),
    Pause(Pause),
    Begin(usize),
    End(usize, Outcome),
    Skip(usize),
    Stop,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let item = 0..12_usize;
    let outcome = prop_oneof![Just(Outcome::Succeeded), Just(Outcome::Failed), Just(Outcome::NeedsUser)];
    let op = prop_oneof![
        4 => Just(Op::Next),
        2 => Just(Op::Hold),
        2 => item.clone().prop_map(Op::Ready),
        1 => prop_oneof![Just(Pause::Paused), Just(Pause::Running)].prop_map(Op::Pause),
        1 => item.clone().prop_map(Op::Begin),
        4 => (item.clone(), outcome).prop_map(|(item, outcome)| Op::End(item, outcome)),
        2 => item.prop_map(Op::Skip),
        1 => Just(Op::Stop),
    ];
    proptest::collection::vec(op, 0..80)
}

proptest! {
    #[test]
    fn every_item_begins_and_ends_at_most_once(ops in ops()) {
        let mut attempt = AttemptState::new(10);
        for op in ops {
            match op {
                Op::Next => { attempt.begin_next(); }
                Op::Hold => if let Some(item) = attempt.peek_next() { attempt.hold(item); },
                Op::Ready(item) => { attempt.ready(item); }
                Op::Pause(pause) => { _ = attempt.set_pause(pause); }
                Op::Begin(item) => { attempt.begin(item); }
                Op::End(item, outcome) => { attempt.end(item, outcome); }
                Op::Skip(item) => { attempt.skip(item); }
                Op::Stop => { attempt.stop(CancelReason::SessionStopped); }
            }
        }
        for item in 0..10 {
            let of = |wanted: fn(Change) -> bool| {
                attempt.journal(0).filter(|entry| entry.item == item && wanted(entry.change)).count()
            };
            let ends = of(|change| matches!(change, Change::Ended(_)));
            prop_assert!(of(|change| change == Change::Began) <= 1);
            prop_assert_eq!(ends, usize::from(matches!(attempt.phase(item as usize), Some(Phase::Ended(_)))));
        }
        let remaining = attempt.phases().iter().filter(|phase| !matches!(phase, Phase::Ended(_))).count();
        prop_assert_eq!(attempt.remaining(), remaining);
        let held = attempt.phases().iter().filter(|phase| **phase == Phase::Held).count();
        prop_assert_eq!(attempt.held, held);
    }
}
