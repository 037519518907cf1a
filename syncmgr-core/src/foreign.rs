//! Foreign code and values: those of authors and applications. Their code and their destructors may panic.

use std::borrow::Borrow;
use std::fmt;
use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Poll, Waker};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::error::panic_text;

/// Calls foreign code. Returns the message of its panic as the error.
///
/// ```
/// # use syncmgr_core::foreign;
/// assert_eq!(foreign::call(|| 7), Ok(7));
/// assert_eq!(foreign::call(|| panic!("the fault")), Err::<(), _>("the fault".to_string()));
/// ```
///
/// # Errors
/// The message of the panic. The panic hook has already reported it.
pub fn call<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(panic_text)
}

/// Calls foreign code and polls the future that it returns.
///
/// # Errors
/// The message of a panic of the code, the future or the future's destructor.
pub async fn call_async<'a, T>(code: impl FnOnce() -> BoxFuture<'a, T>) -> Result<T, String> {
    let mut future = Foreign::new(call(code)?);
    let ended = poll_fn(|cx| match call(|| future.poll_unpin(cx)) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await;
    future.discard().and(ended)
}

/// Drops a foreign value.
///
/// # Errors
/// The message of a panic in its destructor.
pub fn discard<T>(value: T) -> Result<(), String> {
    call(|| drop(value))
}

/// Wakes a task, possibly of a foreign executor. Call it while no lock is held. A panic of the waker is ignored: it concerns
/// only its own task.
pub fn wake(waker: impl Borrow<Waker>) {
    let _ = call(move || waker.borrow().wake_by_ref());
}

/// The wakers of tasks that wait for the same change. They may belong to a foreign executor, so they are cloned, woken and
/// dropped while no lock is held.
#[derive(Debug, Default)]
#[must_use = "wake the wakers, or their tasks wait forever"]
pub struct Wakers(Vec<Waker>);

impl Wakers {
    /// Adds a waker. Returns it if its task is already known; drop it once no lock is held.
    #[must_use = "drop the waker once no lock is held"]
    pub fn add(&mut self, waker: Waker) -> Option<Waker> {
        if self.0.iter().any(|known| known.will_wake(&waker)) {
            return Some(waker);
        }
        self.0.push(waker);
        None
    }

    /// Adds other wakers. A task that is among both is woken twice: a waker that is left out would have to be dropped, which
    /// may not happen while a lock is held.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Wakes every task. A panic of a waker is ignored: it concerns only its own task.
    #[inline]
    pub fn wake(self) {
        if !self.0.is_empty() {
            self.wake_all();
        }
    }

    fn wake_all(self) {
        self.0.into_iter().for_each(|waker| _ = call(|| waker.wake()));
    }
}

/// Cancels a token, which wakes the tasks that wait for it. Call it while no lock is held. A panic of a waker is ignored.
pub fn cancel(token: &CancellationToken) {
    let _ = call(|| token.cancel());
}

/// A foreign value. A panic of its destructor does not reach the code that drops it.
///
/// ```
/// # use syncmgr_core::foreign::Foreign;
/// struct Faulty;
/// impl Drop for Faulty {
///     fn drop(&mut self) {
///         panic!("the fault");
///     }
/// }
///
/// drop(Foreign::new(Faulty)); // the panic hook reports the panic
/// assert_eq!(Foreign::new(Faulty).discard(), Err("the fault".to_string()));
/// ```
#[derive(Clone)]
pub struct Foreign<T>(Option<T>);

impl<T> Foreign<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// Returns the value.
    ///
    /// # Panics
    /// Never: the value is only removed by this method and by the destructor.
    pub fn into_inner(mut self) -> T {
        self.0.take().expect(PRESENT)
    }

    /// Drops the value.
    ///
    /// # Errors
    /// The message of a panic in its destructor.
    pub fn discard(mut self) -> Result<(), String> {
        discard(self.0.take())
    }
}

/// The invariant of a [`Foreign`].
const PRESENT: &str = "a foreign value is present until it is dropped";

impl<T> Deref for Foreign<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect(PRESENT)
    }
}

impl<T> DerefMut for Foreign<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect(PRESENT)
    }
}

impl<T> Drop for Foreign<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            // The panic hook has reported a panic.
            let _ = discard(value);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Foreign<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    /// A value whose destructor panics with another such value.
    struct Nested(u8);

    impl Drop for Nested {
        fn drop(&mut self) {
            if self.0 > 0 {
                std::panic::panic_any(Self(self.0 - 1));
            }
        }
    }

    #[test]
    fn a_panic_payload_whose_destructor_panics_does_not_escape() {
        assert_eq!(discard(Nested(3)), Err("a value that is not text".to_string()));
        drop(Foreign::new(Nested(3)));
    }

    #[test]
    fn a_value_is_returned_without_being_dropped() {
        let mut value = Foreign::new(Nested(1));
        let Nested(left) = &mut *value;
        *left = 0;
        assert_eq!(value.into_inner().0, 0);
    }

    /// A waker that panics.
    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("the fault");
        }
    }

    #[test]
    fn a_waker_that_panics_does_not_affect_its_caller() {
        let mut wakers = Wakers::default();
        assert!(wakers.add(Arc::new(Panics).into()).is_none());
        wakers.wake();
        let token = CancellationToken::new();
        let waiting = std::pin::pin!(token.cancelled());
        assert!(waiting.poll(&mut std::task::Context::from_waker(&Arc::new(Panics).into())).is_pending());
        cancel(&token);
        assert!(token.is_cancelled());
    }
}
