//! Items with claims: an item begins once it has its claims.

use std::mem;
use std::sync::MutexGuard;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::host::ClaimSet;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::ItemId;

use super::Attempt;
use super::state::{Ended, State};

/// The number of items that may wait for claims before the items behind them are no longer checked, unless the
/// handler's limit of concurrent items is higher.
const MIN_WINDOW: usize = 64;

impl Attempt {
    /// Requests the claims of the next items in order, until an item may begin or enough items wait for theirs. An item that gets
    /// its claims is ready; an item that does not is held. Returns the state, locked.
    pub(super) fn claim_next<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        loop {
            if let Some(index) = self.hold_next(&mut state) {
                drop(state);
                self.claim(index);
                state = self.lock();
            } else if state.items.has_ready() && self.link.may_hold_claims_back() {
                drop(state);
                let held_back = self.hold_back_next();
                state = self.lock();
                if !held_back && self.is_done_claiming(&mut state) {
                    return state;
                }
            } else {
                return state;
            }
        }
    }

    /// Requests the claims of a held item.
    fn claim(&self, index: usize) {
        let item = self.selection()[index].id();
        if self.link.claim(item, self.claims_of(index)) && !self.lock().items.ready(index) {
            self.link.requeue(item);
        }
    }

    /// Leaves out the item that would begin next if one of its claims is held back. Returns `false` if it may begin.
    fn hold_back_next(&self) -> bool {
        let Some(index) = self.lock().items.next_ready() else { return false };
        let Some(hold) = self.link.hold_of_claims(&self.selection()[index]) else { return false };
        if self.change(|state| state.hold_back(index, hold)) {
            self.release(index);
        }
        true
    }

    /// Reports the claims of the items that have ended to the host, without the lock. A success matters only to a claim that is
    /// held back.
    pub(super) fn report_claims(&self, mut state: MutexGuard<'_, State>) {
        let matters = |ended: &Ended| ended.verdict.outcome != Outcome::Succeeded || self.link.may_hold_claims_back();
        if !state.claims_used.iter().any(matters) {
            return state.claims_used.clear();
        }
        let mut used = mem::take(&mut state.claims_used);
        drop(state);
        for Ended { index, verdict } in used.drain(..) {
            if self.claims_any(index) {
                self.link.claims_used(&self.selection()[index], verdict);
            }
        }
        let mut state = self.lock();
        // The buffer is used again.
        if state.claims_used.is_empty() {
            state.claims_used = used;
        }
    }

    /// Returns `true` if a worker may take the next item: it has its claims or needs none.
    pub(super) fn may_assign(&self, state: &mut State) -> bool {
        !state.claiming
            || state.items.has_ready()
            || state.items.peek_next().is_none_or(|index| !self.claims_any(index))
    }

    /// Returns `true` if nothing is left to claim before a worker takes its next item.
    fn is_done_claiming(&self, state: &mut State) -> bool {
        !state.may_begin() || self.has_enough_waiting(state) || self.may_assign(state)
    }

    /// Marks a held item as ready, because it has its claims. Returns `false` if the item no longer waits for claims.
    pub(crate) fn ready(&self, item: ItemId) -> bool {
        let ready = self.mark_ready(item);
        if ready {
            self.request_needed_workers();
        }
        ready
    }

    fn mark_ready(&self, item: ItemId) -> bool {
        self.index_of(item).is_some_and(|index| self.change(|state| state.items.ready(index)))
    }

    /// Releases the claims of an item that has ended or no longer waits for them, and requests workers for the items that get them.
    pub(super) fn release(&self, index: usize) {
        if self.pass_claims(index) {
            self.request_needed_workers();
        }
    }

    /// Releases the claims of an item. Returns `true` if other items of this run have their claims now; the caller begins them or
    /// requests workers for them.
    pub(super) fn pass_claims(&self, index: usize) -> bool {
        if !self.claims_any(index) {
            return false;
        }
        let granted = self.link.release(self.selection()[index].id());
        let (ready, others): (Vec<_>, Vec<_>) = granted.into_iter().partition(|item| self.mark_ready(*item));
        // They are items of a later attempt, or no longer wait.
        others.into_iter().for_each(|item| self.link.offer(item));
        !ready.is_empty()
    }

    /// Returns `true` if so many items wait for claims that the items behind them are not checked yet.
    pub(super) fn has_enough_waiting(&self, state: &State) -> bool {
        state.claiming && state.items.waiting_for_claims() >= self.limits.items().max(MIN_WINDOW)
    }

    /// Holds the next item until it has its claims. Returns `None` if an item may begin, or enough items wait for claims.
    fn hold_next(&self, state: &mut State) -> Option<usize> {
        if !state.may_begin() || state.items.has_ready() || self.has_enough_waiting(state) {
            return None;
        }
        let index = state.items.peek_next().filter(|index| self.claims_any(*index))?;
        state.items.hold(index);
        Some(index)
    }

    fn claims_any(&self, index: usize) -> bool {
        !self.claims.is_empty() || !self.selection()[index].claims().is_empty()
    }

    fn claims_of(&self, index: usize) -> ClaimSet {
        let item = &self.selection()[index];
        match (item.claims(), &self.claims[..]) {
            ([_], []) => return item.shared_claims(),
            ([], [_]) => return self.claims.clone(),
            _ => {}
        }
        let mut claims: Vec<Claim> = item.claims().iter().chain(&*self.claims).cloned().collect();
        // Of equal claims, the one with the smallest capacity stays; no capacity counts as 1.
        claims.sort_unstable_by(|one, other| one.cmp(other).then(one.capacity().cmp(&other.capacity())));
        claims.dedup();
        claims.into()
    }
}
