//! Reports an attempt's progress to a foreign callback and applies the callback's answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::classic::SyncCallback;
use syncmgr_core::decision::attempt::Change;
use syncmgr_core::foreign::{self, Foreign};
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::ItemId;
use syncmgr_core::log::LogEntry;
use syncmgr_core::progress::{Progress, ProgressState};
use syncmgr_core::status::Status;
use syncmgr_core::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use crate::attempt::Attempt;

/// The interval between two reports of a running item.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);

/// A slot for a foreign callback, which can be set, replaced and removed.
#[derive(Default)]
pub(super) struct CallbackSlot {
    callback: Mutex<Option<Foreign<Arc<dyn SyncCallback>>>>,
    /// Entries that are logged once a callback is set.
    early: Mutex<Vec<LogEntry>>,
    /// The last states of ended items, until they are reported.
    last: Mutex<BTreeMap<ItemId, ProgressState>>,
}

impl CallbackSlot {
    pub(super) fn set(&self, callback: Option<Arc<dyn SyncCallback>>) {
        let before = std::mem::replace(&mut *self.callback.lock(), callback.map(Foreign::new));
        drop(before);
        let early = std::mem::take(&mut *self.early.lock());
        for entry in early {
            self.log(&entry);
        }
    }

    /// Calls `LogError`.
    pub(super) fn log(&self, entry: &LogEntry) -> HResult {
        self.call(|callback| callback.log_error(entry.level, &entry.text, Some(&entry.info())))
    }

    /// Calls `LogError`, or defers the call until a callback is set: a host may list the items before it sets the
    /// callback.
    pub(super) fn log_when_set(&self, entry: LogEntry) {
        let is_set = self.callback.lock().is_some();
        match is_set {
            true => _ = self.log(&entry),
            false => self.early.lock().push(entry),
        }
    }

    /// Stores the last state of an item that has ended.
    pub(super) fn store_last(&self, item: ItemId, state: ProgressState) {
        self.last.lock().insert(item, state);
    }

    fn take_last(&self, item: ItemId) -> ProgressState {
        self.last.lock().remove(&item).unwrap_or_default()
    }

    /// Calls the callback. Returns `E_UNEXPECTED` if no callback is set or if it panics.
    pub(super) fn call(&self, call: impl FnOnce(&dyn SyncCallback) -> HResult) -> HResult {
        let callback = self.callback.lock().clone();
        let Some(callback) = callback else { return HResult::E_UNEXPECTED };
        foreign::call(|| call(&**callback)).unwrap_or_else(|error| {
            tracing::error!(%error, "the host's callback panicked");
            HResult::E_UNEXPECTED
        })
    }
}

/// Reports an attempt to a foreign callback, each change once.
pub(super) struct ProgressReporter {
    attempt: Arc<Attempt>,
    callback: Arc<CallbackSlot>,
    reported: BTreeMap<ItemId, ProgressState>,
    cursor: usize,
}

impl ProgressReporter {
    pub(super) fn new(attempt: &Arc<Attempt>, callback: &Arc<CallbackSlot>) -> Self {
        Self { attempt: attempt.clone(), callback: callback.clone(), reported: BTreeMap::new(), cursor: 0 }
    }

    /// Reports ten times a second until dropped.
    pub(super) async fn run(&mut self) {
        let mut interval_timer = interval(REPORT_INTERVAL);
        interval_timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval_timer.tick().await;
            self.report_changes();
        }
    }

    /// Reports the changes since the last call: first the items that ended, then the running items.
    pub(super) fn report_changes(&mut self) {
        for entry in self.attempt.journal(self.cursor, usize::MAX) {
            self.cursor += 1;
            let item = self.attempt.selection()[entry.item as usize].id();
            match entry.change {
                Change::Began => {}
                Change::Ended(outcome) => {
                    let reported = self.reported.remove(&item).unwrap_or_default();
                    let last = self.callback.take_last(item).since(&reported).unwrap_or_default();
                    let last = last.with_status(outcome.status());
                    self.callback.call(|callback| callback.progress(item, Some(&last)));
                }
            }
        }
        for (item, state) in self.attempt.progress() {
            let item = item.id();
            let reported = self.reported.entry(item).or_default();
            if let Some(report) = state.since(reported) {
                *reported = state;
                report_progress(&self.attempt, &self.callback, item, Some(&report));
            } else {
                report_progress(&self.attempt, &self.callback, item, None);
            }
        }
    }
}

/// Reports that an item is about to begin.
pub(super) fn report_begin(attempt: &Attempt, callback: &CallbackSlot, item: ItemId) {
    report_progress(attempt, callback, item, Some(&Progress::new().with_status(Status::Updating)));
}

/// Calls `Progress` and applies the cancellation that its return code requests.
fn report_progress(attempt: &Attempt, callback: &CallbackSlot, item: ItemId, report: Option<&Progress>) {
    match callback.call(|callback| callback.progress(item, report)) {
        HResult::S_SYNCMGR_CANCELITEM => {
            attempt.skip(item);
        }
        HResult::S_SYNCMGR_CANCELALL => attempt.stop(CancelReason::HandlerStopped),
        _ => {}
    }
}
