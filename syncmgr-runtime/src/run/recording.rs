//! What becomes of a run's items is recorded: each end with its log entries and what the failure leaves behind, in one
//! write.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::task::Poll;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::decision::retry::Advance;
use syncmgr_core::decision::verdict::{Outcome, Verdict};
use syncmgr_core::error::{SyncResult, one_line};
use syncmgr_core::id::{ErrorId, ItemId};
use syncmgr_core::log::{LogEntry, LogLevel, Question, Remedy};
use syncmgr_core::record::ItemEnd;
use syncmgr_core::retry::{RetryState, Setback};
use syncmgr_core::store::StateChange;

use super::Run;
use super::notes::Unsaved;
use crate::attempt::{Attempt, Candidate, ItemEnded};
use crate::host::Records;
use crate::setbacks::Attempted;

/// How many entries of the journal are looked at for one write.
const BATCH: usize = 1_024;

/// How far the recording of an attempt is, and what is still being written.
#[derive(Default)]
pub(super) struct Recorded {
    attempt: u32,
    entries: usize,
    writes: VecDeque<BoxFuture<'static, SyncResult>>,
}

/// The key of the question what is to become of an item that was tried too often.
const ATTENTION: &str = "attention";

impl Run {
    /// Records ends as they happen, until dropped. Where only exceptions are recorded, nothing is to be done before the end.
    pub(super) async fn recording(&self, attempt: &Attempt) -> Infallible {
        let host = self.session().host().clone();
        if host.records == Records::Exceptions {
            return pending().await;
        }
        loop {
            if let Some(room) = host.ports.store.room() {
                room.await;
            }
            if !self.record_some(attempt) {
                self.grown(attempt).await;
            }
            // Whatever else is ready goes first: what ends meanwhile is recorded together.
            tokio::task::yield_now().await;
        }
    }

    /// Records what is left of an attempt, and waits for nothing.
    pub(super) fn record_now(&self, attempt: &Attempt) {
        while self.record_some(attempt) {}
    }

    /// Records what is left of an attempt, and waits until all of it is stored.
    pub(super) async fn recorded(&self, attempt: &Attempt) {
        self.record_now(attempt);
        let writes = std::mem::take(&mut self.recorded_so_far().writes);
        let mut lost = None;
        for write in writes {
            lost = write.await.err().or(lost);
        }
        if let Some(error) = lost {
            let text = format!("what was done could not be recorded, and may be done again: {}", one_line(&error));
            self.log(LogEntry::new(LogLevel::Error, text));
        }
    }

    /// Resolves when the attempt's journal goes on behind what is recorded.
    async fn grown(&self, attempt: &Attempt) {
        poll_fn(|cx| {
            // Registered before looking, so that nothing is missed.
            attempt.observe(cx.waker());
            let recorded = self.recorded_so_far().entries;
            if attempt.journal_len() > recorded { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Records the next ends of an attempt. `false` when there is nothing left to look at.
    fn record_some(&self, attempt: &Attempt) -> bool {
        let number = attempt.number();
        let from = {
            let mut recorded = self.recorded_so_far();
            if recorded.attempt != number {
                (recorded.attempt, recorded.entries) = (number, 0);
            }
            recorded.entries
        };
        let length = attempt.journal_len();
        if length > from && self.lock().forgotten {
            // Passed over, so that whoever waits for more does wait.
            self.recorded_so_far().entries = length;
        }
        if self.recorded_so_far().entries >= length {
            return false;
        }
        let host = self.session().host().clone();
        let clean = host.setbacks.is_clean(self.id.handler);
        let exceptional = |ended: Candidate<'_>| match ended.outcome {
            Outcome::Succeeded | Outcome::Skipped | Outcome::Stopped => {
                ended.used.is_some() || !clean && host.setbacks.concern(self.id.handler, ended.item)
            }
            _ => true,
        };
        let (ended, next) = attempt.ends(from, BATCH, |ended| host.records == Records::All || exceptional(ended));
        self.recorded_so_far().entries = next;
        let ended = self.without_forgotten(ended);
        let changes = self.changes(attempt, ended);
        if !changes.is_empty() {
            self.keep_write(host.write(changes));
        }
        true
    }

    /// Whether a change may be stored: neither the handler nor the item was forgotten.
    pub(super) fn remembers(&self, change: &StateChange) -> bool {
        let state = self.lock();
        let forgotten = match change {
            StateChange::Committed { item, .. } => state.forgotten_items.contains(item),
            _ => false,
        };
        !state.forgotten && !forgotten
    }

    /// Keeps a write to be waited for, unless it is done already.
    fn keep_write(&self, mut write: BoxFuture<'static, SyncResult>) {
        let mut recorded = self.recorded_so_far();
        while let Some(first) = recorded.writes.front_mut() {
            match first.now_or_never() {
                Some(Ok(())) => drop(recorded.writes.pop_front()),
                Some(Err(error)) => {
                    recorded.writes[0] = async move { Err(error) }.boxed();
                    break;
                }
                None => break,
            }
        }
        match (&mut write).now_or_never() {
            Some(Ok(())) => {}
            Some(Err(error)) => recorded.writes.push_back(async move { Err(error) }.boxed()),
            None => recorded.writes.push_back(write),
        }
    }

    fn without_forgotten(&self, mut ended: Vec<ItemEnded>) -> Vec<ItemEnded> {
        let state = self.lock();
        if !state.forgotten_items.is_empty() {
            ended.retain(|ended| !state.forgotten_items.contains(&ended.item));
        }
        ended
    }

    /// What is to be written of items that have ended.
    fn changes(&self, attempt: &Attempt, ended: Vec<ItemEnded>) -> Vec<StateChange> {
        let (handler, fence) = (self.id.handler, attempt.fence());
        let mut changes = Vec::new();
        let ends: BTreeSet<_> = ended.iter().map(|ended| ended.item).collect();
        if !ended.is_empty() {
            let end = |ended: ItemEnded| (ended.item, self.end_of(attempt, ended, &mut changes));
            let items = ended.into_iter().map(end).collect();
            let time = self.session().host().now().wall;
            changes.push(StateChange::Ended { handler, fence, time, items });
        }
        // What an item logs is stored with its end, and not before.
        let may_be =
            |entry: &LogEntry| entry.item.is_none_or(|item| ends.contains(&item) || attempt.phase_of(item).is_none());
        changes.extend(self.unsaved_log(may_be));
        changes
    }

    /// What is to be recorded of an item. What its failure means for the resources it claims goes to `changes`.
    fn end_of(&self, attempt: &Attempt, ended: ItemEnded, changes: &mut Vec<StateChange>) -> ItemEnd {
        let ItemEnded { place, item, verdict, used } = ended;
        let Verdict { outcome, .. } = verdict;
        let succeeded = outcome == Outcome::Succeeded;
        let consumed: Vec<_> = if succeeded { used.answers.into_iter().collect() } else { Vec::new() };
        let host = self.session().host().clone();
        if !consumed.is_empty() {
            host.used_up(self.id.handler, item, &consumed);
        }
        let advance = if used.committed { Advance::Moved } else { Advance::Nothing };
        let retry = if succeeded && host.setbacks.is_clean(self.id.handler) {
            None
        } else {
            let policy = self.retry_policy();
            let chance = if succeeded { 0 } else { host.chance() };
            let (handler, by, now) = (self.id.handler, self.asked_by(), host.time());
            let attempted = Attempted { handler, item, verdict, advance, policy: &policy, now, chance, by };
            for claim in self.claims_of(&attempt.selection()[place]) {
                let changed = host.setbacks.after_claim(claim, &attempted);
                changes.extend(changed.map(|retry| StateChange::Resource { claim: claim.clone(), retry }));
            }
            let before = host.setbacks.of(self.id.handler, item);
            if succeeded && before.is_some() {
                self.notes.settle(item);
                changes.push(StateChange::Settled { handler, item });
            }
            let after = match outcome == Outcome::Stopped && host.tracker.is_closed() {
                // Nobody called it off: the manager ends.
                true => before,
                false => host.setbacks.after(&attempted),
            };
            self.ask_for_attention(item, before, after);
            if after.is_some() {
                host.attend();
            }
            after
        };
        ItemEnd { outcome, retry, sides: used.sides.filter(|_| succeeded), consumed }
    }

    /// An item was tried as often as the budget allows: instead of silence, a question.
    pub(super) fn ask_for_attention(&self, item: ItemId, before: Option<RetryState>, after: Option<RetryState>) {
        let needs = |state: Option<RetryState>| state.filter(|state| state.setback == Setback::NeedsAttention);
        let (None, Some(state)) = (needs(before), needs(after)) else { return };
        let text = format!("needs attention: failed {} times and is not tried again by itself", state.total);
        let id = ErrorId::of_question(item, ATTENTION);
        let question = Question::of_host(ATTENTION, &text, [Remedy::TryAgain, Remedy::Refuse], 0);
        self.notes.delete(syncmgr_core::id::ErrorScope::One(id));
        self.log(LogEntry::new(LogLevel::Warning, text).about(item).with_question(id, question));
    }

    /// The log as it is to be stored, if it has changed since this was asked last.
    pub(super) fn unsaved_log(&self, may_be: impl Fn(&LogEntry) -> bool) -> Option<StateChange> {
        let unsaved = self.notes.unsaved(may_be)?;
        let (host, handler, session) = (self.session().host().clone(), self.id.handler, self.id.session);
        let (manager, time) = (host.id, host.now().wall);
        Some(match unsaved {
            Unsaved::Grown(entries) => StateChange::Logged { handler, manager, session, time, entries },
            Unsaved::Changed(entries) => StateChange::Log { handler, manager, session, time, entries },
        })
    }
}
