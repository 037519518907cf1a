//! What a manager remembers from session to session, as a port.

mod change;
mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use futures::future::BoxFuture;
use uuid::Uuid;

pub use self::change::StateChange;
pub use self::history::{Course, Histogram, SessionEnd, SessionRecord};
use crate::claim::Claim;
use crate::error::SyncResult;
use crate::id::{HandlerId, ItemId, SessionId};
use crate::item::ItemState;
use crate::log::{LogEntry, Question};
use crate::record::{Fence, ItemRecord};
use crate::register::{RegisterFlags, Registration};
use crate::retry::RetryState;

/// Where a manager keeps what it remembers: the record of each item, choices, settings, registrations, the log, answers,
/// the history of its sessions.
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

    /// What the log says of one item, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn log_about(&self, handler: HandlerId, item: ItemId) -> SyncResult<Vec<LogRecord>> {
        Ok(self.log(handler)?.into_iter().filter(|record| record.entry.item == Some(item)).collect())
    }

    /// The answer to a question, by the place of the choice, if one was given to exactly this question and is not used up.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn answer(&self, handler: HandlerId, item: ItemId, question: &Question) -> SyncResult<Option<usize>>;

    /// What is remembered of an item.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn record(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemRecord>>;

    /// The items of a handler that failures have left something behind of.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn setbacks(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, RetryState>>;

    /// Every item of a handler that has a record, and since when a complete listing lacks it.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn known(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, Option<SystemTime>>>;

    /// The items of a handler that last ended in this session or a later one.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn ended_since(&self, handler: HandlerId, session: SessionId) -> SyncResult<BTreeSet<ItemId>>;

    /// The resources that failures have left something behind of.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn resources(&self) -> SyncResult<BTreeMap<Claim, RetryState>>;

    /// The sessions that are remembered, oldest first. Of those that went as they should, few are.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn sessions(&self) -> SyncResult<Vec<SessionRecord>>;

    /// The sessions that were under way when whoever ran them was gone, oldest first; until they are ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn interrupted(&self) -> SyncResult<Vec<SessionRecord>>;

    /// The highest number a session was given; 0 while there was none.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn last_session(&self) -> SyncResult<SessionId>;

    /// The counts of a histogram, and the longest duration in nanoseconds.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn histogram(&self, name: &str) -> SyncResult<Option<Histogram>>;

    /// Takes changes, all or none. They are taken when this returns; what it returns resolves once they survive the
    /// process, if the store is one whose contents do, and may be dropped.
    ///
    /// # Errors
    /// What it returns fails when the changes were not stored, none of them. With [`StaleWriter`] in its chain, a later
    /// attempt has written to the same record.
    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult>;

    /// Resolves when more can be written without more and more waiting to be stored; `None` when that is now.
    fn room(&self) -> Option<BoxFuture<'static, ()>> {
        None
    }

    /// What a change survives once it is stored.
    fn durability(&self) -> Durability {
        Durability::Manager
    }
}

/// What a stored change survives.
///
/// ```
/// # use syncmgr_core::store::Durability;
/// assert!(Durability::Power > Durability::Process && Durability::Process > Durability::Manager);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// The manager; not the process.
    Manager,
    /// The process, however it ends. After a loss of power the store is whole, and lacks the last changes.
    Process,
    /// The loss of power, too. Each batch of changes waits for the disk.
    Power,
}

/// A write that came too late: a later attempt has written to the same record. Nothing was stored.
///
/// ```
/// # use syncmgr_core::{id::{ItemId, SessionId}, record::Fence, store::StaleWriter};
/// let (writer, latest) = (Fence::new(SessionId(1), 1), Fence::new(SessionId(2), 1));
/// let refused = anyhow::Error::new(StaleWriter::new(ItemId::from_name("Inbox"), writer, latest));
/// assert!(refused.chain().any(|cause| cause.is::<StaleWriter>())); // how a commit says so
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{writer} came too late: {latest} has written to item {item}; nothing was stored")]
#[non_exhaustive]
pub struct StaleWriter {
    /// The item.
    pub item: ItemId,
    /// Who wrote.
    pub writer: Fence,
    /// Who has written last.
    pub latest: Fence,
}

impl StaleWriter {
    /// `writer` came after `latest` had written to this item.
    pub const fn new(item: ItemId, writer: Fence, latest: Fence) -> Self {
        Self { item, writer, latest }
    }
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
