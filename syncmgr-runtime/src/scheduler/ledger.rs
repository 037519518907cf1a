//! The retry ledger of a manager, locked.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard};

use syncmgr_core::decision::ledger::RetryLedger;
use syncmgr_core::sync::Mutex;
use tokio::sync::Notify;

use crate::changes::Changes;

/// A ledger, the answer to a question about it that each item with claims asks, and the version of the agenda.
pub(super) struct SharedLedger {
    ledger: Mutex<RetryLedger>,
    has_resources: AtomicBool,
    /// The version of the agenda when the lock was last released.
    version: AtomicU64,
    observers: Arc<AgendaObservers>,
}

/// The observers of the agenda.
#[derive(Default)]
pub(crate) struct AgendaObservers {
    count: AtomicUsize,
    pub(crate) changes: Changes,
    /// Wakes the scheduler's task, which notifies the observers: it holds no lock.
    pub(super) wake: Notify,
}

impl AgendaObservers {
    /// Adds an observer, until [`remove`](Self::remove).
    pub(crate) fn add(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SharedLedger {
    pub(super) fn new(ledger: RetryLedger) -> Self {
        Self {
            has_resources: AtomicBool::new(ledger.has_resources()),
            version: AtomicU64::new(ledger.agenda_version()),
            ledger: Mutex::new(ledger),
            observers: Arc::default(),
        }
    }

    pub(super) fn lock(&self) -> LockedLedger<'_> {
        LockedLedger { ledger: self.ledger.lock(), shared: self }
    }

    /// Returns `true` if there was a retry state of a resource when the lock was last released.
    pub(super) fn has_resources(&self) -> bool {
        self.has_resources.load(Ordering::Acquire)
    }

    pub(super) fn observers(&self) -> &Arc<AgendaObservers> {
        &self.observers
    }

    /// Returns the version of the agenda when the lock was last released.
    pub(super) fn agenda_version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

/// The ledger, until it is dropped.
pub(crate) struct LockedLedger<'a> {
    ledger: MutexGuard<'a, RetryLedger>,
    shared: &'a SharedLedger,
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
        self.shared.has_resources.store(self.has_resources(), Ordering::Release);
        let version = self.agenda_version();
        let changes = self.shared.version.swap(version, Ordering::AcqRel) != version;
        if changes && self.shared.observers.count.load(Ordering::Relaxed) > 0 {
            self.shared.observers.wake.notify_one();
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
