//! What a manager writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use super::{Histogram, SessionEnd, SessionRecord};
use crate::claim::Claim;
use crate::id::{ErrorScope, HandlerId, ItemId, SessionId};
use crate::item::ItemState;
use crate::log::{LogEntry, Question};
use crate::plan::Side;
use crate::record::{Checkpoint, Fence, ItemEnd};
use crate::register::{RegisterFlags, Registration};
use crate::retry::RetryState;

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
        sides: Option<Vec<Side>>,
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
