//! The retry queue: the items that run again without a request.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::id::{HandlerId, ItemId};
use crate::retry::{RetryState, RetryStatus};

/// The retry queue: items in the order of their due times.
///
/// An item that was taken is no longer due until it is set again.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use syncmgr_core::{decision::retry_queue::RetryQueue, id::{HandlerId, ItemId}, retry::{RetryState, RetryStatus}};
/// let (mail, inbox) = (HandlerId::from_u128(7), ItemId::from_name("Inbox"));
/// let until = SystemTime::UNIX_EPOCH + Duration::from_secs(30);
/// let mut queue = RetryQueue::default();
/// queue.set(mail, inbox, Some(&RetryState::new(RetryStatus::Backoff, SystemTime::UNIX_EPOCH, Some(until))));
/// assert_eq!(queue.next(), Some(until));
/// assert!(queue.take_due(until)[&mail].contains(&inbox));
/// ```
#[derive(Clone, Debug, Default)]
pub struct RetryQueue {
    queue: BTreeMap<Key, Due>,
    times: BTreeSet<(SystemTime, Key)>,
    handlers: BTreeMap<HandlerId, BTreeSet<(SystemTime, ItemId)>>,
    /// The start of each backoff. A backoff ends if the clock is set back to before its start.
    starts: BTreeSet<(SystemTime, Key)>,
}

type Key = (HandlerId, ItemId);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    time: SystemTime,
    start: Option<SystemTime>,
}

impl RetryQueue {
    /// Sets or replaces the retry state of an item. An item is due only if its state ends at a known time: a backoff or a
    /// not-before time.
    pub fn set(&mut self, handler: HandlerId, item: ItemId, state: Option<&RetryState>) {
        self.forget_item(handler, item);
        let Some(due) = state.and_then(Due::of) else { return };
        let key = (handler, item);
        self.queue.insert(key, due);
        self.times.insert((due.time, key));
        self.handlers.entry(handler).or_default().insert((due.time, item));
        self.starts.extend(due.start.map(|start| (start, key)));
    }

    /// Removes all items of a handler.
    pub fn forget(&mut self, handler: HandlerId) {
        for (_, item) in self.handlers.remove(&handler).unwrap_or_default() {
            self.forget_item(handler, item);
        }
    }

    /// Removes an item.
    pub fn forget_item(&mut self, handler: HandlerId, item: ItemId) {
        let key = (handler, item);
        let Some(due) = self.queue.remove(&key) else { return };
        self.times.remove(&(due.time, key));
        if let Some(start) = due.start {
            self.starts.remove(&(start, key));
        }
        if let Some(of_handler) = self.handlers.get_mut(&handler) {
            of_handler.remove(&(due.time, item));
            if of_handler.is_empty() {
                self.handlers.remove(&handler);
            }
        }
    }

    /// Returns the time at which the next item is due.
    pub fn next(&self) -> Option<SystemTime> {
        self.times.first().map(|(time, _)| *time)
    }

    /// Returns the time at which the next item of this handler is due.
    pub fn next_of(&self, handler: HandlerId) -> Option<SystemTime> {
        self.handlers.get(&handler)?.first().map(|(time, _)| *time)
    }

    /// Returns the time at which this item is due.
    pub fn due_of(&self, handler: HandlerId, item: ItemId) -> Option<SystemTime> {
        self.queue.get(&(handler, item)).map(|due| due.time)
    }

    /// Removes and returns the items whose time has come. Also takes backoffs that began in the future, because the clock was set
    /// back: they [no longer hold](super::retry::may_run).
    pub fn take_due(&mut self, now: SystemTime) -> BTreeMap<HandlerId, BTreeSet<ItemId>> {
        let mut taken = BTreeMap::<_, BTreeSet<_>>::new();
        while let Some((handler, item)) = self.first_due(now) {
            self.forget_item(handler, item);
            taken.entry(handler).or_default().insert(item);
        }
        taken
    }

    fn first_due(&self, now: SystemTime) -> Option<Key> {
        let due = self.times.first().filter(|(time, _)| *time <= now);
        let early = || self.starts.last().filter(|(start, _)| now < *start);
        due.or_else(early).map(|(_, key)| *key)
    }
}

impl Due {
    fn of(state: &RetryState) -> Option<Self> {
        let until = state.until?;
        let since = state.since;
        match state.status {
            RetryStatus::Backoff => Some(Self { time: until, start: Some(since) }),
            RetryStatus::NotBefore => Some(Self { time: until, start: None }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
