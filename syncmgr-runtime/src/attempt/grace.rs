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
use crate::nesting::{self, Call};

/// The end of an item's work.
pub(super) enum WorkEnd {
    Returned(Foreign<SyncResult>),
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
pub(super) struct Supervised<'a> {
    attempt: &'a Attempt,
    slot: usize,
    item: &'a ItemContext,
    work: Option<Foreign<BoxFuture<'a, SyncResult>>>,
    ended: Option<WorkEnd>,
    grace: Option<Grace>,
    poll_state: &'a mut PollState,
    span: tracing::Span,
    call: Option<Call>,
}

impl<'a> Supervised<'a> {
    pub(super) fn new(
        attempt: &'a Attempt,
        slot: usize,
        item: &'a ItemContext,
        poll_state: &'a mut PollState,
        begin: impl FnOnce() -> BoxFuture<'a, SyncResult>,
    ) -> Self {
        let span = crate::trace::item(&attempt.span, &attempt.run_info, item.id());
        let (mut work, mut ended) = (None, None);
        item.cell().record_poll_boundary();
        let call = attempt.nesting.map(|call| call.of_item(item.id()));
        let begun = nesting::within(call, || foreign::call(begin));
        item.cell().record_poll_boundary();
        match begun {
            Ok(future) => work = Some(Foreign::new(future)),
            Err(panic) => ended = Some(WorkEnd::Panicked(panicked(&panic))),
        }
        Self { attempt, slot, item, work, ended, grace: None, poll_state, span, call }
    }

    /// Polls the work, if it has not ended.
    fn poll_work(&mut self, cx: &mut Context<'_>) {
        let Some(work) = &mut self.work else { return };
        let cell = self.item.cell();
        cell.record_poll_boundary();
        let polled = self.span.in_scope(|| nesting::within(self.call, || foreign::call(|| work.poll_unpin(cx))));
        cell.record_poll_boundary();
        let ended = match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(result)) => WorkEnd::Returned(Foreign::new(result)),
            Err(panic) => WorkEnd::Panicked(panicked(&panic)),
        };
        self.end_work(ended);
    }

    /// Drops the work, and catches a panic of the drop.
    fn end_work(&mut self, ended: WorkEnd) {
        let dropped = self.work.take().map_or(Ok(()), Foreign::discard);
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
        if cell.is_working() && matches!(&self.ended, Some(WorkEnd::Returned(result)) if result.is_ok()) {
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

impl Future for Supervised<'_> {
    type Output = WorkEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<WorkEnd> {
        let this = &mut *self;
        this.poll_work(cx);
        let cell = this.item.cell();
        if cell.cancel().reason() == Some(CancelReason::Ended) {
            // The worker was evicted; the item's running work is in quarantine.
            this.end_work(WorkEnd::Dropped);
            return Poll::Ready(this.take_ended());
        }
        if this.work.is_none() && !cell.is_working() {
            return Poll::Ready(this.take_ended());
        }
        this.update_waker(cx.waker());
        if this.work.is_some() && this.item.cell().cancel().reason().is_none() {
            return Poll::Pending;
        }
        this.poll_rest(cx)
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
