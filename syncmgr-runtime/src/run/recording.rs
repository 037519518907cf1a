//! Records the outcomes of a run's items, each in one write with its log entries and its retry status.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::task::Poll;

use futures::FutureExt;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::retry::AttemptProgress;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::error::one_line;
use syncmgr_core::id::ItemId;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::record::ItemEnd;
use syncmgr_core::store::StateChange;

use super::Run;
use super::events::Unsaved;
use crate::attempt::{Attempt, Candidate, ItemEnded};
use crate::host::Records;
use crate::outbox::Written;
use crate::scheduler::RunLog;

/// The number of journal entries read for one write.
const BATCH: usize = 1_024;

impl Run {
    /// Records outcomes as items end, until the future is dropped. If the manager records only exceptions, does
    /// nothing, because exceptions are recorded at the end of the attempt.
    pub(super) async fn recording(&self, attempt: &Attempt) -> Infallible {
        let host = self.host();
        if host.records == Records::Exceptions {
            return pending().await;
        }
        loop {
            if let Some(room) = host.ports.store.write_capacity() {
                room.await;
            }
            if !self.record_some(attempt) {
                self.journal_grown(attempt).await;
            }
            // Yields, so that items that end meanwhile are recorded together.
            tokio::task::yield_now().await;
        }
    }

    /// Records the outcomes of an attempt that are not recorded yet, without waiting.
    pub(super) fn record_now(&self, attempt: &Attempt) {
        while self.record_some(attempt) {}
    }

    /// Records the outcomes of an attempt that are not recorded yet, and waits until they are stored.
    pub(super) async fn recorded(&self, attempt: &Attempt) {
        self.record_now(attempt);
        let writes = std::mem::take(&mut self.recorded_so_far().writes);
        let mut lost = None;
        for write in writes {
            lost = write.await.err().or(lost);
        }
        if let Some(error) = lost {
            let text = format!(
                "the outcomes of some items could not be recorded, so the items may run again: {}",
                one_line(&error)
            );
            self.log(LogEntry::new(LogLevel::Error, text));
        }
    }

    /// Resolves once the attempt's journal has entries that are not recorded.
    async fn journal_grown(&self, attempt: &Attempt) {
        poll_fn(|cx| {
            // Registered before the check, so that nothing is missed.
            attempt.observe(cx.waker());
            let recorded = self.recorded_so_far().entries;
            if attempt.journal_len() > recorded { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Records the next outcomes of an attempt. Returns `false` if there are none.
    fn record_some(&self, attempt: &Attempt) -> bool {
        let log = QuietLog { run: self, asked: Cell::new(false) };
        let reported = self.report_some(attempt, &log);
        self.host().pass_writes();
        let any = reported.is_some();
        reported.flatten().into_iter().for_each(|write| self.add_write(write));
        if log.asked.get() {
            attempt.notify();
        }
        any
    }

    /// Reports the next outcomes, and queues the write of their changes. Returns `None` if there are no outcomes.
    fn report_some(&self, attempt: &Attempt, log: &QuietLog<'_>) -> Option<Option<Written>> {
        let _reporting = self.reporting.lock();
        let number = attempt.number();
        let from = {
            let mut recorded = self.recorded_so_far();
            if recorded.attempt != number {
                (recorded.attempt, recorded.entries, recorded.jitter) = (number, 0, None);
            }
            recorded.entries
        };
        let length = attempt.journal_len();
        if length > from && self.is_forgotten() {
            // These entries count as recorded, so that `journal_grown` waits for new entries.
            self.recorded_so_far().entries = length;
        }
        if self.recorded_so_far().entries >= length {
            return None;
        }
        let host = self.host();
        let clean = host.ledger().is_clean(self.id.handler);
        let exceptional = |ended: Candidate<'_>| match ended.outcome {
            Outcome::Succeeded | Outcome::Skipped | Outcome::Stopped => {
                ended.used.is_some() || !clean && self.is_known(ended.item)
            }
            _ => true,
        };
        let (ended, next) = attempt.ends(from, BATCH, |ended| host.records == Records::All || exceptional(ended));
        self.recorded_so_far().entries = next;
        let (ended, stopped) = self.split_unfinished(self.without_forgotten(ended));
        let mut changes = self.changes(attempt, ended, log);
        changes.extend(self.clear_suspects(attempt, &stopped));
        Some((!changes.is_empty()).then(|| host.queue_write(changes)))
    }

    /// Returns `true` if the end of an item changes the ledger even if the item simply succeeded.
    fn is_known(&self, item: ItemId) -> bool {
        let ledger = self.host().ledger();
        ledger.state_of(self.id.handler, item).is_some() || ledger.runs_for_change(self.id.handler, item)
    }

    /// Writes a change. Returns `None` if its handler or item was forgotten.
    pub(super) fn write(&self, change: StateChange) -> Option<Written> {
        let written = {
            let _reporting = self.reporting.lock();
            self.may_store(&change).then(|| self.host().queue_write(vec![change]))
        };
        self.host().pass_writes();
        written
    }

    fn may_store(&self, change: &StateChange) -> bool {
        let state = self.lock();
        let forgotten = match change {
            StateChange::Committed { item, .. } => state.forgotten_items.contains(item),
            _ => false,
        };
        !state.forgotten && !forgotten
    }

    /// Adds a write to wait for, unless it is done already.
    fn add_write(&self, mut write: Written) {
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

    /// Separates the items that were stopped because the manager or the machine ends: for them, the store keeps what it would keep after a kill.
    fn split_unfinished(&self, ended: Vec<ItemEnded>) -> (Vec<ItemEnded>, Vec<ItemId>) {
        let shuts_down = self.lock().stop == Some(CancelReason::ShuttingDown) || self.was_stopped_by_shutdown();
        if !shuts_down {
            return (ended, Vec::new());
        }
        let (stopped, ended): (Vec<_>, Vec<_>) =
            ended.into_iter().partition(|ended| ended.verdict.outcome == Outcome::Stopped);
        (ended, stopped.into_iter().map(|stopped| stopped.item).collect())
    }

    /// Returns the changes to store for items that have ended.
    fn changes(&self, attempt: &Attempt, ended: Vec<ItemEnded>, log: &QuietLog<'_>) -> Vec<StateChange> {
        let (handler, fence) = (self.id.handler, attempt.fence());
        let mut changes = Vec::new();
        let ends = ended.iter().map(|ended| ended.item).collect();
        if !ended.is_empty() {
            let end = |ended: ItemEnded| (ended.item, self.end_of(ended, log, &mut changes));
            let items = ended.into_iter().map(end).collect();
            let time = self.host().now().wall;
            changes.push(StateChange::Ended { handler, fence, time, items });
        }
        // An item's log entries are stored with its end, not before.
        let unsaved = self.events.unsaved(attempt.number(), ends, |item| attempt.item(item).is_some());
        changes.extend(unsaved.map(|unsaved| self.log_change(unsaved)));
        changes
    }

    /// Returns the record of an item's end. Related changes are added to `changes`.
    fn end_of(&self, ended: ItemEnded, log: &QuietLog<'_>, changes: &mut Vec<StateChange>) -> ItemEnd {
        let ItemEnded { item, verdict, used } = ended;
        let succeeded = verdict.outcome == Outcome::Succeeded;
        let consumed: Vec<_> = if succeeded { used.answers.into_iter().collect() } else { Vec::new() };
        let host = self.host();
        if !consumed.is_empty() {
            host.ledger().consume_answers(self.id.handler, item, &consumed);
        }
        let mut retry = None;
        if self.is_set_aside(item, verdict.outcome) && !self.attempt().is_suspect(item) {
            retry = host.ledger().state_of(self.id.handler, item).copied();
        } else if !succeeded || !host.ledger().is_clean(self.id.handler) {
            let progress = if used.committed { AttemptProgress::Committed } else { AttemptProgress::None };
            let policy = self.retry_policy();
            let attempted = self.attempted(item, verdict, progress, &policy);
            let (after, effects) = host.ledger().ended(&attempted);
            changes.extend(host.perform(effects, log));
            retry = after;
        }
        ItemEnd::new(verdict.outcome)
            .with_retry(retry)
            .with_sides(used.sides.filter(|_| succeeded))
            .with_consumed(consumed)
    }

    /// Returns the change that stores a part of the log.
    pub(super) fn log_change(&self, unsaved: Unsaved) -> StateChange {
        let (host, handler, session) = (self.host(), self.id.handler, self.id.session);
        let (manager, time) = (host.id, host.now().wall);
        match unsaved {
            Unsaved::Appended(entries) => StateChange::Logged { handler, manager, session, time, entries },
            Unsaved::Replaced(entries) => StateChange::Log { handler, manager, session, time, entries },
        }
    }
}

/// The log of a run that is locked: the observers are notified once the lock is released.
struct QuietLog<'a> {
    run: &'a Run,
    /// `true` once a question was added.
    asked: Cell<bool>,
}

impl RunLog for QuietLog<'_> {
    fn add_question(&self, question: LogEntry) {
        self.run.replace_question(question);
        self.asked.set(true);
    }

    fn remove_questions(&self, item: ItemId) {
        self.run.remove_questions(item);
    }
}
