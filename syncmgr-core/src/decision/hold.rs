//! Why something does not run.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::id::{HandlerId, ItemId, SessionId};
use crate::time::Utc;

/// A reason not to run now, or not to run here.
///
/// Stored and sent by the names of its variants in snake case, with times as milliseconds since 1970.
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
    /// No new item starts: somebody paused the session or the manager. Ends when they resume.
    Paused,
    /// Another run of the same handler goes on. Ends with it.
    Behind {
        /// The session of that run.
        session: SessionId,
    },
    /// As many items as the manager allows are running. Ends when one of them does.
    NoFreeWorker,
    /// Others have what the item claims. Ends when they do.
    Claimed {
        /// What is taken.
        claim: Claim,
    },
    /// An earlier attempt was abandoned, and what it started is still running. Lifts by itself when that ends.
    Quarantined,
    /// An earlier request covered this one; the outcome is the one it had there.
    Merged {
        /// The session that ran the item.
        session: SessionId,
    },
    /// It failed, and waits a while. Ends at that time, on reconnect, or when somebody asks for it.
    BackingOff {
        /// When it runs again by itself.
        #[serde(with = "crate::time")]
        until: SystemTime,
        /// How often in a row it failed without getting further.
        failures: u32,
    },
    /// The peer asked to be left alone. Ends at that time, or when somebody insists.
    NotBefore {
        /// Until when.
        #[serde(with = "crate::time")]
        until: SystemTime,
    },
    /// It waits for a decision or for somebody to be there. Ends with the answer, or when somebody asks for it.
    NeedsUser,
    /// It was tried as often as it may be. Ends when somebody asks for it.
    NeedsAttention {
        /// How often it failed since it last succeeded.
        failures: u32,
    },
    /// It will not work until somebody changes something. Ends when somebody asks for it.
    Permanent,
    /// It no longer exists at the peer. Ends when somebody asks for it.
    Gone,
    /// Its state can no longer be read. Ends when the state is reset, or when somebody asks for it.
    UnreadableState,
    /// There is no network. Ends when there is.
    Offline,
    /// The network is metered. Ends when it no longer is.
    Metered,
    /// The power comes from a battery. Ends on mains power.
    OnBattery,
    /// A rule of the host objects to what it was about to do. Ends with the answer to that.
    Guarded,
    /// Nobody chose it. Ends when somebody does.
    Unchosen,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => f.write_str("paused"),
            Self::Behind { session } => write!(f, "waits for the run of the same handler in session {session}"),
            Self::NoFreeWorker => f.write_str("waits for another item to end: as many run as may"),
            Self::Claimed { claim } => write!(f, "waits for {claim}, which others are using"),
            Self::Quarantined => f.write_str("what it started before was abandoned and is still running"),
            Self::Merged { session } => write!(f, "merged into session {session}"),
            Self::BackingOff { until, failures } => {
                write!(f, "backing off until {} after {}", Utc(*until), Failures(*failures))
            }
            Self::NotBefore { until } => write!(f, "the peer asked to be left alone until {}", Utc(*until)),
            Self::NeedsUser => f.write_str("waits for an answer, or for somebody to be there"),
            Self::NeedsAttention { failures } => {
                write!(f, "needs attention: not tried again by itself after {}", Failures(*failures))
            }
            Self::Permanent => f.write_str("will not work until somebody changes something"),
            Self::Gone => f.write_str("no longer exists at the peer"),
            Self::UnreadableState => f.write_str("its state can no longer be read, and waits to be reset"),
            Self::Offline => f.write_str("waits for a network"),
            Self::Metered => f.write_str("waits for a network that is not metered"),
            Self::OnBattery => f.write_str("waits for mains power"),
            Self::Guarded => f.write_str("waits for an answer: a rule objects to what it was about to do"),
            Self::Unchosen => f.write_str("nobody chose it"),
        }
    }
}

/// Shows a number of failures with its noun.
struct Failures(u32);

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failure{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

/// Something that is held, and why.
///
/// ```
/// # use syncmgr_core::{decision::hold::{Held, Hold}, id::{HandlerId, SessionId}};
/// let held = Held::new(HandlerId::from_u128(7), Hold::Paused).with_session(SessionId(4));
/// assert_eq!(held.item, None); // all that have not begun
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Held {
    /// The handler.
    pub handler: HandlerId,
    /// The session that waits, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The item, or `None` for all that have not begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// Why.
    pub hold: Hold,
}

impl Held {
    /// `handler` is held.
    pub fn new(handler: HandlerId, hold: Hold) -> Self {
        Self { handler, session: None, item: None, hold }
    }

    /// In this session.
    pub fn with_session(self, session: SessionId) -> Self {
        Self { session: Some(session), ..self }
    }

    /// Only this item of it.
    pub fn with_item(self, item: ItemId) -> Self {
        Self { item: Some(item), ..self }
    }
}

#[cfg(test)]
mod tests;
