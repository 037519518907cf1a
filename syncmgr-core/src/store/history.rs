//! The sessions that are remembered.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::decision::verdict::Outcome;
use crate::id::SessionId;
use crate::request::RunRequest;
use crate::trigger::Trigger;

/// A session as it is remembered.
///
/// ```
/// # use std::time::SystemTime;
/// # use syncmgr_core::{id::SessionId, store::SessionRecord, trigger::Trigger};
/// # use uuid::Uuid;
/// let began = SystemTime::UNIX_EPOCH;
/// let goes_on = SessionRecord::new(SessionId(1), Uuid::nil(), Trigger::Manual, began, Vec::new());
/// assert!(!goes_on.is_uneventful()); // nobody knows yet
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionRecord {
    /// Its number.
    pub session: SessionId,
    /// The manager that ran it.
    pub manager: Uuid,
    /// What started it.
    pub trigger: Trigger,
    /// When it began.
    pub began: SystemTime,
    /// How it ended; `None` while it goes on, or was interrupted.
    pub end: Option<SessionEnd>,
    /// What it was asked for, one run a handler.
    pub runs: Vec<RunRequest>,
}

impl SessionRecord {
    /// A session that has begun.
    pub fn new(session: SessionId, manager: Uuid, trigger: Trigger, began: SystemTime, runs: Vec<RunRequest>) -> Self {
        Self { session, manager, trigger, began, end: None, runs }
    }

    /// Whether it went as it should and nobody misses it.
    pub fn is_uneventful(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.course == Course::Smooth)
    }
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionEnd {
    /// When.
    pub time: SystemTime,
    /// How it went.
    pub course: Course,
    /// How many items ended how.
    pub outcomes: BTreeMap<Outcome, u64>,
}

impl SessionEnd {
    /// It ended then, like this, with so many items of each outcome.
    pub const fn new(time: SystemTime, course: Course, outcomes: BTreeMap<Outcome, u64>) -> Self {
        Self { time, course, outcomes }
    }
}

/// How a session went.
///
/// ```
/// # use syncmgr_core::store::Course;
/// let to_look_at = |course| course > Course::Smooth;
/// assert!(to_look_at(Course::Eventful) && to_look_at(Course::Interrupted));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Course {
    /// As it should.
    Smooth,
    /// Something failed, was stopped, or needs somebody.
    Eventful,
    /// Whoever ran it was gone before it ended.
    Interrupted,
}

impl Course {
    /// A word for it: what a store calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smooth => "smooth",
            Self::Eventful => "eventful",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Counts of durations, bucket by bucket, in the fixed buckets of the runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Histogram {
    /// How many durations there are in each bucket.
    pub counts: Vec<u64>,
    /// The longest, in nanoseconds.
    pub longest: u64,
}

impl Histogram {
    /// These counts, and the longest duration in nanoseconds.
    pub const fn new(counts: Vec<u64>, longest: u64) -> Self {
        Self { counts, longest }
    }
}
