//! Items with claims: an item begins once it has its claims.

use std::sync::MutexGuard;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::host::ClaimSet;
use syncmgr_core::id::ItemId;

use super::Attempt;
use super::state::{AttemptPhase, State};

/// The least number of items that may wait for claims while the items behind them are checked.
const MIN_WINDOW: usize = 64;

impl Attempt {
    /// Locks the state once the next item may begin: it has its claims or needs none.
    pub(super) fn claim_next(&self) -> MutexGuard<'_, State> {
        loop {
            self.claim_ahead();
            let mut state = self.lock();
            if self.is_done_claiming(&mut state) {
                return state;
            }
        }
    }

    /// Claims for the next items: an item that gets its claims is ready, another is held. Stops at the first item that may
    /// begin.
    fn claim_ahead(&self) {
        while let Some(index) = self.hold_next() {
            let item = self.selection()[index].id();
            if self.link.claim(item, self.claims_of(index)) && !self.lock().items.ready(index) {
                self.link.requeue(item);
            }
        }
    }

    /// Returns `true` if a worker may take the next item: it has its claims or needs none.
    pub(super) fn may_assign(&self, state: &mut State) -> bool {
        !self.is_claiming()
            || state.items.has_ready()
            || state.items.peek_next().is_none_or(|index| !self.claims_any(index))
    }

    /// Returns `true` if nothing is left to claim before a worker takes its next item.
    fn is_done_claiming(&self, state: &mut State) -> bool {
        state.phase != AttemptPhase::Synchronizing || self.has_enough_waiting(state) || self.may_assign(state)
    }

    /// Readies a held item that has its claims. Returns `false` if it no longer waits for them.
    pub(crate) fn ready(&self, item: ItemId) -> bool {
        let ready = self.index_of(item).is_some_and(|index| self.change(|state| state.items.ready(index)));
        if ready {
            // Fails if the attempt is over and needs no workers.
            let _ = self.request_workers();
        }
        ready
    }

    /// Releases the claims of an item that has ended or no longer waits.
    pub(super) fn release(&self, index: usize) {
        if self.claims_any(index) {
            self.link.release(self.selection()[index].id());
        }
    }

    /// Returns `true` if enough items wait for claims, so that the items behind them are not checked yet.
    pub(super) fn has_enough_waiting(&self, state: &State) -> bool {
        self.is_claiming() && state.items.waiting_for_claims() >= self.limits.items().max(MIN_WINDOW)
    }

    fn hold_next(&self) -> Option<usize> {
        let mut state = self.lock();
        if state.phase != AttemptPhase::Synchronizing || state.items.has_ready() || self.has_enough_waiting(&state) {
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
        let mut claims: Vec<Claim> = self.selection()[index].claims().iter().chain(&self.claims).cloned().collect();
        claims.sort_unstable();
        claims.dedup();
        claims.into()
    }
}
