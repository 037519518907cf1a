//! Windows: the times at which background work is allowed begin and end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::id::HandlerId;
use crate::requirements::Requirements;
use crate::schedule::{Opening, Window};

/// The windows that handlers and their items require, and the next time at which one of them opens or closes.
#[derive(Clone, Debug, Default)]
pub(super) struct Windows {
    /// Those of items include all that a run has checked since the handler was registered.
    of: BTreeMap<HandlerId, BTreeSet<Window>>,
    next: Option<SystemTime>,
    /// The time of the last look at the clock.
    looked: Option<SystemTime>,
    /// The openings since then: many items may have the same windows.
    openings: BTreeMap<Requirements, Opening>,
}

impl Windows {
    /// Follows the windows of these requirements of a handler or an item.
    pub(super) fn add(&mut self, handler: HandlerId, requirements: &Requirements, clock: SystemTime) {
        for window in requirements.windows() {
            let known = self.of.entry(handler).or_default();
            if known.insert(window.clone()) {
                self.looked.get_or_insert(clock);
                self.next = self.next.into_iter().chain(window.changes_after(clock)).min();
            }
        }
    }

    pub(super) fn remove(&mut self, handler: HandlerId) {
        self.of.remove(&handler);
    }

    /// Returns the next time, by the clock, at which a window opens or closes.
    pub(super) fn next(&self) -> Option<SystemTime> {
        self.next
    }

    /// Returns the opening of the windows of these requirements, which were [added](Self::add).
    pub(super) fn opening(&mut self, requirements: &Requirements, clock: SystemTime) -> Opening {
        let has_passed = self.next.is_some_and(|next| next <= clock) || self.looked.is_none_or(|looked| clock < looked);
        if has_passed || requirements.windows().next().is_none() {
            return requirements.opening(clock);
        }
        if let Some(opening) = self.openings.get(requirements) {
            return *opening;
        }
        let opening = requirements.opening(clock);
        self.openings.insert(requirements.clone(), opening);
        opening
    }

    /// Looks at the clock. Returns `true` if a window may have opened or closed since the last look.
    pub(super) fn follow(&mut self, clock: SystemTime) -> bool {
        let was_set_back = self.looked.replace(clock).is_some_and(|looked| clock < looked) && !self.of.is_empty();
        let may_have_changed = was_set_back || self.next.is_some_and(|next| next <= clock);
        if may_have_changed {
            self.openings.clear();
            let all: BTreeSet<_> = self.of.values().flatten().collect();
            self.next = all.into_iter().filter_map(|window| window.changes_after(clock)).min();
        }
        may_have_changed
    }
}
