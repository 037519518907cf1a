//! What is known of a handler or an item before it is explained.

use std::sync::Arc;
use std::time::SystemTime;

use crate::decision::hold::Hold;
use crate::id::{ErrorId, HandlerId, ItemId, SessionId};
use crate::item::ItemState;
use crate::record::ItemRecord;
use crate::register::RegisterFlags;

/// What is known of a handler or an item: what [`explain`](super::explain) reads.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Known {
    /// The handler.
    pub handler: HandlerId,
    /// The item; `None` for the handler as a whole.
    pub item: Option<ItemId>,
    /// What people call it.
    pub name: Option<Arc<str>>,
    /// The events the handler is created for; `None` where it is not registered.
    pub registered: Option<RegisterFlags>,
    /// Whether the handler lists the item.
    pub listed: Listed,
    /// Whether the item is chosen; `None` where that is not known.
    pub chosen: Option<ItemState>,
    /// The session it is part of, and how.
    pub current: Option<Current>,
    /// What holds it in that session.
    pub held: Vec<Hold>,
    /// What the world imposes on a run that nobody asks for, and any hold that is in no session.
    pub conditions: Vec<Hold>,
    /// Whether what an earlier attempt started is still running.
    pub quarantined: bool,
    /// What is remembered of the item.
    pub record: Option<ItemRecord>,
    /// The open question or remedy in the log.
    pub question: Option<ErrorId>,
    /// When a schedule is due next.
    pub due: Option<SystemTime>,
}

/// Whether a handler lists an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listed {
    /// Nobody has looked, or the listing was not complete.
    #[default]
    Unknown,
    /// It does.
    Present,
    /// It does not.
    Absent,
}

/// How something is part of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Current {
    /// It runs in it.
    Running(SessionId),
    /// It waits in it.
    Waiting(SessionId),
    /// It was in it when whoever ran it was gone.
    Interrupted(SessionId),
}

impl Known {
    /// Nothing is known of the handler, not even that it is registered.
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
            conditions: Vec::new(),
            quarantined: false,
            record: None,
            question: None,
            due: None,
        }
    }

    /// About this item.
    pub fn with_item(self, item: ItemId) -> Self {
        Self { item: Some(item), ..self }
    }
}
