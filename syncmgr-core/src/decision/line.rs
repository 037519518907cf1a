//! A waiting line in which urgent work overtakes, but nobody is overtaken for ever.

use std::collections::VecDeque;

use crate::trigger::Trigger;

/// How often one that waits may be overtaken.
const MOST_OVERTAKEN: u8 = 8;

/// Whose work goes first.
///
/// ```
/// # use syncmgr_core::{decision::host::Priority, trigger::Trigger};
/// assert_eq!(Priority::of(Trigger::PendingDisconnect), Priority::Foreground); // there is little time
/// assert_eq!(Priority::of(Trigger::Scheduled), Priority::Background);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// Nobody waits for it: connected, idle, scheduled.
    Background,
    /// Somebody waits for it: asked for by a person or a program, or the network is about to go.
    Foreground,
}

impl Priority {
    /// The priority of what this trigger starts, unless somebody says otherwise.
    pub const fn of(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Manual | Trigger::Invoke | Trigger::PendingDisconnect => Self::Foreground,
            Trigger::Connect | Trigger::Idle | Trigger::Scheduled => Self::Background,
        }
    }
}

/// A waiting line. First come first served within a priority; a higher one overtakes, each who waits at most so often.
#[derive(Clone, Debug)]
pub(super) struct Line<T> {
    places: VecDeque<Place<T>>,
}

#[derive(Clone, Debug)]
struct Place<T> {
    entry: T,
    priority: Priority,
    overtaken: u8,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { places: VecDeque::new() }
    }
}

impl<T> Line<T> {
    pub(super) fn push(&mut self, entry: T, priority: Priority) {
        let may_pass = |place: &Place<T>| place.priority < priority && place.overtaken < MOST_OVERTAKEN;
        let passed = self.places.iter().rev().take_while(|place| may_pass(place)).count();
        let at = self.places.len() - passed;
        self.places.range_mut(at..).for_each(|place| place.overtaken += 1);
        self.places.insert(at, Place { entry, priority, overtaken: 0 });
    }

    pub(super) fn pop(&mut self) -> Option<(T, Priority)> {
        self.places.pop_front().map(|place| (place.entry, place.priority))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&T, Priority)> {
        self.places.iter().map(|place| (&place.entry, place.priority))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().map(|place| &mut place.entry)
    }

    /// Keeps those for which `stays` holds, asked from the front to the back.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(&T) -> bool) {
        self.places.retain(|place| stays(&place.entry));
    }

    /// Gives those for which `which` holds this priority. They keep their order and join their new class.
    pub(super) fn reassign(&mut self, priority: Priority, which: impl Fn(&T) -> bool) {
        let (moved, rest): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.places)
            .into_iter()
            .partition(|place| place.priority != priority && which(&place.entry));
        self.places = rest;
        moved.into_iter().for_each(|place| self.push(place.entry, priority));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drain(mut line: Line<u32>) -> Vec<u32> {
        std::iter::from_fn(|| line.pop()).map(|(entry, _)| entry).collect()
    }

    #[test]
    fn foreground_overtakes_background_and_keeps_its_own_order() {
        let mut line = Line::default();
        line.push(1, Priority::Background);
        line.push(2, Priority::Foreground);
        line.push(3, Priority::Foreground);
        line.push(4, Priority::Background);
        assert_eq!(drain(line), [2, 3, 1, 4]);
    }

    #[test]
    fn what_was_overtaken_often_enough_goes_next() {
        let mut line = Line::default();
        line.push(0, Priority::Background);
        (1..=20).for_each(|entry| line.push(entry, Priority::Foreground));
        let order = drain(line);
        assert_eq!(order.iter().position(|entry| *entry == 0), Some(usize::from(MOST_OVERTAKEN)));
    }

    #[test]
    fn a_new_priority_moves_work_ahead_of_what_it_now_overtakes_and_back_behind_it() {
        let mut line = Line::default();
        (1..=3).for_each(|entry| line.push(entry, Priority::Background));
        line.reassign(Priority::Foreground, |entry| *entry == 2);
        assert_eq!(drain(line.clone()), [2, 1, 3]);
        line.reassign(Priority::Background, |entry| *entry == 2);
        assert_eq!(drain(line), [1, 3, 2]);
    }

    proptest! {
        #[test]
        fn nobody_leaves_later_than_those_before_and_a_few_overtakers(
            steps in proptest::collection::vec(proptest::option::of(any::<bool>()), 1..200)
        ) {
            let mut line = Line::default();
            let mut ahead = std::collections::BTreeMap::new();
            for (entry, step) in steps.into_iter().enumerate() {
                match step {
                    Some(urgent) => {
                        let waiting = line.iter().count();
                        ahead.insert(entry, waiting + usize::from(MOST_OVERTAKEN));
                        line.push(entry, if urgent { Priority::Foreground } else { Priority::Background });
                    }
                    None => if let Some((left, _)) = line.pop() {
                        ahead.remove(&left);
                        for left_before in ahead.values_mut() {
                            prop_assert!(*left_before > 0, "overtaken too often");
                            *left_before -= 1;
                        }
                    }
                }
            }
        }
    }
}
