//! Items that may have ended their process.
//!
//! The store does not know which items run. When an interrupted run is resumed, any of its unfinished items may have ended the
//! process. Such an item is a *suspect*: before it begins, the store gets the state that it has if the process ends again. So only
//! items that ran at the end of the process are counted, and a success clears an item. Items that were counted before run one at a
//! time, so that an item is not counted again because of another one. An item stays a suspect until it has run, also if the resumed
//! run leaves it out, for example because a claim holds it back.
//!
//! A handler with an interrupted run is a suspect too, under the id [`HANDLER_ITSELF`](super::HANDLER_ITSELF), until it has
//! prepared.
//!
//! The process cannot ask about an item that ends it. The next one does when the handler is registered.

use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use super::attempts::attention_question;
use super::{Effect, RetryLedger, writes};
use crate::decision::retry::{ClearedBy, clear, interrupted};
use crate::id::{HandlerId, ItemId};
use crate::retry::{RetryPolicy, RetryState, RetryStatus};
use crate::store::StateChange;

/// A suspect that is about to begin.
#[derive(Clone, Copy, Debug)]
pub struct Suspect<'a> {
    /// The handler.
    pub handler: HandlerId,
    /// The item.
    pub item: ItemId,
    /// The retry policy of the handler.
    pub policy: &'a RetryPolicy,
    /// The kind of request that runs the item, if it was requested.
    pub cleared_by: Option<ClearedBy>,
    /// The time of day.
    pub now: SystemTime,
    /// A random number, used as jitter of the wait.
    pub chance: u64,
}

impl RetryLedger {
    /// Adds the unfinished items of interrupted runs, which may have ended the process.
    pub fn add_suspects(&mut self, handler: HandlerId, items: impl IntoIterator<Item = ItemId>) {
        self.suspects.extend(items.into_iter().map(|item| (handler, item)));
    }

    /// Returns `true` if this item may have ended its process, and has not ended an attempt since.
    pub fn is_suspect(&self, handler: HandlerId, item: ItemId) -> bool {
        self.suspects.contains(&(handler, item)) || self.was_interrupted(handler, item)
    }

    /// Returns `true` if the last attempt at this item began as a suspect and was interrupted.
    pub fn was_interrupted(&self, handler: HandlerId, item: ItemId) -> bool {
        self.has_status(handler, item, |status| status == RetryStatus::Interrupted)
    }

    /// Returns `true` if an interrupted item continues without a wait: it has not been counted before, and needs no attention.
    pub fn continues(&self, handler: HandlerId, item: ItemId) -> bool {
        let waits = |status| matches!(status, RetryStatus::Interrupted | RetryStatus::NeedsAttention);
        !self.has_status(handler, item, waits)
    }

    /// Stores the state that the suspect has if its process ends now. The state in memory does not change.
    #[must_use = "perform the effects, and begin the item once the change is stored"]
    pub fn suspect_begins(&self, suspect: &Suspect<'_>) -> Vec<Effect> {
        let Suspect { handler, item, policy, cleared_by, now, chance } = *suspect;
        let before = self.state_of(handler, item).copied();
        let cleared = cleared_by.map_or(before, |by| clear(before, by));
        let retry = interrupted(policy, cleared.as_ref(), self.time(now), chance);
        writes([StateChange::Retry { handler, item, retry: Some(retry) }])
    }

    /// Stores the state from before a suspect began: the end of the manager has stopped it.
    #[must_use = "perform the effects"]
    pub fn suspect_cleared(&self, handler: HandlerId, item: ItemId) -> Vec<Effect> {
        writes([StateChange::Retry { handler, item, retry: self.state_of(handler, item).copied() }])
    }

    /// Asks about the items of a handler, and the handler itself, whose interruptions have used up the retry budget. The questions
    /// are added to the log of the last interrupted session. If none is known, they get the number of the last session, without
    /// its manager.
    pub(super) fn ask_about_interrupted(&mut self, handler: HandlerId, now: SystemTime) -> Vec<StateChange> {
        let (session, manager) = self.interrupted.latest_of(handler).unwrap_or((self.last_session, Uuid::nil()));
        let Some(known) = self.handlers.get_mut(&handler) else { return Vec::new() };
        let (mut changes, mut entries) = (Vec::new(), Vec::new());
        let spent = known.items.iter().filter(|(_, state)| is_spent(state));
        let spent: Vec<_> = spent.map(|(item, state)| (item, *state)).collect();
        for (item, before) in spent {
            let state = RetryState { status: RetryStatus::NeedsAttention, ..before };
            known.items.insert(item, state);
            changes.push(StateChange::Retry { handler, item, retry: Some(state) });
            let failed = format!("failed {} times, the last time because the program ended", state.total);
            entries.push(Arc::new(attention_question(item, &failed)));
        }
        if !entries.is_empty() {
            changes.push(StateChange::Logged { handler, manager, session, time: now, entries });
        }
        changes
    }

    fn has_status(&self, handler: HandlerId, item: ItemId, is: impl Fn(RetryStatus) -> bool) -> bool {
        self.state_of(handler, item).is_some_and(|state| is(state.status))
    }
}

/// Returns `true` if the interruptions have used up the retry budget, and the user was not asked yet.
fn is_spent(state: &RetryState) -> bool {
    state.status == RetryStatus::Interrupted && state.until.is_none()
}
