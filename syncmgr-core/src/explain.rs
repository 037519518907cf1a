//! Explains why a handler or an item did not run and when it runs next, from the state that decided it.
//!
//! ```
//! # use std::time::{Duration, SystemTime};
//! # use syncmgr_core::{explain::{Known, Next, explain}, id::HandlerId, record::ItemRecord, register::RegisterFlags};
//! # use syncmgr_core::{decision::verdict::Outcome, id::ItemId, retry::{RetryState, RetryStatus}};
//! let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
//! let until = now + Duration::from_secs(30);
//! let mut record = ItemRecord::new();
//! record.outcome = Some(Outcome::Failed);
//! record.last_attempt = Some(now);
//! record.retry = Some(RetryState::new(RetryStatus::Backoff, now, Some(until)).with_failures(1, 1));
//!
//! let mut known = Known::of(HandlerId::from_u128(7)).with_item(ItemId::from_name("Inbox"));
//! known.registered = Some(RegisterFlags::empty());
//! known.record = Some(record);
//! let why = explain(&known, now);
//! assert_eq!(why.next, Next::At { time: until });
//! assert!(why.to_string().contains("backing off"), "{why}");
//! ```

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::decision::hold::Hold;
use crate::decision::verdict::Outcome;
use crate::id::{ErrorId, HandlerId, ItemId, SessionId};
use crate::retry::RetryStatus;

mod decide;
mod display;
mod known;

#[cfg(test)]
mod tests;

pub use decide::{explain, next};
pub use known::{Current, Known, Listed};

/// The condition of a handler or an item, the holds on it, and its next run. [`Display`](std::fmt::Display) prints it
/// in one line.
///
/// With serde it is a map with the field names below. Times are whole milliseconds since 1970. `None` and empty fields
/// are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The handler.
    pub handler: HandlerId,
    /// The item; `None` for the handler as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// The display name, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// The condition of the handler or item.
    pub condition: Condition,
    /// The holds on the handler or item, without duplicates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// The time or event of the next run.
    pub next: Next,
    /// The end of the last attempt, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastEnd>,
    /// The time of the last success of an item, if any.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::time::option")]
    pub succeeded: Option<SystemTime>,
}

/// The condition of a handler or an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Condition {
    /// The item or handler is not registered, not listed, or forgotten.
    Unknown,
    /// Running.
    Running {
        /// The session.
        session: SessionId,
    },
    /// Queued in a session.
    Waiting {
        /// The session.
        session: SessionId,
    },
    /// Interrupted: the manager was shut down, or its process exited, before the session ended. The session is resumed.
    Interrupted {
        /// The interrupted session.
        session: SessionId,
    },
    /// Absent from a complete listing. The host keeps the record for a while.
    Absent,
    /// An item without an outcome, or a handler without a run in progress.
    Idle,
    /// The last attempt succeeded.
    Succeeded,
    /// The last attempt failed.
    Failed {
        /// The retry status, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<RetryStatus>,
    },
    /// The item was skipped in the last attempt.
    Skipped,
    /// The last attempt was stopped.
    Stopped,
    /// Waiting for a decision, or for the user to be present.
    NeedsUser,
}

/// The time or event of the next run. The variants are ordered: the later the variant, the more has to happen before
/// the run.
///
/// ```
/// # use syncmgr_core::{decision::hold::Hold, explain::{Next, next}};
/// // With several holds, the maximum decides.
/// assert_eq!(next(&[Hold::NoFreeWorker, Hold::Paused], None, Next::Now), Next::WhenResumed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Next {
    /// Running, or started as soon as possible.
    Now,
    /// Runs at a given time.
    At {
        /// The time.
        #[serde(with = "crate::time")]
        time: SystemTime,
    },
    /// Runs in the next session that includes its handler.
    WhenTriggered,
    /// Runs once the hold ends, without any action by the user.
    WhenLifted,
    /// Runs once the network is up.
    WhenOnline,
    /// Runs once the user resumes the session or the manager.
    WhenResumed,
    /// Runs once its handler lists the item.
    WhenListed,
    /// Runs once the user or the application requests a run.
    WhenRequested,
    /// Runs once the user answers a question or requests a run.
    WhenAnswered {
        /// The id of the log entry with the question.
        error: ErrorId,
    },
    /// Runs once its handler or the item itself is enabled, and then as the other holds allow.
    WhenEnabled,
    /// Does not run until the handler is registered, or lists the item as a new one.
    Never,
}

/// The end of the last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LastEnd {
    /// The outcome.
    pub outcome: Outcome,
    /// The time of the end.
    #[serde(with = "crate::time")]
    pub time: SystemTime,
}
