//! A mutex without poisoning, and atomics. In the loom models, both come from loom.

use std::sync::PoisonError;

#[cfg(all(test, loom))]
use loom::sync::{self, MutexGuard};
#[cfg(not(all(test, loom)))]
use std::sync::{self, MutexGuard};

pub(crate) use sync::atomic;

/// A [`std::sync::Mutex`] without poisoning, until std has one. The protected data is consistent after every statement.
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    /// Creates a mutex around this value.
    #[cfg(not(all(test, loom)))]
    pub const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits for the lock and acquires it.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
