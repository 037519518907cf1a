//! The listing of a run, with what a person has set for its items.

use std::sync::Arc;

use syncmgr_core::decision::listing::Listing;
use syncmgr_core::id::HandlerId;
use syncmgr_core::item::Completeness;
use syncmgr_core::overrides::Override;
use syncmgr_core::store::StateChange;

use super::Run;
use crate::host::{AllOverrides, KnownListing, Recorded, Registered};
use crate::scheduler::NoLog;

impl Run {
    /// Lets what a person has set apply to a listing, keeps it as the latest one, and follows its schedules. Returns it, and the one
    /// before. What was set for items that a complete listing lacks ends with their choices.
    pub(super) fn keep(&self, listed: &Listing, recorded: Recorded) -> (Listing, Option<KnownListing>) {
        let mut overrides = self.overrides();
        loop {
            // Outside the lock: a listing may be long.
            let listing = listed.with_overrides(&overrides);
            let _ = listing.schedules();
            match self.keep_with(&overrides, &listing, recorded) {
                Ok(before) => return (listing, before),
                Err(changed) => overrides = changed,
            }
        }
    }

    /// Returns what a person has set, unless this registration of the handler has ended.
    fn overrides(&self) -> Arc<AllOverrides> {
        let mut state = self.host().manager_state();
        let registered = state.registered(self.id.handler, self.generation);
        registered.map(|registered| registered.overrides.clone()).unwrap_or_default()
    }

    /// Keeps a listing to which these overrides were applied. Returns those that apply if they are others by now.
    fn keep_with(
        &self,
        overrides: &Arc<AllOverrides>,
        listing: &Listing,
        recorded: Recorded,
    ) -> Result<Option<KnownListing>, Arc<AllOverrides>> {
        let (host, handler) = (self.host(), self.id.handler);
        let now = host.now().wall;
        let mut state = host.manager_state();
        let Some(registered) = state.registered(handler, self.generation) else { return Ok(None) };
        if !Arc::ptr_eq(&registered.overrides, overrides) {
            return Err(registered.overrides.clone());
        }
        let before = registered.listing.replace(KnownListing::new(listing.clone(), recorded));
        let is_complete = listing.completeness() == Completeness::Complete;
        let mut changes = if is_complete { without_absent(registered, handler) } else { Vec::new() };
        let (id, schedules) = ((handler, self.generation), registered.item_schedules());
        let effects = host.ledger().set_listed_schedules(id, schedules, None, now);
        changes.extend(host.perform(effects, &NoLog));
        // Queued under the lock: the order of these changes and those of a person decides what is stored.
        let written = (!changes.is_empty()).then(|| host.queue_write(changes));
        drop(state);
        host.finish_write(written);
        Ok(before)
    }
}

/// Removes what was set for items that a complete listing lacks.
fn without_absent(registered: &mut Registered, handler: HandlerId) -> Vec<StateChange> {
    let reset = |subject, set: &Override| StateChange::Override { handler, subject, kind: set.kind(), value: None };
    let absent = registered.remove_absent();
    absent.iter().flat_map(|(subject, set)| set.iter().map(|set| reset(*subject, set))).collect()
}
