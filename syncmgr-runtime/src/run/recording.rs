//! What becomes of a run's items is recorded: each end with its log entries and what the failure leaves behind, in one
//! write.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::task::Poll;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::decision::retry::Advance;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::error::{SyncResult, one_line};
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::record::ItemEnd;
use syncmgr_core::store::StateChange;

use super::Run;
use super::notes::Unsaved;
use crate::attempt::{Attempt, Candidate, ItemEnded};
use crate::host::Records;

/// How many entries of the journal are looked at for one write.
const BATCH: usize = 1_024;

impl Run {
    /// Records ends as they happen, until dropped. Where only exceptions are recorded, nothing is to be done before the end.
    pub(super) async fn recording(&self, attempt: &Attempt) -> Infallible {
        let host = self.host();
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
        let host = self.host();
        let clean = host.ledger().is_clean(self.id.handler);
        let exceptional = |ended: Candidate<'_>| match ended.outcome {
            Outcome::Succeeded | Outcome::Skipped | Outcome::Stopped => {
                ended.used.is_some() || !clean && host.ledger().concerns(self.id.handler, ended.item)
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
            let time = self.host().now().wall;
            changes.push(StateChange::Ended { handler, fence, time, items });
        }
        // What an item logs is stored with its end, and not before.
        let may_be =
            |entry: &LogEntry| entry.item.is_none_or(|item| ends.contains(&item) || attempt.phase_of(item).is_none());
        changes.extend(self.unsaved_log(may_be));
        changes
    }

    /// What is to be recorded of an item. What else changes with it goes to `changes`.
    fn end_of(&self, attempt: &Attempt, ended: ItemEnded, changes: &mut Vec<StateChange>) -> ItemEnd {
        let ItemEnded { place, item, verdict, used } = ended;
        let succeeded = verdict.outcome == Outcome::Succeeded;
        let consumed: Vec<_> = if succeeded { used.answers.into_iter().collect() } else { Vec::new() };
        let host = self.host();
        if !consumed.is_empty() {
            host.ledger().use_up(self.id.handler, item, &consumed);
        }
        let mut retry = None;
        if !succeeded || !host.ledger().is_clean(self.id.handler) {
            let advance = if used.committed { Advance::Moved } else { Advance::Nothing };
            let policy = self.retry_policy();
            let attempted = self.attempted(item, verdict, advance, &policy);
            let claims = self.claims_of(&attempt.selection()[place]);
            let (after, effects) = host.ledger().ended(&attempted, claims);
            changes.extend(host.perform(effects, self));
            retry = after;
        }
        ItemEnd::new(verdict.outcome)
            .with_retry(retry)
            .with_sides(used.sides.filter(|_| succeeded))
            .with_consumed(consumed)
    }

    /// The log as it is to be stored, if it has changed since this was asked last.
    pub(super) fn unsaved_log(&self, may_be: impl Fn(&LogEntry) -> bool) -> Option<StateChange> {
        let unsaved = self.notes.unsaved(may_be)?;
        let (host, handler, session) = (self.host(), self.id.handler, self.id.session);
        let (manager, time) = (host.id, host.now().wall);
        Some(match unsaved {
            Unsaved::Grown(entries) => StateChange::Logged { handler, manager, session, time, entries },
            Unsaved::Changed(entries) => StateChange::Log { handler, manager, session, time, entries },
        })
    }
}
