//! Workers: each takes one item after the other until none is left.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use syncmgr_core::cancel::{CancelReason, Cancelled};
use syncmgr_core::context::ItemContext;
use syncmgr_core::decision::verdict::{Ending, Verdict, judge};
use syncmgr_core::error::{SyncResult, is_cancelled, one_line};
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::log::LogEntry;
use syncmgr_core::port::ItemWork;

use super::Attempt;
use super::grace::{Outlived, Place, Supervised};
use super::remember::entry_of_failure;
use super::seats::Lent;
use super::state::Ended;

/// Runs `synchronize_item` for each item, on workers that are tasks of their own.
pub(super) async fn spawned(attempt: Arc<Attempt>) -> SyncResult {
    let _unused = Served::by(&attempt)?;
    while let Lent::Slots(slots) = poll_fn(|cx| attempt.poll_lent(cx.waker())).await {
        for slot in slots {
            let (worker, seat) = (attempt.clone(), Seat::at(attempt.clone(), slot, Dropped::ByRuntime));
            attempt.link.spawn(Box::pin(async move { work(seat, &EachItem(worker.handler())).await }));
        }
    }
    Ok(())
}

/// Runs `each` for each item, on workers that live in this future.
pub(super) async fn in_place<'a>(attempt: &'a Attempt, each: &'a ItemWork<'a>) -> SyncResult {
    let _unused = Served::by(attempt)?;
    let each = Each(each);
    let mut workers = FuturesUnordered::new();
    poll_fn(|cx| {
        loop {
            match attempt.poll_lent(cx.waker()) {
                Poll::Ready(Lent::Slots(slots)) => {
                    workers.extend(
                        slots.into_iter().map(|slot| work(Seat::at(attempt.myself(), slot, Dropped::ByHandler), &each)),
                    );
                }
                Poll::Ready(Lent::Done) => return Poll::Ready(Ok(())),
                Poll::Pending => break,
            }
        }
        while let Poll::Ready(Some(())) = workers.poll_next_unpin(cx) {}
        Poll::Pending
    })
    .await
}

/// A call of the handler is having items run. Dropped, what the host lent and nobody used goes back.
struct Served<'a>(&'a Attempt);

impl<'a> Served<'a> {
    /// Asks for workers.
    fn by(attempt: &'a Attempt) -> Result<Self, Cancelled> {
        attempt.serve();
        let served = Self(attempt);
        attempt.want_workers()?;
        Ok(served)
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.0.stop_serving();
    }
}

/// What a worker does for an item.
trait Work: Sync {
    fn begin<'a>(&'a self, item: &'a ItemContext) -> BoxFuture<'a, SyncResult>;
}

struct EachItem<'a>(&'a dyn SyncHandler);

impl Work for EachItem<'_> {
    fn begin<'a>(&'a self, item: &'a ItemContext) -> BoxFuture<'a, SyncResult> {
        self.0.synchronize_item(item)
    }
}

struct Each<'w>(&'w ItemWork<'w>);

impl Work for Each<'_> {
    fn begin<'a>(&'a self, item: &'a ItemContext) -> BoxFuture<'a, SyncResult> {
        (self.0)(item.clone())
    }
}

/// The life of a worker: one item after the other, each to its end. The seat is the worker's before it is polled, so that
/// one that never is leaves it too.
async fn work(mut seat: Seat, work: &impl Work) {
    let (attempt, slot) = (seat.attempt.clone(), seat.slot);
    let mut ended = None;
    while seat.turn(ended.take()) {
        let item = seat.context.as_ref().expect("a seated worker has a context");
        attempt.link.begins(&attempt, item.id());
        if item.check().is_err() {
            ended = Some(conclude(&attempt, item, Outlived::Cut));
            continue;
        }
        let mut supervised = Supervised::over(&attempt, slot, item, &mut seat.place, || work.begin(item));
        // By reference: by value it would be copied once more for each item.
        let outlived = (&mut supervised).await;
        drop(supervised);
        if is_over(item) && attempt.was_evicted(slot) {
            seat.left = Left::Yes;
            return;
        }
        ended = Some(conclude(&attempt, item, outlived));
        // An item that never gave way leaves the thread to others before the next begins.
        if !std::mem::take(&mut seat.place.suspended) {
            give_way().await;
        }
    }
}

/// Goes to the end of the line. Unlike tokio's own way of yielding, another thread can take the task from there: what has
/// ended is told although the next task of this thread blocks it.
async fn give_way() {
    let mut gave = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Whether somebody has ended the item behind its worker's back.
fn is_over(item: &ItemContext) -> bool {
    item.cell().cancel().reason() == Some(CancelReason::Over)
}

/// A worker's seat. A worker that is dropped leaves its item ended and the seat free.
struct Seat {
    attempt: Arc<Attempt>,
    slot: usize,
    context: Option<ItemContext>,
    place: Place,
    left: Left,
    dropped: Dropped,
}

/// Who drops a worker that has not left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dropped {
    /// The handler gave up what it had its items run with.
    ByHandler,
    /// The task was aborted, or its runtime is gone.
    ByRuntime,
}

/// Whether the worker has left its seat in order.
#[derive(PartialEq, Eq)]
enum Left {
    No,
    Yes,
}

impl Seat {
    fn at(attempt: Arc<Attempt>, slot: usize, dropped: Dropped) -> Self {
        let place = Place { waker: Waker::noop().clone(), suspended: false };
        Self { attempt, slot, context: None, place, left: Left::No, dropped }
    }

    fn turn(&mut self, ended: Option<Ended>) -> bool {
        let seated = self.attempt.turn(self.slot, ended, &mut self.context);
        if !seated {
            self.left = Left::Yes;
        }
        seated
    }

    /// The worker is dropped in the middle of an item. What it started may go on.
    fn cut(&self, item: &ItemContext) -> Ended {
        if self.dropped == Dropped::ByHandler {
            let working = item.cell().is_working();
            return conclude(&self.attempt, item, if working { Outlived::Abandoned } else { Outlived::Cut });
        }
        // The token is cancelled when the seat is left.
        let _ = item.cell().cancel().cancel(CancelReason::ShuttingDown);
        let ended = conclude(&self.attempt, item, Outlived::Cut);
        if item.cell().is_working() {
            self.attempt.abandon(item.id(), item.cell());
        }
        ended
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.left == Left::Yes {
            return;
        }
        match &self.context {
            None => self.attempt.leave_unused(self.slot),
            Some(item) if is_over(item) && self.attempt.was_evicted(self.slot) => {}
            Some(item) => self.attempt.leave(self.slot, self.cut(item)),
        }
    }
}

/// Judges how an item ended, and puts into the log what belongs there.
fn conclude(attempt: &Attempt, item: &ItemContext, outlived: Outlived) -> Ended {
    attempt.link.ends(item.id(), item.cell());
    let verdict = match &outlived {
        // What there was to log was logged when it happened.
        Outlived::Returned(Ok(())) => judge(&Ending::Returned(&Ok(())), None, item.cell().traces()),
        _ => judged_and_logged(attempt, item, &outlived),
    };
    Ended { place: item.place(), verdict }
}

#[cold]
fn judged_and_logged(attempt: &Attempt, item: &ItemContext, outlived: &Outlived) -> Verdict {
    let (ending, text) = match outlived {
        Outlived::Returned(Ok(())) => (Ending::Returned(&Ok(())), None),
        Outlived::Returned(result @ Err(error)) => (Ending::Returned(result), Some(one_line(error))),
        Outlived::Panicked(text) => (Ending::Panicked, Some(format!("the handler panicked: {text}"))),
        Outlived::Cut => (Ending::Cut, None),
        Outlived::Abandoned => (Ending::Abandoned, Some(abandoned(attempt))),
    };
    if matches!(outlived, Outlived::Abandoned) {
        attempt.abandon(item.id(), item.cell());
    }
    let cancel = item.cell().cancel().reason();
    let verdict = judge(&ending, cancel, item.cell().traces());
    let only_cancelled = matches!(outlived, Outlived::Returned(Err(error)) if cancel.is_some() && is_cancelled(error));
    if let (Some(level), Some(text), false) = (verdict.level, text, only_cancelled) {
        attempt.link.log(entry_of_failure(LogEntry::new(level, text), verdict.class, item.id()));
    }
    verdict
}

pub(super) fn abandoned(attempt: &Attempt) -> String {
    let grace = attempt.limits.hard_grace();
    format!("did not stop within {grace:?} of being cancelled and was abandoned; what it started is still running")
}
