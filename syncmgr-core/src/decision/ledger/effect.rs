//! What follows from a decision, for whoever hosts the ledger to perform.

use std::collections::{BTreeMap, BTreeSet};

use crate::decision::retry::Ask;
use crate::id::{HandlerId, ItemId};
use crate::log::LogEntry;
use crate::request::RunRequest;
use crate::store::StateChange;
use crate::trigger::Trigger;

/// Something to be done. Whoever performs it has to know every kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Store this. The writes of one decision belong into one transaction.
    Write(StateChange),
    /// Put this question into the log of the run, in place of the entry with its id.
    Ask(LogEntry),
    /// Take out of the log of the run what asks something of this item.
    Settle(ItemId),
    /// The next deadline may be earlier than it was, or something may start now: call [`tick`](super::RetryLedger::tick).
    Wake,
    /// Start a session that nobody asked for in person.
    Start(Start),
}

/// A session to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Start {
    /// Why.
    pub reason: StartReason,
    /// What its handlers are told has started it.
    pub trigger: Trigger,
    /// How firmly it is asked for.
    pub ask: Ask,
    /// What it is about.
    pub targets: Targets,
}

/// What a session is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// What is preferred of these handlers.
    Handlers(BTreeSet<HandlerId>),
    /// These items.
    Items(BTreeMap<HandlerId, BTreeSet<ItemId>>),
}

/// Why there is a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartReason {
    /// Somebody or something asked for it.
    #[default]
    Asked,
    /// Items that had failed were due.
    Retry,
    /// An earlier session was interrupted.
    Resumed,
    /// What held it is over.
    Lifted,
}

impl Start {
    /// A session that the passing of time has started.
    pub(super) fn scheduled(reason: StartReason, targets: Targets) -> Effect {
        Effect::Start(Self { reason, trigger: Trigger::Scheduled, ask: Ask::Automatic, targets })
    }
}

impl Targets {
    /// What a request is about.
    pub(super) fn of(request: RunRequest) -> Self {
        match request.items {
            Some(items) => Self::Items(BTreeMap::from([(request.handler, items)])),
            None => Self::Handlers(BTreeSet::from([request.handler])),
        }
    }
}
