//! The schedules of one handler, and when they are due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::entry::{Entry, Jitter};
use crate::schedule::Schedule;

/// The share of the entries from which on a pass over all of them costs less than a search for each.
const FEW: usize = 64;

/// The schedules of a handler and their states, as small as possible.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    jitter: Jitter,
    /// In the order of the schedules.
    entries: Box<[(Schedule, Entry)]>,
    /// Those that have a next firing.
    queue: BinaryHeap<Reverse<Due>>,
}

/// The time at which a schedule is due, and its position. Packed, because 100,000 of them are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(Rust, packed(4))]
struct Due {
    time: i64,
    position: u32,
}

impl Entries {
    /// Takes entries in the order of their schedules.
    pub(super) fn new(jitter: Jitter, entries: Box<[(Schedule, Entry)]>) -> Self {
        let mut this = Self { jitter, entries, queue: BinaryHeap::new() };
        this.plan();
        this
    }

    /// Computes all due times.
    fn plan(&mut self) {
        let length = u32::try_from(self.entries.len()).expect("a handler has fewer than 2^32 schedules");
        let queue: Vec<_> = (0..length).filter_map(|position| self.due(position)).collect();
        self.queue = queue.into();
        self.queue.shrink_to_fit();
    }

    fn due(&self, position: u32) -> Option<Reverse<Due>> {
        let (schedule, entry) = &self.entries[position as usize];
        entry.due(schedule, self.jitter).map(|time| Reverse(Due { time, position }))
    }

    /// Returns the time at which the first schedule is due.
    pub(super) fn first_due(&self) -> Option<i64> {
        self.queue.peek().map(|Reverse(due)| due.time)
    }

    /// Returns the time at which a schedule is due.
    pub(super) fn due_of(&self, schedule: &Schedule) -> Option<i64> {
        let (schedule, entry) = self.get(schedule)?;
        entry.due(schedule, self.jitter)
    }

    pub(super) fn get(&self, schedule: &Schedule) -> Option<&(Schedule, Entry)> {
        let found = self.entries.binary_search_by(|(known, _)| known.cmp(schedule));
        found.ok().map(|position| &self.entries[position])
    }

    /// Returns the schedules and their states, in the order of the schedules.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Schedule, Entry)> {
        self.entries.iter()
    }

    /// Returns the schedules that have a next firing, with the time at which they are due, in no order.
    pub(super) fn queued(&self) -> impl Iterator<Item = (i64, &Schedule)> {
        self.queue.iter().map(|Reverse(due)| (due.time, &self.entries[due.position as usize].0))
    }

    /// Passes each schedule that is due to `fire`, in the order of the schedules, and computes when it is due again.
    pub(super) fn fire(&mut self, now: i64, mut fire: impl FnMut(&Schedule, &mut Entry, Jitter)) {
        let positions = self.take_due(now);
        for position in &positions {
            let (schedule, entry) = &mut self.entries[*position as usize];
            fire(schedule, entry, self.jitter);
        }
        let next: Vec<_> = positions.into_iter().filter_map(|position| self.due(position)).collect();
        self.queue.extend(next);
    }

    /// Takes the positions of the schedules that are due, in order.
    fn take_due(&mut self, now: i64) -> Vec<u32> {
        let mut positions = Vec::new();
        while self.first_due().is_some_and(|due| due <= now) && FEW * positions.len() <= self.queue.len() {
            positions.extend(self.queue.pop().map(|Reverse(due)| due.position));
        }
        if self.first_due().is_some_and(|due| due <= now) {
            self.queue.retain(|Reverse(due)| {
                let stays = due.time > now;
                positions.extend((!stays).then_some(due.position));
                stays
            });
        }
        positions.sort_unstable();
        positions
    }

    /// Adjusts all states to a clock that was set back. Passes each schedule whose last firing changed to `changed`.
    pub(super) fn adjust(&mut self, now: i64, mut changed: impl FnMut(&Schedule, &Entry)) {
        for (schedule, entry) in &mut self.entries {
            if entry.adjust(schedule, now) {
                changed(schedule, entry);
            }
        }
        self.plan();
    }
}
