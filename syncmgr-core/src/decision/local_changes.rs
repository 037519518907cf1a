//! The local changes of all handlers, from a change to the run that looks at it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::id::{HandlerId, ItemId};
use crate::local_change::{LocalChange, Settle};
use crate::time::later;

/// The number of changed items of a handler above which its changes become a full look.
pub const MAX_ITEMS: usize = 1 << 16;

/// The local changes that no run has looked at.
///
/// A change passes through three states, in which it is held once per item, however many events there are:
///
/// 1. *fresh*: it waits until the handler's items are quiet;
/// 2. *taken*: a run was started for it;
/// 3. *running*: its item was selected by a run.
///
/// An item that may not run because of its own state, such as a backoff, is *waiting* instead of taken. A change that arrives
/// while its item runs is fresh again, so the item runs again. A fresh or taken change ends early if another run selects its
/// item, because that run looks at the item after the change.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use syncmgr_core::{decision::local_changes::{Changed, LocalChanges}, id::{HandlerId, ItemId}, local_change::LocalChange};
/// let (files, letter, start) = (HandlerId::from_u128(7), ItemId::from_name("letter"), SystemTime::UNIX_EPOCH);
/// let mut changes = LocalChanges::default();
/// changes.changed(files, LocalChange::Item(letter), start);
/// changes.changed(files, LocalChange::Item(letter), start + Duration::from_millis(200));
/// let quiet = start + Duration::from_millis(700);
/// assert_eq!(changes.next(), Some(quiet));
/// assert_eq!(changes.take_due(quiet)[&files], Changed::Items([letter].into()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct LocalChanges {
    /// The handlers with other times than the default ones.
    settle: BTreeMap<HandlerId, Settle>,
    handlers: BTreeMap<HandlerId, Handler>,
    /// The times at which the fresh changes of each handler are due. A handler that is held is left out.
    due: BTreeSet<(SystemTime, HandlerId)>,
    /// The number of times that the fresh changes of a handler came or went.
    version: u64,
}

/// What has changed of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// These items.
    Items(BTreeSet<ItemId>),
    /// Any item: a full look is needed.
    Everything,
}

#[derive(Clone, Debug, Default)]
struct Handler {
    fresh: Option<Fresh>,
    taken: Changed,
    running: BTreeSet<ItemId>,
    waiting: BTreeSet<ItemId>,
    is_held: bool,
}

/// The fresh changes of a handler.
#[derive(Clone, Debug)]
struct Fresh {
    changed: Changed,
    due: SystemTime,
    /// The latest time at which they are due, because of the first change.
    limit: SystemTime,
}

impl LocalChanges {
    /// Sets the times of a handler. They apply to later changes.
    pub fn set_settle(&mut self, handler: HandlerId, settle: Settle) {
        match settle == Settle::DEFAULT {
            true => self.settle.remove(&handler),
            false => self.settle.insert(handler, settle),
        };
    }

    /// Adds a change. The cost is logarithmic in the number of changed items.
    pub fn changed(&mut self, handler: HandlerId, change: LocalChange, now: SystemTime) {
        let settle = self.settle.get(&handler).copied().unwrap_or_default();
        let (quiet, limit) = (later(now, settle.quiet()), later(now, settle.max_wait()));
        self.update(handler, |state| {
            // A clock that was set back does not make the wait longer.
            let limit = state.fresh.as_ref().map_or(limit, |fresh| fresh.limit.min(limit));
            state.fresh_at(quiet.min(limit), limit).changed.insert(change);
        });
    }

    /// Returns the time at which the next changes are due.
    pub fn next(&self) -> Option<SystemTime> {
        self.next_of_free(|_| true)
    }

    /// Returns the time at which the next changes are due, of the handlers for which `is_free` returns `true`.
    pub fn next_of_free(&self, is_free: impl Fn(HandlerId) -> bool) -> Option<SystemTime> {
        self.due.iter().find(|(_, handler)| is_free(*handler)).map(|(due, _)| *due)
    }

    /// Returns the time at which the fresh changes of a handler are due, or only those that concern this item.
    pub fn next_of(&self, handler: HandlerId, item: Option<ItemId>) -> Option<SystemTime> {
        let fresh = self.handlers.get(&handler)?.fresh.as_ref()?;
        item.is_none_or(|item| fresh.changed.contains(item)).then_some(fresh.due)
    }

    /// Returns the fresh changes of all handlers that are not held, in the order of their times.
    pub fn agenda(&self) -> impl Iterator<Item = (SystemTime, HandlerId, &Changed)> {
        self.due.iter().filter_map(|(due, handler)| {
            let fresh = self.handlers.get(handler)?.fresh.as_ref()?;
            Some((*due, *handler, &fresh.changed))
        })
    }

    /// Returns the handlers whose fresh changes are held.
    pub fn held(&self) -> impl Iterator<Item = (HandlerId, &Changed)> {
        let held = self.handlers.iter().filter(|(_, state)| state.is_held);
        held.filter_map(|(handler, state)| Some((*handler, &state.fresh.as_ref()?.changed)))
    }

    /// Returns a number that is larger once the fresh changes of a handler have come or gone.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Takes the due changes of all handlers that are not held.
    pub fn take_due(&mut self, now: SystemTime) -> BTreeMap<HandlerId, Changed> {
        let due = self.due_handlers(now).into_iter();
        due.map(|handler| (handler, self.take(handler, |_| true))).collect()
    }

    /// Returns the handlers with due changes that are not held.
    pub fn due_handlers(&self, now: SystemTime) -> Vec<HandlerId> {
        self.due.iter().take_while(|(due, _)| *due <= now).map(|(_, handler)| *handler).collect()
    }

    /// Takes the fresh changes of a handler, for a run. The items for which `may_run` returns `false` wait until they are
    /// [released](Self::release).
    pub fn take(&mut self, handler: HandlerId, may_run: impl Fn(ItemId) -> bool) -> Changed {
        self.update(handler, |state| {
            let changed = state.fresh.take().map_or_else(Changed::default, |fresh| fresh.changed);
            let changed = match changed {
                Changed::Items(items) => {
                    let (taken, waiting) = items.into_iter().partition::<BTreeSet<_>, _>(|item| may_run(*item));
                    state.waiting.extend(waiting);
                    Changed::Items(taken)
                }
                Changed::Everything => Changed::Everything,
            };
            state.taken.add(changed.clone());
            changed
        })
    }

    /// Lets a handler with due changes wait until [`resume`](Self::resume).
    pub fn hold(&mut self, handler: HandlerId) {
        self.update(handler, |state| state.is_held = true);
    }

    /// Lets no handler wait any longer.
    pub fn resume(&mut self) {
        let held = self.handlers.iter().filter(|(_, state)| state.is_held);
        for handler in held.map(|(handler, _)| *handler).collect::<Vec<_>>() {
            self.update(handler, |state| state.is_held = false);
        }
    }

    /// Makes the taken changes of a handler fresh again: due at `due`, or at the next change.
    pub fn put_back(&mut self, handler: HandlerId, due: SystemTime) {
        if self.handlers.get(&handler).is_some_and(|state| !state.taken.is_empty()) {
            self.update(handler, |state| {
                let taken = std::mem::take(&mut state.taken);
                state.add_fresh_at(taken, due);
            });
        }
    }

    /// Replaces a full look by the items that a run of all chosen items has chosen. Those that the run then does not select keep
    /// their change.
    pub fn looks_at(&mut self, handler: HandlerId, items: impl IntoIterator<Item = ItemId>) {
        if !self.wants_full_look(handler) {
            return;
        }
        let items = items.into_iter().collect();
        self.update(handler, |state| {
            state.fresh.iter_mut().for_each(|fresh| fresh.changed.limit_to(&items));
            state.fresh.take_if(|fresh| fresh.changed.is_empty());
            state.taken.limit_to(&items);
        });
    }

    /// Returns `true` if a full look at the handler is fresh or taken.
    pub fn wants_full_look(&self, handler: HandlerId) -> bool {
        self.handlers.get(&handler).is_some_and(|state| {
            let fresh = state.fresh.as_ref().map(|fresh| &fresh.changed);
            fresh.into_iter().chain([&state.taken]).any(|changed| *changed == Changed::Everything)
        })
    }

    /// Notes that a run has selected an item: it looks at the item after all changes so far.
    pub fn select(&mut self, handler: HandlerId, item: ItemId) {
        if self.handlers.contains_key(&handler) {
            self.update(handler, |state| {
                if state.remove(item) {
                    state.running.insert(item);
                }
            });
        }
    }

    /// Notes that an earlier run has covered an item since a run was started for it.
    pub fn cover(&mut self, handler: HandlerId, item: ItemId) {
        if self.handlers.contains_key(&handler) {
            self.update(handler, |state| state.taken.remove(item));
        }
    }

    /// Returns `true` if an item was selected because of a change, and its attempt has not ended.
    pub fn is_running(&self, handler: HandlerId, item: ItemId) -> bool {
        self.handlers.get(&handler).is_some_and(|state| state.running.contains(&item))
    }

    /// Notes that the attempt at a selected item has ended. Returns `true` if it was selected because of a change.
    pub fn ended(&mut self, handler: HandlerId, item: ItemId) -> bool {
        self.handlers.contains_key(&handler) && self.update(handler, |state| state.running.remove(&item))
    }

    /// Makes an item fresh: due at `due`, or at the next change.
    pub fn add_at(&mut self, handler: HandlerId, item: ItemId, due: SystemTime) {
        self.update(handler, |state| state.add_fresh_at(Changed::Items(BTreeSet::from([item])), due));
    }

    /// Makes the waiting items for which `is_released` returns `true` fresh, and due at `due`.
    pub fn release(&mut self, handler: HandlerId, due: SystemTime, is_released: impl Fn(ItemId) -> bool) {
        if self.handlers.get(&handler).is_some_and(|state| !state.waiting.is_empty()) {
            self.update(handler, |state| {
                let waiting = std::mem::take(&mut state.waiting);
                let (released, waiting) = waiting.into_iter().partition::<BTreeSet<_>, _>(|item| is_released(*item));
                state.waiting = waiting;
                if !released.is_empty() {
                    state.add_fresh_at(Changed::Items(released), due);
                }
            });
        }
    }

    /// Forgets the changes of these items.
    pub fn forget_items(&mut self, handler: HandlerId, items: impl IntoIterator<Item = ItemId>) {
        if self.handlers.contains_key(&handler) {
            self.update(handler, |state| {
                for item in items {
                    state.remove(item);
                    state.running.remove(&item);
                }
            });
        }
    }

    /// Forgets the changes and the times of a handler.
    pub fn forget(&mut self, handler: HandlerId) {
        self.settle.remove(&handler);
        if self.handlers.contains_key(&handler) {
            self.update(handler, |state| *state = Handler::default());
        }
    }

    /// Returns `true` if there are no changes of this handler.
    pub fn is_empty(&self, handler: HandlerId) -> bool {
        !self.handlers.contains_key(&handler)
    }

    /// Returns `true` if any handler has fresh changes, including handlers that are held.
    pub fn any_is_fresh(&self) -> bool {
        self.handlers.values().any(|state| state.fresh.is_some())
    }

    /// Returns `true` if the handler has fresh changes.
    pub fn is_fresh(&self, handler: HandlerId) -> bool {
        self.handlers.get(&handler).is_some_and(|state| state.fresh.is_some())
    }

    /// Changes the state of a handler, and the time at which it is due.
    fn update<T>(&mut self, handler: HandlerId, update: impl FnOnce(&mut Handler) -> T) -> T {
        let state = self.handlers.entry(handler).or_default();
        let (before, was_fresh) = (state.due(), state.fresh.is_some());
        let updated = update(state);
        let (after, is_fresh) = (state.due(), state.fresh.is_some());
        if state.is_empty() {
            self.handlers.remove(&handler);
        }
        self.version += u64::from(was_fresh != is_fresh);
        if before != after {
            before.into_iter().for_each(|due| _ = self.due.remove(&(due, handler)));
            self.due.extend(after.map(|due| (due, handler)));
        }
        updated
    }
}

impl Handler {
    fn due(&self) -> Option<SystemTime> {
        self.fresh.as_ref().filter(|_| !self.is_held).map(|fresh| fresh.due)
    }

    /// Returns the fresh changes, with these times.
    fn fresh_at(&mut self, due: SystemTime, limit: SystemTime) -> &mut Fresh {
        let fresh = self.fresh.get_or_insert_with(|| Fresh { changed: Changed::default(), due, limit });
        (fresh.due, fresh.limit) = (due, limit);
        fresh
    }

    /// Adds changes that are due at `due`, or together with earlier fresh changes. The next change sets the time anew.
    fn add_fresh_at(&mut self, changed: Changed, due: SystemTime) {
        let (due, limit) = self.fresh.as_ref().map_or((due, due), |fresh| (fresh.due.min(due), fresh.limit.min(due)));
        self.fresh_at(due, limit).changed.add(changed);
    }

    /// Removes the change of an item that has not been selected. Returns `true` if there was one.
    fn remove(&mut self, item: ItemId) -> bool {
        let was_fresh = self.fresh.as_mut().is_some_and(|fresh| fresh.changed.remove(item));
        self.fresh.take_if(|fresh| fresh.changed.is_empty());
        let was_taken = self.taken.remove(item);
        self.waiting.remove(&item) || was_fresh || was_taken
    }

    fn is_empty(&self) -> bool {
        self.fresh.is_none() && self.taken.is_empty() && self.running.is_empty() && self.waiting.is_empty()
    }
}

impl Changed {
    /// Adds a change. Too many items become a full look.
    fn insert(&mut self, change: LocalChange) {
        match (&mut *self, change) {
            (Self::Items(items), LocalChange::Item(item)) if items.len() < MAX_ITEMS || items.contains(&item) => {
                items.insert(item);
            }
            _ => *self = Self::Everything,
        }
    }

    /// Adds changes. Too many items become a full look.
    fn add(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::Items(items), Self::Items(more)) if items.len() + more.len() <= MAX_ITEMS => items.extend(more),
            _ => *self = Self::Everything,
        }
    }

    /// Removes an item. A full look is needed nevertheless. Returns `true` if the item was removed.
    fn remove(&mut self, item: ItemId) -> bool {
        match self {
            Self::Items(items) => items.remove(&item),
            Self::Everything => false,
        }
    }

    /// Replaces a full look by these items.
    fn limit_to(&mut self, items: &BTreeSet<ItemId>) {
        if *self == Self::Everything {
            *self = Self::Items(items.clone());
        }
    }

    fn contains(&self, item: ItemId) -> bool {
        match self {
            Self::Items(items) => items.contains(&item),
            Self::Everything => true,
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Items(items) if items.is_empty())
    }
}

impl Default for Changed {
    fn default() -> Self {
        Self::Items(BTreeSet::new())
    }
}

#[cfg(test)]
mod tests;
