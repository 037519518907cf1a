//! Workers: each runs items sequentially until none is left.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::thread;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use syncmgr_core::cancel::{CancelReason, Cancelled};
use syncmgr_core::context::ItemContext;
use syncmgr_core::decision::verdict::{Ending, Verdict, verdict_of};
use syncmgr_core::error::{FailureClass, SyncResult, is_cancelled, one_line, panic_text};
use syncmgr_core::foreign;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::port::ItemWork;
use syncmgr_core::sync::yield_now;

use super::Attempt;
use super::ending::UNAWAITED;
use super::grace::{PollState, Supervised, WorkEnd};
use super::records::entry_of_failure;
use super::slots::Granted;
use super::state::Ended;
use crate::call::destructor_panicked;
use crate::nesting::{Call, CallSource, Calling};

/// Runs `synchronize_item` for each item, on workers in their own tasks.
pub(super) async fn run_spawned(attempt: Arc<Attempt>) -> SyncResult {
    let _call = ActiveCall::begin(&attempt)?;
    while let Granted::Slots(slots) = poll_fn(|cx| attempt.poll_granted(cx.waker())).await {
        for slot in slots {
            let (worker, slot) = (attempt.clone(), SlotGuard::new(attempt.clone(), slot, Dropped::ByRuntime));
            attempt.link.spawn(Box::pin(async move { work(slot, &HandlerWork(worker.handler())).await }));
        }
    }
    Ok(())
}

/// Runs `each` for each item, on workers inside this future.
pub(super) async fn run_in_place<'a>(attempt: &'a Attempt, each: &'a ItemWork<'a>) -> SyncResult {
    let _call = ActiveCall::begin(attempt)?;
    let each = ClosureWork(each);
    let mut workers = FuturesUnordered::new();
    poll_fn(|cx| {
        loop {
            match attempt.poll_granted(cx.waker()) {
                Poll::Ready(Granted::Slots(slots)) => {
                    let guard = |slot| SlotGuard::new(attempt.to_arc(), slot, Dropped::ByHandler);
                    workers.extend(slots.into_iter().map(|slot| work(guard(slot), &each)));
                }
                Poll::Ready(Granted::Done) => return Poll::Ready(Ok(())),
                Poll::Pending => break,
            }
        }
        while let Poll::Ready(Some(())) = workers.poll_next_unpin(cx) {}
        Poll::Pending
    })
    .await
}

/// A handler call that runs items on workers. Dropping the last such call returns the unused permits.
struct ActiveCall<'a>(&'a Attempt);

impl<'a> ActiveCall<'a> {
    /// Begins the call and requests workers.
    fn begin(attempt: &'a Attempt) -> Result<Self, Cancelled> {
        attempt.begin_call();
        let call = Self(attempt);
        attempt.request_workers()?;
        Ok(call)
    }
}

impl Drop for ActiveCall<'_> {
    fn drop(&mut self) {
        self.0.end_call();
    }
}

/// The work that a worker does for an item.
trait Work: Sync {
    fn begin<'a>(&'a self, item: &'a ItemContext) -> BoxFuture<'a, SyncResult>;
}

struct HandlerWork<'a>(&'a dyn SyncHandler);

impl Work for HandlerWork<'_> {
    fn begin<'a>(&'a self, item: &'a ItemContext) -> BoxFuture<'a, SyncResult> {
        self.0.synchronize_item(item)
    }
}

struct ClosureWork<'w>(&'w ItemWork<'w>);

impl Work for ClosureWork<'_> {
    fn begin<'a>(&'a self, item: &'a ItemContext) -> BoxFuture<'a, SyncResult> {
        (self.0)(item.clone())
    }
}

/// Runs a worker. The worker owns its slot from the start, so that a worker that is never polled also frees its slot. A panic
/// ends the worker; its guard requests another one.
async fn work(guard: SlotGuard, work: &impl Work) {
    if let Err(panic) = AssertUnwindSafe(run_items(guard, work)).catch_unwind().await {
        drop(panic_text(panic));
    }
}

/// Runs items sequentially, each to its end.
async fn run_items(mut guard: SlotGuard, work: &impl Work) {
    let (attempt, slot) = (guard.attempt.clone(), guard.slot);
    let mut ended = None;
    while guard.next_item(ended.take()) {
        let item = guard.context.as_ref().expect("a worker in its turn has a context");
        attempt.link.item_begins(&attempt, item.id());
        if attempt.is_suspect(item.id()) {
            tokio::select! {
                biased;
                _ = item.cancelled() => {}
                // If the store fails, the item runs all the same.
                _ = attempt.link.suspect_begins(item.id()) => {}
            }
        }
        if item.check().is_err() {
            ended = Some(end_item(&attempt, item, WorkEnd::Dropped));
            continue;
        }
        let mut supervised = Supervised::new(&attempt, slot, item, &mut guard.poll_state, || work.begin(item));
        // Awaited by reference, because awaiting it by value would copy the future once more for each item.
        let end = (&mut supervised).await;
        drop(supervised);
        if was_ended_by_eviction(item) && attempt.was_evicted(slot) {
            guard.left = Left::Yes;
            return;
        }
        ended = Some(end_item(&attempt, item, end));
        // If the item never yielded, lets other tasks run before the next item begins.
        if !std::mem::take(&mut guard.poll_state.suspended) {
            yield_now().await;
        }
    }
}

/// Returns `true` if an eviction ended the item.
fn was_ended_by_eviction(item: &ItemContext) -> bool {
    item.cell().cancel().reason() == Some(CancelReason::Ended)
}

/// A worker's ownership of its slot. Dropping it ends the item and frees the slot.
struct SlotGuard {
    attempt: Arc<Attempt>,
    slot: usize,
    context: Option<ItemContext>,
    poll_state: PollState,
    left: Left,
    dropped: Dropped,
}

/// The calls of a worker: each synchronizes the worker's current item.
struct WorkerCalls {
    of_run: Call,
    attempt: Arc<Attempt>,
    slot: usize,
}

impl WorkerCalls {
    fn source(attempt: &Arc<Attempt>, slot: usize) -> CallSource {
        let of_run = attempt.source.as_ref()?.call();
        Some(Arc::new(Self { of_run, attempt: attempt.clone(), slot }))
    }
}

impl Calling for WorkerCalls {
    fn call(&self) -> Call {
        Call { item: self.attempt.item_in_slot(self.slot), ..self.of_run }
    }
}

/// The reason a worker is dropped before it has left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dropped {
    /// The handler dropped the future that runs its items.
    ByHandler,
    /// The task was aborted, or its runtime has shut down.
    ByRuntime,
}

/// `Yes` once the worker has left its slot by itself, and not because it was dropped.
#[derive(PartialEq, Eq)]
enum Left {
    No,
    Yes,
}

impl SlotGuard {
    fn new(attempt: Arc<Attempt>, slot: usize, dropped: Dropped) -> Self {
        let source = WorkerCalls::source(&attempt, slot);
        let poll_state = PollState { waker: Waker::noop().clone(), suspended: false, source };
        Self { attempt, slot, context: None, poll_state, left: Left::No, dropped }
    }

    fn next_item(&mut self, ended: Option<Ended>) -> bool {
        let has_item = self.attempt.next_item(self.slot, ended, &mut self.context);
        if !has_item {
            self.left = Left::Yes;
        }
        has_item
    }

    /// Ends the item of a worker that panicked. The log may be the cause of the panic, and panic again.
    fn end_panicked(&self, item: &ItemContext) -> Ended {
        let text = "the worker of the item panicked; the program's log or telemetry is faulty".to_string();
        let failed = Ended { index: item.index(), verdict: Verdict::failed(FailureClass::Transient) };
        foreign::call(|| end_item(&self.attempt, item, WorkEnd::Panicked(text))).unwrap_or(failed)
    }

    /// Ends the item of a worker that is dropped in the middle of the item. Work that the item started may continue.
    fn end_dropped(&self, item: &ItemContext) -> Ended {
        if self.dropped == Dropped::ByRuntime && thread::panicking() {
            return self.end_panicked(item);
        }
        if self.dropped == Dropped::ByHandler {
            let working = item.cell().is_working();
            return end_item(&self.attempt, item, if working { WorkEnd::Abandoned } else { WorkEnd::Dropped });
        }
        // The token is cancelled when the slot is freed.
        let _ = item.cell().cancel().cancel(CancelReason::ShuttingDown);
        let ended = end_item(&self.attempt, item, WorkEnd::Dropped);
        if item.cell().is_working() {
            self.attempt.abandon(item.id(), item.cell());
        }
        ended
    }
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        if self.left == Left::Yes {
            return;
        }
        match &self.context {
            None => self.attempt.leave_unused(self.slot),
            Some(item) if was_ended_by_eviction(item) && self.attempt.was_evicted(self.slot) => {}
            Some(item) => self.attempt.leave(self.slot, self.end_dropped(item)),
        }
        if thread::panicking() {
            // Replaces this worker.
            self.attempt.request_needed_workers();
        }
    }
}

/// Determines the verdict on an item and logs the outcome if necessary.
fn end_item(attempt: &Attempt, item: &ItemContext, end: WorkEnd) -> Ended {
    attempt.link.item_ends(item.id(), item.cell());
    let verdict = match &end {
        // Faults of the item were logged when they happened.
        WorkEnd::Succeeded => verdict_of(&Ending::Returned(&Ok(())), None, item.cell().signals()),
        _ => decide_and_log(attempt, item, end),
    };
    Ended { index: item.index(), verdict }
}

#[cold]
fn decide_and_log(attempt: &Attempt, item: &ItemContext, end: WorkEnd) -> Verdict {
    let cancel = item.cell().cancel().reason();
    let (ending, text) = match &end {
        WorkEnd::Succeeded => (Ending::Returned(&Ok(())), None),
        WorkEnd::Failed(result) => (Ending::Returned(result), result.as_ref().err().map(one_line)),
        WorkEnd::Panicked(text) => (Ending::Panicked, Some(text.clone())),
        WorkEnd::Dropped => (Ending::Dropped, cancel.is_none().then(|| UNAWAITED.to_string())),
        WorkEnd::Abandoned => (Ending::Abandoned, Some(abandoned_text(attempt))),
    };
    if matches!(end, WorkEnd::Abandoned) {
        attempt.abandon(item.id(), item.cell());
    }
    let verdict = verdict_of(&ending, cancel, item.cell().signals());
    let is_cancelled = |result: &SyncResult| result.as_ref().err().is_some_and(is_cancelled);
    let only_cancelled = matches!(&end, WorkEnd::Failed(result) if cancel.is_some() && is_cancelled(result));
    if let (Some(level), Some(text), false) = (verdict.level, text, only_cancelled) {
        attempt.link.log(entry_of_failure(LogEntry::new(level, text), verdict.class, item.id()));
    }
    discard_end(attempt, item, end).unwrap_or(verdict)
}

/// Drops the error of an item. Returns the verdict on the item if the error's destructor panics.
fn discard_end(attempt: &Attempt, item: &ItemContext, end: WorkEnd) -> Option<Verdict> {
    let WorkEnd::Failed(result) = end else { return None };
    let text = destructor_panicked(&result.discard().err()?);
    attempt.link.log(LogEntry::new(LogLevel::Error, text).with_item(item.id()));
    Some(verdict_of(&Ending::Panicked, None, item.cell().signals()))
}

pub(super) fn abandoned_text(attempt: &Attempt) -> String {
    let grace = attempt.limits.hard_grace();
    format!("did not stop within {grace:?} of being cancelled and was abandoned; the work it started is still running")
}
