//! A mutex without poisoning, atomics, and a yield. In the loom models, mutex and atomics come from loom.

use std::future::poll_fn;
use std::sync::PoisonError;
use std::task::Poll;

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

/// Lets other tasks run. Unlike tokio's `yield_now`, it lets another thread steal the task,
/// so that the end of the work before is reported even if the next task on this thread blocks.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
