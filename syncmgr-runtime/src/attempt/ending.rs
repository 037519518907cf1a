//! Cancelling an attempt's items, and ending the remaining items.

use std::mem;
use std::sync::Arc;
use std::task::Poll;

use futures::future::poll_fn;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::cell::ItemCell;
use syncmgr_core::decision::attempt::Skip;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::verdict::{Verdict, verdict_of_unreported};
use syncmgr_core::error::FailureClass;
use syncmgr_core::foreign;
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ItemId, Subject};
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::status::Status;
use tokio::time::Instant;

use super::Attempt;
use super::state::{Aborted, AttemptPhase, Wake};

/// The log text for an item that the handler no longer waits for.
pub(super) const UNAWAITED: &str =
    "the handler no longer waits for the item, which was cancelled; await `each_item` or `each` to its end";

impl Attempt {
    /// Skips one item. Returns `false` if it is not part of this attempt or has ended.
    pub(crate) fn skip(&self, item: ItemId) -> bool {
        let Some(index) = self.index_of(item) else { return false };
        let mut state = self.lock();
        let skip = state.items.skip(index);
        let mut wake = Wake::default();
        if skip == Skip::Signal {
            wake.signal(state.cell(index), CancelReason::Skipped);
        }
        wake.add_workers(state.cancelled_workers(Instant::now()));
        wake.add(state.take_wakers());
        drop(state);
        wake.perform();
        if skip == Skip::Released {
            self.release(index);
        }
        skip != Skip::TooLate
    }

    /// Cancels an item whose requirement is no longer met, or leaves it out if it has not begun.
    pub(crate) fn end_condition(&self, item: ItemId, hold: Hold) {
        let Some(index) = self.index_of(item) else { return };
        let cell = self.lock().cell(index).cloned();
        match cell {
            Some(cell) => self.signal(&cell, CancelReason::ItemConditionEnded),
            None => {
                if self.change(|state| state.leave_out(index, hold)) {
                    self.release(index);
                }
            }
        }
    }

    /// Cancels one running item.
    pub(super) fn signal(&self, cell: &Arc<ItemCell>, reason: CancelReason) {
        let mut wake = Wake::default();
        wake.signal(Some(cell), reason);
        let mut state = self.lock();
        wake.add_workers(state.cancelled_workers(Instant::now()));
        drop(state);
        wake.perform();
    }

    /// Stops the handler and every item that has not ended.
    pub(crate) fn stop(&self, reason: CancelReason) {
        let mut wake = Wake::default();
        wake.add_token(self.cancel.cancel(reason));
        let mut state = self.lock();
        let released = state.items.stop(reason);
        for cell in state.cells() {
            wake.signal(Some(cell), reason);
        }
        wake.add_workers(state.cancelled_workers(Instant::now()));
        wake.add(state.take_wakers());
        drop(state);
        wake.perform();
        released.into_iter().for_each(|index| self.release(index));
    }

    /// Stops everything without grace, because the task that drives the attempt was dropped.
    pub(crate) fn abort(&self) {
        self.lock().aborted = Aborted::Yes;
        self.stop(CancelReason::ShuttingDown);
    }

    /// Queues a status, to be pushed to the handler while one of its calls is pending.
    pub(crate) fn push(&self, subject: Subject, status: Status) {
        self.change(|state| state.pushes.push((subject, status)));
    }

    /// Pushes the queued statuses to the handler. Called while a handler call is pending, between two of its polls.
    pub(crate) fn deliver(&self) {
        let pushes = mem::take(&mut self.lock().pushes);
        for (subject, status) in pushes {
            let context = self.context();
            let push = || self.handler.set_item_status(&context, subject, status);
            if let Err(panic) = foreign::call(push) {
                let text = format!("the handler panicked in `set_item_status`: {panic}");
                self.link.log(LogEntry::new(LogLevel::Error, text));
            }
        }
    }

    /// Waits for the workers after `synchronize` has ended with `code`, and ends the remaining items.
    pub(crate) async fn finish(&self, code: HResult, class: Option<FailureClass>) {
        // R105.
        tokio::select! {
            biased;
            () = self.stop_workers() => {}
            () = self.watch() => {}
        }
        let unreported = self.close(|cell| {
            let cancel = cell.and_then(|cell| cell.cancel().reason()).or(self.stopped());
            verdict_of_unreported(code, class, cancel, cell.map(ItemCell::signals).unwrap_or_default())
        });
        for item in unreported {
            self.link.log(LogEntry::new(LogLevel::Error, "the handler did not report this item").with_item(item));
        }
    }

    /// Closes the attempt. An item that has not ended gets the verdict that `verdict_of` returns. `verdict_of` receives
    /// the item's cell if the handler reported the item itself. Returns the items whose end must be logged.
    pub(crate) fn close(&self, verdict_of: impl Fn(Option<&ItemCell>) -> Verdict) -> Vec<ItemId> {
        let mut to_log = Vec::new();
        let (cells, cancelled) = self.change(|state| {
            state.phase = AttemptPhase::Ended;
            state.pushes.clear();
            for index in state.unended() {
                let verdict = verdict_of(state.self_reported.get(&index).map(|cell| &**cell));
                state.end(index, verdict);
                to_log.extend(verdict.level.map(|_| self.selection()[index].id()));
            }
            let cancelled = mem::take(&mut state.self_reported_cancelled);
            (mem::take(&mut state.self_reported), cancelled)
        });
        let tokens = cells.values().filter_map(|cell| cell.cancel().close());
        tokens.for_each(|token| foreign::cancel(&token));
        cancelled.into_values().for_each(|at| self.record_stop_latency(Some(at)));
        self.return_unused();
        to_log
    }

    /// Detaches the host: every context of the attempt refuses calls from now on.
    pub(crate) fn detach(&self) {
        if let Some(token) = self.cancel.close() {
            foreign::cancel(&token);
        }
    }

    /// Cancels the items on workers that no call of the handler waits for. They fail, as in a call that runs them itself.
    pub(super) fn cancel_unawaited(&self) {
        let running: Vec<_> = {
            let state = self.lock();
            let is_running = |cell: &ItemCell| cell.cancel().reason().is_none();
            let items = state.slots.iter().filter_map(|slot| Some((slot.index?, slot.cell.clone())));
            items.filter(|(_, cell)| is_running(cell)).collect()
        };
        for (index, cell) in running {
            self.link.log(LogEntry::new(LogLevel::Error, UNAWAITED).with_item(self.selection()[index].id()));
            self.signal(&cell, CancelReason::TimedOut);
        }
    }

    /// Lets no more items begin, cancels the items that are still running, and waits until no worker is busy.
    async fn stop_workers(&self) {
        self.lock().phase = AttemptPhase::Ended;
        self.cancel_unawaited();
        poll_fn(|cx| {
            // Registered before the check, so that no change is missed.
            self.wake_at_change(cx.waker());
            if self.is_busy() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }
}
