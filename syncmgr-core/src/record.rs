//! The stored state of an item.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::decision::verdict::Outcome;
use crate::id::SessionId;
use crate::plan::Side;
use crate::retry::RetryState;

/// The maximum size of a checkpoint, in bytes of JSON.
pub const MAX_CHECKPOINT: usize = 64 * 1024 * 1024;

/// The stored state of an item. All fields change together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemRecord {
    /// The attempt that wrote last.
    pub fence: Fence,
    /// The last checkpoint that the handler committed.
    pub checkpoint: Option<Checkpoint>,
    /// A checkpoint that could not be read and was set aside.
    pub set_aside: Option<Checkpoint>,
    /// The outcome of the last attempt; `None` before the first.
    pub outcome: Option<Outcome>,
    /// The end of the last attempt.
    pub last_attempt: Option<SystemTime>,
    /// The time of the last success.
    pub last_success: Option<SystemTime>,
    /// The retry state, if the last attempts failed.
    pub retry: Option<RetryState>,
    /// The sides of the last plan that was carried out.
    pub sides: Vec<Side>,
    /// The time of the first complete listing without the item, if it is absent.
    pub absent_since: Option<SystemTime>,
}

impl ItemRecord {
    /// Creates an empty record.
    pub fn new() -> Self {
        Self::default()
    }
}

/// The order of attempts that write to one record. A write is refused once a later attempt has written.
///
/// ```
/// # use syncmgr_core::{id::SessionId, record::Fence};
/// let first = Fence::new(SessionId(7), 1);
/// let retry = Fence::new(SessionId(7), 2);
/// assert!(first < retry); // a write of the first attempt is refused once the retry has written
/// assert_eq!(retry.to_string(), "attempt 2 (latest session 7)");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fence {
    /// The latest session at the start of the attempt, as numbered by the store.
    pub session: SessionId,
    /// The number of the attempt, assigned by the host.
    pub attempt: u32,
}

impl Fence {
    /// Creates the fence of an attempt. `session` is the latest session at its start.
    pub const fn new(session: SessionId, attempt: u32) -> Self {
        Self { session, attempt }
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attempt {} (latest session {})", self.attempt, self.session)
    }
}

/// A state that a handler saved for an item, with the version of its format.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The version of the handler's state.
    pub version: u32,
    /// The state, as JSON.
    pub state: Arc<str>,
}

impl Checkpoint {
    /// Creates a checkpoint from a state as JSON.
    pub fn new(version: u32, state: impl Into<Arc<str>>) -> Self {
        Self { version, state: state.into() }
    }
}

/// The end of an attempt at an item, for its record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemEnd {
    /// The outcome.
    pub outcome: Outcome,
    /// The retry state; `None` after a success.
    pub retry: Option<RetryState>,
    /// The sides of the plan that was carried out, if any.
    pub sides: Option<Vec<Side>>,
    /// The keys of the answers that the attempt used. These answers do not count again.
    pub consumed: Vec<Arc<str>>,
}

impl ItemEnd {
    /// Creates an end with only this outcome.
    pub const fn new(outcome: Outcome) -> Self {
        Self { outcome, retry: None, sides: None, consumed: Vec::new() }
    }

    /// Sets the retry state.
    pub fn with_retry(self, retry: impl Into<Option<RetryState>>) -> Self {
        Self { retry: retry.into(), ..self }
    }

    /// Sets the sides of the plan that was carried out.
    pub fn with_sides(self, sides: impl Into<Option<Vec<Side>>>) -> Self {
        Self { sides: sides.into(), ..self }
    }

    /// Sets the keys of the answers that the attempt used.
    pub fn with_consumed(self, consumed: Vec<Arc<str>>) -> Self {
        Self { consumed, ..self }
    }
}
