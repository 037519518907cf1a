//! The retry queue: the items that run again without a request.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::id::{HandlerId, ItemId};
use crate::retry::{RetryState, RetryStatus};
use crate::time::later;

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
/// queue.set(mail, ItemId::from_name("Inbox"), Some(&backoff(30_000)));
/// queue.set(mail, ItemId::from_name("Drafts"), Some(&backoff(31_500)));
/// let together = start + Duration::from_millis(31_500);
/// assert_eq!(queue.next(), Some(together));
/// assert_eq!(queue.take_due(together)[&mail].len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct RetryQueue {
    items: BTreeMap<Key, Due>,
    handlers: BTreeMap<HandlerId, HandlerQueue>,
    /// The time at which the next group of each handler is due, for handlers without an automatic run.
    groups: BTreeSet<(SystemTime, HandlerId)>,
    /// The start of each backoff. A backoff ends if the clock is set back to before its start.
    starts: BTreeSet<(SystemTime, Key)>,
    /// The handlers with an automatic run.
    running: BTreeSet<HandlerId>,
}

type Key = (HandlerId, ItemId);

/// The queue of one handler.
#[derive(Clone, Debug, Default)]
struct HandlerQueue {
    times: BTreeSet<(SystemTime, ItemId)>,
    /// The time until which each item may wait for others.
    limits: BTreeSet<(SystemTime, ItemId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    time: SystemTime,
    limit: SystemTime,
    start: Option<SystemTime>,
}

impl RetryQueue {
    /// Sets or replaces the retry state of an item. An item is due only if its state ends at a known time: a backoff or a
    /// not-before time.
    pub fn set(&mut self, handler: HandlerId, item: ItemId, state: Option<&RetryState>) {
        self.forget_item(handler, item);
        let Some(due) = state.and_then(Due::of) else { return };
        let key = (handler, item);
        self.items.insert(key, due);
        self.starts.extend(due.start.map(|start| (start, key)));
        self.change(handler, |queue| {
            queue.times.insert((due.time, item));
            queue.limits.insert((due.limit, item));
        });
    }

    /// Removes all items of a handler.
    pub fn forget(&mut self, handler: HandlerId) {
        let items = self.handlers.get(&handler).map(|queue| queue.times.clone()).unwrap_or_default();
        items.into_iter().for_each(|(_, item)| self.forget_item(handler, item));
    }

    /// Removes an item.
    pub fn forget_item(&mut self, handler: HandlerId, item: ItemId) {
        let key = (handler, item);
        let Some(due) = self.items.remove(&key) else { return };
        if let Some(start) = due.start {
            self.starts.remove(&(start, key));
        }
        self.change(handler, |queue| {
            queue.times.remove(&(due.time, item));
            queue.limits.remove(&(due.limit, item));
        });
    }

    /// Returns the time at which the next items of a handler without an automatic run are due.
    pub fn next(&self) -> Option<SystemTime> {
        self.groups.first().map(|(time, _)| *time)
    }

    /// Returns the time at which the next items of this handler are due.
    pub fn next_of(&self, handler: HandlerId) -> Option<SystemTime> {
        self.handlers.get(&handler)?.next()
    }

    /// Returns the items of a handler.
    pub fn items_of(&self, handler: HandlerId) -> impl Iterator<Item = ItemId> {
        self.handlers.get(&handler).into_iter().flat_map(|queue| &queue.times).map(|(_, item)| *item)
    }

    /// Returns the time at which this item is due: that of its group, or its own if the group is due earlier.
    pub fn due_of(&self, handler: HandlerId, item: ItemId) -> Option<SystemTime> {
        let due = self.items.get(&(handler, item))?;
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
        let times = self.handlers.get(&handler).into_iter().flat_map(|queue| &queue.times);
        let mut taken: BTreeSet<_> = times.take_while(|(time, _)| *time <= now).map(|(_, item)| *item).collect();
        taken.extend(self.early(now).filter(|(of, _)| *of == handler).map(|(_, item)| item));
        taken.iter().for_each(|item| self.forget_item(handler, *item));
        taken
    }

    /// Marks a handler as having an automatic run.
    pub fn start(&mut self, handler: HandlerId) {
        self.running.insert(handler);
        self.change(handler, |_| {});
    }

    /// Marks the automatic run of a handler as over.
    pub fn finish(&mut self, handler: HandlerId) {
        self.running.remove(&handler);
        self.change(handler, |_| {});
    }

    /// Returns `true` if the handler has an automatic run.
    pub fn is_running(&self, handler: HandlerId) -> bool {
        self.running.contains(&handler)
    }

    fn first_due(&self, now: SystemTime) -> Option<HandlerId> {
        let due = self.groups.first().filter(|(time, _)| *time <= now).map(|(_, handler)| *handler);
        due.or_else(|| self.early(now).map(|(handler, _)| handler).find(|handler| !self.is_running(*handler)))
    }

    /// Returns the backoffs that began after `now`.
    fn early(&self, now: SystemTime) -> impl Iterator<Item = Key> {
        self.starts.iter().rev().take_while(move |(start, _)| now < *start).map(|(_, key)| *key)
    }

    /// Changes the queue of a handler and updates the time of its next group.
    fn change(&mut self, handler: HandlerId, change: impl FnOnce(&mut HandlerQueue)) {
        let queue = self.handlers.entry(handler).or_default();
        let before = queue.next();
        change(queue);
        let after = queue.next();
        if after.is_none() {
            self.handlers.remove(&handler);
        }
        if let Some(time) = before {
            self.groups.remove(&(time, handler));
        }
        self.groups.extend(after.filter(|_| !self.running.contains(&handler)).map(|time| (time, handler)));
    }
}

impl HandlerQueue {
    /// Returns the time of the next group: the latest due time for which no item has to wait beyond its limit.
    fn next(&self) -> Option<SystemTime> {
        let (limit, _) = self.limits.first()?;
        self.times.range(..=(*limit, ItemId::from_u128(u128::MAX))).next_back().map(|(time, _)| *time)
    }
}

impl Due {
    fn of(state: &RetryState) -> Option<Self> {
        let start = match state.status {
            RetryStatus::Backoff | RetryStatus::Interrupted => Some(state.since),
            RetryStatus::NotBefore => None,
            _ => return None,
        };
        let time = state.until?;
        let wait = time.duration_since(state.since).unwrap_or_default();
        Some(Self { time, limit: later(time, wait / 10), start })
    }
}

#[cfg(test)]
mod tests;
