//! What a person sets for a registered handler or its items.

use std::time::SystemTime;

use super::{Effect, RetryLedger};
use crate::decision::needs::Needs;
use crate::id::{HandlerId, ItemId};
use crate::requirements::Requirements;

impl RetryLedger {
    /// Sets what a registered handler needs. `of_item` returns what an item requires, with what its handler requires, or `None`
    /// if that is not known: the items that wait for other requirements wait for these from now on.
    #[must_use = "perform the effects"]
    pub fn set_needs(
        &mut self,
        handler: HandlerId,
        needs: Needs,
        of_item: impl Fn(ItemId) -> Option<Requirements>,
        now: SystemTime,
    ) -> Vec<Effect> {
        let Some(registered) = self.handlers.get_mut(&handler).and_then(|known| known.registered.as_mut()) else {
            return Vec::new();
        };
        self.windows.add(handler, &needs.requirements, now);
        *registered = needs;
        for requirements in self.held.set_requirements(handler, of_item) {
            self.windows.add(handler, &requirements, now);
        }
        self.version += 1;
        vec![Effect::Wake]
    }
}
