//! What a manager remembers from session to session, as a port.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use futures::future::BoxFuture;
use uuid::Uuid;

use crate::error::SyncResult;
use crate::id::{ErrorScope, HandlerId, ItemId, SessionId};
use crate::item::ItemState;
use crate::log::{LogEntry, Question};
use crate::register::{RegisterFlags, Registration};

/// Where a manager keeps choices, settings, registrations, the log and answers.
///
/// Reading is called on the paths of sessions: answer from memory or a local disk, never from a network. What is written
/// is taken in the order of the calls, and seen by every read after it.
pub trait StateStore: Send + Sync + 'static {
    /// Every handler anything is stored of.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn handlers(&self) -> SyncResult<BTreeMap<HandlerId, HandlerRecord>>;

    /// What was chosen of a handler's items (R56).
    ///
    /// # Errors
    /// When the store cannot be read.
    fn choices(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemState>>;

    /// The log of a handler, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn log(&self, handler: HandlerId) -> SyncResult<Vec<LogRecord>>;

    /// The answer to a question, by the place of the choice, if one was given to exactly this question.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn answer(&self, handler: HandlerId, item: ItemId, question: &Question) -> SyncResult<Option<usize>>;

    /// Takes changes, all or none. They are taken when this returns; what it returns resolves once they survive the
    /// process, if the store is one whose contents do, and may be dropped.
    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult>;
}

/// What is stored of a handler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerRecord {
    /// As it was last registered.
    pub registration: Option<Registration>,
    /// The events somebody set for it. They win over those it is registered with.
    pub flags: Option<RegisterFlags>,
}

/// An entry of the log, and the session it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRecord {
    /// The manager, by its id.
    pub manager: Uuid,
    /// The session, as that manager numbers them.
    pub session: SessionId,
    /// When it was stored.
    pub time: SystemTime,
    /// The entry.
    pub entry: Arc<LogEntry>,
}

impl LogRecord {
    /// An entry of this manager's session.
    pub fn new(manager: Uuid, session: SessionId, time: SystemTime, entry: Arc<LogEntry>) -> Self {
        Self { manager, session, time, entry }
    }
}

/// A change of what is stored of one handler.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateChange {
    /// The handler was registered like this (R1, R4). What somebody set for it stays.
    Registered {
        /// The handler.
        handler: HandlerId,
        /// As it is registered.
        registration: Registration,
    },
    /// Somebody set the events the handler is created for.
    Flags {
        /// The handler.
        handler: HandlerId,
        /// The events.
        flags: RegisterFlags,
    },
    /// Items were chosen or not; `None` forgets what was chosen (R46).
    Choices {
        /// The handler.
        handler: HandlerId,
        /// The items in question.
        items: BTreeMap<ItemId, Option<ItemState>>,
    },
    /// This is a session's log, whatever was stored of it before. An entry replaces those of earlier sessions with its id.
    Log {
        /// The handler.
        handler: HandlerId,
        /// The manager.
        manager: Uuid,
        /// The session, as that manager numbers them.
        session: SessionId,
        /// Now.
        time: SystemTime,
        /// The entries.
        entries: Vec<Arc<LogEntry>>,
    },
    /// Somebody answered a question.
    Answered {
        /// The handler.
        handler: HandlerId,
        /// The item that asked.
        item: ItemId,
        /// The question. Another with its key is forgotten.
        question: Question,
        /// The answer, by the place of the choice.
        choice: usize,
    },
    /// Entries are removed, of whichever session.
    LogDeleted {
        /// The handler.
        handler: HandlerId,
        /// Which entries.
        scope: ErrorScope,
    },
    /// Everything stored of the handler is deleted.
    Forget {
        /// The handler.
        handler: HandlerId,
    },
}
