//! Items that claim something begin once they have it.

use std::sync::MutexGuard;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::host::ClaimSet;
use syncmgr_core::id::ItemId;

use super::Attempt;
use super::state::{State, Working};

/// How many items may wait for claims at least, while items behind them that claim something else go on.
const LEAST_WINDOW: usize = 64;

impl Attempt {
    /// Locks the state once the next item may begin: has its claims, or needs none.
    pub(super) fn claim_next(&self) -> MutexGuard<'_, State> {
        loop {
            self.claim_ahead();
            let mut state = self.lock();
            if self.is_settled(&mut state) {
                return state;
            }
        }
    }

    /// Goes through the items whose turn it is: one that has its claims is ready, one that has not is held. Stops at the
    /// first that may begin.
    fn claim_ahead(&self) {
        while let Some(place) = self.hold_next() {
            let item = self.selection()[place].id();
            if self.link.claim(item, self.claims_of(place)) && !self.lock().run.ready(place) {
                self.link.put_back(item);
            }
        }
    }

    /// Whether a worker may take the next item: it has its claims, or needs none.
    pub(super) fn may_seat(&self, state: &mut State) -> bool {
        !self.is_claiming()
            || state.run.has_ready()
            || state.run.peek_next().is_none_or(|place| !self.claims_any(place))
    }

    /// Whether there is nothing more to claim before a worker looks for its next item.
    fn is_settled(&self, state: &mut State) -> bool {
        state.working != Working::Now || self.has_enough_waiting(state) || self.may_seat(state)
    }

    /// A held item has its claims. `false` when it no longer waits for them.
    pub(crate) fn ready(&self, item: ItemId) -> bool {
        let ready = self.place(item).is_some_and(|place| self.change(|state| state.run.ready(place)));
        if ready {
            // An attempt that is over has ended its items, and none of them is ready.
            let _ = self.want_workers();
        }
        ready
    }

    /// An item with claims has ended or no longer waits.
    pub(super) fn release(&self, place: usize) {
        if self.claims_any(place) {
            self.link.release(self.selection()[place].id());
        }
    }

    /// Whether so many items wait for claims that those behind them are not looked at yet.
    pub(super) fn has_enough_waiting(&self, state: &State) -> bool {
        self.is_claiming() && state.run.waiting_for_claims() >= self.limits.items().max(LEAST_WINDOW)
    }

    fn hold_next(&self) -> Option<usize> {
        let mut state = self.lock();
        if state.working != Working::Now || state.run.has_ready() || self.has_enough_waiting(&state) {
            return None;
        }
        let place = state.run.peek_next().filter(|place| self.claims_any(*place))?;
        state.run.hold(place);
        Some(place)
    }

    fn claims_any(&self, place: usize) -> bool {
        !self.claims.is_empty() || !self.selection()[place].claims().is_empty()
    }

    fn claims_of(&self, place: usize) -> ClaimSet {
        let mut claims: Vec<Claim> = self.selection()[place].claims().iter().chain(&self.claims).cloned().collect();
        claims.sort_unstable();
        claims.dedup();
        claims.into()
    }
}
