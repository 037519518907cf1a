//! Examples and properties of an attempt's items.

use proptest::prelude::*;

use super::*;

#[test]
fn a_queued_item_takes_11_bytes() {
    assert_eq!(size_of::<Phase>(), 1);
    assert_eq!(size_of::<Packed>(), 5, "two for each item");
}

#[test]
fn a_skipped_item_is_never_begun() {
    let mut run = RunState::new(3);
    assert_eq!(run.skip(1), Skip::Ended);
    assert_eq!([run.begin_next(), run.begin_next(), run.begin_next()], [Some(0), Some(2), None]);
    assert_eq!(run.skip(0), Skip::Signal);
    assert!(run.end(0, Outcome::Skipped));
    assert_eq!(run.skip(0), Skip::TooLate);
}

#[test]
fn a_stop_ends_queued_items_and_leaves_running_items_to_their_workers() {
    let mut run = RunState::new(3);
    run.begin_next();
    run.stop(CancelReason::SessionStopped);
    run.stop(CancelReason::ShuttingDown);
    assert_eq!(run.stopped(), Some(CancelReason::SessionStopped));
    assert_eq!(run.phases(), [Phase::Running, Phase::Ended(Outcome::Stopped), Phase::Ended(Outcome::Stopped)]);
    assert_eq!((run.open(), run.begin_next()), (1, None));
}

#[test]
fn a_pause_or_stop_before_the_selection_stays_in_effect() {
    let mut run = RunState::default();
    run.select(2);
    assert_eq!((run.open(), run.begin_next(), run.pause()), (2, Some(0), Pause::Running));
    let mut run = RunState::default();
    assert!(run.set_pause(Pause::Paused).is_empty());
    run.select(2);
    assert_eq!((run.pause(), run.begin_next()), (Pause::Paused, None));
    let mut run = RunState::default();
    run.stop(CancelReason::Skipped);
    run.select(1);
    assert_eq!(run.phases(), [Phase::Ended(Outcome::Skipped)]);
    assert_eq!(run.stopped(), Some(CancelReason::Skipped));
}

#[test]
fn a_held_item_begins_before_others_once_it_is_ready() {
    let mut run = RunState::new(3);
    assert_eq!(run.peek_next(), Some(0));
    run.hold(0);
    assert_eq!(run.begin_next(), Some(1));
    assert!(run.has_waiting() && run.ready(0));
    assert_eq!([run.begin_next(), run.begin_next(), run.begin_next()], [Some(0), Some(2), None]);
    assert!(!run.has_waiting() && !run.ready(0));
}

#[test]
fn a_ready_item_that_is_skipped_does_not_affect_other_ready_items() {
    let mut run = RunState::new(3);
    (0..3).for_each(|item| run.hold(item));
    assert!((0..3).all(|item| run.ready(item)));
    assert_eq!(run.skip(1), Skip::Released);
    assert_eq!([run.begin_next(), run.begin_next(), run.begin_next()], [Some(0), Some(2), None]);
}

#[test]
fn items_waiting_for_claims_and_ready_items_are_counted_separately() {
    let mut run = RunState::new(5);
    (0..5).for_each(|item| run.hold(item));
    assert_eq!((run.waiting_for_claims(), run.ready_count(), run.has_ready()), (5, 0, false));
    assert!(!run.has_next() && run.has_waiting(), "all items wait for their claims");
    assert!(run.ready(1) && run.ready(2));
    assert_eq!((run.waiting_for_claims(), run.ready_count(), run.has_ready()), (3, 2, true));
    assert!(run.has_next() && run.has_waiting());
    assert_eq!([run.begin_next(), run.begin_next()], [Some(1), Some(2)]);
    assert_eq!((run.waiting_for_claims(), run.ready_count(), run.has_ready()), (3, 0, false));
    assert!(run.end(0, Outcome::Failed));
    assert_eq!(run.waiting_for_claims(), 2);
}

#[test]
fn only_a_queued_item_begins_before_its_turn() {
    let mut run = RunState::new(3);
    run.hold(0);
    assert!(run.begin(2));
    assert_eq!([0, 2, 3].map(|item| run.begin(item)), [false; 3], "held, begun, unknown");
    assert_eq!(run.phases(), [Phase::Held, Phase::Queued, Phase::Running]);
    assert!(run.journal(0).eq([JournalEntry { item: 2, change: Change::Began }]));
}

#[test]
fn an_attempt_whose_items_have_all_begun_has_no_next_item() {
    let mut run = RunState::new(1);
    assert!(run.has_next() && run.has_waiting());
    run.begin_next();
    assert_eq!((run.peek_next(), run.has_next(), run.has_waiting()), (None, false, false));
}

#[test]
fn an_item_that_becomes_ready_twice_begins_once() {
    let mut run = RunState::new(1);
    run.hold(0);
    assert!(run.ready(0) && run.ready(0));
    assert_eq!([run.begin_next(), run.begin_next()], [Some(0), None]);
}

#[test]
fn a_held_item_that_is_skipped_or_stopped_releases_its_claims() {
    let mut run = RunState::new(3);
    run.hold(0);
    run.hold(1);
    assert_eq!(run.skip(0), Skip::Released);
    assert_eq!(run.stop(CancelReason::SessionStopped), [1]);
    assert!(!run.ready(1));
    assert_eq!((run.begin_next(), run.open()), (None, 0));
}

#[test]
fn a_pause_releases_the_claims_of_items_that_have_not_begun() {
    let mut run = RunState::new(3);
    (0..3).for_each(|item| run.hold(item));
    assert!(run.ready(1));
    assert_eq!(run.set_pause(Pause::Paused), [1]);
    assert!(!run.ready(2), "granted while paused");
    assert!(run.set_pause(Pause::Running).is_empty());
    assert_eq!(run.peek_next(), Some(1));
    run.hold(1);
    assert_eq!(run.peek_next(), Some(2));
}

#[test]
fn nothing_begins_while_paused() {
    let mut run = RunState::new(2);
    run.begin_next();
    assert!(run.set_pause(Pause::Paused).is_empty());
    assert_eq!(run.pause(), Pause::Paused);
    assert_eq!((run.begin_next(), run.peek_next(), run.has_next(), run.has_waiting()), (None, None, false, true));
    assert!(run.set_pause(Pause::Running).is_empty());
    assert_eq!(run.begin_next(), Some(1));
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Next,
    Hold,
    Ready(usize),
    Pause(Pause),
    Begin(usize),
    End(usize, Outcome),
    Skip(usize),
    Stop,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let item = 0..12_usize;
    let outcome = prop_oneof![Just(Outcome::Succeeded), Just(Outcome::Failed), Just(Outcome::NeedsUser)];
    let act = prop_oneof![
        4 => Just(Act::Next),
        2 => Just(Act::Hold),
        2 => item.clone().prop_map(Act::Ready),
        1 => prop_oneof![Just(Pause::Paused), Just(Pause::Running)].prop_map(Act::Pause),
        1 => item.clone().prop_map(Act::Begin),
        4 => (item.clone(), outcome).prop_map(|(item, outcome)| Act::End(item, outcome)),
        2 => item.prop_map(Act::Skip),
        1 => Just(Act::Stop),
    ];
    proptest::collection::vec(act, 0..80)
}

proptest! {
    #[test]
    fn every_item_begins_and_ends_at_most_once(acts in acts()) {
        let mut run = RunState::new(10);
        for act in acts {
            match act {
                Act::Next => { run.begin_next(); }
                Act::Hold => if let Some(item) = run.peek_next() { run.hold(item); },
                Act::Ready(item) => { run.ready(item); }
                Act::Pause(pause) => { _ = run.set_pause(pause); }
                Act::Begin(item) => { run.begin(item); }
                Act::End(item, outcome) => { run.end(item, outcome); }
                Act::Skip(item) => { run.skip(item); }
                Act::Stop => { run.stop(CancelReason::SessionStopped); }
            }
        }
        for item in 0..10 {
            let of = |wanted: fn(Change) -> bool| {
                run.journal(0).filter(|entry| entry.item == item && wanted(entry.change)).count()
            };
            let ends = of(|change| matches!(change, Change::Ended(_)));
            prop_assert!(of(|change| change == Change::Began) <= 1);
            prop_assert_eq!(ends, usize::from(matches!(run.phase(item as usize), Some(Phase::Ended(_)))));
        }
        let open = run.phases().iter().filter(|phase| !matches!(phase, Phase::Ended(_))).count();
        prop_assert_eq!(run.open(), open);
        let held = run.phases().iter().filter(|phase| **phase == Phase::Held).count();
        prop_assert_eq!(run.held, held);
    }
}
