//! What is remembered of an item.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::decision::verdict::Outcome;
use crate::id::SessionId;
use crate::plan::Side;
use crate::retry::RetryState;

/// The longest checkpoint taken, in bytes of JSON.
pub const MAX_CHECKPOINT: usize = 1024 * 1024;

/// All that is remembered of an item. Its parts change together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemRecord {
    /// The attempt that wrote last.
    pub fence: Fence,
    /// What the handler last committed.
    pub checkpoint: Option<Checkpoint>,
    /// A checkpoint that was put aside because it could not be read.
    pub set_aside: Option<Checkpoint>,
    /// How the last attempt ended; `None` while none has.
    pub outcome: Option<Outcome>,
    /// When the last attempt ended.
    pub last_attempt: Option<SystemTime>,
    /// When it last succeeded.
    pub last_success: Option<SystemTime>,
    /// What failures have left behind.
    pub retry: Option<RetryState>,
    /// The sides as they were in the last plan that was carried out.
    pub sides: Vec<Side>,
    /// Since when a complete listing lacks the item.
    pub absent_since: Option<SystemTime>,
}

impl ItemRecord {
    /// Nothing is remembered yet.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Orders the attempts that write to one record: a write of an attempt before the last writer's is refused.
///
/// ```
/// # use syncmgr_core::{id::SessionId, record::Fence};
/// let first = Fence::new(SessionId(7), 1);
/// let retry = Fence::new(SessionId(7), 2);
/// assert!(first < retry); // a write of the first attempt is refused once the retry has written
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fence {
    /// The latest session there was when the attempt began, as the store numbers them.
    pub session: SessionId,
    /// The attempt, as its host numbers them.
    pub attempt: u32,
}

impl Fence {
    /// This attempt, begun when that was the latest session.
    pub const fn new(session: SessionId, attempt: u32) -> Self {
        Self { session, attempt }
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attempt {} of session {}", self.attempt, self.session)
    }
}

/// What a handler saved of an item, as JSON, and the version of the handler's state it was written with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The version of the handler's state.
    pub version: u32,
    /// The state, as JSON.
    pub state: Arc<str>,
}

impl Checkpoint {
    /// A state, as JSON, of this version.
    pub fn new(version: u32, state: impl Into<Arc<str>>) -> Self {
        Self { version, state: state.into() }
    }
}

/// How an attempt at an item ended, to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemEnd {
    /// How it ended.
    pub outcome: Outcome,
    /// What failures have left behind; `None` after a success.
    pub retry: Option<RetryState>,
    /// The sides of the plan that was carried out, if one was.
    pub sides: Option<Vec<Side>>,
    /// The keys of the answers this used: they are used up.
    pub consumed: Vec<Arc<str>>,
}

impl ItemEnd {
    /// It ended like this, and there is nothing else to say.
    pub const fn new(outcome: Outcome) -> Self {
        Self { outcome, retry: None, sides: None, consumed: Vec::new() }
    }

    /// With what failures have left behind.
    pub fn with_retry(self, retry: impl Into<Option<RetryState>>) -> Self {
        Self { retry: retry.into(), ..self }
    }

    /// With the sides of the plan that was carried out.
    pub fn with_sides(self, sides: impl Into<Option<Vec<Side>>>) -> Self {
        Self { sides: sides.into(), ..self }
    }

    /// With the keys of the answers this used.
    pub fn with_consumed(self, consumed: Vec<Arc<str>>) -> Self {
        Self { consumed, ..self }
    }
}
