//! A call of the handler, watched from outside: every wait of it is a place a script can cut in.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use syncmgr_core::cell::ItemCell;
use syncmgr_core::error::{SyncResult, one_line, panic_text};
use syncmgr_core::status::Status;

use super::account::Event;
use super::place::Call;
use super::watch::Watch;

/// A call that is watched. Once its program was killed it is never polled again, and not dropped either: a kill runs no
/// destructor. In real time it is: a kill closes sockets and frees locks.
pub(super) struct Watched<'a, T> {
    watch: Arc<Watch>,
    call: Call,
    work: Option<BoxFuture<'a, T>>,
    cell: Option<Arc<ItemCell>>,
    shown: (Option<Status>, u64),
}

impl<'a, T> Watched<'a, T> {
    pub(super) fn new(watch: &Arc<Watch>, call: Call, work: BoxFuture<'a, T>) -> Self {
        Self { watch: watch.clone(), call, work: Some(work), cell: None, shown: (None, 0) }
    }

    /// Polls the work, and takes the time, which counts also where it ends with a panic.
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let Some(work) = self.work.as_mut() else { return Poll::Pending };
        let began = wall();
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
        self.watch.polled(&self.call, self.watch.next_wait(&self.call), wall().saturating_sub(began));
        self.look();
        match polled {
            Ok(polled) => polled,
            Err(panic) => {
                self.work = None;
                let text = panic_text(panic);
                self.watch.note(Event::Panicked(self.call.clone(), text.clone()));
                resume_unwind(Box::new(text))
            }
        }
    }

    /// Notes what the item shows, when it is another status, or anything after its terminal one.
    fn look(&mut self) {
        let (Some(cell), Some(item)) = (&self.cell, self.call.item()) else { return };
        let state = cell.state();
        let now = (state.status, state.value);
        let was = std::mem::replace(&mut self.shown, now);
        match state.status {
            Some(status) if was.0 != Some(status) => self.watch.note(Event::Showed(item.clone(), status)),
            Some(status) if status.is_terminal() && was != now => {
                self.watch.note(Event::Misreported(format!("{item} reports progress after it had reported its end")));
            }
            _ => {}
        }
    }
}

impl<T> Future for Watched<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if !self.watch.goes_on(&self.call) {
            return Poll::Pending;
        }
        let polled = self.poll_work(cx);
        if !self.watch.goes_on(&self.call) {
            return Poll::Pending;
        }
        if polled.is_ready() {
            self.work = None;
        } else {
            // Out of here while it waits, so that a panic at this place drops it on its way, as a panic of its own does.
            let work = self.work.take();
            self.watch.waits(&self.call);
            self.work = work;
        }
        polled
    }
}

impl<T> Drop for Watched<'_, T> {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        if self.watch.forgets() {
            std::mem::forget(work);
        } else {
            let began = wall();
            drop(work);
            self.watch.polled(&self.call, self.watch.next_wait(&self.call), wall().saturating_sub(began));
            self.watch.note(Event::Dropped(self.call.clone()));
        }
    }
}

/// Watches a call to its end.
pub(super) async fn call<T>(watch: &Arc<Watch>, call: Call, work: BoxFuture<'_, SyncResult<T>>) -> SyncResult<T> {
    finish(Watched::new(watch, call, work)).await
}

/// Watches the call of an item to its end.
pub(super) async fn item_call(
    watch: &Arc<Watch>,
    call: Call,
    cell: &Arc<ItemCell>,
    work: BoxFuture<'_, SyncResult>,
) -> SyncResult {
    let mut watched = Watched::new(watch, call, work);
    watched.cell = Some(cell.clone());
    finish(watched).await
}

async fn finish<T>(watched: Watched<'_, SyncResult<T>>) -> SyncResult<T> {
    let (watch, call) = (watched.watch.clone(), watched.call.clone());
    watch.note(Event::Called(call.clone()));
    let result = watched.await;
    let said = result.as_ref().map(drop).map_err(one_line);
    watch.note(Event::Returned(call, said));
    result
}

/// The one wall clock of the kit: virtual time stands still while a thread is blocked.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a poll blocks its thread is the one thing measured in real time"
)]
pub(super) fn wall() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
