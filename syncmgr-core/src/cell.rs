//! The shared state of a running item: progress, cancellation and outstanding work, in atomics that a worker writes in
//! nanoseconds and observers sample.

use std::sync::Arc;
use std::task::Waker;

use tokio_util::sync::CancellationToken;

use crate::cancel::{Cancel, CancelReason, Cancelled};
use crate::error::FailureClass;
use crate::foreign::Wakers;
use crate::progress::{Progress, ProgressState, ProgressUnit};
use crate::status::Status;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use crate::text::{MAX_TEXT, bounded};

/// The cell of one running item: its progress, its cancellation and its outstanding work.
///
/// A runtime creates one cell per worker and reuses it for the next item with [`renew`](Self::renew), but only if it has
/// no other holders. A stray clone of an ended item's context therefore never writes to the cell of the next item.
///
/// ```
/// # use syncmgr_core::cell::ItemCell;
/// # use syncmgr_core::cancel::CancelReason;
/// let cell = ItemCell::default();
/// cell.progress(3, Some(10))?; // the worker
/// assert_eq!(cell.state().fraction(), Some(0.3)); // an observer
/// let _ = cell.cancel().cancel(CancelReason::Skipped);
/// assert!(cell.progress(4, None).is_err());
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct ItemCell {
    value: AtomicU64,
    max: AtomicU64,
    progress: AtomicU8,
    marks: AtomicU32,
    outstanding: AtomicU32,
    uninterrupted: AtomicU32,
    polls: AtomicU32,
    cancel: Cancel,
    rare: Mutex<Rare>,
}

/// Rarely used fields.
#[derive(Debug, Default)]
struct Rare {
    text: Option<Arc<str>>,
    status: Option<Status>,
    unit: ProgressUnit,
    tolerated: Option<FailureClass>,
    abort: CancellationToken,
    wakers: Wakers,
}

/// Progress was reported.
const ANY_PROGRESS: u8 = 1;
/// Progress was reported since the last call of `take_new_progress`.
const NEW_PROGRESS: u8 = 1 << 1;

/// A field of [`Rare`] was used.
const RARE: u32 = 1;
/// A question is unanswered.
const UNDECIDED: u32 = 1 << 1;
/// A report came after the end of the item.
const LATE: u32 = 1 << 2;
/// A question about a part of the item is unanswered.
const PARTLY_UNDECIDED: u32 = 1 << 3;

impl ItemCell {
    /// Reports the amount done. `None` leaves the total unchanged. `Err` once the item is cancelled or has ended.
    #[inline]
    pub fn progress(&self, value: u64, max: Option<u64>) -> Result<(), Cancelled> {
        if let Err(cancelled) = self.cancel.check() {
            return self.refuse(cancelled);
        }
        self.value.store(value, Ordering::Relaxed);
        if let Some(max) = max {
            self.max.store(max, Ordering::Relaxed);
        }
        self.record_progress();
        Ok(())
    }

    /// Reports any fields. `Err` once the item is cancelled or has ended.
    ///
    /// A report of a cancelled item is still applied, so that the item can report its final status.
    ///
    /// See also: R116.
    pub fn report(&self, report: &Progress) -> Result<(), Cancelled> {
        if let Err(cancelled) = self.check_not_ended() {
            return self.refuse(cancelled);
        }
        if let Some(value) = report.value {
            self.value.store(value, Ordering::Relaxed);
        }
        if let Some(max) = report.max {
            self.max.store(max, Ordering::Relaxed);
        }
        if report.text.is_some() || report.status.is_some() || report.unit.is_some() {
            self.mark(RARE);
            let mut rare = self.rare.lock();
            rare.text = report.text.as_ref().map(bounded_text).or(rare.text.take());
            rare.status = report.status.or(rare.status);
            rare.unit = report.unit.unwrap_or(rare.unit);
        }
        if !report.mask().is_empty() {
            self.record_progress();
        }
        self.cancel.check()
    }

    /// Returns the last value of every field.
    pub fn state(&self) -> ProgressState {
        let (value, max) = (self.value.load(Ordering::Relaxed), self.max.load(Ordering::Relaxed));
        if !self.has(RARE) {
            return ProgressState { value, max, ..ProgressState::default() };
        }
        let rare = self.rare.lock();
        ProgressState { text: rare.text.clone(), status: rare.status, value, max, unit: rare.unit }
    }

    /// Returns `true` if progress was reported since the last call.
    ///
    /// ```
    /// # use syncmgr_core::cell::ItemCell;
    /// let cell = ItemCell::default();
    /// cell.progress(1, None)?;
    /// assert!(cell.take_new_progress());
    /// assert!(!cell.take_new_progress()); // no new report: the item may be stalled
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn take_new_progress(&self) -> bool {
        self.progress.fetch_and(!NEW_PROGRESS, Ordering::AcqRel) & NEW_PROGRESS != 0
    }

    /// Returns the item's cancellation.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Returns the observations that decide the outcome of the item.
    pub fn signals(&self) -> ItemSignals {
        let tolerated = if self.has(RARE) { self.rare.lock().tolerated } else { None };
        ItemSignals {
            work_seen: self.progress.load(Ordering::Acquire) & ANY_PROGRESS != 0,
            undecided: self.has(UNDECIDED),
            partly_undecided: self.has(PARTLY_UNDECIDED),
            tolerated,
        }
    }

    /// Records a tolerated failure. A transient class replaces any other, because a retry may succeed.
    pub fn tolerate(&self, class: FailureClass) {
        self.mark(RARE);
        let mut rare = self.rare.lock();
        if rare.tolerated.is_none() || class == FailureClass::Transient {
            rare.tolerated = Some(class);
        }
    }

    /// Records that the item saved its state. This counts as progress.
    pub fn record_commit(&self) {
        self.record_progress();
    }

    /// Returns `Err` once the item has ended. A cancelled item may still write.
    pub fn check_not_ended(&self) -> Result<(), Cancelled> {
        match self.cancel.reason() {
            Some(reason @ CancelReason::Ended) => Err(Cancelled { reason }),
            _ => Ok(()),
        }
    }

    /// Returns `true` if a report came after the end of the item, through a context that outlived it.
    pub fn was_reported_late(&self) -> bool {
        self.has(LATE)
    }

    /// Records that a question is unanswered.
    pub fn mark_undecided(&self) {
        self.mark(UNDECIDED);
    }

    /// Records that a question about a part of the item is unanswered.
    pub fn mark_partly_undecided(&self) {
        self.mark(PARTLY_UNDECIDED);
    }

    /// Records the start or the end of a poll of the item's work. Only the poller calls it, in pairs.
    #[inline]
    pub fn record_poll_boundary(&self) {
        self.polls.store(self.polls.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Returns the number of the poll in progress. `None` between polls.
    pub fn poll_in_progress(&self) -> Option<u32> {
        Some(self.polls.load(Ordering::Relaxed)).filter(|polls| polls % 2 == 1)
    }

    /// Registers a piece of work that must end before the item counts as stopped.
    ///
    /// ```
    /// # use syncmgr_core::cell::ItemCell;
    /// # use std::sync::Arc;
    /// let cell = Arc::new(ItemCell::default());
    /// let copying = cell.begin_work();
    /// assert!(cell.is_working());
    /// drop(copying);
    /// assert!(!cell.is_working());
    /// ```
    pub fn begin_work(self: &Arc<Self>) -> WorkGuard {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        WorkGuard(self.clone())
    }

    /// Returns `true` if work begun with [`begin_work`](Self::begin_work) has not ended.
    pub fn is_working(&self) -> bool {
        self.outstanding.load(Ordering::Acquire) > 0
    }

    /// Keeps the item's future from being dropped until the guard is dropped or the hard grace is over.
    pub fn begin_uninterrupted(self: &Arc<Self>) -> Uninterrupted {
        self.uninterrupted.fetch_add(1, Ordering::Relaxed);
        Uninterrupted(self.clone())
    }

    /// Returns `true` if a guard keeps the item's future from being dropped.
    pub fn is_uninterrupted(&self) -> bool {
        self.uninterrupted.load(Ordering::Acquire) > 0
    }

    /// Returns the token that cancels the item's spawned work once the item's own future is dropped.
    pub fn abort_token(&self) -> CancellationToken {
        self.mark(RARE);
        self.rare.lock().abort.clone()
    }

    /// Registers a waker. It is woken once, when the last work ends or the last uninterrupted guard is dropped.
    pub fn wake_when_work_ends(&self, waker: &Waker) {
        self.mark(RARE);
        let waker = waker.clone();
        let unneeded = self.rare.lock().wakers.add(waker);
        drop(unneeded);
    }

    /// Prepares the cell for the next item. If the cell or its token has other holders, closes the cell, replaces it and
    /// returns the new one. Adds the token of the closed cell to `closed`; cancel that token once no lock is held.
    ///
    /// `holders` is the number of references that the caller itself holds.
    pub fn renew(cell: &mut Arc<Self>, holders: usize, closed: &mut Vec<CancellationToken>) -> Option<Arc<Self>> {
        let is_held = Arc::strong_count(cell) > holders;
        // Pairs with the drop of the last other reference: writes before the drop must be visible to the checks below.
        fence(Ordering::Acquire);
        if is_held || cell.cancel.is_awaited() {
            closed.extend(cell.cancel.close());
            *cell = Arc::default();
            return Some(cell.clone());
        }
        cell.value.store(0, Ordering::Relaxed);
        cell.max.store(0, Ordering::Relaxed);
        if cell.has(RARE) {
            *cell.rare.lock() = Rare::default();
        }
        cell.progress.store(0, Ordering::Relaxed);
        cell.marks.store(0, Ordering::Relaxed);
        cell.cancel.reset();
        None
    }

    /// Refuses a report. If the item has ended, also records that the report came late.
    #[cold]
    fn refuse(&self, cancelled: Cancelled) -> Result<(), Cancelled> {
        if cancelled.reason == CancelReason::Ended {
            self.mark(LATE);
        }
        Err(cancelled)
    }

    fn has(&self, mark: u32) -> bool {
        self.marks.load(Ordering::Acquire) & mark != 0
    }

    /// Records progress. Separate from the other marks because a store costs a tenth of a read-modify-write.
    #[inline]
    fn record_progress(&self) {
        self.progress.store(ANY_PROGRESS | NEW_PROGRESS, Ordering::Release);
    }

    fn mark(&self, mark: u32) {
        if !self.has(mark) {
            self.marks.fetch_or(mark, Ordering::AcqRel);
        }
    }

    /// Wakes all waiters. Acquires the lock even if there are none: the lock orders the end of the work after the
    /// registration of a waiter that has seen the work running.
    fn wake(&self) {
        let wakers = std::mem::take(&mut self.rare.lock().wakers);
        wakers.wake();
    }
}

/// Returns the text, truncated to [`MAX_TEXT`].
fn bounded_text(text: &Arc<str>) -> Arc<str> {
    if text.len() > MAX_TEXT { Arc::from(bounded(text, MAX_TEXT)) } else { text.clone() }
}

/// The observations that decide the outcome of an item.
///
/// ```
/// # use syncmgr_core::cell::ItemCell;
/// # use syncmgr_core::error::FailureClass;
/// let cell = ItemCell::default();
/// cell.tolerate(FailureClass::Permanent);
/// cell.tolerate(FailureClass::Transient);
/// assert_eq!(cell.signals().tolerated, Some(FailureClass::Transient)); // worth a retry
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemSignals {
    /// Progress was reported.
    pub work_seen: bool,
    /// A question is unanswered.
    pub undecided: bool,
    /// A question about a part of the item is unanswered.
    pub partly_undecided: bool,
    /// The class of the tolerated failures. `None` if there were none.
    pub tolerated: Option<FailureClass>,
}

/// A piece of work that must end before its item counts as stopped. Dropping the guard marks the end of the work.
#[derive(Debug)]
pub struct WorkGuard(Arc<ItemCell>);

impl Drop for WorkGuard {
    fn drop(&mut self) {
        if self.0.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.wake();
        }
    }
}

/// A guard that keeps the item's future from being dropped until the hard grace is over.
#[derive(Debug)]
#[must_use = "a guard that is dropped immediately protects nothing; bind it to a name"]
pub struct Uninterrupted(Arc<ItemCell>);

impl Drop for Uninterrupted {
    fn drop(&mut self) {
        if self.0.uninterrupted.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_with_other_holders_is_not_reused() {
        let mut cell = Arc::<ItemCell>::default();
        let stray = cell.clone();
        let next = ItemCell::renew(&mut cell, 1, &mut Vec::new()).expect("a new cell");
        assert!(!Arc::ptr_eq(&stray, &next));
        assert!(Arc::ptr_eq(&cell, &next));
        assert_eq!(stray.progress(5, None), Err(Cancelled { reason: CancelReason::Ended }));
        assert_eq!(next.state().value, 0);
    }

    #[test]
    fn a_renewed_cell_has_no_data_of_the_previous_item() {
        let mut cell = Arc::<ItemCell>::default();
        cell.report(&Progress::new().with_value(3).with_max(9).with_text("x").with_status(Status::Updating))
            .expect("not cancelled");
        cell.report(&Progress::new().with_unit(ProgressUnit::Bytes)).expect("not cancelled");
        assert_eq!((cell.state().unit, cell.state().max), (ProgressUnit::Bytes, 9));
        cell.tolerate(FailureClass::Permanent);
        cell.mark_undecided();
        let _ = cell.cancel().close();
        assert!(ItemCell::renew(&mut cell, 1, &mut Vec::new()).is_none(), "the cell was replaced");
        assert_eq!(cell.state(), ProgressState::default());
        assert_eq!(cell.signals(), ItemSignals::default());
        assert_eq!(cell.cancel().reason(), None);
    }

    #[test]
    fn the_token_of_an_item_is_cancelled_at_its_end() {
        let (mut cell, mut closed) = (Arc::<ItemCell>::default(), Vec::new());
        let token = cell.cancel().token();
        assert!(ItemCell::renew(&mut cell, 1, &mut closed).is_some());
        closed.iter().for_each(CancellationToken::cancel);
        assert!(token.is_cancelled());
        assert!(!cell.cancel().token().is_cancelled());
    }

    #[test]
    fn a_report_after_the_end_is_refused_and_recorded() {
        for report in
            [|cell: &ItemCell| cell.progress(1, None), |cell: &ItemCell| cell.report(&Progress::new().with_value(1))]
        {
            let cell = ItemCell::default();
            report(&cell).expect("not cancelled");
            let _ = cell.cancel().cancel(CancelReason::Skipped);
            assert!(
                report(&cell).is_err() && !cell.was_reported_late(),
                "a report after a cancel is refused, but not late"
            );
            let _ = cell.cancel().close();
            assert_eq!(report(&cell), Err(Cancelled { reason: CancelReason::Ended }));
            assert!(cell.was_reported_late());
        }
    }

    #[test]
    fn new_progress_is_taken_once_after_each_report() {
        let cell = ItemCell::default();
        assert!(!cell.take_new_progress());
        for value in 0..3 {
            cell.progress(value, None).expect("not cancelled");
            assert!(cell.take_new_progress());
            assert!(!cell.take_new_progress());
        }
        assert!(cell.signals().work_seen);
    }

    #[test]
    fn a_transient_failure_among_tolerated_ones_counts() {
        let cell = ItemCell::default();
        cell.tolerate(FailureClass::Permanent);
        cell.tolerate(FailureClass::Transient);
        cell.tolerate(FailureClass::Gone);
        assert_eq!(cell.signals().tolerated, Some(FailureClass::Transient));
    }

    #[test]
    fn r116_the_last_report_of_a_cancelled_item_is_still_accepted() {
        let cell = ItemCell::default();
        let _ = cell.cancel().cancel(CancelReason::Skipped);
        assert!(cell.report(&Progress::new().with_status(Status::Skipped)).is_err());
        assert_eq!(cell.state().status, Some(Status::Skipped));
    }
}
