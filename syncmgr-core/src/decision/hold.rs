//! The reasons why an item or a run waits.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::environment::EndingKind;
use crate::id::{HandlerId, ItemId, SessionId};
use crate::text::Escaped;
use crate::time::Utc;

/// A reason why an item or a run waits, or does not run in this session.
///
/// Serialized by the variant's name in snake case, with times as milliseconds since 1970.
///
/// ```
/// # use syncmgr_core::{decision::hold::Hold, id::SessionId};
/// let waits = Hold::Behind { session: SessionId(4) };
/// assert_eq!(waits.to_string(), "waits for the run of the same handler in session 4");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Hold {
    /// The user or the application paused the session or the manager: no new item begins. Ends on resume.
    Paused,
    /// Another run of the same handler is active. Ends with that run.
    Behind {
        /// The session of that run.
        session: SessionId,
    },
    /// The manager already runs as many items as it may. Ends when one of them ends.
    NoFreeWorker,
    /// Other items hold a resource that the item claims. Ends when they release it.
    Claimed {
        /// The claimed resource.
        claim: Claim,
    },
    /// The abandoned work of an earlier attempt is still running. Ends with that work.
    Quarantined,
    /// An earlier request covered this one, and its outcome applies to both.
    Merged {
        /// The session that ran the item.
        session: SessionId,
    },
    /// The item failed and backs off. Ends at `until`, on reconnect, or with a request for the item.
    BackingOff {
        /// The time of the next automatic attempt.
        #[serde(with = "crate::time")]
        until: SystemTime,
        /// The number of failures in a row without progress.
        failures: u32,
    },
    /// The peer asked the host to wait until a given time. Ends at that time, or with a forced request.
    NotBefore {
        /// The end of the wait.
        #[serde(with = "crate::time")]
        until: SystemTime,
    },
    /// The item needs a decision by the user, or the user's presence. Ends with the answer, or with a request for the item.
    NeedsUser,
    /// The item has used up its retry budget. Ends with a request for the item.
    NeedsAttention {
        /// The number of failures since the last success.
        failures: u32,
    },
    /// The failure is permanent until the user changes something. Ends with a request for the item.
    Permanent,
    /// The item no longer exists at the peer. Ends with a request for the item.
    Gone,
    /// The item's state can no longer be read. Ends when the state is reset, or with a request for the item.
    UnreadableState,
    /// There is no network. Ends when a network is up.
    Offline,
    /// The network is metered. Ends when the network is no longer metered.
    Metered,
    /// The network does not reach the internet. Ends when it does.
    NoInternet,
    /// The power comes from a battery. Ends on mains power.
    OnBattery,
    /// The battery is low. Ends when it is charged, or on mains power.
    BatteryLow,
    /// The user is active. Ends when the user is idle.
    UserActive,
    /// The user is idle or absent. Ends when the user is back.
    UserIdle,
    /// The network or the machine is about to go down. Ends when that is over.
    Ending {
        /// What is about to happen.
        kind: EndingKind,
    },
    /// The windows in which background work may run are closed. Ends at `until`, when all of them are open.
    OutsideWindow {
        /// The time at which the windows are open.
        #[serde(with = "crate::time")]
        until: SystemTime,
    },
    /// The item and its handler require conditions or windows that exclude each other. Ends with a request for the item.
    Contradictory,
    /// The plan of the item violates a guard rule. Ends with the answer to the question.
    Guarded,
    /// The item is not chosen. Ends when it is chosen.
    Unchosen,
    /// The user or the application disabled the handler or the item. Ends when it is enabled.
    Disabled {
        /// The reason that was given.
        reason: Arc<str>,
    },
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => f.write_str("paused"),
            Self::Behind { session } => write!(f, "waits for the run of the same handler in session {session}"),
            Self::NoFreeWorker => f.write_str("waits for a free worker"),
            Self::Claimed { claim } => write!(f, "waits for {claim}, which other items are using"),
            Self::Quarantined => f.write_str("the abandoned work of an earlier attempt is still running"),
            Self::Merged { session } => write!(f, "merged into session {session}"),
            Self::BackingOff { until, failures } => {
                write!(f, "backing off until {} after {}", Utc(*until), Failures(*failures))
            }
            Self::NotBefore { until } => write!(f, "the peer asked the host to wait until {}", Utc(*until)),
            Self::NeedsUser => f.write_str("waits for an answer or for the user"),
            Self::NeedsAttention { failures } => {
                write!(f, "needs attention: no more automatic attempts after {}", Failures(*failures))
            }
            Self::Permanent => f.write_str("permanent failure: something has to change first"),
            Self::Gone => f.write_str("no longer exists at the peer"),
            Self::UnreadableState => f.write_str("the saved state can no longer be read and has to be reset"),
            Self::Offline => f.write_str("waits for a network"),
            Self::Metered => f.write_str("waits for a network that is not metered"),
            Self::NoInternet => f.write_str("waits for the internet"),
            Self::OnBattery => f.write_str("waits for mains power"),
            Self::BatteryLow => f.write_str("waits until the battery is no longer low"),
            Self::UserActive => f.write_str("waits until the user is idle"),
            Self::UserIdle => f.write_str("waits until the user is back"),
            Self::Ending { kind } => f.write_str(ending_text(*kind)),
            Self::OutsideWindow { until } => write!(f, "waits until {}, when background work may run", Utc(*until)),
            Self::Contradictory => f.write_str("requires conditions or times that exclude each other"),
            Self::Guarded => f.write_str("waits for an answer: the plan violates a guard rule"),
            Self::Unchosen => f.write_str("not chosen"),
            Self::Disabled { reason } if reason.is_empty() => f.write_str("disabled"),
            Self::Disabled { reason } => write!(f, "disabled: {}", Escaped(reason)),
        }
    }
}

fn ending_text(kind: EndingKind) -> &'static str {
    match kind {
        EndingKind::Disconnect => "waits because the network is about to go down",
        EndingKind::Sleep => "waits because the machine is about to sleep",
        EndingKind::Shutdown => "waits because the machine is about to shut down",
    }
}

/// Displays a number of failures, such as `3 failures`.
struct Failures(u32);

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failure{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

/// A waiting run or item, and the reason.
///
/// ```
/// # use syncmgr_core::{decision::hold::{Held, Hold}, id::{HandlerId, SessionId}};
/// let held = Held::new(HandlerId::from_u128(7), Hold::Paused).with_session(SessionId(4));
/// assert_eq!(held.item, None); // all items that have not begun
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Held {
    /// The handler.
    pub handler: HandlerId,
    /// The session, if the wait belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The item; `None` for all items that have not begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// The reason.
    pub hold: Hold,
}

impl Held {
    /// Creates an entry for the handler as a whole.
    pub fn new(handler: HandlerId, hold: Hold) -> Self {
        Self { handler, session: None, item: None, hold }
    }

    /// Sets the session.
    pub fn with_session(self, session: SessionId) -> Self {
        Self { session: Some(session), ..self }
    }

    /// Sets the item.
    pub fn with_item(self, item: ItemId) -> Self {
        Self { item: Some(item), ..self }
    }
}

#[cfg(test)]
mod tests;
