//! A fair priority queue: urgent entries overtake others, but each entry is overtaken only a limited number of times.

use std::collections::BTreeMap;

use crate::importance::Importance;
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

/// The urgency of a run: its priority, and among runs of equal priority its importance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Urgency {
    /// The priority.
    pub priority: Priority,
    /// The importance.
    pub importance: Importance,
}

impl From<Priority> for Urgency {
    fn from(priority: Priority) -> Self {
        Self { priority, importance: Importance::Normal }
    }
}

/// The position of an entry in its queue, which does not change. Entries with lower ranks are ahead.
pub(super) type Rank = u128;

/// The distance of two entries at the back. Each entry that overtakes halves the distance to the entry ahead of it, at most
/// [`MAX_OVERTAKEN`] times for each urgency.
const GAP: Rank = 1 << 64;

/// A queue that is first in, first out within an urgency. Entries of a higher urgency overtake, up to the limit.
#[derive(Clone, Debug)]
pub(super) struct FairQueue<T> {
    entries: BTreeMap<Rank, Entry<T>>,
    /// The number of entries of each urgency that has any.
    urgencies: BTreeMap<Urgency, usize>,
    /// The rank of the entry that was last added at the back.
    last: Rank,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    value: T,
    urgency: Urgency,
    overtaken: u8,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), urgencies: BTreeMap::new(), last: 0 }
    }
}

impl<T> FairQueue<T> {
    pub(super) fn push(&mut self, value: T, urgency: impl Into<Urgency>) -> Rank {
        let urgency = urgency.into();
        let may_pass = |entry: &Entry<T>| entry.urgency < urgency && entry.overtaken < MAX_OVERTAKEN;
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
        self.entries.insert(rank, Entry { value, urgency, overtaken: 0 });
        *self.urgencies.entry(urgency).or_default() += 1;
        rank
    }

    /// Returns a rank between an entry and the entry ahead of it.
    fn rank_before(&self, next: Rank) -> Rank {
        let ahead = self.entries.range(..next).next_back().map_or(next.saturating_sub(GAP), |(rank, _)| *rank);
        ahead + (next - ahead) / 2
    }

    /// Removes and returns the first value for which `which` returns `true`.
    pub(super) fn pop_first(&mut self, which: impl Fn(&T) -> bool) -> Option<(T, Urgency)> {
        let rank = self.entries.iter().find(|(_, entry)| which(&entry.value)).map(|(rank, _)| *rank)?;
        self.take(rank).map(|entry| (entry.value, entry.urgency))
    }

    fn take(&mut self, rank: Rank) -> Option<Entry<T>> {
        let entry = self.entries.remove(&rank)?;
        if let Some(count) = self.urgencies.get_mut(&entry.urgency) {
            *count -= 1;
            if *count == 0 {
                self.urgencies.remove(&entry.urgency);
            }
        }
        Some(entry)
    }

    /// Returns the highest urgency of an entry.
    pub(super) fn highest_urgency(&self) -> Option<Urgency> {
        self.urgencies.last_key_value().map(|(urgency, _)| *urgency)
    }

    pub(super) fn get(&self, rank: Rank) -> Option<&T> {
        self.entries.get(&rank).map(|entry| &entry.value)
    }

    pub(super) fn get_mut(&mut self, rank: Rank) -> Option<&mut T> {
        self.entries.get_mut(&rank).map(|entry| &mut entry.value)
    }

    pub(super) fn urgency(&self, rank: Rank) -> Option<Urgency> {
        self.entries.get(&rank).map(|entry| entry.urgency)
    }

    pub(super) fn remove(&mut self, rank: Rank) -> Option<T> {
        self.take(rank).map(|entry| entry.value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&T, Urgency)> {
        self.entries.values().map(|entry| (&entry.value, entry.urgency))
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
    fn important_entries_overtake_others_of_their_priority_only() {
        let of = |priority, importance| Urgency { priority, importance };
        let mut queue = FairQueue::default();
        queue.push(1, of(Priority::Background, Importance::Low));
        queue.push(2, Priority::Background);
        queue.push(3, of(Priority::Foreground, Importance::Low));
        queue.push(4, of(Priority::Background, Importance::High));
        queue.push(5, Priority::Background);
        assert_eq!(drain(queue), [3, 4, 2, 5, 1]);
    }

    #[test]
    fn an_unimportant_entry_is_overtaken_a_limited_number_of_times() {
        let mut queue = FairQueue::default();
        queue.push(0, Urgency { priority: Priority::Background, importance: Importance::Low });
        (1..=20).for_each(|entry| _ = queue.push(entry, Priority::Background));
        assert_eq!(drain(queue).iter().position(|entry| *entry == 0), Some(usize::from(MAX_OVERTAKEN)));
    }

    #[test]
    fn the_highest_urgency_is_that_of_the_most_urgent_entry_left() {
        let mut queue = FairQueue::default();
        assert_eq!(queue.highest_urgency(), None);
        queue.push(1, Priority::Background);
        assert_eq!(queue.highest_urgency(), Some(Priority::Background.into()));
        let urgent = [2, 3].map(|entry| queue.push(entry, Priority::Foreground));
        queue.remove(urgent[0]);
        queue.remove(urgent[0]);
        assert_eq!(queue.highest_urgency(), Some(Priority::Foreground.into()));
        queue.pop_first(|entry| *entry == 3);
        assert_eq!(queue.highest_urgency(), Some(Priority::Background.into()));
        queue.pop_first(|_| true);
        assert_eq!(queue.highest_urgency(), None);
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
