//! The effects of a decision, which the host performs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::decision::hold::Hold;
use crate::decision::retry::RequestedBy;
use crate::environment::Ending;
use crate::id::{HandlerId, ItemId};
use crate::log::LogEntry;
use crate::register::Generation;
use crate::request::RunRequest;
use crate::schedule::Schedule;
use crate::store::StateChange;
use crate::trigger::Trigger;

/// An action for the host. The enum is exhaustive: the host must handle every variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Store this change. Put all writes of one decision into one transaction.
    Write(StateChange),
    /// Add this question to the run's log. It replaces the entry with the same id.
    AddQuestion(LogEntry),
    /// Remove the questions about this item from the run's log.
    RemoveQuestions(ItemId),
    /// Call [`tick`](super::RetryLedger::tick): the next deadline may be earlier now, or a session may have to start.
    Wake,
    /// Start a session that no caller requested.
    Start(Start),
    /// Stop the automatic runs that [`stops`](super::RetryLedger::stops) names, because a condition has ended.
    CheckRuns,
    /// Stop every run for this reason, because what was announced is about to happen. If only the network goes down, this applies
    /// to the automatic runs that need it. The rest of each run goes on later.
    StopRuns(Hold),
    /// Let the system go on: nothing is left to do before this end.
    Release(Ending),
}

/// A session to start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Start {
    /// The reason.
    pub reason: StartReason,
    /// The trigger that the handlers see.
    pub trigger: Trigger,
    /// The origin of the request.
    pub requested_by: RequestedBy,
    /// The handlers or items to run.
    pub targets: Targets,
    /// The changes to store together with the start of the session.
    pub changes: Vec<StateChange>,
    /// The latest registration of any handler at the time of the decision. A handler that was registered later does not run: the
    /// decision was about its earlier registration.
    pub latest: Generation,
}

/// The handlers or items that a session runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// The preferred items of these handlers.
    Handlers(BTreeSet<HandlerId>),
    /// These items.
    Items(BTreeMap<HandlerId, Arc<BTreeSet<ItemId>>>),
    /// The preferred items of these handlers that have one of these schedules.
    Schedules(BTreeMap<HandlerId, Arc<BTreeSet<Schedule>>>),
}

/// The reason for a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StartReason {
    /// It was requested.
    #[default]
    Requested,
    /// Failed items were due.
    Retry,
    /// An earlier session was interrupted.
    Resumed,
    /// The environment now allows a run that it held, or an event for which the handler is registered has occurred.
    HoldLifted,
    /// A schedule fired.
    Scheduled,
    /// Something changed on this machine; see [`LocalChange`](crate::local_change::LocalChange).
    LocalChange,
    /// The network or the machine is about to go down.
    Ending,
}

impl Start {
    /// Returns `true` if this is an automatic run, which no caller requested. A handler has one automatic run at a time, and
    /// besides it one for what is about to end.
    pub const fn is_automatic(reason: StartReason, requested_by: RequestedBy) -> bool {
        !matches!(reason, StartReason::Requested | StartReason::Ending)
            && matches!(requested_by, RequestedBy::Automatic)
    }

    /// Creates the effect that starts a scheduled session.
    pub(super) fn scheduled(reason: StartReason, targets: Targets) -> Effect {
        Self::scheduled_with(reason, targets, Vec::new())
    }

    /// Creates the effect that starts a scheduled session and stores these changes with its start.
    pub(super) fn scheduled_with(reason: StartReason, targets: Targets, changes: Vec<StateChange>) -> Effect {
        let (trigger, requested_by) = (Trigger::Scheduled, RequestedBy::Automatic);
        Effect::Start(Self { reason, trigger, requested_by, targets, changes, latest: Generation::default() })
    }
}

impl Targets {
    /// Returns the handlers.
    pub fn handlers(&self) -> Vec<HandlerId> {
        match self {
            Self::Handlers(handlers) => handlers.iter().copied().collect(),
            Self::Items(items) => items.keys().copied().collect(),
            Self::Schedules(schedules) => schedules.keys().copied().collect(),
        }
    }

    /// Returns the targets of a request.
    pub(super) fn of(request: RunRequest) -> Self {
        match (request.items, request.schedules) {
            (Some(items), _) => Self::Items(BTreeMap::from([(request.handler, items)])),
            (None, Some(schedules)) => Self::Schedules(BTreeMap::from([(request.handler, schedules)])),
            (None, None) => Self::Handlers(BTreeSet::from([request.handler])),
        }
    }
}
