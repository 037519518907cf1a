//! The recorded sessions.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::decision::verdict::Outcome;
use crate::id::SessionId;
use crate::request::RunRequest;
use crate::trigger::Trigger;

/// A recorded session.
///
/// ```
/// # use std::time::SystemTime;
/// # use syncmgr_core::{id::SessionId, store::SessionRecord, trigger::Trigger};
/// # use uuid::Uuid;
/// let began = SystemTime::UNIX_EPOCH;
/// let running = SessionRecord::new(SessionId(1), Uuid::nil(), Trigger::Manual, began, Vec::new());
/// assert!(!running.is_clean()); // it has not ended yet
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionRecord {
    /// The number of the session.
    pub session: SessionId,
    /// The manager that ran it.
    pub manager: Uuid,
    /// The trigger.
    pub trigger: Trigger,
    /// The start of the session.
    pub began: SystemTime,
    /// The end of the session; `None` if it is still running or was interrupted.
    pub end: Option<SessionEnd>,
    /// The requested runs, one for each handler.
    pub runs: Vec<RunRequest>,
}

impl SessionRecord {
    /// Creates a record of a session that starts.
    pub fn new(session: SessionId, manager: Uuid, trigger: Trigger, began: SystemTime, runs: Vec<RunRequest>) -> Self {
        Self { session, manager, trigger, began, end: None, runs }
    }

    /// Returns `true` if the session has ended with [`SessionOutcome::Clean`]. A store may drop such a session.
    pub fn is_clean(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.outcome == SessionOutcome::Clean)
    }
}

/// The end of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionEnd {
    /// The time of the end.
    pub time: SystemTime,
    /// The outcome of the session.
    pub outcome: SessionOutcome,
    /// The number of items for each outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
}

impl SessionEnd {
    /// Creates the end of a session, with the number of items for each outcome.
    pub const fn new(time: SystemTime, outcome: SessionOutcome, outcomes: BTreeMap<Outcome, u64>) -> Self {
        Self { time, outcome, outcomes }
    }
}

/// The outcome of a session.
///
/// ```
/// # use syncmgr_core::store::SessionOutcome;
/// let has_problems = |outcome| outcome > SessionOutcome::Clean;
/// assert!(has_problems(SessionOutcome::WithProblems) && has_problems(SessionOutcome::Interrupted));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SessionOutcome {
    /// Clean: all items succeeded and all runs completed.
    #[serde(rename = "smooth")]
    Clean,
    /// With problems: an item did not succeed, or a run did not complete.
    #[serde(rename = "eventful")]
    WithProblems,
    /// The process exited before the session ended.
    Interrupted,
}

impl fmt::Display for SessionOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clean => "clean",
            Self::WithProblems => "with problems",
            Self::Interrupted => "interrupted",
        })
    }
}

/// Counts of durations, in the fixed buckets of the runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Histogram {
    /// The number of durations in each bucket.
    pub counts: Vec<u64>,
    /// The longest duration, in nanoseconds.
    pub longest: u64,
}

impl Histogram {
    /// Creates a histogram from counts and the longest duration in nanoseconds.
    pub const fn new(counts: Vec<u64>, longest: u64) -> Self {
        Self { counts, longest }
    }
}
