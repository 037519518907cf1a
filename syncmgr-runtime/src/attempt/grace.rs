//! The supervision of one item's work: panics are caught, and a cancelled item ends within its grace.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::context::ItemContext;
use syncmgr_core::error::SyncResult;
use syncmgr_core::foreign::{self, Foreign};
use syncmgr_core::info::Limits;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Attempt;
use crate::call::{destructor_panicked, panicked};
use crate::clock::later;
use crate::nesting::{self, CallSource};

/// The end of an item's work.
pub(super) enum WorkEnd {
    Succeeded,
    /// Returned an error.
    Failed(Foreign<SyncResult>),
    /// Panicked, with the text for the log.
    Panicked(String),
    /// Dropped after the soft grace; all work that the item started has ended.
    Dropped,
    /// Abandoned: work that the item started outlived the hard grace.
    Abandoned,
}

/// The poll state of a worker.
pub(super) struct PollState {
    /// The waker in the worker's slot.
    pub(super) waker: Waker,
    /// `true` if the worker has been pending since the last check.
    pub(super) suspended: bool,
    /// The source of the item's calls.
    pub(super) source: CallSource,
}

/// Polls an item's work to its end.
///
/// ```text
/// working ── returns or panics ──▶ waits for work it started ──▶ ended
///    │ cancelled                        │ cancelled
///    ▼                                  ▼
/// soft grace (hard, while uninterrupted) ── over ──▶ dropped, with its tasks ──▶ ended
///                                                     └── hard grace over ──▶ abandoned
/// ```
pub(super) struct Supervised<'a, B> {
    attempt: &'a Attempt,
    slot: usize,
    item: &'a ItemContext,
    /// Begins the work, at the first poll.
    begin: Option<B>,
    /// The work, from its begin to its end.
    work: Option<BoxFuture<'a, SyncResult>>,
    ended: Option<WorkEnd>,
    grace: Option<Grace>,
    poll_state: &'a mut PollState,
    span: tracing::Span,
}

impl<'a, B: FnOnce() -> BoxFuture<'a, SyncResult>> Supervised<'a, B> {
    pub(super) fn new(
        attempt: &'a Attempt,
        slot: usize,
        item: &'a ItemContext,
        poll_state: &'a mut PollState,
        begin: B,
    ) -> Self {
        let span = crate::trace::item(&attempt.span, &attempt.run_info, item.id());
        Self { attempt, slot, item, begin: Some(begin), work: None, ended: None, grace: None, poll_state, span }
    }

    /// Polls the work, if it has not ended. Begins it before its first poll, and drops it after its last.
    fn poll_work(&mut self, cx: &mut Context<'_>) {
        let Self { item, begin, work, span, poll_state, .. } = self;
        if begin.is_none() && work.is_none() {
            return;
        }
        let mut returned = None;
        // One guarded call, because each costs some thirty instructions.
        let poll = || {
            if let Some(begin) = begin.take() {
                *work = Some(begin());
            }
            if let Some(Poll::Ready(result)) = work.as_mut().map(|work| work.poll_unpin(cx)) {
                returned = Some(result);
                drop(work.take());
            }
        };
        item.cell().record_poll_boundary();
        let source = &mut poll_state.source;
        let polled = span.in_scope(|| nesting::within(source, || foreign::call(poll)));
        item.cell().record_poll_boundary();
        match (polled, returned) {
            (Ok(()), None) => {}
            (Ok(()), Some(Ok(()))) => self.ended = Some(WorkEnd::Succeeded),
            (Ok(()), Some(result)) => self.ended = Some(WorkEnd::Failed(Foreign::new(result))),
            (Err(panic), returned) => self.end_panicked(&panic, returned.map(Foreign::new)),
        }
    }

    /// Ends work that has panicked, or whose destructor has panicked after it returned.
    #[cold]
    fn end_panicked(&mut self, panic: &str, returned: Option<Foreign<SyncResult>>) {
        let text = if returned.is_some() { destructor_panicked(panic) } else { panicked(panic) };
        self.end_work(WorkEnd::Panicked(text));
    }

    /// Drops the work, and catches a panic of the drop.
    fn end_work(&mut self, ended: WorkEnd) {
        let dropped = self.work.take().map_or(Ok(()), foreign::discard);
        self.ended = Some(match dropped {
            Ok(()) => ended,
            Err(panic) => WorkEnd::Panicked(destructor_panicked(&panic)),
        });
    }

    /// Updates the waker in the worker's slot. A cancellation wakes that waker.
    fn update_waker(&mut self, waker: &Waker) {
        self.poll_state.suspended = true;
        if !self.poll_state.waker.will_wake(waker) {
            self.attempt.replace_waker(self.slot, waker);
            self.poll_state.waker.clone_from(waker);
        }
    }

    /// Polls an item that is cancelled, or that has returned while work it started is still running.
    #[cold]
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<WorkEnd> {
        let cell = self.item.cell();
        cell.wake_when_work_ends(cx.waker());
        let idle = self.work.is_none() && !cell.is_working();
        if idle || cell.cancel().reason().is_none() {
            return if idle { Poll::Ready(self.take_ended()) } else { Poll::Pending };
        }
        let (attempt, slot) = (self.attempt, self.slot);
        let grace = self.grace.get_or_insert_with(|| {
            attempt.record_cancel_noticed(slot, Instant::now());
            Grace::new(attempt.limits())
        });
        let due = if cell.is_uninterrupted() { grace.hard } else { grace.soft };
        if !grace.is_elapsed(due, cx) && !self.attempt.is_aborted() {
            return Poll::Pending;
        }
        if self.work.is_some() {
            self.end_work(WorkEnd::Dropped);
        }
        self.poll_dropped(cx)
    }

    /// Polls an item after its soft grace: drops its tasks and waits for its blocking work.
    fn poll_dropped(&mut self, cx: &mut Context<'_>) -> Poll<WorkEnd> {
        let cell = self.item.cell();
        if cell.is_working() && matches!(self.ended, Some(WorkEnd::Succeeded)) {
            // The work that the item spawned is dropped before that work has ended, so the item's success does not
            // count.
            self.ended = Some(WorkEnd::Dropped);
        }
        foreign::cancel(&cell.abort_token());
        if !cell.is_working() {
            return Poll::Ready(self.take_ended());
        }
        let grace = self.grace.as_mut().expect("a dropped item has a grace");
        let is_elapsed = grace.is_elapsed(grace.hard, cx) || self.attempt.is_aborted();
        if is_elapsed { Poll::Ready(WorkEnd::Abandoned) } else { Poll::Pending }
    }

    fn take_ended(&mut self) -> WorkEnd {
        self.ended.take().expect("dropped work has ended")
    }
}

impl<B> Drop for Supervised<'_, B> {
    #[inline]
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            // The panic hook has reported a panic.
            let _ = foreign::discard(work);
        }
    }
}

impl<'a, B: FnOnce() -> BoxFuture<'a, SyncResult> + Unpin> Future for Supervised<'a, B> {
    type Output = WorkEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<WorkEnd> {
        let this = &mut *self;
        this.poll_work(cx);
        let (cell, pending) = (this.item.cell(), this.work.is_some());
        let unfinished = pending || cell.is_working();
        if unfinished {
            // Before the check, so that no cancellation is missed.
            this.update_waker(cx.waker());
        }
        match cell.cancel().reason() {
            None if pending => Poll::Pending,
            Some(CancelReason::Ended) => {
                // The worker was evicted; the item's running work is in quarantine.
                this.end_work(WorkEnd::Dropped);
                Poll::Ready(this.take_ended())
            }
            _ if !unfinished => Poll::Ready(this.take_ended()),
            _ => this.poll_rest(cx),
        }
    }
}

/// The deadlines of a cancelled item.
pub(crate) struct Grace {
    pub(crate) soft: Instant,
    pub(crate) hard: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Grace {
    /// Starts the grace now.
    pub(crate) fn new(limits: Limits) -> Self {
        let now = Instant::now();
        let (soft, hard) = (later(now, limits.soft_grace()), later(now, limits.hard_grace()));
        Self { soft, hard, sleep: Box::pin(sleep_until(soft)) }
    }

    /// Returns `true` if `due` has passed. If not, the task is woken at `due`.
    pub(crate) fn is_elapsed(&mut self, due: Instant, cx: &mut Context<'_>) -> bool {
        // Checked first, because a timer fires up to a millisecond late.
        if Instant::now() >= due {
            return true;
        }
        if self.sleep.deadline() != due {
            self.sleep.as_mut().reset(due);
        }
        self.sleep.poll_unpin(cx).is_ready()
    }
}
