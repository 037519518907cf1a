//! Why something does not run.

use std::fmt;

use crate::claim::Claim;
use crate::id::{HandlerId, ItemId, SessionId};

/// A reason not to run now, or not to run here.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        }
    }
}

/// Something that is held, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held {
    /// The handler.
    pub handler: HandlerId,
    /// The session that waits, where one does.
    pub session: Option<SessionId>,
    /// The item, or `None` for all that have not begun.
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
    pub fn in_session(self, session: SessionId) -> Self {
        Self { session: Some(session), ..self }
    }

    /// Only this item of it.
    pub fn about(self, item: ItemId) -> Self {
        Self { item: Some(item), ..self }
    }
}
