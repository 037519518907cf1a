use std::time::Duration;

use proptest::prelude::*;

use super::*;

const FILES: HandlerId = HandlerId::from_u128(1);
const MAIL: HandlerId = HandlerId::from_u128(2);
const LETTER: ItemId = ItemId::from_u128(11);
const PHOTO: ItemId = ItemId::from_u128(12);

/// A time in milliseconds.
fn at(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

fn items<const N: usize>(items: [ItemId; N]) -> Changed {
    Changed::Items(items.into())
}

fn changed(times: impl IntoIterator<Item = (ItemId, u64)>) -> LocalChanges {
    let mut changes = LocalChanges::default();
    times.into_iter().for_each(|(item, time)| changes.changed(FILES, LocalChange::Item(item), at(time)));
    changes
}

fn take(changes: &mut LocalChanges, time: u64) -> Option<Changed> {
    changes.take_due(at(time)).remove(&FILES)
}

#[test]
fn changes_are_due_once_the_handler_was_quiet() {
    let mut changes = changed([(LETTER, 0), (PHOTO, 300), (LETTER, 600)]);
    assert_eq!((changes.next(), take(&mut changes, 1_099)), (Some(at(1_100)), None));
    assert_eq!(take(&mut changes, 1_100), Some(items([LETTER, PHOTO])));
    assert_eq!((changes.next(), take(&mut changes, 9_000)), (None, None));
}

#[test]
fn a_file_that_is_written_without_pause_is_due_at_the_maximum_wait() {
    let mut changes = changed((0..100).map(|step| (LETTER, step * 100)));
    assert_eq!(changes.next(), Some(at(10_000)));
    assert_eq!(take(&mut changes, 10_000), Some(items([LETTER])));
}

#[test]
fn a_handler_has_its_own_times() {
    let mut changes = LocalChanges::default();
    changes.set_settle(MAIL, Settle::DEFAULT.with_quiet(Duration::from_secs(2)));
    for handler in [FILES, MAIL] {
        changes.changed(handler, LocalChange::Item(LETTER), at(0));
    }
    assert_eq!((changes.next_of(FILES, None), changes.next_of(MAIL, None)), (Some(at(500)), Some(at(2_000))));
    assert_eq!(changes.next_of_free(|handler| handler != FILES), Some(at(2_000)));
}

#[test]
fn a_clock_that_is_set_back_does_not_make_the_wait_longer() {
    let mut changes = changed([(LETTER, 3_600_000)]);
    changes.changed(FILES, LocalChange::Item(LETTER), at(1_000));
    assert_eq!(changes.next(), Some(at(1_500)));
}

#[test]
fn an_unknown_change_and_too_many_items_need_a_full_look() {
    let mut changes = changed([(LETTER, 0)]);
    changes.changed(FILES, LocalChange::Unknown, at(0));
    changes.changed(FILES, LocalChange::Item(PHOTO), at(0));
    assert_eq!(take(&mut changes, 500), Some(Changed::Everything));
    let many = (0..=MAX_ITEMS as u128).map(|item| (ItemId::from_u128(item), 0));
    assert_eq!(take(&mut changed(many.clone()), 500), Some(Changed::Everything));
    let fits = many.clone().take(MAX_ITEMS).chain(many.take(MAX_ITEMS));
    assert!(matches!(take(&mut changed(fits), 500), Some(Changed::Items(items)) if items.len() == MAX_ITEMS));
}

#[test]
fn a_change_while_its_item_runs_is_due_again() {
    let mut changes = changed([(LETTER, 0)]);
    take(&mut changes, 500);
    changes.select(FILES, LETTER);
    changes.changed(FILES, LocalChange::Item(LETTER), at(600));
    assert!(changes.ended(FILES, LETTER));
    assert_eq!(take(&mut changes, 1_100), Some(items([LETTER])));
}

#[test]
fn a_run_that_selects_an_item_covers_its_earlier_changes() {
    let mut changes = changed([(LETTER, 0), (PHOTO, 0)]);
    changes.select(FILES, LETTER);
    assert_eq!(take(&mut changes, 500), Some(items([PHOTO])));
    changes.select(FILES, PHOTO);
    changes.put_back(FILES, at(900));
    assert_eq!(changes.next(), None);
    assert!(changes.ended(FILES, LETTER) && changes.ended(FILES, PHOTO) && changes.is_empty(FILES));
}

#[test]
fn changes_that_no_run_selected_are_due_again_after_a_wait() {
    let mut changes = changed([(LETTER, 0), (PHOTO, 0)]);
    take(&mut changes, 500);
    changes.select(FILES, LETTER);
    changes.put_back(FILES, at(60_000));
    assert_eq!((changes.next(), take(&mut changes, 59_999)), (Some(at(60_000)), None));
    assert_eq!(take(&mut changes, 60_000), Some(items([PHOTO])));
}

#[test]
fn the_next_change_ends_the_wait_of_a_change_that_was_put_back() {
    let mut changes = changed([(LETTER, 0)]);
    take(&mut changes, 500);
    changes.put_back(FILES, at(60_000));
    changes.changed(FILES, LocalChange::Item(PHOTO), at(1_000));
    assert_eq!(take(&mut changes, 1_500), Some(items([LETTER, PHOTO])));
}

#[test]
fn a_full_look_ends_with_the_items_that_a_run_has_chosen() {
    let mut changes = changed([]);
    changes.changed(FILES, LocalChange::Unknown, at(0));
    take(&mut changes, 500);
    assert!(changes.wants_full_look(FILES));
    changes.looks_at(FILES, [LETTER, PHOTO]);
    assert!(!changes.wants_full_look(FILES));
    changes.select(FILES, LETTER);
    changes.put_back(FILES, at(900));
    assert_eq!(take(&mut changes, 900), Some(items([PHOTO])));
}

#[test]
fn an_item_that_a_run_of_all_chosen_items_leaves_out_keeps_its_change() {
    let mut changes = changed([]);
    changes.changed(FILES, LocalChange::Unknown, at(0));
    changes.looks_at(FILES, [LETTER, PHOTO]);
    changes.select(FILES, LETTER);
    assert_eq!((changes.next(), take(&mut changes, 500)), (Some(at(500)), Some(items([PHOTO]))));
}

#[test]
fn a_full_look_ends_if_no_item_is_chosen() {
    let mut changes = changed([]);
    changes.changed(FILES, LocalChange::Unknown, at(0));
    changes.looks_at(FILES, []);
    assert!(changes.is_empty(FILES));
}

#[test]
fn a_held_handler_waits_until_it_is_resumed() {
    let mut changes = changed([(LETTER, 0)]);
    changes.hold(FILES);
    changes.changed(FILES, LocalChange::Item(PHOTO), at(100));
    assert_eq!((changes.next(), take(&mut changes, 9_000)), (None, None));
    assert!(changes.any_is_fresh());
    changes.resume();
    assert_eq!(take(&mut changes, 9_000), Some(items([LETTER, PHOTO])));
}

#[test]
fn an_item_that_may_not_run_keeps_its_change_until_it_is_released() {
    let mut changes = changed([(LETTER, 0), (PHOTO, 0)]);
    assert_eq!(changes.take(FILES, |item| item != LETTER), items([PHOTO]));
    changes.release(FILES, at(700), |item| item == PHOTO);
    assert_eq!(changes.next(), None);
    changes.release(FILES, at(700), |item| item == LETTER);
    assert_eq!(take(&mut changes, 700), Some(items([LETTER])));
}

#[test]
fn a_forgotten_handler_or_item_has_no_changes() {
    let mut changes = changed([(LETTER, 0), (PHOTO, 0)]);
    changes.forget_items(FILES, [LETTER]);
    assert_eq!(take(&mut changes, 500), Some(items([PHOTO])));
    changes.forget(FILES);
    assert!(changes.is_empty(FILES) && changes.next().is_none());
}

/// A step of a random history.
#[derive(Clone, Debug)]
enum Action {
    Change(u128),
    Select(u128),
    End(u128),
    PutBack,
    Wait(u64),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0..4_u128).prop_map(Action::Change),
        1 => (0..4_u128).prop_map(Action::Select),
        1 => (0..4_u128).prop_map(Action::End),
        1 => Just(Action::PutBack),
        3 => (0..800_u64).prop_map(Action::Wait),
    ]
}

proptest! {
    #[test]
    fn every_change_is_taken_within_the_maximum_wait_unless_a_run_selects_it(steps in prop::collection::vec(action(), 0..80)) {
        let (mut changes, mut now) = (LocalChanges::default(), 0);
        // The time of the first change of each item that was not taken.
        let mut open = BTreeMap::<ItemId, u64>::new();
        for step in steps {
            match step {
                Action::Change(item) => {
                    let item = ItemId::from_u128(item);
                    changes.changed(FILES, LocalChange::Item(item), at(now));
                    open.entry(item).or_insert(now);
                }
                Action::Select(item) => {
                    changes.select(FILES, ItemId::from_u128(item));
                    open.remove(&ItemId::from_u128(item));
                }
                Action::End(item) => _ = changes.ended(FILES, ItemId::from_u128(item)),
                Action::PutBack => changes.put_back(FILES, at(now + 1_000)),
                Action::Wait(millis) => now += millis,
            }
            if let Some(Changed::Items(taken)) = take(&mut changes, now) {
                open.retain(|item, _| !taken.contains(item));
            }
            let limit = |first: &u64| at(first + 10_000);
            prop_assert!(open.values().all(|first| changes.next().is_some_and(|next| next <= limit(first))));
            prop_assert!(changes.next().is_none_or(|next| next > at(now)), "what is due was taken");
        }
    }

    #[test]
    fn the_memory_is_bounded_by_the_items_and_not_by_the_changes(steps in prop::collection::vec((0..8_u128, 0..3_u64), 0..300)) {
        let mut changes = LocalChanges::default();
        let mut now = 0;
        for (item, wait) in steps {
            now += wait;
            changes.changed(FILES, LocalChange::Item(ItemId::from_u128(item)), at(now));
            prop_assert!(changes.due.len() <= 1);
        }
        if let Some(Changed::Items(taken)) = take(&mut changes, now + 10_000) {
            prop_assert!(taken.len() <= 8);
        }
    }
}
