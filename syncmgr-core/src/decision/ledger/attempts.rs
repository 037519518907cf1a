//! What the end of an attempt leaves behind.

use std::time::SystemTime;

use super::{Effect, HANDLER_ITSELF, RetryLedger, writes};
use crate::claim::Claim;
use crate::decision::resource;
use crate::decision::retry::{self, Advance, Clearing};
use crate::decision::verdict::{Outcome, Verdict};
use crate::id::{ErrorId, HandlerId, ItemId};
use crate::log::{LogEntry, LogLevel, Question, Remedy};
use crate::request::RunRequest;
use crate::retry::{RetryPolicy, RetryState, Setback};
use crate::store::StateChange;
use crate::time::later;

/// An attempt at an item that has ended, and what the judgement needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Attempted<'a> {
    /// The handler.
    pub handler: HandlerId,
    /// The item, or [`HANDLER_ITSELF`] for a handler that did or did not begin.
    pub item: ItemId,
    /// How it ended.
    pub verdict: Verdict,
    /// Whether it got the item further.
    pub advance: Advance,
    /// By which rules the handler is retried.
    pub policy: &'a RetryPolicy,
    /// The time of day.
    pub now: SystemTime,
    /// Any number; waits differ by it.
    pub chance: u64,
    /// By what it was asked for, if by anybody.
    pub by: Option<Clearing>,
    /// Who stopped it, where it was stopped.
    pub stopped_by: StoppedBy,
}

/// Who stops an item that is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoppedBy {
    /// Somebody who does not want it again soon.
    Request,
    /// The end of the manager: nobody called it off.
    Shutdown,
}

/// The key of the question what is to become of an item that was tried too often.
const ATTENTION: &str = "attention";

impl RetryLedger {
    /// An attempt at an item with these claims has ended. Returns what it leaves behind of the item.
    #[must_use = "perform the effects"]
    pub fn ended<'c>(
        &mut self,
        attempted: &Attempted<'_>,
        claims: impl IntoIterator<Item = &'c Claim>,
    ) -> (Option<RetryState>, Vec<Effect>) {
        let attempted = &Attempted { now: self.time(attempted.now), ..*attempted };
        let Attempted { handler, item, verdict, .. } = *attempted;
        let changed = claims.into_iter().filter_map(|claim| {
            let retry = self.after_claim(claim, attempted)?;
            Some(StateChange::Resource { claim: claim.clone(), retry })
        });
        let mut effects = writes(changed.collect::<Vec<_>>());
        if verdict.outcome == Outcome::Succeeded && self.state_of(handler, item).is_some() {
            effects.push(Effect::Settle(item));
            effects.push(Effect::Write(StateChange::Settled { handler, item }));
        }
        let after = self.after(attempted, &mut effects);
        (after, effects)
    }

    /// A handler that was to do this could begin, or could not: that is remembered like what becomes of an item. `None`
    /// where there is nothing to record.
    #[must_use = "perform the effects"]
    pub fn began(
        &mut self,
        attempted: &Attempted<'_>,
        request: &RunRequest,
    ) -> Option<(Option<RetryState>, Vec<Effect>)> {
        let handler = attempted.handler;
        if attempted.verdict.outcome == Outcome::Succeeded && self.state_of(handler, HANDLER_ITSELF).is_none() {
            return None;
        }
        let mut effects = Vec::new();
        let attempted = &Attempted { now: self.time(attempted.now), item: HANDLER_ITSELF, ..*attempted };
        let after = self.after(attempted, &mut effects);
        // Who was given what to run takes up nothing that was interrupted: that is left to another session.
        if after.is_none() && request.items.is_some() && self.interrupted.resume_again(handler) {
            effects.push(Effect::Wake);
        }
        Some((after, effects))
    }

    /// Sets what an attempt leaves behind of its item.
    fn after(&mut self, attempted: &Attempted<'_>, effects: &mut Vec<Effect>) -> Option<RetryState> {
        let Attempted { handler, item, verdict, .. } = *attempted;
        let before = self.state_of(handler, item).copied();
        let ends = verdict.outcome == Outcome::Stopped && attempted.stopped_by == StoppedBy::Shutdown;
        let after = if ends { before } else { judge(before, attempted) };
        if !ends {
            self.set(handler, item, after);
        }
        effects.extend(ask_for_attention(item, before, after).map(Effect::Ask));
        effects.extend(after.map(|_| Effect::Wake));
        after
    }

    /// The same for what an item claims. Returns what is left, if that has changed.
    fn after_claim(&mut self, claim: &Claim, attempted: &Attempted<'_>) -> Option<Option<RetryState>> {
        let Attempted { verdict, policy, now, chance, by, .. } = *attempted;
        let before = self.resources.get(claim).copied();
        let cleared = if by == Some(Clearing::Force) { retry::clear(before, Clearing::Force) } else { before };
        let after = resource::after(policy, cleared.as_ref(), verdict, now, chance);
        match after {
            Some(state) => self.resources.insert(claim.clone(), state),
            None => self.resources.remove(claim),
        };
        (after != before).then_some(after)
    }
}

/// What is left of an item. Whoever asked by hand begins afresh; where nothing came of it, all is as it was.
fn judge(before: Option<RetryState>, attempted: &Attempted<'_>) -> Option<RetryState> {
    let Attempted { verdict, advance, policy, now, chance, by, .. } = *attempted;
    let undone = matches!(verdict.outcome, Outcome::Skipped | Outcome::Stopped);
    let cleared = by.filter(|_| !undone).map_or(before, |by| retry::clear(before, by));
    let after = retry::after(policy, cleared.as_ref(), verdict, advance, now, chance)?;
    let is_due = after.until.is_some_and(|until| until <= now);
    // Who called a retry off does not want it again soon.
    Some(if undone && is_due { RetryState { until: Some(later(now, policy.cap)), ..after } } else { after })
}

/// An item was tried as often as the budget allows: instead of silence, a question.
fn ask_for_attention(item: ItemId, before: Option<RetryState>, after: Option<RetryState>) -> Option<LogEntry> {
    let needs = |state: Option<RetryState>| state.filter(|state| state.setback == Setback::NeedsAttention);
    let state = needs(after).filter(|_| needs(before).is_none())?;
    let text = format!("needs attention: failed {} times and is not tried again by itself", state.total);
    let question = Question::of_host(ATTENTION, &text, [Remedy::TryAgain, Remedy::Refuse], 0);
    let id = ErrorId::of_question(item, ATTENTION);
    Some(LogEntry::new(LogLevel::Warning, text).with_item(item).with_question(id, question))
}
