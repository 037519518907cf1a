//! The retry queue: the items that run again without a request.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::shared_values::SharedValues;
use crate::id::{HandlerId, ItemId};
use crate::retry::{RetryState, RetryStatus};
use crate::time::{later, round_down};

/// The retry queue: items in the order of their due times.
///
/// Items of one handler that are due at about the same time are due together, so that one run serves them all: an item waits for
/// the others of its group for at most a tenth of its own wait. While an automatic run of a handler is active, its items are
/// taken by that run only.
///
/// An item that was taken is no longer due until it is set again.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use syncmgr_core::{decision::retry_queue::RetryQueue, id::{HandlerId, ItemId}, retry::{RetryState, RetryStatus}};
/// let (mail, start) = (HandlerId::from_u128(7), SystemTime::UNIX_EPOCH);
/// let backoff = |millis| RetryState::new(RetryStatus::Backoff, start, Some(start + Duration::from_millis(millis)));
/// let mut queue = RetryQueue::default();
/// queue.set(mail, ItemId::from_name("Inbox"), Some(&backoff(30_000)), start);
/// queue.set(mail, ItemId::from_name("Drafts"), Some(&backoff(31_500)), start);
/// let together = start + Duration::from_millis(31_500);
/// assert_eq!(queue.next(), Some(together));
/// assert_eq!(queue.take_due(together)[&mail].len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct RetryQueue {
    handlers: BTreeMap<HandlerId, HandlerQueue>,
    /// The time at which the next group of each handler is due, for handlers without an automatic run.
    groups: BTreeSet<(SystemTime, HandlerId)>,
    /// The latest start of a backoff of each handler. A backoff ends if the clock is set back to before its start.
    starts: BTreeSet<(SystemTime, HandlerId)>,
    /// The handlers with an automatic run.
    running: BTreeSet<HandlerId>,
    /// The number of changes.
    version: u64,
}

/// The queue of one handler. Items that fail together have equal times, so times are counted instead of listed with their items.
#[derive(Clone, Debug, Default)]
struct HandlerQueue {
    items: SharedValues<Due>,
    times: Counts,
    /// The times until which items may wait for others.
    limits: Counts,
    /// The starts of backoffs.
    starts: Counts,
    /// The time at which the next group is due.
    group: Option<SystemTime>,
}

/// The number of items at each time.
#[derive(Clone, Debug, Default)]
struct Counts(BTreeMap<SystemTime, usize>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    time: SystemTime,
    limit: SystemTime,
    start: Option<SystemTime>,
}

impl RetryQueue {
    /// Sets or replaces the retry state of an item. An item is due only if its state ends at a known time: a backoff or a
    /// not-before time. Its own wait is the time from `now` until then.
    pub fn set(&mut self, handler: HandlerId, item: ItemId, state: Option<&RetryState>, now: SystemTime) {
        match state.and_then(|state| Due::of(state, now)) {
            Some(due) => self.change(handler, |queue| queue.set(item, due)),
            None => self.forget_item(handler, item),
        }
    }

    /// Removes all items of a handler.
    pub fn forget(&mut self, handler: HandlerId) {
        self.change(handler, |queue| *queue = HandlerQueue::default());
    }

    /// Removes an item.
    pub fn forget_item(&mut self, handler: HandlerId, item: ItemId) {
        if self.handlers.contains_key(&handler) {
            self.change(handler, |queue| queue.remove(item));
        }
    }

    /// Returns the time at which the next items of a handler without an automatic run are due.
    pub fn next(&self) -> Option<SystemTime> {
        self.groups.first().map(|(time, _)| *time)
    }

    /// Returns the time at which the next items of this handler are due.
    pub fn next_of(&self, handler: HandlerId) -> Option<SystemTime> {
        self.handlers.get(&handler)?.group
    }

    /// Returns the times at which the next groups are due, in order, of handlers without an automatic run.
    pub fn groups(&self) -> impl Iterator<Item = (SystemTime, HandlerId)> {
        self.groups.iter().copied()
    }

    /// Returns the number of items of a handler that are due by `time`.
    pub fn count_due(&self, handler: HandlerId, time: SystemTime) -> usize {
        self.handlers.get(&handler).map_or(0, |queue| queue.times.0.range(..=time).map(|(_, count)| count).sum())
    }

    /// Returns the items of a handler.
    pub fn items_of(&self, handler: HandlerId) -> impl Iterator<Item = ItemId> {
        self.handlers.get(&handler).into_iter().flat_map(|queue| queue.items.keys())
    }

    /// Returns the time at which this item is due: that of its group, or its own if the group is due earlier.
    pub fn due_of(&self, handler: HandlerId, item: ItemId) -> Option<SystemTime> {
        let due = self.due(handler, item)?;
        Some(self.next_of(handler).map_or(due.time, |group| group.max(due.time)))
    }

    /// Removes and returns the due items of all handlers without an automatic run. Such a run is active from now on, until
    /// [`finish`](Self::finish).
    ///
    /// Also takes backoffs that began in the future, because the clock was set back: they
    /// [no longer hold](super::retry::may_run).
    pub fn take_due(&mut self, now: SystemTime) -> BTreeMap<HandlerId, BTreeSet<ItemId>> {
        let mut taken = BTreeMap::new();
        while let Some(handler) = self.first_due(now) {
            taken.insert(handler, self.take_due_of(handler, now));
            self.start(handler);
        }
        taken
    }

    /// Removes and returns the items of one handler whose own time has come.
    pub fn take_due_of(&mut self, handler: HandlerId, now: SystemTime) -> BTreeSet<ItemId> {
        let taken = self.handlers.get(&handler).map(|queue| queue.due(now)).unwrap_or_default();
        self.change(handler, |queue| taken.iter().for_each(|item| queue.remove(*item)));
        taken
    }

    /// Returns a number that is larger after each change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Marks a handler as having an automatic run.
    pub fn start(&mut self, handler: HandlerId) {
        self.version += 1;
        self.running.insert(handler);
        let group = self.next_of(handler);
        replace(&mut self.groups, handler, group, None);
    }

    /// Marks the automatic run of a handler as over.
    pub fn finish(&mut self, handler: HandlerId) {
        self.version += u64::from(self.running.remove(&handler));
        let group = self.next_of(handler);
        replace(&mut self.groups, handler, None, group);
    }

    /// Returns `true` if the handler has an automatic run.
    pub fn is_running(&self, handler: HandlerId) -> bool {
        self.running.contains(&handler)
    }

    fn first_due(&self, now: SystemTime) -> Option<HandlerId> {
        let due = self.groups.first().filter(|(time, _)| *time <= now).map(|(_, handler)| *handler);
        due.or_else(|| self.early(now).find(|handler| !self.is_running(*handler)))
    }

    /// Returns the handlers with a backoff that began after `now`.
    fn early(&self, now: SystemTime) -> impl Iterator<Item = HandlerId> {
        self.starts.iter().rev().take_while(move |(start, _)| now < *start).map(|(_, handler)| *handler)
    }

    fn due(&self, handler: HandlerId, item: ItemId) -> Option<Due> {
        self.handlers.get(&handler)?.items.get(item).copied()
    }

    /// Changes the queue of a handler and updates the time of its next group.
    fn change(&mut self, handler: HandlerId, change: impl FnOnce(&mut HandlerQueue)) {
        self.version += 1;
        let queue = self.handlers.entry(handler).or_default();
        let (group, start) = (queue.group, queue.starts.last());
        change(queue);
        let (next_group, next_start) = (queue.group, queue.starts.last());
        if queue.items.is_empty() {
            self.handlers.remove(&handler);
        }
        if !self.running.contains(&handler) {
            replace(&mut self.groups, handler, group, next_group);
        }
        replace(&mut self.starts, handler, start, next_start);
    }
}

/// Replaces the time of a handler.
fn replace(
    times: &mut BTreeSet<(SystemTime, HandlerId)>,
    handler: HandlerId,
    before: Option<SystemTime>,
    after: Option<SystemTime>,
) {
    if before != after {
        before.into_iter().for_each(|time| _ = times.remove(&(time, handler)));
        times.extend(after.map(|time| (time, handler)));
    }
}

impl HandlerQueue {
    fn set(&mut self, item: ItemId, due: Due) {
        self.remove(item);
        self.items.insert(item, due);
        let is_new_time = self.times.add(due.time);
        if self.limits.add(due.limit) || is_new_time {
            self.group = self.next_group();
        }
        due.start.into_iter().for_each(|start| _ = self.starts.add(start));
    }

    fn remove(&mut self, item: ItemId) {
        let Some(due) = self.items.remove(item) else { return };
        let was_last = self.times.remove(due.time);
        if self.limits.remove(due.limit) || was_last {
            self.group = self.next_group();
        }
        due.start.into_iter().for_each(|start| _ = self.starts.remove(start));
    }

    /// Returns the time of the next group: the latest due time for which no item has to wait beyond its limit.
    fn next_group(&self) -> Option<SystemTime> {
        let limit = self.limits.first()?;
        self.times.0.range(..=limit).next_back().map(|(time, _)| *time)
    }

    /// Returns the items whose own time has come, and those whose backoff began after `now`.
    fn due(&self, now: SystemTime) -> BTreeSet<ItemId> {
        let is_early = |start: Option<SystemTime>| start.is_some_and(|start| now < start);
        if self.times.first().is_none_or(|time| now < time) && !is_early(self.starts.last()) {
            return BTreeSet::new();
        }
        let due = self.items.iter().filter(|(_, due)| due.time <= now || is_early(due.start));
        due.map(|(item, _)| item).collect()
    }
}

impl Counts {
    /// Returns `true` if the item is the first at this time.
    fn add(&mut self, time: SystemTime) -> bool {
        let count = self.0.entry(time).or_default();
        *count += 1;
        *count == 1
    }

    /// Returns `true` if the item was the last at this time.
    fn remove(&mut self, time: SystemTime) -> bool {
        let Entry::Occupied(mut count) = self.0.entry(time) else { return false };
        *count.get_mut() -= 1;
        let is_last = *count.get() == 0;
        if is_last {
            count.remove();
        }
        is_last
    }

    fn first(&self) -> Option<SystemTime> {
        self.0.first_key_value().map(|(time, _)| *time)
    }

    fn last(&self) -> Option<SystemTime> {
        self.0.last_key_value().map(|(time, _)| *time)
    }
}

impl Due {
    fn of(state: &RetryState, now: SystemTime) -> Option<Self> {
        let start = match state.status {
            RetryStatus::Backoff | RetryStatus::Interrupted => Some(state.since),
            RetryStatus::NotBefore => None,
            _ => return None,
        };
        let time = state.until?;
        let wait = time.duration_since(now).unwrap_or_default();
        // Rounded, so that items that failed at about the same time have equal limits.
        Some(Self { time, limit: round_down(later(time, wait / 10)).max(time), start })
    }
}

#[cfg(test)]
mod tests;
