//! A fair priority queue: urgent entries overtake others, but each entry is overtaken only a limited number of times.

use std::collections::VecDeque;

use crate::trigger::Trigger;

/// The number of times an entry may be overtaken.
const MAX_OVERTAKEN: u8 = 8;

/// The priority of a run.
///
/// ```
/// # use syncmgr_core::{decision::host::Priority, trigger::Trigger};
/// assert_eq!(Priority::of(Trigger::PendingDisconnect), Priority::Foreground); // there is little time
/// assert_eq!(Priority::of(Trigger::Scheduled), Priority::Background);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// No caller waits for the run: connected, idle, scheduled.
    Background,
    /// The user or a program waits for the run, or the network is about to disconnect.
    Foreground,
}

impl Priority {
    /// Returns the default priority of a run with this trigger.
    pub const fn of(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Manual | Trigger::Invoke | Trigger::PendingDisconnect => Self::Foreground,
            Trigger::Connect | Trigger::Idle | Trigger::Scheduled => Self::Background,
        }
    }
}

/// A queue that is first in, first out within a priority. Entries of a higher priority overtake, up to the limit.
#[derive(Clone, Debug)]
pub(super) struct FairQueue<T> {
    entries: VecDeque<Entry<T>>,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    value: T,
    priority: Priority,
    overtaken: u8,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new() }
    }
}

impl<T> FairQueue<T> {
    pub(super) fn push(&mut self, value: T, priority: Priority) {
        let may_pass = |entry: &Entry<T>| entry.priority < priority && entry.overtaken < MAX_OVERTAKEN;
        let passed = self.entries.iter().rev().take_while(|entry| may_pass(entry)).count();
        let at = self.entries.len() - passed;
        self.entries.range_mut(at..).for_each(|entry| entry.overtaken += 1);
        self.entries.insert(at, Entry { value, priority, overtaken: 0 });
    }

    /// Removes and returns the first value for which `which` returns `true`.
    pub(super) fn pop_first(&mut self, which: impl Fn(&T) -> bool) -> Option<(T, Priority)> {
        let at = self.entries.iter().position(|entry| which(&entry.value))?;
        self.entries.remove(at).map(|entry| (entry.value, entry.priority))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&T, Priority)> {
        self.entries.iter().map(|entry| (&entry.value, entry.priority))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().map(|entry| &mut entry.value)
    }

    /// Removes the values for which `stays` returns `false`. Visits them from front to back.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(&T) -> bool) {
        self.entries.retain(|entry| stays(&entry.value));
    }

    /// Changes the priority of the values for which `which` returns `true`. The values keep their relative order.
    pub(super) fn reassign(&mut self, priority: Priority, which: impl Fn(&T) -> bool) {
        let (moved, rest): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|entry| entry.priority != priority && which(&entry.value));
        self.entries = rest;
        moved.into_iter().for_each(|entry| self.push(entry.value, priority));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drain(mut queue: FairQueue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop_first(|_| true)).map(|(entry, _)| entry).collect()
    }

    #[test]
    fn foreground_entries_overtake_background_entries_in_their_own_order() {
        let mut queue = FairQueue::default();
        queue.push(1, Priority::Background);
        queue.push(2, Priority::Foreground);
        queue.push(3, Priority::Foreground);
        queue.push(4, Priority::Background);
        assert_eq!(drain(queue), [2, 3, 1, 4]);
    }

    #[test]
    fn an_entry_overtaken_as_often_as_allowed_is_not_overtaken_again() {
        let mut queue = FairQueue::default();
        queue.push(0, Priority::Background);
        (1..=20).for_each(|entry| queue.push(entry, Priority::Foreground));
        let order = drain(queue);
        assert_eq!(order.iter().position(|entry| *entry == 0), Some(usize::from(MAX_OVERTAKEN)));
    }

    #[test]
    fn a_changed_priority_moves_an_entry_forward_and_back() {
        let mut queue = FairQueue::default();
        (1..=3).for_each(|entry| queue.push(entry, Priority::Background));
        queue.reassign(Priority::Foreground, |entry| *entry == 2);
        assert_eq!(drain(queue.clone()), [2, 1, 3]);
        queue.reassign(Priority::Background, |entry| *entry == 2);
        assert_eq!(drain(queue), [1, 3, 2]);
    }

    proptest! {
        #[test]
        fn every_entry_is_overtaken_a_limited_number_of_times(
            steps in proptest::collection::vec(proptest::option::of(any::<bool>()), 1..200)
        ) {
            let mut queue = FairQueue::default();
            let mut ahead = std::collections::BTreeMap::new();
            for (entry, step) in steps.into_iter().enumerate() {
                match step {
                    Some(urgent) => {
                        let waiting = queue.iter().count();
                        ahead.insert(entry, waiting + usize::from(MAX_OVERTAKEN));
                        queue.push(entry, if urgent { Priority::Foreground } else { Priority::Background });
                    }
                    None => if let Some((left, _)) = queue.pop_first(|_| true) {
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
