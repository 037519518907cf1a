//! The answer to "why did it not run, and when will it?", read from the state that decided.
//!
//! ```
//! # use std::time::{Duration, SystemTime};
//! # use syncmgr_core::{explain::{Known, Next, explain}, id::HandlerId, record::ItemRecord, register::RegisterFlags};
//! # use syncmgr_core::{decision::verdict::Outcome, id::ItemId, retry::{RetryState, Setback}};
//! let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
//! let until = now + Duration::from_secs(30);
//! let mut record = ItemRecord::new();
//! record.outcome = Some(Outcome::Failed);
//! record.last_attempt = Some(now);
//! record.retry = Some(RetryState::new(Setback::Backoff, now, Some(until)).with_failures(1, 1));
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
use crate::retry::Setback;

mod decide;
mod known;
mod words;

#[cfg(test)]
mod tests;

pub use decide::{explain, next};
pub use known::{Current, Known, Listed};

/// Where a handler or an item stands, what holds it, and when it runs next. [`Display`](std::fmt::Display) says it in one
/// line.
///
/// With serde it is a map with the field names below; times are whole milliseconds since 1970, and what is `None` or empty
/// is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The handler.
    pub handler: HandlerId,
    /// The item; `None` for the handler as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// What people call it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Where it stands.
    pub standing: Standing,
    /// What holds it: every reason, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// When it runs next.
    pub next: Next,
    /// How it last ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastEnd>,
    /// When it last succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::time::option")]
    pub succeeded: Option<SystemTime>,
}

/// Where a handler or an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Standing {
    /// Nothing is known of it: it is not registered, not listed, or forgotten.
    Unknown,
    /// It runs.
    Running {
        /// In this session.
        session: SessionId,
    },
    /// It waits for its turn.
    Waiting {
        /// In this session.
        session: SessionId,
    },
    /// It was cut short when whoever ran it was gone.
    Interrupted {
        /// In this session.
        session: SessionId,
    },
    /// A complete listing lacks it; what is known of it is kept for a while.
    Absent,
    /// It has not ended yet, ever. Of a handler as a whole: nothing of it runs.
    Idle,
    /// It last succeeded.
    Succeeded,
    /// It last failed.
    Failed {
        /// What stands in its way, where something does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        setback: Option<Setback>,
    },
    /// It was last skipped.
    Skipped,
    /// It was last stopped.
    Stopped,
    /// It waits for a decision or for somebody to be there.
    NeedsUser,
}

/// When something runs next. The later in this list, the more it takes.
///
/// ```
/// # use syncmgr_core::{decision::hold::Hold, explain::{Next, next}};
/// // Of several holds the one that takes most decides.
/// assert_eq!(next(&[Hold::NoFreeWorker, Hold::Paused], None, Next::Now), Next::WhenResumed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Next {
    /// It runs, or will as soon as the manager gets to it.
    Now,
    /// At this time.
    At {
        /// The time.
        #[serde(with = "crate::time")]
        time: SystemTime,
    },
    /// With the next session that creates its handler.
    WhenTriggered,
    /// When what holds it is over, which happens by itself.
    WhenLifted,
    /// When there is a network.
    WhenOnline,
    /// When somebody resumes what was paused.
    WhenResumed,
    /// When its handler lists it.
    WhenListed,
    /// When somebody asks for it.
    WhenAsked,
    /// When somebody answers, or asks for it.
    WhenAnswered {
        /// The entry of the log that asks.
        error: ErrorId,
    },
    /// Not before somebody registers its handler, or its handler lists it as something new.
    Never,
}

/// How something last ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LastEnd {
    /// How.
    pub outcome: Outcome,
    /// When.
    #[serde(with = "crate::time")]
    pub time: SystemTime,
}
