//! One item's work under supervision: panics are caught, and a cancelled item ends within its grace.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::context::ItemContext;
use syncmgr_core::error::{SyncResult, panic_text};
use syncmgr_core::info::Limits;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Attempt;
use crate::clock::later;

/// How an item's work came to its end.
pub(super) enum Outlived {
    Returned(SyncResult),
    Panicked(String),
    /// Dropped after the soft grace, and all it had started ended.
    Cut,
    /// Something it had started outlived the hard grace.
    Abandoned,
}

/// What a worker remembers of being polled.
pub(super) struct Place {
    /// The waker in its slot.
    pub(super) waker: Waker,
    /// Whether it gave way since it was last looked at.
    pub(super) suspended: bool,
}

/// Polls an item's work to its end.
///
/// ```text
/// working ── returns or panics ──▶ waits for what it started ──▶ ended
///    │ cancelled                        │ cancelled
///    ▼                                  ▼
/// soft grace (hard, while uninterrupted) ── over ──▶ cut: dropped, its tasks too ──▶ ended
///                                                        └── hard grace over ──▶ abandoned
/// ```
pub(super) struct Supervised<'a> {
    attempt: &'a Attempt,
    slot: usize,
    item: &'a ItemContext,
    work: Option<BoxFuture<'a, SyncResult>>,
    ended: Option<Outlived>,
    grace: Option<Grace>,
    place: &'a mut Place,
    span: tracing::Span,
}

impl<'a> Supervised<'a> {
    pub(super) fn over(
        attempt: &'a Attempt,
        slot: usize,
        item: &'a ItemContext,
        place: &'a mut Place,
        begin: impl FnOnce() -> BoxFuture<'a, SyncResult>,
    ) -> Self {
        let span = crate::trace::item(&attempt.span, &attempt.facts, item.id());
        let (mut work, mut ended) = (None, None);
        item.cell().note_poll();
        let begun = catch_unwind(AssertUnwindSafe(begin));
        item.cell().note_poll();
        match begun {
            Ok(future) => work = Some(future),
            Err(panic) => ended = Some(Outlived::Panicked(panic_text(panic))),
        }
        Self { attempt, slot, item, work, ended, grace: None, place, span }
    }

    /// Polls the work, if it has not ended.
    fn poll_work(&mut self, cx: &mut Context<'_>) {
        let Some(work) = &mut self.work else { return };
        let cell = self.item.cell();
        cell.note_poll();
        let polled = self.span.in_scope(|| catch_unwind(AssertUnwindSafe(|| work.poll_unpin(cx))));
        cell.note_poll();
        let ended = match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(result)) => Outlived::Returned(result),
            Err(panic) => Outlived::Panicked(panic_text(panic)),
        };
        self.end_work(ended);
    }

    /// Lets go of the work. What it had in hand may panic when it is dropped.
    fn end_work(&mut self, ended: Outlived) {
        let work = self.work.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(work)));
        self.ended = Some(match dropped {
            Ok(()) => ended,
            Err(panic) => Outlived::Panicked(panic_text(panic)),
        });
    }

    /// A cancel wakes the waker kept in the worker's slot; keep it up to date.
    fn keep_waker(&mut self, waker: &Waker) {
        self.place.suspended = true;
        if !self.place.waker.will_wake(waker) {
            self.attempt.rewake(self.slot, waker);
            self.place.waker.clone_from(waker);
        }
    }

    /// The item is cancelled, or it has returned and something it started has not.
    #[cold]
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Outlived> {
        let cell = self.item.cell();
        cell.wake_when_idle(cx.waker());
        let idle = self.work.is_none() && !cell.is_working();
        if idle || cell.cancel().reason().is_none() {
            return if idle { Poll::Ready(self.take_ended()) } else { Poll::Pending };
        }
        let (attempt, slot) = (self.attempt, self.slot);
        let grace = self.grace.get_or_insert_with(|| {
            attempt.heard(slot, Instant::now());
            Grace::new(attempt.limits())
        });
        let due = if cell.is_uninterrupted() { grace.hard } else { grace.soft };
        if !grace.is_over(due, cx) && !self.attempt.is_aborted() {
            return Poll::Pending;
        }
        if self.work.is_some() {
            self.end_work(Outlived::Cut);
        }
        self.poll_cut(cx)
    }

    /// The soft grace is over: the tasks of the item are dropped, blocking work is waited for.
    fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<Outlived> {
        let cell = self.item.cell();
        if cell.is_working() && matches!(self.ended, Some(Outlived::Returned(Ok(())))) {
            // What it had started is cut short, whatever the item itself returned.
            self.ended = Some(Outlived::Cut);
        }
        cell.cut().cancel();
        if !cell.is_working() {
            return Poll::Ready(self.take_ended());
        }
        let grace = self.grace.as_mut().expect("a cut item has a grace");
        let is_over = grace.is_over(grace.hard, cx) || self.attempt.is_aborted();
        if is_over { Poll::Ready(Outlived::Abandoned) } else { Poll::Pending }
    }

    fn take_ended(&mut self) -> Outlived {
        self.ended.take().expect("work that is gone has ended")
    }
}

impl Future for Supervised<'_> {
    type Output = Outlived;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outlived> {
        let this = &mut *self;
        this.poll_work(cx);
        let cell = this.item.cell();
        if cell.cancel().reason() == Some(CancelReason::Over) {
            // Its seat was taken meanwhile; what it left running is in quarantine.
            this.end_work(Outlived::Cut);
            return Poll::Ready(this.take_ended());
        }
        if this.work.is_none() && !cell.is_working() {
            return Poll::Ready(this.take_ended());
        }
        this.keep_waker(cx.waker());
        if this.work.is_some() && this.item.cell().cancel().reason().is_none() {
            return Poll::Pending;
        }
        this.poll_rest(cx)
    }
}

/// The two ends of a cancelled item's time.
pub(crate) struct Grace {
    pub(crate) soft: Instant,
    pub(crate) hard: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Grace {
    /// The grace begins now.
    pub(crate) fn new(limits: Limits) -> Self {
        let now = Instant::now();
        let (soft, hard) = (later(now, limits.soft_grace()), later(now, limits.hard_grace()));
        Self { soft, hard, sleep: Box::pin(sleep_until(soft)) }
    }

    /// Whether `due` has come. If not, the task is woken when it has.
    pub(crate) fn is_over(&mut self, due: Instant, cx: &mut Context<'_>) -> bool {
        // A timer fires up to a millisecond late; what is due already does not wait for it.
        if Instant::now() >= due {
            return true;
        }
        if self.sleep.deadline() != due {
            self.sleep.as_mut().reset(due);
        }
        self.sleep.poll_unpin(cx).is_ready()
    }
}
