//! The right of a manager to use a store.

use std::sync::Arc;

use crate::sync::atomic::{AtomicBool, Ordering};

/// Grants a store to one manager at a time, in an implementation of [`StateStore::acquire`](super::StateStore::acquire).
///
/// ```
/// # use syncmgr_core::store::{ManagerSlot, StoreInUse};
/// let slot = ManagerSlot::new();
/// let lease = slot.acquire()?;
/// assert_eq!(slot.acquire().err(), Some(StoreInUse));
/// drop(lease);
/// assert!(slot.acquire().is_ok());
/// # Ok::<(), StoreInUse>(())
/// ```
#[derive(Debug, Default)]
pub struct ManagerSlot {
    taken: Arc<AtomicBool>,
}

impl ManagerSlot {
    /// Creates a free slot.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the slot until the lease is dropped.
    ///
    /// # Errors
    /// Fails while there is another lease.
    pub fn acquire(&self) -> Result<StoreLease, StoreInUse> {
        match self.taken.swap(true, Ordering::AcqRel) {
            true => Err(StoreInUse),
            false => Ok(StoreLease { taken: Some(self.taken.clone()) }),
        }
    }
}

/// The right of a manager to run items with a store, until it is dropped.
#[derive(Debug)]
#[must_use = "the store is released when the lease is dropped"]
pub struct StoreLease {
    taken: Option<Arc<AtomicBool>>,
}

impl StoreLease {
    /// Returns a lease of a store that any number of managers may use at the same time.
    pub const fn shared() -> Self {
        Self { taken: None }
    }
}

impl Drop for StoreLease {
    fn drop(&mut self) {
        if let Some(taken) = &self.taken {
            taken.store(false, Ordering::Release);
        }
    }
}

/// The store belongs to another manager. Two managers would run the same item at the same time and overwrite each other's
/// results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "another manager has this store; use a clone of that manager, or shut it down, or drop it and its sessions, and then \
     create a new manager"
)]
#[expect(clippy::exhaustive_structs, reason = "a fact and nothing else")]
pub struct StoreInUse;
