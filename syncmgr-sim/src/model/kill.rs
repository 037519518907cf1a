//! Items that end their process. The manager counts this as a failure, except for the first time.

use syncmgr_core::decision::retry::RequestedBy;

use super::{Finding, Model};
use crate::peer::Key;

impl Model {
    /// Records that an item ends the process.
    pub(crate) fn kill(&mut self, item: Key) {
        // If the store fails, the item is not counted.
        self.killed_by = Some(item).filter(|_| !self.store_failed && !self.writes_lost);
    }

    /// Counts the end of the previous process, if this item has ended it. The manager has counted the item before it began.
    pub(crate) fn count_kill(&mut self, item: Key) {
        if self.killed_by == Some(item) {
            self.item(item).kills += 1;
        }
    }

    /// Checks that an item which ends its process again and again is not started automatically for ever.
    pub(super) fn check_kills(&self, key: Key, requested_by: RequestedBy) -> Option<Finding> {
        let (kills, budget) = (self.items.get(&key)?.kills, self.policy(key.0).budget);
        (kills >= budget && requested_by == RequestedBy::Automatic).then(|| {
            let details =
                format!("{key:?} starts automatically after it has ended {kills} processes, which were counted");
            ("an item that ends its process again and again needs attention", details)
        })
    }
}
