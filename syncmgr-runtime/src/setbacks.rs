//! What failures have left behind, and when what will run by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::due::Dues;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::resource;
use syncmgr_core::decision::retry::{self, Advance, Ask, Clearing};
use syncmgr_core::decision::verdict::{Outcome, Verdict};
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::retry::{RetryPolicy, RetryState, Setback};
use tokio::sync::Notify;

/// What failures have left behind of the items of every handler that is registered, or ran when it was unregistered and was
/// neither registered again nor forgotten since; and of the resources they claim.
///
/// What is here is stored too; what decides whether an item runs, and what explains why it did not, is read from here.
#[derive(Default)]
pub(crate) struct Setbacks {
    inner: Mutex<Inner>,
    /// Notified when something may be due earlier than before.
    changed: Notify,
}

#[derive(Default)]
struct Inner {
    items: BTreeMap<HandlerId, BTreeMap<ItemId, RetryState>>,
    resources: BTreeMap<Claim, RetryState>,
    dues: Dues,
    /// Handlers that are not registered any more and still run. Nothing of them is due.
    retired: BTreeSet<HandlerId>,
}

impl Inner {
    /// This is left of an item now, and says when it is due.
    fn set_due(&mut self, handler: HandlerId, item: ItemId, state: Option<&RetryState>) {
        let state = state.filter(|_| !self.retired.contains(&handler));
        self.dues.set(handler, item, state);
    }
}

/// An attempt at an item that has ended, and what the judgement needs to know.
pub(crate) struct Attempted<'a> {
    pub(crate) handler: HandlerId,
    pub(crate) item: ItemId,
    pub(crate) verdict: Verdict,
    pub(crate) advance: Advance,
    pub(crate) policy: &'a RetryPolicy,
    pub(crate) now: SystemTime,
    pub(crate) chance: u64,
    /// What it was asked for by, if by anybody.
    pub(crate) by: Option<Clearing>,
}

/// What is cleared once the network is back.
#[derive(Default)]
pub(crate) struct Reconnected {
    pub(crate) items: BTreeMap<HandlerId, BTreeSet<ItemId>>,
    pub(crate) claims: Vec<Claim>,
}

impl Setbacks {
    /// Takes what was stored of a handler.
    pub(crate) fn load(&self, handler: HandlerId, mut states: BTreeMap<ItemId, RetryState>, now: SystemTime) {
        states.values_mut().for_each(|state| *state = begun_by(*state, now));
        {
            let mut inner = self.lock();
            inner.retired.remove(&handler);
            for (item, state) in &states {
                inner.dues.set(handler, *item, Some(state));
            }
            inner.items.insert(handler, states);
        }
        self.changed.notify_one();
    }

    /// Takes what was stored of the resources.
    pub(crate) fn load_resources(&self, mut resources: BTreeMap<Claim, RetryState>, now: SystemTime) {
        resources.values_mut().for_each(|state| *state = begun_by(*state, now));
        self.lock().resources = resources;
    }

    /// The handler is not registered any more, and runs of it go on.
    pub(crate) fn retire(&self, handler: HandlerId) {
        let mut inner = self.lock();
        inner.retired.insert(handler);
        inner.dues.forget(handler);
    }

    /// The handler is not registered any more.
    pub(crate) fn unload(&self, handler: HandlerId) {
        let mut inner = self.lock();
        inner.items.remove(&handler);
        inner.retired.remove(&handler);
        inner.dues.forget(handler);
    }

    /// Nothing claims these any more.
    pub(crate) fn unload_resources(&self, claims: &[Claim]) {
        self.lock().resources.retain(|claim, _| !claims.contains(claim));
    }

    pub(crate) fn of(&self, handler: HandlerId, item: ItemId) -> Option<RetryState> {
        self.lock().items.get(&handler)?.get(&item).copied()
    }

    /// Whether there is nothing of a handler, nor of any resource.
    pub(crate) fn is_clean(&self, handler: HandlerId) -> bool {
        let inner = self.lock();
        inner.resources.is_empty() && inner.items.get(&handler).is_none_or(BTreeMap::is_empty)
    }

    /// Whether the end of an item may change anything here.
    pub(crate) fn concern(&self, handler: HandlerId, item: ItemId) -> bool {
        let inner = self.lock();
        !inner.resources.is_empty() || inner.items.get(&handler).is_some_and(|items| items.contains_key(&item))
    }

    /// An attempt at an item has ended. Returns what it leaves behind.
    pub(crate) fn after(&self, attempted: &Attempted<'_>) -> Option<RetryState> {
        let Attempted { handler, item, verdict, advance, policy, now, chance, by } = attempted;
        let before = self.of(*handler, *item);
        // Whoever asked by hand begins afresh; where nothing came of it, all is as it was.
        let undone = matches!(verdict.outcome, Outcome::Skipped | Outcome::Stopped);
        let cleared = by.filter(|_| !undone).map_or(before, |by| retry::clear(before, by));
        let mut after = retry::after(policy, cleared.as_ref(), *verdict, *advance, *now, *chance);
        if let Some(state) = after.as_mut().filter(|_| undone) {
            // Who called a retry off does not want it again soon.
            if state.until.is_some_and(|until| until <= *now) {
                *state = later(state, *now, policy.cap);
            }
        }
        self.set(*handler, *item, after);
        after
    }

    /// Sets what is left of an item.
    pub(crate) fn set(&self, handler: HandlerId, item: ItemId, state: Option<RetryState>) {
        {
            let mut inner = self.lock();
            // Nobody asks for what is left of a handler that is not there.
            if !inner.items.contains_key(&handler) {
                return;
            }
            inner.set_due(handler, item, state.as_ref());
            let items = inner.items.entry(handler).or_default();
            match state {
                Some(state) => items.insert(item, state),
                None => items.remove(&item),
            };
        }
        if state.is_some_and(|state| state.until.is_some()) {
            self.changed.notify_one();
        }
    }

    /// The same for what an item claims. Returns what has changed.
    pub(crate) fn after_claim(&self, claim: &Claim, attempted: &Attempted<'_>) -> Option<Option<RetryState>> {
        let mut inner = self.lock();
        let before = inner.resources.get(claim).copied();
        let Attempted { verdict, policy, now, chance, by, .. } = attempted;
        let forced = *by == Some(Clearing::Force);
        let cleared = before.filter(|_| !forced || retry::clear(before, Clearing::Force).is_some());
        let after = resource::after(policy, cleared.as_ref(), *verdict, *now, *chance);
        match after {
            Some(state) => inner.resources.insert(claim.clone(), state),
            None => inner.resources.remove(claim),
        };
        (after != before).then_some(after)
    }

    /// Why an item may not run now, if it may not.
    pub(crate) fn hold(
        &self,
        handler: HandlerId,
        item: ItemId,
        claims: &[&Claim],
        ask: Ask,
        now: SystemTime,
    ) -> Option<Hold> {
        let inner = self.lock();
        let own = inner.items.get(&handler).and_then(|items| items.get(&item));
        let own = own.and_then(|state| retry::may_run(state, ask, now).err());
        own.or_else(|| {
            let of_claims = claims.iter().filter_map(|claim| inner.resources.get(*claim));
            of_claims.filter_map(|state| resource::may_run(state, ask, now).err()).next()
        })
    }

    /// An item is run: it is not due meanwhile. How it ends says when it is again.
    pub(crate) fn take_up(&self, handler: HandlerId, item: ItemId) {
        self.lock().set_due(handler, item, None);
    }

    /// An item is held by what it claims, and is due when that lets it.
    pub(crate) fn postpone(&self, handler: HandlerId, item: ItemId, now: SystemTime, until: SystemTime) {
        let waiting = RetryState::new(Setback::Backoff, now, Some(until));
        self.lock().set_due(handler, item, Some(&waiting));
        self.changed.notify_one();
    }

    /// An item was taken up and is not run after all: it is due as it was, or after a wait where that has passed.
    pub(crate) fn put_back(&self, handler: HandlerId, item: ItemId, now: SystemTime, wait: Duration) {
        let Some(state) = self.of(handler, item).filter(|_| self.due_of(handler, item).is_none()) else { return };
        let passed = state.until.is_some_and(|until| until <= now);
        let state = if passed { later(&state, now, wait) } else { state };
        self.lock().set_due(handler, item, Some(&state));
        self.changed.notify_one();
    }

    /// The network is back: nothing backs off any more. Returns what was cleared.
    pub(crate) fn reconnect(&self) -> Reconnected {
        let mut cleared = Reconnected::default();
        let mut inner = self.lock();
        let inner = &mut *inner;
        let backs_off = |state: &RetryState| retry::clear(Some(*state), Clearing::Reconnect).is_none();
        inner.resources.retain(|claim, state| {
            if backs_off(state) {
                cleared.claims.push(claim.clone());
            }
            !backs_off(state)
        });
        for (handler, items) in inner.items.iter_mut().filter(|(handler, _)| !inner.retired.contains(*handler)) {
            items.retain(|item, state| {
                if backs_off(state) {
                    cleared.items.entry(*handler).or_default().insert(*item);
                }
                !backs_off(state)
            });
        }
        for (handler, items) in &cleared.items {
            items.iter().for_each(|item| inner.dues.set(*handler, *item, None));
        }
        cleared
    }

    /// What is due, and not due any more after this until it fails again.
    pub(crate) fn take_due(&self, now: SystemTime) -> BTreeMap<HandlerId, BTreeSet<ItemId>> {
        self.lock().dues.take_due(now)
    }

    /// When an item is due.
    pub(crate) fn due_of(&self, handler: HandlerId, item: ItemId) -> Option<SystemTime> {
        self.lock().dues.due_of(handler, item)
    }

    /// When the next of a handler is due.
    pub(crate) fn next_of(&self, handler: HandlerId) -> Option<SystemTime> {
        self.lock().dues.next_of(handler)
    }

    /// What was due and was not run after all.
    pub(crate) fn missed(&self, handler: HandlerId, now: SystemTime) -> Vec<ItemId> {
        let inner = self.lock();
        let of_handler = inner.items.get(&handler).into_iter().flatten();
        let missed = of_handler.filter(|(item, state)| {
            state.until.is_some_and(|until| until <= now) && inner.dues.due_of(handler, **item).is_none()
        });
        missed.map(|(item, _)| *item).collect()
    }

    /// When the next is due.
    pub(crate) fn next_due(&self) -> Option<SystemTime> {
        self.lock().dues.next()
    }

    /// Notified when something may be due earlier than before.
    pub(crate) fn changed(&self) -> &Notify {
        &self.changed
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same state, with another wait from now on.
fn later(state: &RetryState, now: SystemTime, wait: Duration) -> RetryState {
    let mut later = *state;
    later.until = Some(now.checked_add(wait).unwrap_or(now));
    later
}

/// A state that began in the future was stored before the clock was set back: it keeps its wait, from now on.
fn begun_by(state: RetryState, now: SystemTime) -> RetryState {
    let Ok(ahead) = state.since.duration_since(now) else { return state };
    let mut begun = state;
    begun.since = now;
    begun.until = state.until.map(|until| until.checked_sub(ahead).unwrap_or(now).max(now));
    begun
}
