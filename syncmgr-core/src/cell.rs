//! What a running item reports into and is signalled through: plain atomics, written in nanoseconds, read by whoever
//! samples.

use std::sync::Arc;
use std::task::Waker;

use tokio_util::sync::CancellationToken;

use crate::cancel::{Cancel, CancelReason, Cancelled};
use crate::error::FailureClass;
use crate::progress::{Progress, ProgressState};
use crate::status::Status;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use crate::text::{MAX_TEXT, bounded};

/// The cell of one running item: its progress, its cancellation, and what it still has going on.
///
/// A runtime makes one per worker and uses it again for the next item, but only while nobody else holds it
/// ([`renew`](Self::renew)): what a stray clone of an ended item's context writes goes to a cell nobody reads.
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

/// What few items use.
#[derive(Debug, Default)]
struct Rare {
    text: Option<Arc<str>>,
    status: Option<Status>,
    tolerated: Option<FailureClass>,
    cut: CancellationToken,
    wakers: Vec<Waker>,
}

/// Progress was reported.
const SEEN: u8 = 1;
/// Progress was reported since somebody looked.
const FRESH: u8 = 1 << 1;

/// Something behind the mutex was used.
const RARE: u32 = 1;
/// A decision is open.
const UNDECIDED: u32 = 1 << 1;
/// Something was reported when the item was over.
const LATE: u32 = 1 << 2;

impl ItemCell {
    /// Reports numbers; `None` leaves the total as it was. `Err` once the item is cancelled or over.
    #[inline]
    pub fn progress(&self, value: u64, max: Option<u64>) -> Result<(), Cancelled> {
        if let Err(cancelled) = self.cancel.check() {
            return self.refuse(cancelled);
        }
        self.value.store(value, Ordering::Relaxed);
        if let Some(max) = max {
            self.max.store(max, Ordering::Relaxed);
        }
        self.see();
        Ok(())
    }

    /// Reports any fields. `Err` once the item is cancelled or over.
    ///
    /// The last report of a cancelled item is still taken, so that its end can be told (R116).
    pub fn report(&self, report: &Progress) -> Result<(), Cancelled> {
        if let Err(over) = self.check_not_over() {
            return self.refuse(over);
        }
        if let Some(value) = report.value {
            self.value.store(value, Ordering::Relaxed);
        }
        if let Some(max) = report.max {
            self.max.store(max, Ordering::Relaxed);
        }
        if report.text.is_some() || report.status.is_some() {
            self.mark(RARE);
            let mut rare = self.rare.lock();
            rare.text = report.text.as_ref().map(bounded_text).or(rare.text.take());
            rare.status = report.status.or(rare.status);
        }
        if !report.mask().is_empty() {
            self.see();
        }
        self.cancel.check()
    }

    /// The last value of every field.
    pub fn state(&self) -> ProgressState {
        let (value, max) = (self.value.load(Ordering::Relaxed), self.max.load(Ordering::Relaxed));
        if !self.has(RARE) {
            return ProgressState { value, max, ..ProgressState::default() };
        }
        let rare = self.rare.lock();
        ProgressState { text: rare.text.clone(), status: rare.status, value, max }
    }

    /// Whether anything was reported since this was asked last.
    ///
    /// ```
    /// # use syncmgr_core::cell::ItemCell;
    /// let cell = ItemCell::default();
    /// cell.progress(1, None)?;
    /// assert!(cell.take_fresh());
    /// assert!(!cell.take_fresh()); // nothing new: the item may be stalled
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn take_fresh(&self) -> bool {
        self.progress.fetch_and(!FRESH, Ordering::AcqRel) & FRESH != 0
    }

    /// The item's cancellation.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// What the item left behind that decides how it ended.
    pub fn traces(&self) -> Traces {
        let tolerated = if self.has(RARE) { self.rare.lock().tolerated } else { None };
        Traces {
            work_seen: self.progress.load(Ordering::Acquire) & SEEN != 0,
            undecided: self.has(UNDECIDED),
            tolerated,
        }
    }

    /// Remembers a failure the item went on after. Of several classes a transient one counts: it is worth a retry.
    pub fn tolerate(&self, class: FailureClass) {
        self.mark(RARE);
        let mut rare = self.rare.lock();
        if rare.tolerated.is_none() || class == FailureClass::Transient {
            rare.tolerated = Some(class);
        }
    }

    /// The item saved its state, which is a sign of life like any progress.
    pub fn note_commit(&self) {
        self.see();
    }

    /// `Err` once the item is over: what comes now comes too late. A cancelled item may still write.
    pub fn check_not_over(&self) -> Result<(), Cancelled> {
        match self.cancel.reason() {
            Some(reason @ CancelReason::Over) => Err(Cancelled { reason }),
            _ => Ok(()),
        }
    }

    /// Whether anything was reported when the item was over, by a context somebody kept.
    pub fn was_reported_late(&self) -> bool {
        self.has(LATE)
    }

    /// Remembers that a decision is open.
    pub fn leave_undecided(&self) {
        self.mark(UNDECIDED);
    }

    /// The item's work is about to be polled, or has been: called in pairs, by the one who polls it.
    #[inline]
    pub fn note_poll(&self) {
        self.polls.store(self.polls.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// The number of the poll that is under way, if one is.
    pub fn poll_under_way(&self) -> Option<u32> {
        Some(self.polls.load(Ordering::Relaxed)).filter(|polls| polls % 2 == 1)
    }

    /// Counts a piece of work that must end before the item counts as stopped.
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

    /// Whether work begun with [`begin_work`](Self::begin_work) is going on.
    pub fn is_working(&self) -> bool {
        self.outstanding.load(Ordering::Acquire) > 0
    }

    /// Defers the drop of the item's future until the guard is gone, or the hard grace is over.
    pub fn begin_uninterrupted(self: &Arc<Self>) -> Uninterrupted {
        self.uninterrupted.fetch_add(1, Ordering::Relaxed);
        Uninterrupted(self.clone())
    }

    /// Whether a guard defers the drop.
    pub fn is_uninterrupted(&self) -> bool {
        self.uninterrupted.load(Ordering::Acquire) > 0
    }

    /// The token that ends work the item spawned, once the item's own future has been dropped.
    pub fn cut(&self) -> CancellationToken {
        self.mark(RARE);
        self.rare.lock().cut.clone()
    }

    /// Registers one more who is woken, once, when the last work ends or the last uninterrupted guard goes.
    pub fn wake_when_idle(&self, waker: &Waker) {
        self.mark(RARE);
        let wakers = &mut self.rare.lock().wakers;
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    /// Makes the cell ready for the next item. Where somebody still holds it or its token, closes it for them and puts a
    /// new one in its place, which is returned; the old one's token goes to `over`, to be cancelled once no lock is held.
    ///
    /// `holders` is how many references the caller's own tables and contexts hold.
    pub fn renew(cell: &mut Arc<Self>, holders: usize, over: &mut Vec<CancellationToken>) -> Option<Arc<Self>> {
        let is_held = Arc::strong_count(cell) > holders;
        // Whoever held the cell asked for its token or wrote before letting go: see that before anything is read here.
        fence(Ordering::Acquire);
        if is_held || cell.cancel.is_awaited() {
            over.extend(cell.cancel.close());
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

    /// Answers a report that is not taken, and remembers one that came too late.
    #[cold]
    fn refuse(&self, cancelled: Cancelled) -> Result<(), Cancelled> {
        if cancelled.reason == CancelReason::Over {
            self.mark(LATE);
        }
        Err(cancelled)
    }

    fn has(&self, mark: u32) -> bool {
        self.marks.load(Ordering::Acquire) & mark != 0
    }

    /// Progress was reported. Apart from the other marks, because a store costs a tenth of a read-modify-write.
    #[inline]
    fn see(&self) {
        self.progress.store(SEEN | FRESH, Ordering::Release);
    }

    fn mark(&self, mark: u32) {
        if !self.has(mark) {
            self.marks.fetch_or(mark, Ordering::AcqRel);
        }
    }

    /// Takes the lock whether or not anybody waits: it is what orders this end after a registration that has seen the
    /// work still going on.
    fn wake(&self) {
        let wakers = std::mem::take(&mut self.rare.lock().wakers);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// A text within its bound, however it was made.
fn bounded_text(text: &Arc<str>) -> Arc<str> {
    if text.len() > MAX_TEXT { Arc::from(bounded(text, MAX_TEXT)) } else { text.clone() }
}

/// What an item left behind that decides how it ended.
///
/// ```
/// # use syncmgr_core::cell::ItemCell;
/// # use syncmgr_core::error::FailureClass;
/// let cell = ItemCell::default();
/// cell.tolerate(FailureClass::Permanent);
/// cell.tolerate(FailureClass::Transient);
/// assert_eq!(cell.traces().tolerated, Some(FailureClass::Transient)); // worth a retry
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Progress was reported.
    pub work_seen: bool,
    /// A decision is open.
    pub undecided: bool,
    /// The class of failures the item went on after.
    pub tolerated: Option<FailureClass>,
}

/// A piece of work that must end before its item counts as stopped. Dropping it says it has ended.
#[derive(Debug)]
pub struct WorkGuard(Arc<ItemCell>);

impl Drop for WorkGuard {
    fn drop(&mut self) {
        if self.0.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.wake();
        }
    }
}

/// While this lives, the item's future is not dropped before the hard grace is over.
#[derive(Debug)]
#[must_use = "dropping the guard at once protects nothing; bind it to a name"]
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
    fn a_cell_somebody_still_holds_is_not_used_again() {
        let mut cell = Arc::<ItemCell>::default();
        let stray = cell.clone();
        let next = ItemCell::renew(&mut cell, 1, &mut Vec::new()).expect("a new cell");
        assert!(!Arc::ptr_eq(&stray, &next));
        assert!(Arc::ptr_eq(&cell, &next));
        assert_eq!(stray.progress(5, None), Err(Cancelled { reason: CancelReason::Over }));
        assert_eq!(next.state().value, 0);
    }

    #[test]
    fn a_renewed_cell_knows_nothing_of_the_last_item() {
        let mut cell = Arc::<ItemCell>::default();
        cell.report(&Progress::new().with_value(3).with_max(9).with_text("x").with_status(Status::Updating))
            .expect("not cancelled");
        cell.tolerate(FailureClass::Permanent);
        cell.leave_undecided();
        let _ = cell.cancel().close();
        assert!(ItemCell::renew(&mut cell, 1, &mut Vec::new()).is_none(), "the same cell");
        assert_eq!(cell.state(), ProgressState::default());
        assert_eq!(cell.traces(), Traces::default());
        assert_eq!(cell.cancel().reason(), None);
    }

    #[test]
    fn whoever_waits_on_the_token_of_an_item_hears_of_its_end() {
        let (mut cell, mut over) = (Arc::<ItemCell>::default(), Vec::new());
        let token = cell.cancel().token();
        assert!(ItemCell::renew(&mut cell, 1, &mut over).is_some());
        over.iter().for_each(CancellationToken::cancel);
        assert!(token.is_cancelled());
        assert!(!cell.cancel().token().is_cancelled());
    }

    #[test]
    fn a_report_when_the_item_is_over_is_refused_and_remembered() {
        for report in
            [|cell: &ItemCell| cell.progress(1, None), |cell: &ItemCell| cell.report(&Progress::new().with_value(1))]
        {
            let cell = ItemCell::default();
            report(&cell).expect("not cancelled");
            let _ = cell.cancel().cancel(CancelReason::Skipped);
            assert!(report(&cell).is_err() && !cell.was_reported_late(), "a cancelled item may still say something");
            let _ = cell.cancel().close();
            assert_eq!(report(&cell), Err(Cancelled { reason: CancelReason::Over }));
            assert!(cell.was_reported_late());
        }
    }

    #[test]
    fn a_cell_is_fresh_once_after_each_report() {
        let cell = ItemCell::default();
        assert!(!cell.take_fresh());
        for value in 0..3 {
            cell.progress(value, None).expect("not cancelled");
            assert!(cell.take_fresh());
            assert!(!cell.take_fresh());
        }
        assert!(cell.traces().work_seen);
    }

    #[test]
    fn a_transient_failure_among_tolerated_ones_counts() {
        let cell = ItemCell::default();
        cell.tolerate(FailureClass::Permanent);
        cell.tolerate(FailureClass::Transient);
        cell.tolerate(FailureClass::Gone);
        assert_eq!(cell.traces().tolerated, Some(FailureClass::Transient));
    }

    #[test]
    fn r116_the_last_report_of_a_cancelled_item_is_still_taken() {
        let cell = ItemCell::default();
        let _ = cell.cancel().cancel(CancelReason::Skipped);
        assert!(cell.report(&Progress::new().with_status(Status::Skipped)).is_err());
        assert_eq!(cell.state().status, Some(Status::Skipped));
    }
}
