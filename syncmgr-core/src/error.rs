//! Errors of handlers, and the class that tells the host how to react.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::cancel::Cancelled;
use crate::foreign;
use crate::plan::PlanError;

/// The result of a handler's methods.
///
/// `?` converts any `std::error::Error + Send + Sync + 'static` and any `anyhow::Error`. It does not convert a `String`,
/// a `Box<dyn Error>` or a poisoned lock: convert those with `anyhow::anyhow!` first.
///
/// ```
/// # use anyhow::{Context, anyhow};
/// # use syncmgr_core::error::SyncResult;
/// fn size(text: &str) -> SyncResult<u64> {
///     let (size, unit) = text.split_once(' ').ok_or_else(|| anyhow!("`{text}` has no unit"))?;
///     let size: u64 = size.parse().context("the size is not a number")?;
///     Ok(if unit == "kB" { size * 1000 } else { size })
/// }
/// assert_eq!(size("3 kB")?, 3000);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub type SyncResult<T = ()> = anyhow::Result<T>;

/// The meaning of a failure for the next attempt. An unmarked error is [`Transient`](Self::Transient).
///
/// ```
/// # use anyhow::anyhow;
/// # use syncmgr_core::error::FailureClass;
/// assert_eq!(FailureClass::of(&anyhow!("connection reset")), FailureClass::Transient); // not marked
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureClass {
    /// The next attempt may succeed.
    Transient,
    /// The peer asked for a delay. The next attempt may succeed, but not before that time.
    NotBefore(RetryAt),
    /// The next attempt fails as well, unless the user or the peer changes something.
    Permanent,
    /// The item no longer exists at the peer.
    Gone,
    /// The state written by an earlier run cannot be read. The stored state remains.
    UnreadableState,
}

/// The earliest time of the next attempt, set by the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RetryAt {
    /// The given time after the failure.
    After(Duration),
    /// At the given time.
    At(#[serde(with = "crate::time")] SystemTime),
}

impl FailureClass {
    /// Returns the class of an error: its outermost mark, or transient if it has none.
    pub fn of(error: &anyhow::Error) -> Self {
        find_cause(error, Self::of_cause).unwrap_or(Self::Transient)
    }

    fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mark = cause.downcast_ref::<Mark>().map(|mark| mark.class);
        // The next attempt would get the same answer.
        mark.or_else(|| {
            matches!(cause.downcast_ref()?, PlanError::Revert | PlanError::Side(_)).then_some(Self::Permanent)
        })
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transient => "transient",
            Self::NotBefore(_) => "not before the time the peer gave",
            Self::Permanent => "permanent",
            Self::Gone => "gone",
            Self::UnreadableState => "unreadable state",
        })
    }
}

/// Marks any error with its class.
///
/// ```
/// use syncmgr_core::error::{Classify, FailureClass, SyncResult};
///
/// fn read() -> SyncResult<String> {
///     std::fs::read_to_string("/no/such/file").gone()
/// }
/// let error = read().expect_err("there is no such file");
/// assert_eq!(FailureClass::of(&error), FailureClass::Gone);
/// ```
///
/// The mark survives `.context(..)`, `#[error(transparent)]` and `io::Error::other`. The outermost mark applies.
pub trait Classify<T> {
    /// Marks an error as transient: the next attempt may succeed. Unmarked errors are transient as well.
    fn transient(self) -> SyncResult<T>;

    /// Marks an error with a delay set by the peer, counted from the failure. The host waits; do not sleep.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use anyhow::anyhow;
    /// # use syncmgr_core::error::{Classify, FailureClass, RetryAt, SyncResult};
    /// fn check(status: u16) -> SyncResult {
    ///     match status {
    ///         429 => Err(anyhow!("too many requests")).retry_after(Duration::from_secs(60)),
    ///         _ => Ok(()),
    ///     }
    /// }
    /// let class = FailureClass::of(&check(429).expect_err("busy"));
    /// assert_eq!(class, FailureClass::NotBefore(RetryAt::After(Duration::from_secs(60))));
    /// ```
    fn retry_after(self, delay: Duration) -> SyncResult<T>;

    /// Marks an error with the earliest time of the next attempt, set by the peer.
    fn not_before(self, time: SystemTime) -> SyncResult<T>;

    /// Marks an error as permanent: the next attempt fails as well, unless the user or the peer changes something.
    ///
    /// ```
    /// # use syncmgr_core::error::{Classify, FailureClass};
    /// let port = "eighty".parse::<u16>().permanent(); // the next attempt cannot parse it either
    /// assert_eq!(FailureClass::of(&port.expect_err("no number")), FailureClass::Permanent);
    /// ```
    fn permanent(self) -> SyncResult<T>;

    /// Marks an error as gone: the item no longer exists at the peer.
    ///
    /// ```
    /// # use anyhow::anyhow;
    /// # use syncmgr_core::error::{Classify, FailureClass};
    /// let answer = Err::<(), _>(anyhow!("404 Not Found")).gone(); // the host does not retry
    /// assert_eq!(FailureClass::of(&answer.expect_err("no such page")), FailureClass::Gone);
    /// ```
    fn gone(self) -> SyncResult<T>;

    /// Marks an error as unreadable state: the state written by an earlier run cannot be read.
    ///
    /// ```
    /// # use syncmgr_core::error::{Classify, FailureClass};
    /// let state = serde_json::from_str::<u64>("[1, 2]").unreadable_state(); // the user may set it aside
    /// assert_eq!(FailureClass::of(&state.expect_err("a list")), FailureClass::UnreadableState);
    /// ```
    fn unreadable_state(self) -> SyncResult<T>;
}

impl<T, E: Into<anyhow::Error>> Classify<T> for Result<T, E> {
    fn transient(self) -> SyncResult<T> {
        mark(self, FailureClass::Transient)
    }

    fn retry_after(self, delay: Duration) -> SyncResult<T> {
        mark(self, FailureClass::NotBefore(RetryAt::After(delay)))
    }

    fn not_before(self, time: SystemTime) -> SyncResult<T> {
        mark(self, FailureClass::NotBefore(RetryAt::At(time)))
    }

    fn permanent(self) -> SyncResult<T> {
        mark(self, FailureClass::Permanent)
    }

    fn gone(self) -> SyncResult<T> {
        mark(self, FailureClass::Gone)
    }

    fn unreadable_state(self) -> SyncResult<T> {
        mark(self, FailureClass::UnreadableState)
    }
}

fn mark<T, E: Into<anyhow::Error>>(result: Result<T, E>, class: FailureClass) -> SyncResult<T> {
    result.map_err(|error| anyhow::Error::new(Marked(Mark { class, error: error.into() })))
}

/// The visible part of a marked error: shows the error's message and has the mark as its source.
///
/// The mark is one level below because wrappers such as `io::Error::other` show the top error but return its `source()`.
#[derive(Debug)]
struct Marked(Mark);

impl fmt::Display for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.error.fmt(f)
    }
}

impl std::error::Error for Marked {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The error in the chain that contains the class. Its source is the source of the marked error.
#[derive(Debug)]
struct Mark {
    class: FailureClass,
    error: anyhow::Error,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.class.fmt(f)
    }
}

impl std::error::Error for Mark {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// The error of an operation that needs the user while the user cannot be asked.
///
/// Returned by [`RunContext::interaction`](crate::context::RunContext::interaction); return it with `?`. This error is
/// not a failure: the run or item ends *needs user*, which a COM host receives as `S_FALSE`.
///
/// ```
/// # use anyhow::Context;
/// # use syncmgr_core::error::NeedsUser;
/// let refused = Err::<(), _>(NeedsUser::new("the terms have changed")).context("log on");
/// assert!(NeedsUser::is_in(&refused.expect_err("refused")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("needs the user: {reason}")]
#[non_exhaustive]
pub struct NeedsUser {
    /// The thing the user is needed for, or the reason why the user cannot be asked.
    pub reason: String,
}

impl NeedsUser {
    /// Creates an error with this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }

    /// Returns `true` if the chain of an error contains a `NeedsUser` or a held plan.
    pub fn is_in(error: &anyhow::Error) -> bool {
        find_cause(error, |cause| cause.is::<Self>().then_some(())).is_some() || is_held_plan(error)
    }
}

/// Returns `true` if the chain of an error contains [`PlanError::Held`]. The log has its question.
pub(crate) fn is_held_plan(error: &anyhow::Error) -> bool {
    find_cause(error, |cause| matches!(cause.downcast_ref(), Some(PlanError::Held(_))).then_some(())).is_some()
}

/// Returns the causes of an error on one line, outermost first, without the marks.
///
/// ```
/// # use anyhow::Context;
/// # use syncmgr_core::error::{Classify, one_line};
/// let read = Err::<(), _>(std::io::Error::other("disk full")).permanent().context("save the index");
/// assert_eq!(one_line(&read.expect_err("full")), "save the index: disk full"); // without the mark
/// ```
pub fn one_line(error: &anyhow::Error) -> String {
    let joined = || {
        let causes = causes(error).filter(|cause| !cause.is::<Mark>()).map(ToString::to_string);
        causes.collect::<Vec<_>>().join(": ")
    };
    foreign::call(joined).unwrap_or_else(|_| "an error that panics when it is displayed".to_string())
}

/// Returns `true` if the chain of an error contains a [`Cancelled`].
///
/// ```
/// # use syncmgr_core::{cancel::CancelReason, context::TestContext, error::is_cancelled};
/// # let host = TestContext::new();
/// # let item = host.item("Inbox");
/// host.cancel(&item, CancelReason::Skipped);
/// assert!(is_cancelled(&item.check().expect_err("skipped").into()));
/// ```
pub fn is_cancelled(error: &anyhow::Error) -> bool {
    find_cause(error, |cause| cause.is::<Cancelled>().then_some(())).is_some()
}

/// The number of causes of an error that are read. The causes of a faulty error have no end.
const MAX_CAUSES: usize = 64;

/// Returns the causes of an error, outermost first.
fn causes(error: &anyhow::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let outermost: &(dyn Error + 'static) = &**error;
    // Not `chain()`, whose size hint visits every cause.
    std::iter::successors(Some(outermost), |&cause| cause.source()).take(MAX_CAUSES)
}

/// Returns the first cause of an error that `find` accepts. An error that panics has no causes.
pub(crate) fn find_cause<T>(error: &anyhow::Error, find: impl Fn(&(dyn Error + 'static)) -> Option<T>) -> Option<T> {
    foreign::call(|| causes(error).find_map(find)).ok().flatten()
}

/// Returns the message of a panic, or a fixed text if the payload is not text.
pub fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    drop_panic(panic);
    text.unwrap_or_else(|| "a value that is not text".to_string())
}

/// Drops the payload of a panic. The drop may panic again.
fn drop_panic(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context;

    use super::*;
    use crate::hresult::CodeError;

    fn marked() -> SyncResult {
        Err(io::Error::new(io::ErrorKind::NotFound, "no such page")).gone()
    }

    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct Transparent(#[from] anyhow::Error);

    #[test]
    fn an_unmarked_error_is_transient() {
        assert_eq!(FailureClass::of(&anyhow::anyhow!("x")), FailureClass::Transient);
    }

    #[test]
    fn a_mark_survives_context_transparent_wrappers_and_io_errors() {
        let in_context = marked().context("while fetching").expect_err("marked");
        let transparent = anyhow::Error::new(Transparent(marked().expect_err("marked")));
        let in_io = anyhow::Error::new(io::Error::other(marked().expect_err("marked")));
        for error in [in_context, transparent, in_io] {
            assert_eq!(FailureClass::of(&error), FailureClass::Gone, "{error:#}");
        }
    }

    #[test]
    fn the_outermost_mark_of_an_error_decides_its_class() {
        let error = marked().context("peer says wait").retry_after(Duration::from_secs(9)).expect_err("marked");
        assert_eq!(FailureClass::of(&error), FailureClass::NotBefore(RetryAt::After(Duration::from_secs(9))));
    }

    #[test]
    fn one_line_omits_the_marks_of_an_error() {
        let error = marked().context("while fetching").expect_err("marked");
        assert_eq!(one_line(&error), "while fetching: no such page");
    }

    /// An error that is its own cause.
    #[derive(Debug)]
    struct Cyclic;

    impl fmt::Display for Cyclic {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a loop")
        }
    }

    impl Error for Cyclic {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    /// An error whose causes cannot be read.
    #[derive(Debug)]
    struct SourcePanics;

    impl fmt::Display for SourcePanics {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("lost")
        }
    }

    impl Error for SourcePanics {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            panic!("the fault")
        }
    }

    fn assert_unclassified(error: &anyhow::Error) {
        assert_eq!(FailureClass::of(error), FailureClass::Transient);
        assert_eq!(CodeError::in_error(error), None);
        assert!(!NeedsUser::is_in(error) && !is_cancelled(error));
    }

    #[test]
    fn an_error_that_is_its_own_cause_is_read_to_a_limit() {
        let error = anyhow::Error::new(Cyclic);
        assert_unclassified(&error);
        assert_eq!(one_line(&error).split(": ").count(), MAX_CAUSES);
    }

    #[test]
    fn an_error_whose_source_panics_is_transient() {
        let error = anyhow::Error::new(SourcePanics).context("while fetching");
        assert_unclassified(&error);
        assert_eq!(one_line(&error), "an error that panics when it is displayed");
    }

    #[test]
    fn a_needs_user_error_is_found_below_its_context() {
        let error = Err::<(), _>(NeedsUser::new("sign in")).context("log on").expect_err("refused");
        assert!(NeedsUser::is_in(&error));
        assert!(!NeedsUser::is_in(&anyhow::anyhow!("x")));
    }
}
