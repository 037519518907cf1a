//! A call of the handler as a future that records its awaits and injects faults at them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use syncmgr_core::cell::ItemCell;
use syncmgr_core::error::{SyncResult, one_line, panic_text};
use syncmgr_core::status::Status;

use super::events::Event;
use super::injection::Call;
use super::monitor::Monitor;

/// A monitored call. After a kill it is never polled again, and it is dropped or leaked as [`OnKill`](super::fixture::OnKill) says.
pub(super) struct MonitoredCall<'a, T> {
    monitor: Arc<Monitor>,
    call: Call,
    work: Option<BoxFuture<'a, T>>,
    cell: Option<Arc<ItemCell>>,
    last_state: (Option<Status>, u64),
}

impl<'a, T> MonitoredCall<'a, T> {
    pub(super) fn new(monitor: &Arc<Monitor>, call: Call, work: BoxFuture<'a, T>) -> Self {
        Self { monitor: monitor.clone(), call, work: Some(work), cell: None, last_state: (None, 0) }
    }

    /// Polls the work and records the duration, even if the work panics.
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let Some(work) = self.work.as_mut() else { return Poll::Pending };
        let began = wall();
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
        self.monitor.record_poll(&self.call, self.monitor.next_await(&self.call), wall().saturating_sub(began));
        self.record_status();
        match polled {
            Ok(polled) => polled,
            Err(panic) => {
                self.work = None;
                let text = panic_text(panic);
                self.monitor.record(Event::Panicked(self.call.clone(), text.clone()));
                resume_unwind(Box::new(text))
            }
        }
    }

    /// Records a new status of the item, or a report after the terminal status.
    fn record_status(&mut self) {
        let (Some(cell), Some(item)) = (&self.cell, self.call.item()) else { return };
        let state = cell.state();
        let now = (state.status, state.value);
        let was = std::mem::replace(&mut self.last_state, now);
        match state.status {
            Some(status) if was.0 != Some(status) => self.monitor.record(Event::StatusReported(item.clone(), status)),
            Some(status) if status.is_terminal() && was != now => {
                self.monitor.record(Event::ReportRefused(format!("{item} reports progress after its terminal status")));
            }
            _ => {}
        }
    }
}

impl<T> Future for MonitoredCall<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if !self.monitor.is_running(&self.call) {
            return Poll::Pending;
        }
        let polled = self.poll_work(cx);
        if !self.monitor.is_running(&self.call) {
            return Poll::Pending;
        }
        if polled.is_ready() {
            self.work = None;
        } else {
            // The work is taken out first, so that an injected panic drops it, as a panic of the handler does.
            let work = self.work.take();
            self.monitor.begin_await(&self.call);
            self.work = work;
        }
        polled
    }
}

impl<T> Drop for MonitoredCall<'_, T> {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        if self.monitor.leaks() {
            std::mem::forget(work);
        } else {
            let began = wall();
            drop(work);
            self.monitor.record_poll(&self.call, self.monitor.next_await(&self.call), wall().saturating_sub(began));
            self.monitor.record(Event::Dropped(self.call.clone()));
        }
    }
}

/// Runs a call.
pub(super) async fn call<T>(monitor: &Arc<Monitor>, call: Call, work: BoxFuture<'_, SyncResult<T>>) -> SyncResult<T> {
    finish(MonitoredCall::new(monitor, call, work)).await
}

/// Runs the call of an item.
pub(super) async fn item_call(
    monitor: &Arc<Monitor>,
    call: Call,
    cell: &Arc<ItemCell>,
    work: BoxFuture<'_, SyncResult>,
) -> SyncResult {
    let mut monitored = MonitoredCall::new(monitor, call, work);
    monitored.cell = Some(cell.clone());
    finish(monitored).await
}

async fn finish<T>(monitored: MonitoredCall<'_, SyncResult<T>>) -> SyncResult<T> {
    let (monitor, call) = (monitored.monitor.clone(), monitored.call.clone());
    monitor.record(Event::Called(call.clone()));
    let result = monitored.await;
    let returned = result.as_ref().map(drop).map_err(one_line);
    monitor.record(Event::Returned(call, returned));
    result
}

/// Returns the real time since its first call, because virtual time does not advance while a thread is blocked.
#[expect(
    clippy::disallowed_methods,
    reason = "the time for which a poll blocks its thread must be measured in real time"
)]
pub(super) fn wall() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
