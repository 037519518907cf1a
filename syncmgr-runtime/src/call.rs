//! One call of a handler: panics are caught, a stopped call ends within the soft grace, and statuses are pushed to the
//! handler while the call is pending.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::verdict::{Ending, completion};
use syncmgr_core::error::{FailureClass, NeedsUser, SyncResult, is_cancelled, one_line, panic_text};
use syncmgr_core::handler::{Participation, PropertiesOutcome};
use syncmgr_core::hresult::{CodeError, HResult};
use syncmgr_core::item::{Completeness, Items};
use syncmgr_core::log::{LogEntry, LogLevel};
use tokio::time::{Instant, Sleep, sleep};

use crate::attempt::Attempt;
use crate::attempt::grace::Grace;
use crate::clock::later;

/// The end of a handler call.
pub(crate) enum CallEnd<T> {
    Returned(SyncResult<T>),
    Panicked(String),
    /// Stopped, and dropped after the soft grace.
    Dropped,
    /// Missed its deadline.
    TimedOut,
}

impl<T> CallEnd<T> {
    /// Returns the code the call completes with.
    pub(crate) fn code(&self) -> HResult {
        match self {
            Self::Returned(Ok(_)) => HResult::S_OK,
            Self::Returned(Err(_)) if self.needs_user() => HResult::S_FALSE,
            Self::Returned(Err(error)) => CodeError::in_error(error).unwrap_or(completion(&Ending::Dropped)),
            Self::Dropped | Self::TimedOut => completion(&Ending::Dropped),
            Self::Panicked(_) => completion(&Ending::Panicked),
        }
    }

    /// Returns the class of the failure. `None` if the user is needed.
    pub(crate) fn class(&self) -> Option<FailureClass> {
        let class = self.error().map_or(FailureClass::Transient, FailureClass::of);
        Some(class).filter(|_| !self.needs_user())
    }

    /// Describes the failure, if there was one.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::Returned(Ok(_)) | Self::Dropped => None,
            Self::Returned(Err(error)) => Some(one_line(error)),
            Self::Panicked(text) => Some(format!("the handler panicked: {text}")),
            Self::TimedOut => Some("the handler took too long; raise its limit if it needs more time".into()),
        }
    }

    pub(crate) fn error(&self) -> Option<&anyhow::Error> {
        match self {
            Self::Returned(result) => result.as_ref().err(),
            _ => None,
        }
    }

    /// Returns the log entry for a failure, starting with `prefix`. After a cancellation, an error is logged as
    /// information, and the error that reports the cancellation is not logged.
    pub(crate) fn log_entry(&self, prefix: &str, cancel: Option<CancelReason>) -> Option<LogEntry> {
        let level = match self {
            Self::Panicked(_) | Self::TimedOut => LogLevel::Error,
            _ if cancel.is_some() && self.error().is_some_and(is_cancelled) => return None,
            _ if cancel.is_some() => LogLevel::Information,
            _ if self.needs_user() => LogLevel::Warning,
            _ => LogLevel::Error,
        };
        self.fault().map(|fault| LogEntry::new(level, format!("{prefix}: {fault}")))
    }

    /// Returns `true` if the call ended because the user has to be asked.
    pub(crate) fn needs_user(&self) -> bool {
        self.error().is_some_and(NeedsUser::is_in)
    }
}

impl CallEnd<Participation> {
    /// Returns the code of `Initialize`. A handler that needs the user fails; it does not decline.
    pub(crate) fn participation_code(&self) -> HResult {
        // R30 to R33.
        match self {
            Self::Returned(Ok(Participation::TakePart)) => HResult::S_OK,
            Self::Returned(Ok(Participation::Decline)) => HResult::S_FALSE,
            _ => failure(self.code()),
        }
    }
}

impl CallEnd<Items> {
    /// Returns the code of `EnumSyncMgrItems`.
    pub(crate) fn listing_code(&self) -> HResult {
        // R46, R47.
        match self {
            Self::Returned(Ok(items)) if items.completeness() == Completeness::Complete => HResult::S_OK,
            Self::Returned(Ok(_)) => HResult::S_SYNCMGR_MISSINGITEMS,
            _ => failure(self.code()),
        }
    }
}

impl CallEnd<PropertiesOutcome> {
    /// Returns the code for `ShowPropertiesCompleted`.
    pub(crate) fn properties_code(&self) -> HResult {
        // R70 to R72.
        match self {
            Self::Returned(Ok(PropertiesOutcome::ItemDeleted)) => HResult::S_SYNCMGR_ITEMDELETED,
            Self::Returned(Ok(PropertiesOutcome::ListAgain)) => HResult::S_SYNCMGR_ENUMITEMS,
            _ => self.code(),
        }
    }
}

impl CallEnd<()> {
    /// Returns the code for `SynchronizeCompleted`. An error of a stopped handler is not a failure: the outcomes of its
    /// items show the stop.
    pub(crate) fn synchronize_code(&self, attempt: &Attempt) -> HResult {
        match self {
            Self::Dropped => HResult::S_OK,
            Self::Returned(Err(_)) if attempt.stopped().is_some_and(CancelReason::is_stop) => HResult::S_OK,
            _ => self.code(),
        }
    }
}

/// Returns a failure code: `E_FAIL` in place of a success code.
fn failure(code: HResult) -> HResult {
    if code.is_success() { HResult::E_FAIL } else { code }
}

/// The period between a call's first poll and its end, in which statuses are pushed to the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// The call ended at its first poll, so there was no such period.
    Never,
    /// The call was pending.
    Opened,
}

/// The minimum time between two checks of a deadline that has moved, because the user was asked.
const MIN_RECHECK: Duration = Duration::from_secs(1);

/// The time limit of a call, excluding the time in which the handler has the user's attention or waits for it.
pub(crate) struct Deadline {
    attention: Duration,
    due: Pin<Box<Sleep>>,
}

impl Deadline {
    /// Starts the time limit now.
    fn after(attempt: &Attempt, time: Duration) -> Self {
        Self { attention: attempt.attention_time(), due: Box::pin(sleep(time)) }
    }

    /// Returns `true` if the time is up. If not, the task is woken when the time may be up.
    fn is_elapsed(&mut self, attempt: &Attempt, cx: &mut Context<'_>) -> bool {
        while self.due.poll_unpin(cx).is_ready() {
            let attention = attempt.attention_time();
            let spared = attention - std::mem::replace(&mut self.attention, attention);
            if spared.is_zero() {
                return true;
            }
            // Limits the number of checks while the user is being asked.
            let due = later(self.due.deadline(), spared).max(later(Instant::now(), MIN_RECHECK));
            self.due.as_mut().reset(due);
        }
        false
    }
}

/// Polls a call to its end. Calls `pending` after each poll that leaves the call pending.
pub(crate) async fn drive_call<'a, T>(
    attempt: &Attempt,
    limit: Option<Duration>,
    call: impl FnOnce() -> BoxFuture<'a, SyncResult<T>>,
    mut pending: impl FnMut(),
) -> (CallEnd<T>, Window) {
    let mut future = match attempt.observe_poll(|| catch_unwind(AssertUnwindSafe(call))) {
        Ok(future) => future,
        Err(panic) => return (CallEnd::Panicked(panic_text(panic)), Window::Never),
    };
    let (mut window, mut grace, mut deadline) = (Window::Never, None, None);
    let end = poll_fn(|cx| {
        let polled = attempt.observe_poll(|| catch_unwind(AssertUnwindSafe(|| future.poll_unpin(cx))));
        match polled {
            Ok(Poll::Ready(_)) if has_timed_out(attempt) => return Poll::Ready(CallEnd::TimedOut),
            Ok(Poll::Ready(result)) => return Poll::Ready(CallEnd::Returned(result)),
            Err(panic) => return Poll::Ready(CallEnd::Panicked(panic_text(panic))),
            Ok(Poll::Pending) => {}
        }
        window = Window::Opened;
        attempt.wake_at_change(cx.waker());
        pending();
        if let Some(limit) = limit
            && deadline.get_or_insert_with(|| Deadline::after(attempt, limit)).is_elapsed(attempt, cx)
            && attempt.stopped().is_none()
        {
            attempt.time_out();
        }
        let end = || if has_timed_out(attempt) { CallEnd::TimedOut } else { CallEnd::Dropped };
        poll_stopped(attempt, &mut grace, cx).map(|()| end())
    })
    .await;
    match catch_unwind(AssertUnwindSafe(|| drop(future))) {
        Ok(()) => (end, window),
        Err(panic) => (CallEnd::Panicked(panic_text(panic)), window),
    }
}

/// Returns `true` if the call has missed its deadline. The result of the call is then discarded.
fn has_timed_out(attempt: &Attempt) -> bool {
    attempt.stopped() == Some(CancelReason::TimedOut)
}

/// Returns `Ready` once the handler was stopped and its soft grace is over. Waits for busy workers first, which have their
/// own grace.
fn poll_stopped(attempt: &Attempt, grace: &mut Option<Grace>, cx: &mut Context<'_>) -> Poll<()> {
    if attempt.stopped().is_none() || attempt.is_busy() {
        *grace = None;
        return Poll::Pending;
    }
    let grace = grace.get_or_insert_with(|| Grace::new(attempt.limits()));
    if grace.is_elapsed(grace.soft, cx) { Poll::Ready(()) } else { Poll::Pending }
}
