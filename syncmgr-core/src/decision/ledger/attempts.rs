//! The end of an attempt: retry states, resources and questions.

use std::time::SystemTime;

use super::{Effect, HANDLER_ITSELF, RetryLedger, writes};
use crate::claim::Claim;
use crate::decision::resource;
use crate::decision::retry::{self, AttemptProgress, ClearedBy};
use crate::decision::verdict::{Outcome, Verdict};
use crate::id::{ErrorId, ErrorScope, HandlerId, ItemId};
use crate::log::{LogEntry, LogLevel, Question, Remedy};
use crate::request::RunRequest;
use crate::retry::{RetryPolicy, RetryState, RetryStatus};
use crate::store::StateChange;
use crate::time::later;

/// An ended attempt at an item. The stop of items because the manager ends is no such end.
#[derive(Clone, Copy, Debug)]
pub struct EndedAttempt<'a> {
    /// The handler.
    pub handler: HandlerId,
    /// The item, or [`HANDLER_ITSELF`] for the attempt to begin a run of the handler.
    pub item: ItemId,
    /// The outcome.
    pub verdict: Verdict,
    /// The progress the attempt committed.
    pub progress: AttemptProgress,
    /// The retry policy of the handler.
    pub policy: &'a RetryPolicy,
    /// The time of day.
    pub now: SystemTime,
    /// A random number, used as jitter of the wait.
    pub chance: u64,
    /// The kind of request that ran the item, if it was requested.
    pub cleared_by: Option<ClearedBy>,
}

/// The key of the question about an item that needs attention.
pub const ATTENTION: &str = "attention";

impl RetryLedger {
    /// Returns `true` if a claimed resource has a retry state. Without one, no claim is held back, and a success changes nothing.
    pub fn has_resources(&self) -> bool {
        !self.resources.is_empty()
    }

    /// Records an attempt at an item for its claims, before the item releases them. A claim that is held back from now on
    /// holds every item that needs it, in every session.
    #[must_use = "perform the effects"]
    pub fn claims_used<'c>(
        &mut self,
        attempted: &EndedAttempt<'_>,
        claims: impl IntoIterator<Item = &'c Claim>,
    ) -> Vec<Effect> {
        let attempted = &EndedAttempt { now: self.time(attempted.now), ..*attempted };
        let changed = claims.into_iter().filter_map(|claim| {
            let retry = self.after_claim(claim, attempted)?;
            Some((claim.clone(), retry))
        });
        let changed: Vec<_> = changed.collect();
        let is_free = |(claim, retry): &(Claim, Option<RetryState>)| retry.is_none().then(|| claim.clone());
        let mut effects = self.start_held_back(&changed.iter().filter_map(is_free).collect::<Vec<_>>(), attempted.now);
        effects.extend(writes(changed.into_iter().map(|(claim, retry)| StateChange::Resource { claim, retry })));
        effects
    }

    /// Records the end of an attempt at an item. Returns the item's new retry state.
    #[must_use = "perform the effects"]
    pub fn ended(&mut self, attempted: &EndedAttempt<'_>) -> (Option<RetryState>, Vec<Effect>) {
        let attempted = &EndedAttempt { now: self.time(attempted.now), ..*attempted };
        let EndedAttempt { handler, item, verdict, policy, now, .. } = *attempted;
        let mut effects = Vec::new();
        let has_succeeded = verdict.outcome == Outcome::Succeeded;
        if (has_succeeded || verdict.is_partial) && self.state_of(handler, item).is_some() {
            effects.extend(has_succeeded.then_some(Effect::RemoveQuestions(item)));
            // Only those of earlier sessions: the questions of this attempt are stored after it.
            effects.push(Effect::Write(StateChange::Settled { handler, item }));
        }
        self.due_without_state.remove(&(handler, item));
        if !matches!(verdict.outcome, Outcome::Skipped | Outcome::Stopped) {
            self.suspects.remove(&(handler, item));
        }
        let after = self.after(attempted, &mut effects);
        let undone = matches!(verdict.outcome, Outcome::Skipped | Outcome::Stopped);
        // The run has not looked at the change.
        if self.changes.ended(handler, item) && undone && after.is_none() {
            self.changes.add_at(handler, item, later(now, policy.cap));
            effects.push(Effect::Wake);
        }
        (after, effects)
    }

    /// Records whether a handler could begin this request, with the same rules as for an item. Returns `None` if there is nothing
    /// to record.
    #[must_use = "perform the effects"]
    pub fn began(
        &mut self,
        attempted: &EndedAttempt<'_>,
        request: &RunRequest,
    ) -> Option<(Option<RetryState>, Vec<Effect>)> {
        let handler = attempted.handler;
        let mut effects = self.requeue_after_begin(attempted);
        if attempted.verdict.outcome == Outcome::Succeeded {
            let before = self.state_of(handler, HANDLER_ITSELF);
            if before.is_none() && effects.is_empty() {
                return None;
            }
            if before.is_some_and(|before| before.status == RetryStatus::NeedsAttention) {
                let scope = ErrorScope::One(ErrorId::of_question(HANDLER_ITSELF, ATTENTION));
                effects.push(Effect::Write(StateChange::LogDeleted { handler, scope }));
            }
        }
        let attempted = &EndedAttempt { now: self.time(attempted.now), item: HANDLER_ITSELF, ..*attempted };
        let after = self.after(attempted, &mut effects);
        // A request for given items does not resume interrupted runs; another session has to.
        if after.is_none() && request.items.is_some() && self.interrupted.resume_again(handler) {
            self.version += 1;
            effects.push(Effect::Wake);
        }
        Some((after, effects))
    }

    /// If the handler can begin again, makes the items due that were due while it could not. The run that begins may have been
    /// requested for other items.
    fn requeue_after_begin(&mut self, attempted: &EndedAttempt<'_>) -> Vec<Effect> {
        let Some(handler) = self.handlers.get_mut(&attempted.handler) else { return Vec::new() };
        let fails = attempted.verdict.outcome != Outcome::Succeeded;
        if !std::mem::replace(&mut handler.failed_to_begin, fails) || fails {
            return Vec::new();
        }
        let items: Vec<_> = handler.items.keys().filter(|item| *item != HANDLER_ITSELF).collect();
        self.requeue(attempted.handler, items, attempted.policy, attempted.now)
    }

    /// Computes and sets the retry state after an attempt.
    fn after(&mut self, attempted: &EndedAttempt<'_>, effects: &mut Vec<Effect>) -> Option<RetryState> {
        let EndedAttempt { handler, item, now, .. } = *attempted;
        let (before, next) = (self.state_of(handler, item).copied(), self.retry_queue.next_of(handler));
        let after = state_after(before, attempted);
        match after {
            Some(after) => self.set(handler, item, after, now),
            None => self.clear(handler, item),
        }
        if let Some(failed_since) = self.reconnected.as_mut().filter(|_| after != before) {
            failed_since.items.insert((handler, item));
        }
        let question =
            just_spent(before, after).map(|total| attention_question(item, &format!("failed {total} times")));
        effects.extend(question.map(Effect::AddQuestion));
        effects.extend(after.map_or_else(|| self.wake_if_earlier(handler, next), |_| Some(Effect::Wake)));
        after
    }

    /// Updates the retry state of a claimed resource. Returns the new state if it has changed.
    fn after_claim(&mut self, claim: &Claim, attempted: &EndedAttempt<'_>) -> Option<Option<RetryState>> {
        let EndedAttempt { verdict, policy, now, chance, .. } = *attempted;
        let before = self.resources.get(claim).copied();
        let after = resource::after(policy, before.as_ref(), verdict, now, chance);
        match after {
            Some(state) => self.resources.insert(claim.clone(), state),
            None => self.resources.remove(claim),
        };
        if let Some(failed_since) = self.reconnected.as_mut().filter(|_| after != before) {
            failed_since.claims.insert(claim.clone());
        }
        (after != before).then_some(after)
    }
}

/// Returns the retry state after an attempt. A manual request resets the failures, unless the item was skipped or stopped.
fn state_after(before: Option<RetryState>, attempted: &EndedAttempt<'_>) -> Option<RetryState> {
    let EndedAttempt { verdict, progress, policy, now, chance, cleared_by, .. } = *attempted;
    let undone = matches!(verdict.outcome, Outcome::Skipped | Outcome::Stopped);
    let cleared = cleared_by.filter(|_| !undone).map_or(before, |by| retry::clear(before, by));
    let after = retry::after(policy, cleared.as_ref(), verdict, progress, now, chance)?;
    let after = with_peers_time(before, after, now);
    let is_due = after.until.is_some_and(|until| until <= now);
    // A retry that was skipped or stopped should not start again immediately.
    Some(if undone && is_due { RetryState { until: Some(later(now, policy.cap)), ..after } } else { after })
}

/// Returns the state after a failure for which the time that the peer set has not passed: a forced attempt, or one that did not
/// get as far as the peer. The peer still wants no request before that time.
fn with_peers_time(before: Option<RetryState>, after: RetryState, now: SystemTime) -> RetryState {
    let peers =
        before.filter(|state| state.status == RetryStatus::NotBefore && state.until.is_some_and(|until| now < until));
    match peers {
        Some(peers) if after.status == RetryStatus::Backoff => {
            RetryState { status: RetryStatus::NotBefore, until: peers.until, ..after }
        }
        _ => after,
    }
}

/// Returns the number of failures if the item has just used up its retry budget.
fn just_spent(before: Option<RetryState>, after: Option<RetryState>) -> Option<u32> {
    let needs = |state: Option<RetryState>| state.filter(|state| state.status == RetryStatus::NeedsAttention);
    needs(after).filter(|_| needs(before).is_none()).map(|state| state.total)
}

/// Returns the question to log about an item that has used up its retry budget. `failed` tells how often and why.
pub(super) fn attention_question(item: ItemId, failed: &str) -> LogEntry {
    let text = format!("needs attention: {failed}, no more automatic attempts");
    let question = Question::of_host(ATTENTION, &text, [Remedy::TryAgain, Remedy::Refuse], 0);
    let id = ErrorId::of_question(item, ATTENTION);
    LogEntry::new(LogLevel::Warning, text).with_item(item).with_question(id, question)
}
