//! Cancellation: the reasons, the error of a cancelled call, and the flag that handlers check.

use std::fmt;
use std::io;

use tokio_util::sync::CancellationToken;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// The reason for a cancellation.
///
/// ```
/// # use syncmgr_core::cancel::CancelReason;
/// assert!(!CancelReason::Skipped.is_stop()); // applies to one item only
/// assert!(CancelReason::ShuttingDown.is_stop()); // every item of the handler
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// The user or the application skipped this item: `S_SYNCMGR_CANCELITEM`.
    Skipped = 1,
    /// The user or the application stopped this handler: `S_SYNCMGR_CANCELALL`.
    HandlerStopped = 2,
    /// The user or the application stopped the whole session.
    SessionStopped = 3,
    /// The host is shutting down.
    ShuttingDown = 4,
    /// The item or call has already ended, or its host has detached.
    Ended = 5,
    /// The item made no progress for too long, or the call missed its deadline.
    TimedOut = 6,
    /// A condition of this automatic run has ended: a requirement is no longer met, the user is back, or the machine or the
    /// network is about to go down. The rest of the work goes on once the conditions are met again.
    ConditionEnded = 7,
    /// A requirement of this item is no longer met. The item runs again once it is.
    ItemConditionEnded = 8,
}

impl CancelReason {
    /// Returns `true` if this reason ends every item of the handler, not only one item.
    pub const fn is_stop(self) -> bool {
        !matches!(self, Self::Skipped | Self::TimedOut | Self::ItemConditionEnded)
    }

    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => return None,
            1 => Self::Skipped,
            2 => Self::HandlerStopped,
            3 => Self::SessionStopped,
            4 => Self::ShuttingDown,
            6 => Self::TimedOut,
            7 => Self::ConditionEnded,
            8 => Self::ItemConditionEnded,
            _ => Self::Ended,
        })
    }
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Skipped => "the item was skipped",
            Self::HandlerStopped => "the handler was stopped",
            Self::SessionStopped => "the session was stopped",
            Self::ShuttingDown => "the host is shutting down",
            Self::Ended => "already ended",
            Self::TimedOut => "timed out",
            Self::ConditionEnded => "a condition of the run has ended",
            Self::ItemConditionEnded => "a requirement of the item is no longer met",
        })
    }
}

/// The error of a cancelled call.
///
/// Return it with `?`. A cancellation is not a failure and is never logged at level error. A cancelled item counts as
/// cancelled, whatever error its handler returns afterwards.
///
/// ```
/// # use std::io::{self, Read};
/// # use syncmgr_core::{cancel::CancelReason, context::{TestContext, ItemContext}};
/// struct Watched<R>(R, ItemContext);
///
/// impl<R: Read> Read for Watched<R> {
///     fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
///         self.1.check()?; // converts to `io::Error`
///         self.0.read(buffer)
///     }
/// }
/// # let host = TestContext::new();
/// # let item = host.item("photo.jpg");
/// host.cancel(&item, CancelReason::Skipped);
/// let read = io::copy(&mut Watched(&b"data"[..], item), &mut io::sink());
/// assert_eq!(read.expect_err("skipped").to_string(), "cancelled: the item was skipped");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled: {reason}")]
#[non_exhaustive]
pub struct Cancelled {
    /// The reason.
    pub reason: CancelReason,
}

impl Cancelled {
    /// Creates an error with this reason.
    pub const fn new(reason: CancelReason) -> Self {
        Self { reason }
    }
}

impl From<Cancelled> for io::Error {
    fn from(cancelled: Cancelled) -> Self {
        io::Error::other(cancelled)
    }
}

/// A one-time cancellation: a reason, which takes a nanosecond to read, and a token to wait for.
///
/// ```
/// # use syncmgr_core::cancel::{Cancel, CancelReason};
/// let cancel = Cancel::default();
/// let token = cancel.token();
/// if let Some(to_wake) = cancel.cancel(CancelReason::Skipped) {
///     to_wake.cancel(); // after releasing all locks
/// }
/// assert!(cancel.check().is_err() && token.is_cancelled());
/// ```
#[derive(Debug, Default)]
pub struct Cancel {
    reason: AtomicU8,
    awaited: AtomicBool,
    token: Mutex<Option<CancellationToken>>,
}

impl Cancel {
    /// Returns the reason. `None` before the cancellation.
    pub fn reason(&self) -> Option<CancelReason> {
        CancelReason::from_code(self.reason.load(Ordering::Relaxed))
    }

    /// Returns `Err` after the cancellation.
    pub fn check(&self) -> Result<(), Cancelled> {
        match self.reason.load(Ordering::Relaxed) {
            0 => Ok(()),
            code => Err(Cancelled { reason: CancelReason::from_code(code).unwrap_or(CancelReason::Ended) }),
        }
    }

    /// Returns the token of this cancellation. The first call creates the token.
    pub fn token(&self) -> CancellationToken {
        let token = self.token.lock().get_or_insert_default().clone();
        self.awaited.store(true, Ordering::Release);
        if self.reason().is_some() {
            token.cancel();
        }
        token
    }

    /// Cancels with this reason. Has no effect after the first cancellation, whose reason stays.
    ///
    /// Returns the token. The caller must cancel it after releasing all locks, because cancelling it wakes the waiting
    /// tasks.
    #[must_use = "cancel the token after unlocking, or waiting tasks are not woken"]
    pub fn cancel(&self, reason: CancelReason) -> Option<CancellationToken> {
        self.reason.compare_exchange(0, reason as u8, Ordering::AcqRel, Ordering::Acquire).ok()?;
        self.token.lock().clone()
    }

    /// Closes the cancellation: the reason becomes [`CancelReason::Ended`].
    ///
    /// Returns the token. The caller must cancel it after releasing all locks.
    #[must_use = "cancel the token after unlocking, or waiting tasks are not woken"]
    pub fn close(&self) -> Option<CancellationToken> {
        self.reason.store(CancelReason::Ended as u8, Ordering::Release);
        self.token.lock().clone()
    }

    /// Returns `true` if the token was requested.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Acquire)
    }

    /// Restores the initial state. Call it only while the item's cell has no other holders and no token was requested.
    pub(crate) fn reset(&self) {
        self.reason.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cancel_reason_stays() {
        let cancel = Cancel::default();
        assert_eq!(cancel.check(), Ok(()));
        let _ = cancel.cancel(CancelReason::Skipped);
        let _ = cancel.cancel(CancelReason::ShuttingDown);
        assert_eq!(cancel.reason(), Some(CancelReason::Skipped));
    }

    #[test]
    fn every_reason_is_read_as_it_was_set() {
        use CancelReason::{
            ConditionEnded, Ended, HandlerStopped, ItemConditionEnded, SessionStopped, ShuttingDown, Skipped, TimedOut,
        };
        for (reason, is_stop) in [
            (Skipped, false),
            (HandlerStopped, true),
            (SessionStopped, true),
            (ShuttingDown, true),
            (Ended, true),
            (TimedOut, false),
            (ConditionEnded, true),
            (ItemConditionEnded, false),
        ] {
            let cancel = Cancel::default();
            let _ = cancel.cancel(reason);
            assert_eq!((cancel.reason(), reason.is_stop()), (Some(reason), is_stop));
        }
    }

    #[test]
    fn a_token_made_after_the_cancel_is_already_cancelled() {
        let cancel = Cancel::default();
        let early = cancel.token();
        let to_wake = cancel.cancel(CancelReason::Skipped).expect("a token was requested");
        to_wake.cancel();
        assert!(early.is_cancelled());
        assert!(cancel.token().is_cancelled());
    }

    #[test]
    fn a_cancelled_error_keeps_its_reason_inside_an_io_error() {
        let error = io::Error::from(Cancelled { reason: CancelReason::Skipped });
        assert_eq!(error.kind(), io::ErrorKind::Other);
        assert_eq!(error.to_string(), "cancelled: the item was skipped");
    }
}
