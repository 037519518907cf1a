//! The watch over running items: detects stalled items and evicts workers that do not return.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::cell::ItemCell;
use syncmgr_core::foreign;
use syncmgr_core::id::Subject;
use syncmgr_core::info::StallPolicy;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::status::Status;
use tokio::time::{Instant, sleep_until};

use super::Attempt;
use super::state::{AttemptPhase, Evicted, Slot};
use super::worker::abandoned_text;
use crate::clock::later;

/// The quiet periods of the running items and of the run as a whole.
#[derive(Default)]
struct Quiet {
    items: BTreeMap<usize, QuietPeriod>,
    /// The length of the journal and the period in which it has not grown, while the handler runs its items itself.
    run: Option<(usize, QuietPeriod)>,
    attention: Duration,
}

/// A period without progress.
#[derive(Clone, Copy)]
struct QuietPeriod {
    start: Instant,
    reported: Reported,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reported {
    No,
    Yes,
}

/// The time added to the graces before a worker is evicted, because the worker may have been polled late.
const MARGIN: Duration = Duration::from_millis(100);

impl Attempt {
    /// Watches over the attempt until the future is dropped.
    pub(crate) async fn watch(&self) {
        let mut quiet = Quiet::default();
        let every = self.limits.stall_after() / 4;
        let mut next_check = later(Instant::now(), every);
        let mut timer = pin!(sleep_until(next_check));
        loop {
            let due = self.next_eviction().map_or(next_check, |eviction| eviction.min(next_check));
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            tokio::select! {
                biased;
                () = self.wait_for_change() => continue,
                () = &mut timer => {}
            }
            let now = Instant::now();
            self.evict_overdue(now);
            if now >= next_check {
                next_check = later(now, every);
                self.check_stalled(&mut quiet, now);
            }
        }
    }

    /// Resolves when a worker starts or leaves, or an item is cancelled.
    async fn wait_for_change(&self) {
        let mut waits = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut waits, true) {
                return Poll::Ready(());
            }
            self.wake_at_change(cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// Returns the time at which the next worker is evicted.
    fn next_eviction(&self) -> Option<Instant> {
        let state = self.lock();
        state.slots.iter().filter_map(|slot| self.eviction_time(slot)).min()
    }

    /// Returns the time at which a worker is evicted: shortly after the worker itself would have abandoned the item.
    fn eviction_time(&self, slot: &Slot) -> Option<Instant> {
        let timeout = self.limits.hard_grace().saturating_add(self.limits.soft_grace()).saturating_add(MARGIN);
        slot.index.and(slot.noticed.or(slot.cancelled)).map(|since| later(since, timeout))
    }

    /// Evicts workers that do not return from a cancelled item: they block their thread, or wait for a blocked thread.
    pub(crate) fn evict_overdue(&self, now: Instant) {
        let is_overdue = |slot: &Slot| self.eviction_time(slot).is_some_and(|due| now >= due);
        if !self.lock().slots.iter().any(is_overdue) {
            return;
        }
        let evicted = self.change(|state| {
            let overdue: Vec<_> = (0..state.slots.len()).filter(|index| is_overdue(&state.slots[*index])).collect();
            overdue.into_iter().filter_map(|index| state.evict(index)).collect::<Vec<_>>()
        });
        for Evicted { index, cell, cancelled_at } in evicted {
            let item = self.selection()[index].id();
            self.link.item_ends(item, &cell);
            let blocks = if cell.poll_in_progress().is_some() { "; it blocks its thread" } else { "" };
            let text = format!("{}{blocks}", abandoned_text(self));
            self.link.log(LogEntry::new(LogLevel::Error, text).with_item(item));
            self.record_stop_latency(cancelled_at);
            self.abandon(item, &cell);
            self.link.return_workers(1);
        }
        // Replaces the evicted workers.
        self.request_needed_workers();
    }

    /// Reports items that made no progress for too long, and cancels them if the stall policy says so.
    fn check_stalled(&self, quiet: &mut Quiet, now: Instant) {
        let attention = self.link.attention_time();
        if std::mem::replace(&mut quiet.attention, attention) != attention {
            // Time in which the user is asked does not count as quiet.
            (quiet.items, quiet.run) = (BTreeMap::new(), None);
            return;
        }
        let running: Vec<_> = self.lock().running().map(|(index, cell)| (index, cell.clone())).collect();
        let before = std::mem::take(&mut quiet.items);
        let mut any_progress = false;
        for (index, cell) in running {
            let fresh = cell.take_new_progress();
            any_progress |= fresh;
            let known = before.get(&index).copied().filter(|_| !fresh);
            let mut period = known.unwrap_or(QuietPeriod { start: now, reported: Reported::No });
            if period.reported == Reported::No
                && now - period.start >= self.limits.stall_after()
                && cell.cancel().reason().is_none()
            {
                period.reported = Reported::Yes;
                self.report_stalled(index, &cell);
            }
            quiet.items.insert(index, period);
        }
        self.check_stalled_run(quiet, now, any_progress);
    }

    fn report_stalled(&self, index: usize, cell: &Arc<ItemCell>) {
        let (item, quiet) = (self.selection()[index].id(), self.limits.stall_after());
        match self.limits.stall_policy() {
            StallPolicy::Report => {
                let text = format!("no progress for {quiet:?}; the item continues");
                self.link.log(LogEntry::new(LogLevel::Warning, text).with_item(item));
            }
            _ => {
                let text =
                    format!("stalled: no progress for {quiet:?}; the item was cancelled; report progress more often");
                self.link.log(LogEntry::new(LogLevel::Error, text).with_item(item));
                self.signal(cell, CancelReason::TimedOut);
            }
        }
    }

    /// Reports a handler that runs its items itself and makes no progress. Times out its call if the stall policy says so.
    fn check_stalled_run(&self, quiet: &mut Quiet, now: Instant, any_progress: bool) {
        let (length, by_itself) = {
            let state = self.lock();
            (state.items.journal_len(), state.active_calls == 0 && state.phase == AttemptPhase::Synchronizing)
        };
        let before = quiet.run.take().filter(|(known, _)| by_itself && !any_progress && *known == length);
        let (_, mut period) = before.unwrap_or((length, QuietPeriod { start: now, reported: Reported::No }));
        if period.reported == Reported::No && now - period.start >= self.limits.stall_after() {
            period.reported = Reported::Yes;
            self.report_stalled_run();
        }
        quiet.run = by_itself.then_some((length, period));
    }

    fn report_stalled_run(&self) {
        let quiet = self.limits.stall_after();
        match self.limits.stall_policy() {
            StallPolicy::Report => {
                self.link
                    .log(LogEntry::new(LogLevel::Warning, format!("no progress for {quiet:?}; the call continues")));
            }
            _ => self.time_out(),
        }
    }

    /// Times out the current call of the handler: notifies the handler, and drops the call after the soft grace.
    pub(crate) fn time_out(&self) {
        let token = self.cancel.cancel(CancelReason::TimedOut);
        if let Some(token) = token {
            foreign::cancel(&token);
        }
        self.push(Subject::Handler, Status::Stopped);
    }
}
