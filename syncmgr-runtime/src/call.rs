//! One call of a handler: panics are caught, a stopped call ends within the soft grace, and statuses are pushed to the
//! handler while the call is pending.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::verdict::{Ending, completion};
use syncmgr_core::error::{FailureClass, NeedsUser, SyncResult, is_cancelled, one_line};
use syncmgr_core::foreign::{self, Foreign};
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
    Returned(T),
    Failed(Failure),
    /// Panicked, with the text for the log.
    Panicked(String),
    /// Stopped, and dropped after the soft grace.
    Dropped,
    /// Missed its deadline.
    TimedOut,
}

/// The relevant parts of the error of a call. The error itself is dropped early, because its destructor may panic.
pub(crate) struct Failure {
    code: Option<HResult>,
    class: FailureClass,
    needs_user: bool,
    cancelled: bool,
    text: String,
}

impl Failure {
    fn of(error: &anyhow::Error) -> Self {
        Self {
            code: CodeError::in_error(error),
            class: FailureClass::of(error),
            needs_user: NeedsUser::is_in(error),
            cancelled: is_cancelled(error),
            text: one_line(error),
        }
    }
}

/// Returns the log text for a panic of the handler.
pub(crate) fn panicked(panic: &str) -> String {
    format!("the handler panicked: {panic}")
}

/// Returns the log text for a panic in the destructor of a value of the handler.
pub(crate) fn destructor_panicked(panic: &str) -> String {
    format!("a destructor of the handler panicked: {panic}")
}

impl<T> CallEnd<T> {
    fn of(result: SyncResult<T>) -> Self {
        let error = match result {
            Ok(value) => return Self::Returned(value),
            Err(error) => error,
        };
        let failure = Failure::of(&error);
        match foreign::discard(error) {
            Ok(()) => Self::Failed(failure),
            Err(panic) => Self::Panicked(destructor_panicked(&panic)),
        }
    }

    /// Returns the code the call completes with.
    pub(crate) fn code(&self) -> HResult {
        match self {
            Self::Returned(_) => HResult::S_OK,
            Self::Failed(failure) if failure.needs_user => HResult::S_FALSE,
            Self::Failed(failure) => failure.code.unwrap_or(completion(&Ending::Dropped)),
            Self::Dropped | Self::TimedOut => completion(&Ending::Dropped),
            Self::Panicked(_) => completion(&Ending::Panicked),
        }
    }

    /// Returns the class of the failure. `None` if the user is needed.
    pub(crate) fn class(&self) -> Option<FailureClass> {
        match self {
            Self::Failed(failure) => Some(failure.class).filter(|_| !failure.needs_user),
            _ => Some(FailureClass::Transient),
        }
    }

    /// Describes the failure, if there was one.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::Returned(_) | Self::Dropped => None,
            Self::Failed(failure) => Some(failure.text.clone()),
            Self::Panicked(text) => Some(text.clone()),
            Self::TimedOut => Some("the handler took too long; raise its limit if it needs more time".into()),
        }
    }

    /// Returns the log entry for a failure, starting with `prefix`. After a cancellation, an error is logged as
    /// information, and the error that reports the cancellation is not logged.
    pub(crate) fn log_entry(&self, prefix: &str, cancel: Option<CancelReason>) -> Option<LogEntry> {
        let level = match self {
            Self::Panicked(_) | Self::TimedOut => LogLevel::Error,
            Self::Failed(failure) if cancel.is_some() && failure.cancelled => return None,
            _ if cancel.is_some() => LogLevel::Information,
            _ if self.needs_user() => LogLevel::Warning,
            _ => LogLevel::Error,
        };
        self.fault().map(|fault| LogEntry::new(level, format!("{prefix}: {fault}")))
    }

    /// Returns `true` if the call ended because the user has to be asked.
    fn needs_user(&self) -> bool {
        matches!(self, Self::Failed(failure) if failure.needs_user)
    }
}

impl CallEnd<Participation> {
    /// Returns the code of `Initialize`. A handler that needs the user fails; it does not decline.
    pub(crate) fn participation_code(&self) -> HResult {
        // R30 to R33.
        match self {
            Self::Returned(Participation::TakePart) => HResult::S_OK,
            Self::Returned(Participation::Decline) => HResult::S_FALSE,
            _ => failure(self.code()),
        }
    }
}

impl CallEnd<Items> {
    /// Returns the code of `EnumSyncMgrItems`.
    pub(crate) fn listing_code(&self) -> HResult {
        // R46, R47.
        match self {
            Self::Returned(items) if items.completeness() == Completeness::Complete => HResult::S_OK,
            Self::Returned(_) => HResult::S_SYNCMGR_MISSINGITEMS,
            _ => failure(self.code()),
        }
    }
}

impl CallEnd<PropertiesOutcome> {
    /// Returns the code for `ShowPropertiesCompleted`.
    pub(crate) fn properties_code(&self) -> HResult {
        // R70 to R72.
        match self {
            Self::Returned(PropertiesOutcome::ItemDeleted) => HResult::S_SYNCMGR_ITEMDELETED,
            Self::Returned(PropertiesOutcome::ListAgain) => HResult::S_SYNCMGR_ENUMITEMS,
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
            Self::Failed(_) if attempt.stopped().is_some_and(CancelReason::is_stop) => HResult::S_OK,
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
    let mut future = match attempt.observe_poll(|| foreign::call(call)) {
        Ok(future) => Foreign::new(future),
        Err(panic) => return (CallEnd::Panicked(panicked(&panic)), Window::Never),
    };
    let mut dropped = AbortOnDrop { attempt, ended: false };
    let (mut window, mut grace, mut deadline) = (Window::Never, None, None);
    let end = poll_fn(|cx| {
        let polled = attempt.observe_poll(|| foreign::call(|| future.poll_unpin(cx)));
        match polled.map(|polled| polled.map(CallEnd::of)) {
            Ok(Poll::Ready(_)) if has_timed_out(attempt) => return Poll::Ready(CallEnd::TimedOut),
            Ok(Poll::Ready(end)) => return Poll::Ready(end),
            Err(panic) => return Poll::Ready(CallEnd::Panicked(panicked(&panic))),
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
    dropped.ended = true;
    match future.discard() {
        Ok(()) => (end, window),
        Err(panic) => (CallEnd::Panicked(destructor_panicked(&panic)), window),
    }
}

/// A pending call. If the task that polls it is dropped, the items of the call stop, before the call is dropped.
struct AbortOnDrop<'a> {
    attempt: &'a Attempt,
    ended: bool,
}

impl Drop for AbortOnDrop<'_> {
    fn drop(&mut self) {
        if !self.ended && self.attempt.is_busy() {
            self.attempt.abort();
        }
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
