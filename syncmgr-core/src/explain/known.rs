//! The input of an explanation.

use std::sync::Arc;
use std::time::SystemTime;

use crate::decision::hold::Hold;
use crate::id::{ErrorId, HandlerId, ItemId, SessionId};
use crate::item::ItemState;
use crate::record::ItemRecord;
use crate::register::RegisterFlags;
use crate::schedule::Schedule;

/// The known state of a handler or an item: the input of [`explain`](super::explain).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Known {
    /// The handler.
    pub handler: HandlerId,
    /// The item; `None` for the handler as a whole.
    pub item: Option<ItemId>,
    /// The display name, if known.
    pub name: Option<Arc<str>>,
    /// The events that create the handler; `None` if the handler is not registered.
    pub registered: Option<RegisterFlags>,
    /// The result of the last listing for this item.
    pub listed: Listed,
    /// The choice of the user; `None` if it is not known.
    pub chosen: Option<ItemState>,
    /// The session that contains the handler or item, and the state in that session.
    pub current: Option<Current>,
    /// The holds in that session.
    pub held: Vec<Hold>,
    /// The holds that the environment puts on automatic runs, and any other hold outside of sessions.
    pub other_holds: Vec<Hold>,
    /// `true` if work of an abandoned attempt is still running.
    pub quarantined: bool,
    /// The stored record of the item.
    pub record: Option<ItemRecord>,
    /// The id of the log entry with an open question or remedy.
    pub question: Option<ErrorId>,
    /// The schedule of the item; for a handler, of its items without one of their own.
    pub schedule: Option<Schedule>,
    /// The time of the next retry or firing of a schedule.
    pub due: Option<SystemTime>,
}

/// The result of a listing for one item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listed {
    /// The handler has not listed its items, or the listing was incomplete.
    #[default]
    Unknown,
    /// The handler lists the item.
    Present,
    /// The handler does not list the item.
    Absent,
}

/// The state of an item or a handler in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Current {
    /// Running in the session.
    Running(SessionId),
    /// Waiting in the session.
    Waiting(SessionId),
    /// Interrupted: the process exited before the session ended.
    Interrupted(SessionId),
}

impl Known {
    /// Creates an input that only names the handler. Everything else is unknown, including its registration.
    pub fn of(handler: HandlerId) -> Self {
        Self {
            handler,
            item: None,
            name: None,
            registered: None,
            listed: Listed::Unknown,
            chosen: None,
            current: None,
            held: Vec::new(),
            other_holds: Vec::new(),
            quarantined: false,
            record: None,
            question: None,
            schedule: None,
            due: None,
        }
    }

    /// Sets the item.
    pub fn with_item(self, item: ItemId) -> Self {
        Self { item: Some(item), ..self }
    }
}
