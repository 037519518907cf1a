//! How an attempt's items are cancelled, and how those that have no end get one.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use futures::future::poll_fn;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::cell::ItemCell;
use syncmgr_core::decision::run::Skip;
use syncmgr_core::decision::verdict::{Verdict, judge_unreported};
use syncmgr_core::error::{FailureClass, panic_text};
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ItemId, Subject};
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::status::Status;
use tokio::time::Instant;

use super::Attempt;
use super::state::{Aborted, Wake, Working};

impl Attempt {
    /// Skips one item. `false` when it is not part of this attempt or has ended.
    pub(crate) fn skip(&self, item: ItemId) -> bool {
        let Some(place) = self.place(item) else { return false };
        let mut state = self.lock();
        let skip = state.run.skip(place);
        let mut wake = Wake::default();
        if skip == Skip::Signal {
            wake.signal(state.cell(place), CancelReason::Skipped);
        }
        wake.add(state.cancelled_workers(Instant::now()));
        wake.add(state.everybody());
        drop(state);
        wake.perform();
        if skip == Skip::Released {
            self.release(place);
        }
        skip != Skip::TooLate
    }

    /// Cancels one running item.
    pub(super) fn signal(&self, cell: &Arc<ItemCell>, reason: CancelReason) {
        let mut wake = Wake::default();
        wake.signal(Some(cell), reason);
        let mut state = self.lock();
        wake.add(state.cancelled_workers(Instant::now()));
        drop(state);
        wake.perform();
    }

    /// Stops everything that has not ended.
    pub(crate) fn stop(&self, reason: CancelReason) {
        let mut wake = Wake::default();
        wake.add_token(self.cancel.cancel(reason));
        let mut state = self.lock();
        let released = state.run.stop(reason);
        for cell in state.cells() {
            wake.signal(Some(cell), reason);
        }
        wake.add(state.cancelled_workers(Instant::now()));
        wake.add(state.everybody());
        drop(state);
        wake.perform();
        released.into_iter().for_each(|place| self.release(place));
    }

    /// Stops everything, without any grace: whoever drove this attempt is gone.
    pub(crate) fn abort(&self) {
        self.lock().aborted = Aborted::Yes;
        self.stop(CancelReason::ShuttingDown);
    }

    /// Keeps a status for the next moment at which it may be pushed to the handler.
    pub(crate) fn push(&self, subject: Subject, status: Status) {
        self.change(|state| state.pushes.push((subject, status)));
    }

    /// Tells the handler what was pushed. Called while a window is open, between two polls.
    pub(crate) fn deliver(&self) {
        let pushes = mem::take(&mut self.lock().pushes);
        for (subject, status) in pushes {
            let context = self.context();
            let push = || self.handler.set_item_status(&context, subject, status);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(push)) {
                let text = format!("the handler panicked when told of a skip: {}", panic_text(panic));
                self.link.log(LogEntry::new(LogLevel::Error, text));
            }
        }
    }

    /// `synchronize` has ended with `code`: waits for the workers, and closes what has no end (R105).
    pub(crate) async fn finish(&self, code: HResult, class: Option<FailureClass>) {
        tokio::select! {
            biased;
            () = self.settle() => {}
            () = self.watch() => {}
        }
        let unreported = self.close(|cell| {
            let cancel = cell.and_then(|cell| cell.cancel().reason()).or(self.stopped());
            judge_unreported(code, class, cancel, cell.map(ItemCell::traces).unwrap_or_default())
        });
        for item in unreported {
            self.link.log(LogEntry::new(LogLevel::Error, "the handler did not report this item").with_item(item));
        }
    }

    /// From now on nothing is taken. What has not ended ends as `judge` says, with the cell of what began by hand.
    /// Returns the items whose end belongs into the log.
    pub(crate) fn close(&self, judge: impl Fn(Option<&ItemCell>) -> Verdict) -> Vec<ItemId> {
        let mut to_log = Vec::new();
        let (cells, asked) = self.change(|state| {
            state.working = Working::Over;
            state.pushes.clear();
            for place in state.unended() {
                let verdict = judge(state.by_hand.get(&place).map(|cell| &**cell));
                state.end(place, verdict);
                to_log.extend(verdict.level.map(|_| self.selection()[place].id()));
            }
            let asked = mem::take(&mut state.by_hand_cancelled);
            (mem::take(&mut state.by_hand), asked)
        });
        let tokens = cells.values().filter_map(|cell| cell.cancel().close());
        tokens.for_each(|token| token.cancel());
        asked.into_values().for_each(|asked| self.note_stopped(Some(asked)));
        self.return_lent();
        to_log
    }

    /// The host has detached: every context of the attempt refuses.
    pub(crate) fn detach(&self) {
        if let Some(token) = self.cancel.close() {
            token.cancel();
        }
    }

    /// Waits until no worker is busy. What is still running is stopped.
    async fn settle(&self) {
        if self.is_busy() {
            self.stop(CancelReason::HandlerStopped);
        }
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.busy == 0 {
                return Poll::Ready(());
            }
            state.wait(cx.waker());
            Poll::Pending
        })
        .await;
    }
}
