//! What a manager remembers from session to session, as a port.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use futures::future::BoxFuture;
use uuid::Uuid;

use crate::claim::Claim;
use crate::decision::verdict::Outcome;
use crate::error::SyncResult;
use crate::id::{ErrorScope, HandlerId, ItemId, SessionId};
use crate::item::ItemState;
use crate::log::{LogEntry, Question};
use crate::record::{Checkpoint, Fence, ItemEnd, ItemRecord};
use crate::register::{RegisterFlags, Registration};
use crate::request::RunRequest;
use crate::retry::RetryState;
use crate::trigger::Trigger;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{writer} came too late: {latest} has written to item {item}; nothing was stored")]
pub struct StaleWriter {
    /// The item.
    pub item: ItemId,
    /// Who wrote.
    pub writer: Fence,
    /// Who has written last.
    pub latest: Fence,
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

/// A session as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionRecord {
    /// Its number.
    pub session: SessionId,
    /// The manager that ran it.
    pub manager: Uuid,
    /// What started it.
    pub trigger: Trigger,
    /// When it began.
    pub began: SystemTime,
    /// How it ended; `None` while it goes on, or was interrupted.
    pub end: Option<SessionEnd>,
    /// What it was asked for, one run a handler.
    pub runs: Vec<RunRequest>,
}

impl SessionRecord {
    /// A session that has begun.
    pub fn new(session: SessionId, manager: Uuid, trigger: Trigger, began: SystemTime, runs: Vec<RunRequest>) -> Self {
        Self { session, manager, trigger, began, end: None, runs }
    }

    /// Whether it went as it should and nobody misses it.
    pub fn is_uneventful(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.course == Course::Smooth)
    }
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEnd {
    /// When.
    pub time: SystemTime,
    /// How it went.
    pub course: Course,
    /// How many items ended how.
    pub outcomes: BTreeMap<Outcome, u64>,
}

/// How a session went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Course {
    /// As it should.
    Smooth,
    /// Something failed, was stopped, or needs somebody.
    Eventful,
    /// Whoever ran it was gone before it ended.
    Interrupted,
}

impl Course {
    /// A word for it: what a store calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smooth => "smooth",
            Self::Eventful => "eventful",
            Self::Interrupted => "interrupted",
        }
    }

    /// The course of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Smooth, Self::Eventful, Self::Interrupted].into_iter().find(|course| course.name() == name)
    }
}

/// Counts of durations, bucket by bucket, in the fixed buckets of the runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many durations there are in each bucket.
    pub counts: Vec<u64>,
    /// The longest, in nanoseconds.
    pub longest: u64,
}

/// A change of what is stored.
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
    /// A session began. Its number is the highest so far.
    SessionBegan(SessionRecord),
    /// A session ended, or was found to be interrupted. Which sessions are still remembered is decided here.
    SessionEnded {
        /// Its number.
        session: SessionId,
        /// The manager that ran it.
        manager: Uuid,
        /// How it ended.
        end: SessionEnd,
    },
    /// A handler saved the state of an item. Refused when a later attempt has written.
    Committed {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
        /// The attempt.
        fence: Fence,
        /// The state.
        checkpoint: Checkpoint,
        /// The sides of the plan that was carried out, if one was.
        sides: Option<Vec<crate::plan::Side>>,
        /// The keys of the answers this used: they are used up.
        consumed: Vec<Arc<str>>,
    },
    /// Items ended. One that a later attempt has written to is left as it is.
    Ended {
        /// The handler.
        handler: HandlerId,
        /// The attempt.
        fence: Fence,
        /// Now.
        time: SystemTime,
        /// How each ended.
        items: Vec<(ItemId, ItemEnd)>,
    },
    /// What failures have left behind of an item has changed without an attempt.
    Retry {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
        /// What is left; `None` when that is nothing.
        retry: Option<RetryState>,
    },
    /// What failures have left behind of a resource has changed.
    Resource {
        /// The resource.
        claim: Claim,
        /// What is left; `None` when that is nothing.
        retry: Option<RetryState>,
    },
    /// Complete listings lack these items since then; `None` for those that are back.
    Absent {
        /// The handler.
        handler: HandlerId,
        /// The items.
        items: BTreeMap<ItemId, Option<SystemTime>>,
    },
    /// The checkpoint of an item is put aside, with what failures have left behind.
    Reset {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
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
    /// A session's log grew by these. An entry replaces those before it with its id, of whichever session.
    Logged {
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
    /// An item succeeded: whatever its entries in the log ask is settled, and they are removed.
    Settled {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
    },
    /// Durations were counted. These are all of them so far.
    Histogram {
        /// What was measured.
        name: Arc<str>,
        /// The counts.
        histogram: Histogram,
    },
    /// Everything stored of the handler is deleted.
    Forget {
        /// The handler.
        handler: HandlerId,
    },
    /// Everything stored of an item is deleted: its record, choice, answers and log.
    ForgetItem {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
    },
}
