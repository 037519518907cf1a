//! The changes that a manager writes to its store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use super::{Histogram, ItemName, SessionEnd, SessionRecord};
use crate::claim::Claim;
use crate::decision::timetable::LastFiring;
use crate::id::{ErrorScope, HandlerId, ItemId, SessionId, Subject};
use crate::item::ItemState;
use crate::log::{LogEntry, Question};
use crate::overrides::{Override, OverrideKind};
use crate::plan::Side;
use crate::record::{Checkpoint, Fence, ItemEnd};
use crate::register::{RegisterFlags, Registration};
use crate::request::RunRequest;
use crate::retry::RetryState;
use crate::schedule::Schedule;

/// A change of the stored state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateChange {
    /// Stores a handler's registration. The user's settings for the handler stay.
    ///
    /// See also: R1.
    Registered {
        /// The handler.
        handler: HandlerId,
        /// The registration.
        registration: Registration,
    },
    /// Stores the events that the user set for a handler.
    Flags {
        /// The handler.
        handler: HandlerId,
        /// The events.
        flags: RegisterFlags,
    },
    /// Stores choices; `None` removes a choice.
    ///
    /// See also: R46.
    Choices {
        /// The handler.
        handler: HandlerId,
        /// The new choices.
        items: BTreeMap<ItemId, Option<ItemState>>,
    },
    /// Stores the names of items, with their default states; `None` removes a name.
    Names {
        /// The handler.
        handler: HandlerId,
        /// The names that have changed.
        items: BTreeMap<ItemId, Option<ItemName>>,
    },
    /// Stores that a handler or an item is disabled.
    Disabled {
        /// The handler.
        handler: HandlerId,
        /// The handler itself, or one of its items.
        subject: Subject,
        /// The reason; `None` enables it again.
        reason: Option<Arc<str>>,
    },
    /// Stores what a person has set for a handler or an item. The code's registrations and listings do not change it.
    Override {
        /// The handler.
        handler: HandlerId,
        /// The handler itself, or one of its items.
        subject: Subject,
        /// What is set.
        kind: OverrideKind,
        /// The value; `None` lets the declared value apply again.
        value: Option<Override>,
    },
    /// Stores the last firings of schedules.
    Fired {
        /// The handler.
        handler: HandlerId,
        /// The schedules, each with its last firing; `None` removes it.
        firings: BTreeMap<Schedule, Option<LastFiring>>,
    },
    /// Stores the automatic runs of a handler that wait for the environment, in place of those before.
    Waiting {
        /// The handler.
        handler: HandlerId,
        /// The runs, all of this handler.
        runs: Vec<RunRequest>,
    },
    /// Stores the start of a session. Its number is the highest so far.
    SessionBegan(SessionRecord),
    /// Stores the end or the interruption of a session. The store then drops sessions that it no longer keeps.
    SessionEnded {
        /// The number of the session.
        session: SessionId,
        /// The manager that ran it.
        manager: Uuid,
        /// The end of the session.
        end: SessionEnd,
    },
    /// Stores a checkpoint of an item. Refused once a later attempt has written.
    Committed {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
        /// The attempt.
        fence: Fence,
        /// The checkpoint.
        checkpoint: Checkpoint,
        /// The sides of the plan that was carried out, if any.
        sides: Option<Vec<Side>>,
        /// The keys of the answers that the attempt used. These answers do not count again.
        consumed: Vec<Arc<str>>,
    },
    /// Stores the outcomes of ended items. An item to which a later attempt has written does not change.
    Ended {
        /// The handler.
        handler: HandlerId,
        /// The attempt.
        fence: Fence,
        /// The current time.
        time: SystemTime,
        /// The items and their ends.
        items: Vec<(ItemId, ItemEnd)>,
    },
    /// Stores a retry state that changed without an attempt at its item.
    Retry {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
        /// The new state; `None` removes it.
        retry: Option<RetryState>,
    },
    /// Stores the retry state of a resource.
    Resource {
        /// The resource.
        claim: Claim,
        /// The new state; `None` removes it.
        retry: Option<RetryState>,
    },
    /// Stores the time of the first complete listing without these items; `None` for items that are listed.
    Absent {
        /// The handler.
        handler: HandlerId,
        /// The items.
        items: BTreeMap<ItemId, Option<SystemTime>>,
    },
    /// Sets the checkpoint of an item aside, and removes its retry state.
    Reset {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
    },
    /// Replaces the log of a session. An entry also replaces the entries of earlier sessions that have the same id.
    Log {
        /// The handler.
        handler: HandlerId,
        /// The manager.
        manager: Uuid,
        /// The session, as numbered by that manager.
        session: SessionId,
        /// The current time.
        time: SystemTime,
        /// The entries.
        entries: Vec<Arc<LogEntry>>,
    },
    /// Appends to the log of a session. An entry replaces earlier ones with the same id, in any session.
    Logged {
        /// The handler.
        handler: HandlerId,
        /// The manager.
        manager: Uuid,
        /// The session, as numbered by that manager.
        session: SessionId,
        /// The current time.
        time: SystemTime,
        /// The entries.
        entries: Vec<Arc<LogEntry>>,
    },
    /// Stores the answer to a question.
    Answered {
        /// The handler.
        handler: HandlerId,
        /// The item of the question.
        item: ItemId,
        /// The question. The answer replaces the answer to an older question with the same key.
        question: Question,
        /// The answer, as an index into the choices.
        choice: usize,
    },
    /// Removes log entries, from any session.
    LogDeleted {
        /// The handler.
        handler: HandlerId,
        /// The entries to remove.
        scope: ErrorScope,
    },
    /// Removes the open questions of an item from the log, since the item succeeded, or asks others.
    Settled {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
    },
    /// Stores a histogram, replacing the last one of this name.
    Histogram {
        /// The name of the measured duration.
        name: Arc<str>,
        /// The histogram.
        histogram: Histogram,
    },
    /// Deletes everything stored for a handler.
    Forget {
        /// The handler.
        handler: HandlerId,
    },
    /// Deletes everything stored for an item: its record, name, choice, answers, log, what a person has set for it, and that it is
    /// disabled.
    ForgetItem {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
    },
}
