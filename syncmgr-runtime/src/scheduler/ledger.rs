//! The retry ledger of a manager, locked.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, Ordering};

use syncmgr_core::decision::ledger::RetryLedger;
use syncmgr_core::sync::Mutex;

/// A ledger, and the answer to a question about it that each item with claims asks.
pub(super) struct SharedLedger {
    ledger: Mutex<RetryLedger>,
    has_resources: AtomicBool,
}

impl SharedLedger {
    pub(super) fn new(ledger: RetryLedger) -> Self {
        Self { has_resources: AtomicBool::new(ledger.has_resources()), ledger: Mutex::new(ledger) }
    }

    pub(super) fn lock(&self) -> LockedLedger<'_> {
        LockedLedger { ledger: self.ledger.lock(), has_resources: &self.has_resources }
    }

    /// Returns `true` if there was a retry state of a resource when the lock was last released.
    pub(super) fn has_resources(&self) -> bool {
        self.has_resources.load(Ordering::Acquire)
    }
}

/// The ledger, until it is dropped.
pub(crate) struct LockedLedger<'a> {
    ledger: MutexGuard<'a, RetryLedger>,
    has_resources: &'a AtomicBool,
}

impl Deref for LockedLedger<'_> {
    type Target = RetryLedger;

    fn deref(&self) -> &RetryLedger {
        &self.ledger
    }
}

impl DerefMut for LockedLedger<'_> {
    fn deref_mut(&mut self) -> &mut RetryLedger {
        &mut self.ledger
    }
}

impl Drop for LockedLedger<'_> {
    fn drop(&mut self) {
        self.has_resources.store(self.ledger.has_resources(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::SystemTime;

    use syncmgr_core::claim::Claim;
    use syncmgr_core::decision::ledger::Resume;
    use syncmgr_core::retry::{RetryState, RetryStatus};

    use super::*;

    #[test]
    fn a_resource_is_known_once_the_lock_is_released_and_until_it_is_cleared() {
        let (now, ledger) = (SystemTime::UNIX_EPOCH, SharedLedger::new(RetryLedger::new(Resume::AtNextTrigger)));
        assert!(!ledger.has_resources());
        let failed = RetryState::new(RetryStatus::Backoff, now, Some(now));
        let _ = ledger.lock().restore(BTreeMap::from([(Claim::new("server"), failed)]), Vec::new(), now);
        assert!(ledger.has_resources());
        let _ = ledger.lock().restore(BTreeMap::new(), Vec::new(), now);
        assert!(!ledger.has_resources());
    }
}
