//! The agenda of a manager: what it will run without a request, when, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::decision::hold::Hold;
use crate::decision::ledger::StartReason;
use crate::explain::Next;
use crate::id::HandlerId;
use crate::schedule::Schedule;
use crate::time::Utc;

/// An entry of the agenda: a run that the manager will start without a request.
///
/// [`Display`](fmt::Display) prints it in one line, without the handler. With serde it is a map with the field names below;
/// `None` is left out.
///
/// ```
/// # use std::time::SystemTime;
/// # use syncmgr_core::{agenda::{AgendaEntry, AgendaWork}, decision::ledger::StartReason, explain::Next, id::HandlerId};
/// let next = Next::At { time: SystemTime::UNIX_EPOCH };
/// let entry = AgendaEntry::new(HandlerId::from_u128(7), next, StartReason::Retry, AgendaWork::Items(2));
/// assert_eq!(entry.to_string(), "1970-01-01 00:00:00Z: 2 items, to retry");
/// assert_eq!(serde_json::to_value(&entry)?["work"]["items"], 2);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AgendaEntry {
    /// The handler.
    pub handler: HandlerId,
    /// The time or event at which the run starts.
    pub next: Next,
    /// The reason for the run.
    pub reason: StartReason,
    /// The items that run.
    pub work: AgendaWork,
    /// The hold that the run waits for, or would wait for if it started now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// The items of an entry of the agenda.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AgendaWork {
    /// The preferred items of the handler.
    Preferred,
    /// The preferred items with this schedule.
    Scheduled(Schedule),
    /// This many items.
    Items(usize),
}

impl AgendaEntry {
    /// Creates an entry that no hold delays.
    pub const fn new(handler: HandlerId, next: Next, reason: StartReason, work: AgendaWork) -> Self {
        Self { handler, next, reason, work, hold: None }
    }

    /// Sets or removes the hold.
    pub fn with_hold(self, hold: impl Into<Option<Hold>>) -> Self {
        Self { hold: hold.into(), ..self }
    }
}

impl fmt::Display for AgendaEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.next {
            Next::At { time } => write!(f, "{}: ", Utc(time))?,
            Next::Now => write!(f, "now: ")?,
            _ => write!(f, "later: ")?,
        }
        write!(f, "{}", self.work)?;
        match self.reason {
            StartReason::Requested | StartReason::Scheduled => {}
            StartReason::Retry => write!(f, ", to retry")?,
            StartReason::Resumed => write!(f, ", to finish an interrupted session")?,
            StartReason::Ending => write!(f, ", before it goes down")?,
            StartReason::LocalChange => write!(f, ", which have changed")?,
            StartReason::HoldLifted => write!(f, ", once nothing holds them")?,
        }
        match &self.hold {
            Some(hold) => write!(f, " ({hold})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for AgendaWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preferred => f.write_str("the preferred items"),
            Self::Scheduled(schedule) => write!(f, "items with the schedule \"{schedule}\""),
            Self::Items(1) => f.write_str("1 item"),
            Self::Items(count) => write!(f, "{count} items"),
        }
    }
}
