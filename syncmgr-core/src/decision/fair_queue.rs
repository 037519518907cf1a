//! A fair priority queue: urgent entries overtake others, but each entry is overtaken only a limited number of times.

use std::collections::BTreeMap;

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

/// The position of an entry in its queue, which does not change. Entries with lower ranks are ahead.
pub(super) type Rank = u128;

/// The distance of two entries at the back. Each entry that overtakes halves the distance to the entry ahead of it, at most
/// [`MAX_OVERTAKEN`] times for each priority.
const GAP: Rank = 1 << 64;

/// A queue that is first in, first out within a priority. Entries of a higher priority overtake, up to the limit.
#[derive(Clone, Debug)]
pub(super) struct FairQueue<T> {
    entries: BTreeMap<Rank, Entry<T>>,
    /// The number of entries with the priority [`Priority::Foreground`].
    urgent: usize,
    /// The rank of the entry that was last added at the back.
    last: Rank,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    value: T,
    priority: Priority,
    overtaken: u8,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), urgent: 0, last: 0 }
    }
}

impl<T> FairQueue<T> {
    pub(super) fn push(&mut self, value: T, priority: Priority) -> Rank {
        let may_pass = |entry: &Entry<T>| entry.priority < priority && entry.overtaken < MAX_OVERTAKEN;
        let mut passed = None;
        for (rank, entry) in self.entries.iter_mut().rev().take_while(|(_, entry)| may_pass(entry)) {
            entry.overtaken += 1;
            passed = Some(*rank);
        }
        let rank = match passed {
            Some(next) => self.rank_before(next),
            None => self.last + GAP,
        };
        self.last = self.last.max(rank);
        self.entries.insert(rank, Entry { value, priority, overtaken: 0 });
        self.urgent += usize::from(priority == Priority::Foreground);
        rank
    }

    /// Returns a rank between an entry and the entry ahead of it.
    fn rank_before(&self, next: Rank) -> Rank {
        let ahead = self.entries.range(..next).next_back().map_or(next.saturating_sub(GAP), |(rank, _)| *rank);
        ahead + (next - ahead) / 2
    }

    /// Removes and returns the first value for which `which` returns `true`.
    pub(super) fn pop_first(&mut self, which: impl Fn(&T) -> bool) -> Option<(T, Priority)> {
        let rank = self.entries.iter().find(|(_, entry)| which(&entry.value)).map(|(rank, _)| *rank)?;
        self.take(rank).map(|entry| (entry.value, entry.priority))
    }

    fn take(&mut self, rank: Rank) -> Option<Entry<T>> {
        let entry = self.entries.remove(&rank)?;
        self.urgent -= usize::from(entry.priority == Priority::Foreground);
        Some(entry)
    }

    /// Returns the highest priority of an entry.
    pub(super) fn highest_priority(&self) -> Option<Priority> {
        let highest = if self.urgent > 0 { Priority::Foreground } else { Priority::Background };
        Some(highest).filter(|_| !self.entries.is_empty())
    }

    pub(super) fn get(&self, rank: Rank) -> Option<&T> {
        self.entries.get(&rank).map(|entry| &entry.value)
    }

    pub(super) fn get_mut(&mut self, rank: Rank) -> Option<&mut T> {
        self.entries.get_mut(&rank).map(|entry| &mut entry.value)
    }

    pub(super) fn priority(&self, rank: Rank) -> Option<Priority> {
        self.entries.get(&rank).map(|entry| entry.priority)
    }

    pub(super) fn remove(&mut self, rank: Rank) -> Option<T> {
        self.take(rank).map(|entry| entry.value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&T, Priority)> {
        self.entries.values().map(|entry| (&entry.value, entry.priority))
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
        (1..=20).for_each(|entry| _ = queue.push(entry, Priority::Foreground));
        let order = drain(queue);
        assert_eq!(order.iter().position(|entry| *entry == 0), Some(usize::from(MAX_OVERTAKEN)));
    }

    #[test]
    fn the_highest_priority_is_that_of_the_most_urgent_entry_left() {
        let mut queue = FairQueue::default();
        assert_eq!(queue.highest_priority(), None);
        queue.push(1, Priority::Background);
        assert_eq!(queue.highest_priority(), Some(Priority::Background));
        let urgent = [2, 3].map(|entry| queue.push(entry, Priority::Foreground));
        queue.remove(urgent[0]);
        queue.remove(urgent[0]);
        assert_eq!(queue.highest_priority(), Some(Priority::Foreground));
        queue.pop_first(|entry| *entry == 3);
        assert_eq!(queue.highest_priority(), Some(Priority::Background));
        queue.pop_first(|_| true);
        assert_eq!(queue.highest_priority(), None);
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
