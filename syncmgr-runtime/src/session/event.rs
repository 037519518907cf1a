//! The events of sessions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use syncmgr_core::decision::ledger::StartReason;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::log::LogEntry;
use syncmgr_core::progress::ProgressState;
use syncmgr_core::trigger::Trigger;

use crate::ending::RunChange;

/// An event in a session.
///
/// With serde it is a map whose field `event` is the name of the variant in snake case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SessionEvent {
    /// The session has started. The first event of a session.
    Started {
        /// The trigger.
        trigger: Trigger,
        /// The reason for the session: a request, or the reason why the manager started it.
        reason: StartReason,
    },
    /// A handler's run has changed its state.
    Run {
        /// The handler.
        handler: HandlerId,
        /// The handler's name.
        handler_name: Arc<str>,
        /// The new state.
        change: RunChange,
    },
    /// An item began.
    Began {
        /// The handler.
        handler: HandlerId,
        /// The handler's name.
        handler_name: Arc<str>,
        /// The item.
        item: ItemId,
        /// The item's name.
        name: Arc<str>,
    },
    /// An item reported progress. Sampled: reports between two samples are dropped.
    Progress {
        /// The handler.
        handler: HandlerId,
        /// The handler's name.
        handler_name: Arc<str>,
        /// The item.
        item: ItemId,
        /// The item's name.
        name: Arc<str>,
        /// The latest progress.
        state: ProgressState,
    },
    /// An item ended.
    Ended {
        /// The handler.
        handler: HandlerId,
        /// The handler's name.
        handler_name: Arc<str>,
        /// The item.
        item: ItemId,
        /// The item's name.
        name: Arc<str>,
        /// The outcome.
        outcome: Outcome,
    },
    /// An entry was added to a handler's log.
    Logged {
        /// The handler.
        handler: HandlerId,
        /// The handler's name.
        handler_name: Arc<str>,
        /// The name of the entry's item, if the entry is about a listed item.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Arc<str>>,
        /// The entry.
        entry: Arc<LogEntry>,
    },
    /// The session is idle. More events follow if the user opens an error.
    Idle,
    /// The session is closed: its results can no longer be opened. The last event of a session.
    Closed,
}

/// An event in one of a manager's sessions.
///
/// With serde it is the map of the [`SessionEvent`], with the field `session` added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ManagerEvent {
    /// The session.
    pub session: SessionId,
    /// The event.
    #[serde(flatten)]
    pub event: SessionEvent,
}
