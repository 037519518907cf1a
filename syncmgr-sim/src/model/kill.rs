//! Items that end their process. The manager counts this as a failure, except for the first time.

use syncmgr_core::decision::retry::RequestedBy;

use super::{Finding, Model};
use crate::peer::Key;

/// An item that has ended its process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Killed {
    item: Key,
    /// `true` if it may have ended the process before, and had not run since.
    was_suspect: bool,
}

impl Model {
    /// Records that an item ends the process.
    pub(crate) fn kill(&mut self, item: Key) {
        // If the store fails, the item is not counted.
        let attempts = self.attempts.iter().filter(|attempt| attempt.key == item).count();
        let was_suspect = self.suspects.contains(&item) && attempts == 1;
        self.killed_by = Some(Killed { item, was_suspect }).filter(|_| !self.store_failed && !self.writes_lost);
    }

    /// Counts the end of the previous process, if this item has ended it. The manager has counted a suspect before it began.
    pub(crate) fn count_kill(&mut self, item: Key, is_counted: bool) -> Option<Finding> {
        let killed = self.killed_by.filter(|killed| killed.item == item)?;
        self.item(item).kills += u32::from(is_counted);
        (killed.was_suspect && !is_counted).then(|| {
            let details = format!("{item:?} may have ended a process, ends the next one and is not counted");
            ("an item that may have ended its process is counted before it begins", details)
        })
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
