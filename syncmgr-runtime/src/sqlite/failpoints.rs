//! Failpoints: the named steps of writing, at which tests kill the process.
//!
//! Each store has its own failpoints, so that tests can run in parallel; the crate `fail` has one registry per process.

use std::fmt;
use std::sync::Arc;

use syncmgr_core::store::StateChange;

/// The function that is called at each failpoint.
type Step = dyn Fn(&'static str) + Send + Sync;

/// The names of all failpoints, in the order of execution.
#[doc(hidden)]
pub const FAILPOINTS: &[&str] = &[
    "directory made",
    "lock taken",
    "file made",
    "before schema made",
    "before migration",
    "after migration",
    "schema made",
    "before epoch taken",
    "epoch taken",
    "batch taken",
    "transaction begun",
    "epoch checked",
    "before registered",
    "after registered",
    "before flags set",
    "after flags set",
    "before waiting set",
    "after waiting set",
    "before items chosen",
    "after items chosen",
    "before items named",
    "after items named",
    "before disabled",
    "after disabled",
    "before override set",
    "after override set",
    "before fired",
    "after fired",
    "before session begun",
    "after session begun",
    "before session ended",
    "before sessions trimmed",
    "after sessions trimmed",
    "after session ended",
    "before record committed",
    "after record committed",
    "before item ended",
    "after item ended",
    "before answer consumed",
    "after answer consumed",
    "before retry written",
    "after retry written",
    "before resource written",
    "after resource written",
    "before absence written",
    "after absence written",
    "before record reset",
    "after record reset",
    "before log written",
    "after log written",
    "before answer written",
    "after answer written",
    "before log deleted",
    "after log deleted",
    "before questions settled",
    "after questions settled",
    "before histogram written",
    "after histogram written",
    "before handler forgotten",
    "after handler forgotten",
    "before item forgotten",
    "after item forgotten",
    "before log trimmed",
    "after log trimmed",
    "before commit",
    "after commit",
    "before waiters told",
    "after waiters told",
];

/// The failpoints of a store, which are inactive by default.
#[derive(Clone, Default)]
pub(super) struct Failpoints(Option<Arc<Step>>);

impl Failpoints {
    pub(super) fn new(step: Arc<Step>) -> Self {
        Self(Some(step))
    }

    /// Calls the function, if there is one.
    pub(super) fn at(&self, name: &'static str) {
        if let Some(step) = &self.0 {
            debug_assert!(FAILPOINTS.contains(&name), "unknown failpoint {name}");
            step(name);
        }
    }
}

impl fmt::Debug for Failpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Failpoints(active)" } else { "Failpoints" })
    }
}

/// Returns the failpoints before and after a change; `None` for an unknown change.
pub(super) fn steps(change: &StateChange) -> Option<(&'static str, &'static str)> {
    Some(match change {
        StateChange::Registered { .. } => ("before registered", "after registered"),
        StateChange::Flags { .. } => ("before flags set", "after flags set"),
        StateChange::Waiting { .. } => ("before waiting set", "after waiting set"),
        StateChange::Choices { .. } => ("before items chosen", "after items chosen"),
        StateChange::Names { .. } => ("before items named", "after items named"),
        StateChange::Disabled { .. } => ("before disabled", "after disabled"),
        StateChange::Override { .. } => ("before override set", "after override set"),
        StateChange::Fired { .. } => ("before fired", "after fired"),
        StateChange::SessionBegan(_) => ("before session begun", "after session begun"),
        StateChange::SessionEnded { .. } => ("before session ended", "after session ended"),
        StateChange::Committed { .. } => ("before record committed", "after record committed"),
        StateChange::Ended { .. } => ("before item ended", "after item ended"),
        StateChange::Retry { .. } => ("before retry written", "after retry written"),
        StateChange::Resource { .. } => ("before resource written", "after resource written"),
        StateChange::Absent { .. } => ("before absence written", "after absence written"),
        StateChange::Reset { .. } => ("before record reset", "after record reset"),
        StateChange::Log { .. } | StateChange::Logged { .. } => ("before log written", "after log written"),
        StateChange::Answered { .. } => ("before answer written", "after answer written"),
        StateChange::LogDeleted { .. } => ("before log deleted", "after log deleted"),
        StateChange::Settled { .. } => ("before questions settled", "after questions settled"),
        StateChange::Histogram { .. } => ("before histogram written", "after histogram written"),
        StateChange::Forget { .. } => ("before handler forgotten", "after handler forgotten"),
        StateChange::ForgetItem { .. } => ("before item forgotten", "after item forgotten"),
        _ => return None,
    })
}
