//! What failures have left behind, and when what will run by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::due::Dues;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::resource;
use syncmgr_core::decision::retry::{self, Advance, Ask, Clearing};
use syncmgr_core::decision::verdict::Verdict;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::retry::{RetryPolicy, RetryState};
use tokio::sync::Notify;

/// What failures have left behind of the items of every registered handler, and of the resources they claim.
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
}

impl Setbacks {
    /// Takes what was stored of a handler.
    pub(crate) fn load(&self, handler: HandlerId, states: BTreeMap<ItemId, RetryState>) {
        {
            let mut inner = self.lock();
            for (item, state) in &states {
                inner.dues.set(handler, *item, Some(state));
            }
            inner.items.insert(handler, states);
        }
        self.changed.notify_one();
    }

    /// Takes what was stored of the resources.
    pub(crate) fn load_resources(&self, resources: BTreeMap<Claim, RetryState>) {
        self.lock().resources = resources;
    }

    /// The handler is not registered any more.
    pub(crate) fn unload(&self, handler: HandlerId) {
        let mut inner = self.lock();
        inner.items.remove(&handler);
        inner.dues.forget(handler);
    }

    pub(crate) fn of(&self, handler: HandlerId, item: ItemId) -> Option<RetryState> {
        self.lock().items.get(&handler)?.get(&item).copied()
    }

    /// Whether there is nothing of a handler, nor of any resource.
    pub(crate) fn is_clean(&self, handler: HandlerId) -> bool {
        let inner = self.lock();
        inner.resources.is_empty() && inner.items.get(&handler).is_none_or(BTreeMap::is_empty)
    }

    /// An attempt at an item has ended. Returns what it leaves behind.
    pub(crate) fn after(&self, attempted: &Attempted<'_>) -> Option<RetryState> {
        let Attempted { handler, item, verdict, advance, policy, now, chance } = attempted;
        let before = self.of(*handler, *item);
        let after = retry::after(policy, before.as_ref(), *verdict, *advance, *now, *chance);
        self.set(*handler, *item, after);
        after
    }

    /// Sets what is left of an item.
    pub(crate) fn set(&self, handler: HandlerId, item: ItemId, state: Option<RetryState>) {
        {
            let mut inner = self.lock();
            inner.dues.set(handler, item, state.as_ref());
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
        let Attempted { verdict, policy, now, chance, .. } = attempted;
        let after = resource::after(policy, before.as_ref(), *verdict, *now, *chance);
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

    /// Somebody asks for an item by hand, or more: what need not hold it any more is cleared. Returns what is left if that
    /// has changed.
    pub(crate) fn clear(&self, handler: HandlerId, item: ItemId, by: Clearing) -> Option<Option<RetryState>> {
        let before = self.of(handler, item)?;
        let after = retry::clear(Some(before), by);
        (after != Some(before)).then(|| {
            self.set(handler, item, after);
            after
        })
    }

    /// The network is back: nothing backs off any more. Returns the items that were cleared.
    pub(crate) fn reconnect(&self) -> BTreeMap<HandlerId, BTreeSet<ItemId>> {
        let mut cleared: BTreeMap<HandlerId, BTreeSet<ItemId>> = BTreeMap::new();
        let states: Vec<_> = {
            let mut inner = self.lock();
            inner.resources.retain(|_, state| retry::clear(Some(*state), Clearing::Reconnect).is_some());
            let of_handler = |(handler, items): (&HandlerId, &BTreeMap<ItemId, RetryState>)| {
                items.keys().map(|item| (*handler, *item)).collect::<Vec<_>>()
            };
            inner.items.iter().flat_map(of_handler).collect()
        };
        for (handler, item) in states {
            if self.clear(handler, item, Clearing::Reconnect) == Some(None) {
                cleared.entry(handler).or_default().insert(item);
            }
        }
        cleared
    }

    /// What is due, and not due any more after this until it fails again.
    pub(crate) fn take_due(&self, now: SystemTime) -> BTreeMap<HandlerId, BTreeSet<ItemId>> {
        self.lock().dues.take_due(now)
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
