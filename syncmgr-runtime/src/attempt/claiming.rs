//! Items that claim something begin once they have it.

use std::sync::MutexGuard;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::host::ClaimSet;
use syncmgr_core::id::ItemId;

use super::Attempt;
use super::state::{State, Working};

impl Attempt {
    /// Locks the state once the next item may begin: has its claims, or needs none.
    pub(super) fn claim_next(&self) -> MutexGuard<'_, State> {
        loop {
            self.claim_ahead();
            let mut state = self.lock();
            if self.may_begin(&mut state) {
                return state;
            }
        }
    }

    /// Goes through the items whose turn it is: one that has its claims is ready, one that has not is held. Stops at the
    /// first that may begin.
    fn claim_ahead(&self) {
        while let Some(place) = self.hold_next() {
            let item = self.facts.selection[place].id();
            if self.link.claim(item, self.claims_of(place)) && !self.lock().run.ready(place) {
                self.link.release(item);
            }
        }
    }

    /// Whether the next item, if there is one, may begin.
    fn may_begin(&self, state: &mut State) -> bool {
        let claims_nothing = |place| self.claims_of(place).is_empty();
        state.working != Working::Now || state.run.has_ready() || state.run.peek_next().is_none_or(claims_nothing)
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
        if self.claiming && !self.claims_of(place).is_empty() {
            self.link.release(self.facts.selection[place].id());
        }
    }

    fn hold_next(&self) -> Option<usize> {
        let mut state = self.lock();
        if state.working != Working::Now || state.run.has_ready() {
            return None;
        }
        let place = state.run.peek_next().filter(|place| !self.claims_of(*place).is_empty())?;
        state.run.hold(place);
        Some(place)
    }

    fn claims_of(&self, place: usize) -> ClaimSet {
        let mut claims: Vec<Claim> = self.facts.selection[place].claims().iter().chain(&self.claims).cloned().collect();
        claims.sort_unstable();
        claims.dedup();
        claims.into()
    }
}
