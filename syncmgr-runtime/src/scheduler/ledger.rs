//! The retry ledger of a manager, locked.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use syncmgr_core::decision::ledger::RetryLedger;
use syncmgr_core::sync::Mutex;

use crate::changes::Changes;

/// A ledger, the answer to a question about it that each item with claims asks, and the changes of the agenda.
pub(super) struct SharedLedger {
    ledger: Mutex<RetryLedger>,
    has_resources: AtomicBool,
    /// The version of the agenda of which the observers know.
    version: AtomicU64,
    agenda: Changes,
}

impl SharedLedger {
    pub(super) fn new(ledger: RetryLedger) -> Self {
        Self {
            has_resources: AtomicBool::new(ledger.has_resources()),
            version: AtomicU64::new(ledger.agenda_version()),
            ledger: Mutex::new(ledger),
            agenda: Changes::default(),
        }
    }

    pub(super) fn lock(&self) -> LockedLedger<'_> {
        LockedLedger { ledger: Some(self.ledger.lock()), shared: self }
    }

    /// Returns `true` if there was a retry state of a resource when the lock was last released.
    pub(super) fn has_resources(&self) -> bool {
        self.has_resources.load(Ordering::Acquire)
    }

    pub(super) fn agenda_changes(&self) -> Changes {
        self.agenda.clone()
    }
}

/// The ledger, until it is dropped.
pub(crate) struct LockedLedger<'a> {
    /// `None` while it is dropped.
    ledger: Option<MutexGuard<'a, RetryLedger>>,
    shared: &'a SharedLedger,
}

impl Deref for LockedLedger<'_> {
    type Target = RetryLedger;

    fn deref(&self) -> &RetryLedger {
        self.ledger.as_deref().expect("it is locked until it is dropped")
    }
}

impl DerefMut for LockedLedger<'_> {
    fn deref_mut(&mut self) -> &mut RetryLedger {
        self.ledger.as_deref_mut().expect("it is locked until it is dropped")
    }
}

impl Drop for LockedLedger<'_> {
    fn drop(&mut self) {
        let version = self.agenda_version();
        self.shared.has_resources.store(self.has_resources(), Ordering::Release);
        let known = self.shared.version.swap(version, Ordering::Relaxed);
        drop(self.ledger.take());
        // Outside the lock, because it wakes foreign wakers.
        if known != version {
            self.shared.agenda.notify();
        }
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
