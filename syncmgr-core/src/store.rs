//! The port for the persistent state of a manager.

mod change;
mod history;
mod lease;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use futures::future::BoxFuture;
use uuid::Uuid;

pub use self::change::StateChange;
pub use self::history::{Histogram, SessionEnd, SessionOutcome, SessionRecord};
pub use self::lease::{ManagerSlot, StoreInUse, StoreLease};
use crate::claim::Claim;
use crate::decision::timetable::LastFiring;
use crate::error::SyncResult;
use crate::id::{ErrorId, HandlerId, ItemId, SessionId, Subject};
use crate::item::ItemState;
use crate::log::{LogEntry, Question};
use crate::overrides::StoredOverrides;
use crate::record::{Fence, ItemRecord};
use crate::register::{RegisterFlags, Registration};
use crate::request::RunRequest;
use crate::retry::RetryState;
use crate::schedule::Schedule;

/// The persistent state of a manager: the record, name and choice of each item, settings, registrations, the log, answers,
/// and the history of sessions.
///
/// Sessions wait for the reading methods: read from memory or a local disk, never from a network, and do not wait until
/// earlier writes are stored. Writes apply in the order of the calls, and every later read sees them.
///
/// A manager calls the methods that return one value or a few, and those that it needs to register a handler, on the threads
/// of its runtime. It calls the others on a thread that may block, if the store says that it reads from a [disk](Medium::Disk).
pub trait StateStore: Send + Sync + 'static {
    /// Returns every handler with stored data.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn handlers(&self) -> SyncResult<BTreeMap<HandlerId, HandlerRecord>>;

    /// Returns the stored data of one handler.
    ///
    /// The default reads all handlers.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn handler(&self, handler: HandlerId) -> SyncResult<Option<HandlerRecord>> {
        Ok(self.handlers()?.remove(&handler))
    }

    /// Returns the stored choice for one item.
    ///
    /// The default reads the choices for all items.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn choice(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemState>> {
        Ok(self.choices(handler)?.remove(&item))
    }

    /// Returns the stored choices for a handler's items.
    ///
    /// See also: R56.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn choices(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemState>>;

    /// Returns the stored choices for a handler's items if there are only a few; `None` if they have to be read with
    /// [`choices`](Self::choices). The time that this takes must not grow with the number of choices.
    ///
    /// The default returns `None`.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn few_choices(&self, handler: HandlerId) -> SyncResult<Option<BTreeMap<ItemId, ItemState>>> {
        let _ = handler;
        Ok(None)
    }

    /// Returns the log of a handler, oldest entry first.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn log(&self, handler: HandlerId) -> SyncResult<Vec<LogRecord>>;

    /// Returns the log entries about one item, oldest first.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn log_about(&self, handler: HandlerId, item: ItemId) -> SyncResult<Vec<LogRecord>> {
        Ok(self.log(handler)?.into_iter().filter(|record| record.entry.item == Some(item)).collect())
    }

    /// Returns the latest log entry with this id.
    ///
    /// The default reads the whole log.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn log_entry(&self, handler: HandlerId, error: ErrorId) -> SyncResult<Option<LogRecord>> {
        Ok(self.log(handler)?.into_iter().rfind(|record| record.entry.id == Some(error)))
    }

    /// Returns the answer to a question as an index into its choices; `None` if there is no unused answer to exactly
    /// this question.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn answer(&self, handler: HandlerId, item: ItemId, question: &Question) -> SyncResult<Option<usize>>;

    /// Returns the record of an item.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn record(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemRecord>>;

    /// Returns the items of a handler that have a retry state.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn retry_states(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, RetryState>>;

    /// Returns all items of a handler that have a record, each with the time of the first complete listing without the
    /// item.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn recorded_items(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, Option<SystemTime>>>;

    /// Returns the records of all items of a handler. The checkpoints may be left out.
    ///
    /// The default reads one record at a time.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn records(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemRecord>> {
        let mut records = BTreeMap::new();
        for item in self.recorded_items(handler)?.into_keys() {
            records.extend(self.record(handler, item)?.map(|record| (item, record)));
        }
        Ok(records)
    }

    /// Returns the stored name of an item, with its default state.
    ///
    /// The default reads all [`names`](Self::names) of the handler. A store that can look up a single name should override it.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn name(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemName>> {
        Ok(self.names(handler)?.remove(&item))
    }

    /// Returns the stored names of a handler's items, with the default states of the items.
    ///
    /// The default returns no names: after a restart, the items are known by their ids until their handler lists them.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn names(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemName>> {
        let _ = handler;
        Ok(BTreeMap::new())
    }

    /// Returns the schedules of a handler and its items, each with its last firing.
    ///
    /// The default returns nothing: every schedule begins anew after a restart.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn firings(&self, handler: HandlerId) -> SyncResult<BTreeMap<Schedule, LastFiring>> {
        let _ = handler;
        Ok(BTreeMap::new())
    }

    /// Returns the reasons for which the handler or its items are disabled.
    ///
    /// The default returns nothing: everything is enabled after a restart.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn disabled(&self, handler: HandlerId) -> SyncResult<BTreeMap<Subject, Arc<str>>> {
        let _ = handler;
        Ok(BTreeMap::new())
    }

    /// Returns what a person has set for the handler and its items, in text form: also values that can no longer be read.
    ///
    /// The default returns nothing: what the code declares applies after a restart.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn overrides(&self, handler: HandlerId) -> SyncResult<StoredOverrides> {
        let _ = handler;
        Ok(StoredOverrides::new())
    }

    /// Returns the items of a handler whose last ended attempt began after the start of this session.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn ended_since(&self, handler: HandlerId, session: SessionId) -> SyncResult<BTreeSet<ItemId>>;

    /// Returns `true` if [`ended_since`](Self::ended_since) has this item.
    ///
    /// The default reads all of these items.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn has_ended_since(&self, handler: HandlerId, item: ItemId, session: SessionId) -> SyncResult<bool> {
        Ok(self.ended_since(handler, session)?.contains(&item))
    }

    /// Returns the resources that have a retry state.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn resources(&self) -> SyncResult<BTreeMap<Claim, RetryState>>;

    /// Returns the recorded sessions, oldest first. The store keeps only a few of the
    /// [clean](SessionRecord::is_clean) sessions.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn sessions(&self) -> SyncResult<Vec<SessionRecord>>;

    /// Returns the last `limit` sessions with smaller numbers than `before`, or the last ones of all, oldest first.
    ///
    /// The default implementation reads all sessions.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn sessions_before(&self, before: Option<SessionId>, limit: usize) -> SyncResult<Vec<SessionRecord>> {
        let mut sessions = self.sessions()?;
        sessions.retain(|record| before.is_none_or(|before| record.session < before));
        sessions.drain(..sessions.len().saturating_sub(limit));
        Ok(sessions)
    }

    /// Returns the sessions whose process exited before they ended, oldest first. A session leaves this list once its
    /// end is written.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn interrupted(&self) -> SyncResult<Vec<SessionRecord>>;

    /// Returns the highest session number so far, of a session or of a [fence](crate::record::Fence); 0 if there is none.
    ///
    /// A session that was not stored may have a number that is part of a stored fence. If a later manager used the number again,
    /// its attempts would not be ordered after those that are stored.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn last_session(&self) -> SyncResult<SessionId>;

    /// Returns the histogram of this name.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    fn histogram(&self, name: &str) -> SyncResult<Option<Histogram>>;

    /// Applies all changes or none. The changes are applied when this method returns. In a persistent store, the
    /// returned future resolves once they survive the end of the process. The future may be dropped.
    ///
    /// # Errors
    /// The future fails if the changes were not stored; then no change is stored. [`StaleWriter`] in its chain means
    /// that a later attempt has written to the same record.
    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult>;

    /// Returns a future that resolves once the write queue has capacity; `None` if it has capacity now.
    fn write_capacity(&self) -> Option<BoxFuture<'static, ()>> {
        None
    }

    /// Gives the store to a manager, which has it until the lease is dropped. Another manager may then read it, but not
    /// run items or write. Call this before any read.
    ///
    /// By default, any number of managers have the store at the same time. A [`ManagerSlot`] admits one.
    ///
    /// # Errors
    /// Fails while another manager has the store.
    fn acquire(&self) -> Result<StoreLease, StoreInUse> {
        Ok(StoreLease::shared())
    }

    /// Returns the place that the store reads from.
    fn medium(&self) -> Medium {
        Medium::Memory
    }

    /// Returns the durability of a stored change.
    fn durability(&self) -> Durability {
        Durability::Manager
    }
}

/// The place that a store reads from, which decides on which thread a manager reads many values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Medium {
    /// Memory: the manager reads on the calling thread.
    Memory,
    /// A disk: the manager reads on a thread of its runtime that may block.
    Disk,
}

/// The events that a stored change survives.
///
/// ```
/// # use syncmgr_core::store::Durability;
/// assert!(Durability::Power > Durability::Process && Durability::Process > Durability::Manager);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// The end of the manager, but not of the process.
    Manager,
    /// The end of the process, in any way. After a power loss the store is consistent but lacks the last changes.
    Process,
    /// A power loss as well. Each batch of changes waits for the disk.
    Power,
}

/// A refused write: a later attempt has written to the same record. Nothing was stored.
///
/// ```
/// # use syncmgr_core::{id::{ItemId, SessionId}, record::Fence, store::StaleWriter};
/// let (writer, latest) = (Fence::new(SessionId(1), 1), Fence::new(SessionId(2), 1));
/// let refused = anyhow::Error::new(StaleWriter::new(ItemId::from_name("Inbox"), writer, latest));
/// assert!(refused.chain().any(|cause| cause.is::<StaleWriter>())); // as returned by a commit
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{writer} is stale: {latest} has written to item {item}; nothing was stored")]
#[non_exhaustive]
pub struct StaleWriter {
    /// The item.
    pub item: ItemId,
    /// The attempt of the refused write.
    pub writer: Fence,
    /// The attempt that wrote last.
    pub latest: Fence,
}

impl StaleWriter {
    /// Creates the error for a write of `writer` after a write of `latest`.
    pub const fn new(item: ItemId, writer: Fence, latest: Fence) -> Self {
        Self { item, writer, latest }
    }
}

/// What the store keeps of a listed item, for lists of items without a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemName {
    /// The display name.
    pub name: Arc<str>,
    /// The default state, which applies unless another one is chosen.
    pub state: ItemState,
}

impl ItemName {
    /// Creates the stored name of an item.
    pub fn new(name: impl Into<Arc<str>>, state: ItemState) -> Self {
        Self { name: name.into(), state }
    }
}

/// The stored data of a handler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerRecord {
    /// The last registration.
    pub registration: Option<Registration>,
    /// The events that the user set. They take precedence over those of the registration.
    pub flags: Option<RegisterFlags>,
    /// The automatic runs that wait for the environment.
    pub waiting: Vec<RunRequest>,
}

/// A log entry with its session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRecord {
    /// The id of the manager.
    pub manager: Uuid,
    /// The session, as numbered by that manager.
    pub session: SessionId,
    /// The time at which the entry was stored.
    pub time: SystemTime,
    /// The entry.
    pub entry: Arc<LogEntry>,
}

impl LogRecord {
    /// Creates a record of an entry in a session of this manager.
    pub fn new(manager: Uuid, session: SessionId, time: SystemTime, entry: Arc<LogEntry>) -> Self {
        Self { manager, session, time, entry }
    }
}
