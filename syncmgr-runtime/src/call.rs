//! One call of a handler: panics are caught, a stopped call ends within the soft grace, and what is pushed to the
//! handler is pushed while the call is pending.

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

/// How a call of the handler came to its end.
pub(crate) enum CallEnd<T> {
    Returned(SyncResult<T>),
    Panicked(String),
    /// Stopped, and dropped after the soft grace.
    Cut,
    /// Missed its deadline.
    Late,
}

impl<T> CallEnd<T> {
    /// The code the call completes with.
    pub(crate) fn code(&self) -> HResult {
        match self {
            Self::Returned(Ok(_)) => HResult::S_OK,
            Self::Returned(Err(_)) if self.needs_user() => HResult::S_FALSE,
            Self::Returned(Err(error)) => CodeError::in_error(error).unwrap_or(completion(&Ending::Cut)),
            Self::Cut | Self::Late => completion(&Ending::Cut),
            Self::Panicked(_) => completion(&Ending::Panicked),
        }
    }

    /// What the error means for the next attempt; `None` where the user is needed.
    pub(crate) fn class(&self) -> Option<FailureClass> {
        let class = self.error().map_or(FailureClass::Transient, FailureClass::of);
        Some(class).filter(|_| !self.needs_user())
    }

    /// What went wrong, in words.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::Returned(Ok(_)) | Self::Cut => None,
            Self::Returned(Err(error)) => Some(one_line(error)),
            Self::Panicked(text) => Some(format!("the handler panicked: {text}")),
            Self::Late => Some("the handler took too long; raise its limit if it needs the time".into()),
        }
    }

    pub(crate) fn error(&self) -> Option<&anyhow::Error> {
        match self {
            Self::Returned(result) => result.as_ref().err(),
            _ => None,
        }
    }

    /// The entry of the log that says `what` did not work, if it did not. After a cancel an error is only information, and
    /// the cancel itself nothing to tell.
    pub(crate) fn log_entry(&self, what: &str, cancel: Option<CancelReason>) -> Option<LogEntry> {
        let level = match self {
            Self::Panicked(_) | Self::Late => LogLevel::Error,
            _ if cancel.is_some() && self.error().is_some_and(is_cancelled) => return None,
            _ if cancel.is_some() => LogLevel::Information,
            _ if self.needs_user() => LogLevel::Warning,
            _ => LogLevel::Error,
        };
        self.fault().map(|fault| LogEntry::new(level, format!("{what}: {fault}")))
    }

    /// Whether the call ended because somebody would have to be asked.
    pub(crate) fn needs_user(&self) -> bool {
        self.error().is_some_and(NeedsUser::is_in)
    }
}

impl CallEnd<Participation> {
    /// What `Initialize` returns (R30 to R33). Needing the user is no way to decline here.
    pub(crate) fn participation_code(&self) -> HResult {
        match self {
            Self::Returned(Ok(Participation::TakePart)) => HResult::S_OK,
            Self::Returned(Ok(Participation::Decline)) => HResult::S_FALSE,
            _ => failure(self.code()),
        }
    }
}

impl CallEnd<Items> {
    /// What `EnumSyncMgrItems` returns (R46, R47).
    pub(crate) fn listing_code(&self) -> HResult {
        match self {
            Self::Returned(Ok(items)) if items.completeness() == Completeness::Complete => HResult::S_OK,
            Self::Returned(Ok(_)) => HResult::S_SYNCMGR_MISSINGITEMS,
            _ => failure(self.code()),
        }
    }
}

impl CallEnd<PropertiesOutcome> {
    /// What `ShowPropertiesCompleted` is told (R70 to R72).
    pub(crate) fn properties_code(&self) -> HResult {
        match self {
            Self::Returned(Ok(PropertiesOutcome::ItemDeleted)) => HResult::S_SYNCMGR_ITEMDELETED,
            Self::Returned(Ok(PropertiesOutcome::ListAgain)) => HResult::S_SYNCMGR_ENUMITEMS,
            _ => self.code(),
        }
    }
}

impl CallEnd<()> {
    /// What `SynchronizeCompleted` is told. A handler that was stopped and says so has done what was asked; its items
    /// say the rest.
    pub(crate) fn synchronize_code(&self, attempt: &Attempt) -> HResult {
        match self {
            Self::Cut => HResult::S_OK,
            Self::Returned(Err(_)) if attempt.stopped().is_some_and(CancelReason::is_stop) => HResult::S_OK,
            _ => self.code(),
        }
    }
}

/// A code where only a failure will do.
fn failure(code: HResult) -> HResult {
    if code.is_success() { HResult::E_FAIL } else { code }
}

/// Whether the call was still pending after its first poll, so that a window was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// The call ended at its first poll.
    Never,
    /// It was pending.
    Opened,
}

/// How often a deadline is looked at that stands still.
const LEAST_LOOK: Duration = Duration::from_secs(1);

/// How long a call may take, the time apart that the handler has the user's attention.
pub(crate) struct Deadline {
    attended: Duration,
    due: Pin<Box<Sleep>>,
}

impl Deadline {
    /// The time begins now.
    fn after(attempt: &Attempt, time: Duration) -> Self {
        Self { attended: attempt.attended(), due: Box::pin(sleep(time)) }
    }

    /// Whether the time is up. If not, the task is woken when it is.
    fn is_over(&mut self, attempt: &Attempt, cx: &mut Context<'_>) -> bool {
        while self.due.poll_unpin(cx).is_ready() {
            let attended = attempt.attended();
            let spared = attended - std::mem::replace(&mut self.attended, attended);
            if spared.is_zero() {
                return true;
            }
            // Not looked at more often than this, while the user takes their time.
            let due = later(self.due.deadline(), spared).max(later(Instant::now(), LEAST_LOOK));
            self.due.as_mut().reset(due);
        }
        false
    }
}

/// Polls a call to its end. After each poll that leaves it pending, `pending` is called: the window is open.
pub(crate) async fn drive<'a, T>(
    attempt: &Attempt,
    limit: Option<Duration>,
    call: impl FnOnce() -> BoxFuture<'a, SyncResult<T>>,
    mut pending: impl FnMut(),
) -> (CallEnd<T>, Window) {
    let mut future = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(future) => future,
        Err(panic) => return (CallEnd::Panicked(panic_text(panic)), Window::Never),
    };
    let (mut window, mut grace, mut deadline) = (Window::Never, None, None);
    let end = poll_fn(|cx| {
        let polled = attempt.polled(|| catch_unwind(AssertUnwindSafe(|| future.poll_unpin(cx))));
        match polled {
            Ok(Poll::Ready(_)) if is_late(attempt) => return Poll::Ready(CallEnd::Late),
            Ok(Poll::Ready(result)) => return Poll::Ready(CallEnd::Returned(result)),
            Err(panic) => return Poll::Ready(CallEnd::Panicked(panic_text(panic))),
            Ok(Poll::Pending) => {}
        }
        window = Window::Opened;
        attempt.wake_at_change(cx.waker());
        pending();
        if let Some(limit) = limit
            && deadline.get_or_insert_with(|| Deadline::after(attempt, limit)).is_over(attempt, cx)
            && attempt.stopped().is_none()
        {
            attempt.time_out();
        }
        let cut = || if is_late(attempt) { CallEnd::Late } else { CallEnd::Cut };
        poll_stopped(attempt, &mut grace, cx).map(|()| cut())
    })
    .await;
    match catch_unwind(AssertUnwindSafe(|| drop(future))) {
        Ok(()) => (end, window),
        Err(panic) => (CallEnd::Panicked(panic_text(panic)), window),
    }
}

/// Whether the call has missed its deadline: what it returns now comes too late.
fn is_late(attempt: &Attempt) -> bool {
    attempt.stopped() == Some(CancelReason::TimedOut)
}

/// Ready when the handler was stopped and its soft grace is over. While workers are busy they are given their own grace.
fn poll_stopped(attempt: &Attempt, grace: &mut Option<Grace>, cx: &mut Context<'_>) -> Poll<()> {
    if attempt.stopped().is_none() || attempt.is_busy() {
        *grace = None;
        return Poll::Pending;
    }
    let grace = grace.get_or_insert_with(|| Grace::new(attempt.limits()));
    if grace.is_over(grace.soft, cx) { Poll::Ready(()) } else { Poll::Pending }
}
