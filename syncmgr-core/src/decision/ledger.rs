//! What failures leave behind of every handler, and what starts by itself.
//!
//! [`RetryLedger`] is the one place that decides when something runs again without anybody asking:
//!
//! ```text
//! an attempt ends ──────────▶ retry states ──▶ due items ──┐
//! the environment holds a run ────────────▶ held runs ─────┼─▶ tick ──▶ Effect::Start
//! a process ended during a session ─▶ interrupted runs ────┘
//! ```
//!
//! Every method is told what happened and the time of day, and returns the [`Effect`]s that follow. Whoever hosts the ledger
//! performs them in order once its lock is free, and calls [`tick`](RetryLedger::tick) at
//! [`next_deadline`](RetryLedger::next_deadline) and after each [`Effect::Wake`].
//!
//! Its methods stand in files by what happened: `attempts` (an item has ended), `selection` (something is about to run),
//! `held`, `interrupted` and `answers` (what else may start something), `tick` (time has passed, or the network is back).

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::due::Dues;
use crate::capabilities::Capabilities;
use crate::claim::Claim;
use crate::id::{HandlerId, ItemId};
use crate::retry::RetryState;
use crate::store::{SessionRecord, StateChange};

mod answers;
mod attempts;
mod effect;
mod held;
mod interrupted;
mod selection;
mod tick;

#[cfg(test)]
mod tests;

pub use self::attempts::{Attempted, StoppedBy};
pub use self::effect::{Effect, Start, StartReason, Targets};
pub use self::held::HeldRun;
pub use self::interrupted::{Resume, Unfinished};

use self::answers::Answers;
use self::held::HeldRuns;
use self::interrupted::Interrupted;

/// The retry state of a handler that could not begin is kept under this id, which no item has.
pub const HANDLER_ITSELF: ItemId = ItemId::from_u128(0);

/// What failures have left behind of registered handlers and of the resources they claim, which runs wait for the
/// environment, which were interrupted, and what was answered.
///
/// The same is stored; what decides whether an item runs, and what explains why it did not, is read from here.
///
/// ```
/// # use std::{collections::BTreeMap, time::SystemTime};
/// # use syncmgr_core::{capabilities::Capabilities, decision::ledger::{Effect, Resume, RetryLedger}, facts::Facts};
/// # use syncmgr_core::{id::{HandlerId, ItemId}, retry::{RetryState, Setback}};
/// # let now = SystemTime::UNIX_EPOCH;
/// let (mail, inbox) = (HandlerId::from_u128(7), ItemId::from_name("Inbox"));
/// let due = RetryState::new(Setback::Backoff, now, Some(now));
/// let mut ledger = RetryLedger::new(Resume::AtNextTrigger);
/// let _ = ledger.register(mail, Capabilities::default(), BTreeMap::from([(inbox, due)]), now);
/// let effects = ledger.tick(None, Facts::UNKNOWN, now);
/// assert!(matches!(effects[..], [Effect::Start(_)]), "{effects:?}"); // a session for what is due
/// ```
#[derive(Clone, Debug)]
pub struct RetryLedger {
    handlers: BTreeMap<HandlerId, Handler>,
    resources: BTreeMap<Claim, RetryState>,
    dues: Dues,
    held: HeldRuns,
    interrupted: Interrupted,
    answers: Answers,
    /// The latest time that was waited for.
    reached: SystemTime,
}

/// What is left of a handler's items.
#[derive(Clone, Debug, Default)]
struct Handler {
    items: BTreeMap<ItemId, RetryState>,
    /// `None` once it is unregistered while a run of it goes on: nothing of it is due.
    registered: Option<Capabilities>,
}

impl RetryLedger {
    /// A ledger of nothing. Interrupted runs go on as `resume` says.
    pub fn new(resume: Resume) -> Self {
        Self {
            handlers: BTreeMap::new(),
            resources: BTreeMap::new(),
            dues: Dues::default(),
            held: HeldRuns::default(),
            interrupted: Interrupted::new(resume),
            answers: Answers::default(),
            reached: SystemTime::UNIX_EPOCH,
        }
    }

    /// Takes what was stored before the process began: what is left of resources, and the sessions without an end.
    #[must_use = "perform the effects"]
    pub fn restore(
        &mut self,
        mut resources: BTreeMap<Claim, RetryState>,
        sessions: Vec<SessionRecord>,
        now: SystemTime,
    ) -> Vec<Effect> {
        resources.values_mut().for_each(|state| *state = begun_by(*state, now));
        self.resources = resources;
        writes(self.interrupted.restore(sessions, now))
    }

    /// A handler is registered, and this was stored of its items.
    #[must_use = "perform the effects"]
    pub fn register(
        &mut self,
        handler: HandlerId,
        capabilities: Capabilities,
        mut items: BTreeMap<ItemId, RetryState>,
        now: SystemTime,
    ) -> Vec<Effect> {
        let now = self.time(now);
        for (item, state) in &mut items {
            *state = begun_by(*state, now);
            self.dues.set(handler, *item, Some(state));
        }
        self.handlers.insert(handler, Handler { items, registered: Some(capabilities) });
        if self.has_pending() { vec![Effect::Wake] } else { Vec::new() }
    }

    /// A handler is not registered any more, and no run of it goes on.
    pub fn unregister(&mut self, handler: HandlerId) {
        self.handlers.remove(&handler);
        self.drop_starts(handler);
    }

    /// A handler is not registered any more, and a run of it goes on: what becomes of its items is still recorded.
    pub fn retire(&mut self, handler: HandlerId) {
        if let Some(handler) = self.handlers.get_mut(&handler) {
            handler.registered = None;
        }
        self.drop_starts(handler);
    }

    /// Nothing of the handler starts by itself.
    fn drop_starts(&mut self, handler: HandlerId) {
        self.dues.forget(handler);
        self.held.remove(handler);
    }

    /// Forgets a handler, and what is left of resources that nobody else claims.
    #[must_use = "perform the effects"]
    pub fn forget(&mut self, handler: HandlerId, claims: Vec<Claim>, now: SystemTime) -> Vec<Effect> {
        self.unregister(handler);
        self.answers.forget(handler, None);
        let mut changes = self.interrupted.forget(handler, now);
        changes.push(StateChange::Forget { handler });
        for claim in claims {
            self.resources.remove(&claim);
            changes.push(StateChange::Resource { claim, retry: None });
        }
        writes(changes)
    }

    /// Forgets an item.
    #[must_use = "perform the effects"]
    pub fn forget_item(&mut self, handler: HandlerId, item: ItemId) -> Vec<Effect> {
        self.answers.forget(handler, Some(item));
        self.set(handler, item, None);
        self.interrupted.forget_item(handler, item);
        self.held.runs(handler, [item]);
        writes([StateChange::ForgetItem { handler, item }])
    }

    /// The time by which waits are counted: the time of day, and never before one that was waited for. So a clock that is
    /// set back, or stands, neither holds anything for ever nor starts it again and again.
    pub fn time(&self, now: SystemTime) -> SystemTime {
        now.max(self.reached)
    }

    /// What is left of an item.
    pub fn state_of(&self, handler: HandlerId, item: ItemId) -> Option<&RetryState> {
        self.handlers.get(&handler)?.items.get(&item)
    }

    /// Whether nothing is left of any item of a handler, nor of any resource.
    pub fn is_clean(&self, handler: HandlerId) -> bool {
        self.resources.is_empty() && self.handlers.get(&handler).is_none_or(|handler| handler.items.is_empty())
    }

    /// Whether the end of an item may change anything here.
    pub fn concerns(&self, handler: HandlerId, item: ItemId) -> bool {
        !self.resources.is_empty() || self.state_of(handler, item).is_some()
    }

    /// Sets what is left of an item. Of a handler that is not known nothing is kept.
    fn set(&mut self, handler: HandlerId, item: ItemId, state: Option<RetryState>) {
        self.set_due(handler, item, state.as_ref());
        let Some(Handler { items, .. }) = self.handlers.get_mut(&handler) else { return };
        match state {
            Some(state) => items.insert(item, state),
            None => items.remove(&item),
        };
    }

    /// Sets when an item is due, unless its handler is not registered.
    fn set_due(&mut self, handler: HandlerId, item: ItemId, state: Option<&RetryState>) {
        let registered = self.capabilities(handler).is_some();
        self.dues.set(handler, item, state.filter(|_| registered));
    }

    /// What a registered handler can do.
    fn capabilities(&self, handler: HandlerId) -> Option<Capabilities> {
        self.handlers.get(&handler)?.registered
    }
}

/// A state that began in the future was stored before the clock was set back: it keeps its wait, from now on.
fn begun_by(state: RetryState, now: SystemTime) -> RetryState {
    let Ok(ahead) = state.since.duration_since(now) else { return state };
    let until = state.until.map(|until| until.checked_sub(ahead).unwrap_or(now).max(now));
    RetryState { since: now, until, ..state }
}

fn writes(changes: impl IntoIterator<Item = StateChange>) -> Vec<Effect> {
    changes.into_iter().map(Effect::Write).collect()
}
