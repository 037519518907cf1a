//! One attempt of a run: its items behind one mutex, its workers, and the port its contexts speak to.

pub(crate) mod grace;
mod port;
mod state;
mod worker;

use std::collections::BTreeMap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Poll, Waker};

use futures::future::{BoxFuture, poll_fn};
use syncmgr_core::cancel::{Cancel, CancelReason, Cancelled};
use syncmgr_core::cell::ItemCell;
use syncmgr_core::context::{ItemContext, PrepareContext, RunContext, SynchronizeContext};
use syncmgr_core::decision::run::{JournalEntry, Phase, Skip};
use syncmgr_core::decision::verdict::{Verdict, judge_unreported};
use syncmgr_core::error::{SyncResult, panic_text};
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ErrorScope, ItemId, Subject};
use syncmgr_core::info::Limits;
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::{LogEntry, LogLevel, Question};
use syncmgr_core::port::{InteractionPermit, Kept, RunFacts};
use syncmgr_core::progress::ProgressState;
use syncmgr_core::status::Status;
use tokio_util::sync::CancellationToken;

use self::state::{State, Wake, Working};

/// What an attempt needs from whoever hosts it: the manager's session, or a foreign callback.
pub(crate) trait HostLink: Send + Sync {
    fn log(&self, entry: LogEntry);
    fn delete_log(&self, scope: ErrorScope);
    fn interaction(&self) -> BoxFuture<'_, SyncResult<InteractionPermit>>;
    fn connect<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, SyncResult>;
    fn decide(&self, item: ItemId, question: &Question) -> Option<usize>;
    /// An item is about to begin; the host may cancel it.
    fn begins(&self, attempt: &Attempt, item: ItemId) {
        let _ = (attempt, item);
    }
    /// An item was abandoned; while the cell is working, what it started is still running.
    fn abandoned(&self, item: ItemId, cell: Arc<ItemCell>) {
        let _ = (item, cell);
    }
    /// Asks for workers; the host lends them with [`Attempt::lend`].
    fn want_workers(&self, attempt: &Arc<Attempt>, count: usize);
    fn give_back_workers(&self, count: usize);
    fn spawn(&self, task: BoxFuture<'static, ()>);
    fn blocking(&self, job: Box<dyn FnOnce() + Send>);
}

/// One attempt of a run.
pub(crate) struct Attempt {
    facts: RunFacts,
    handler: Arc<dyn SyncHandler>,
    limits: Limits,
    cancel: Cancel,
    kept: Arc<Kept>,
    link: Arc<dyn HostLink>,
    /// Where each item is in the selection; made when somebody asks by id.
    places: OnceLock<BTreeMap<ItemId, usize>>,
    state: Mutex<State>,
    this: Weak<Attempt>,
}

/// What a worker leaves behind of an item.
pub(crate) struct Ended {
    pub(crate) place: usize,
    pub(crate) verdict: Verdict,
}

/// What became of the request for workers.
pub(crate) enum Lent {
    /// These places were lent.
    Slots(Vec<usize>),
    /// Nothing is left to begin and nobody is busy.
    Done,
}

impl Attempt {
    pub(crate) fn new(
        facts: RunFacts,
        handler: Arc<dyn SyncHandler>,
        limits: Limits,
        kept: Arc<Kept>,
        link: Arc<dyn HostLink>,
    ) -> Arc<Self> {
        let state = Mutex::new(State::new(facts.selection.len()));
        let cancel = Cancel::default();
        Arc::new_cyclic(|this| Self {
            facts,
            handler,
            limits,
            cancel,
            kept,
            link,
            places: OnceLock::new(),
            state,
            this: this.clone(),
        })
    }

    pub(crate) fn handler(&self) -> &dyn SyncHandler {
        &*self.handler
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn selection(&self) -> &Arc<[SyncItem]> {
        &self.facts.selection
    }

    pub(crate) fn context(&self) -> RunContext {
        RunContext::new(self.myself())
    }

    pub(crate) fn prepare_context(&self) -> PrepareContext {
        PrepareContext::new(self.myself())
    }

    pub(crate) fn synchronize_context(&self) -> SynchronizeContext {
        SynchronizeContext::new(self.myself())
    }

    /// The token that is cancelled when the handler is stopped.
    pub(crate) fn token(&self) -> CancellationToken {
        self.cancel.token()
    }

    /// Why the handler was stopped, if it was.
    pub(crate) fn stopped(&self) -> Option<CancelReason> {
        self.cancel.reason()
    }

    /// Skips one item. `false` when it is not part of this attempt or has ended.
    pub(crate) fn skip(&self, item: ItemId) -> bool {
        let Some(place) = self.place(item) else { return false };
        let mut state = self.lock();
        let skip = state.run.skip(place);
        let mut wake = Wake::default();
        if skip == Skip::Signal {
            wake.signal(state.cell(place), CancelReason::Skipped);
        }
        wake.add(state.cancelled_workers());
        wake.add(state.everybody());
        drop(state);
        wake.perform();
        skip != Skip::TooLate
    }

    /// Stops everything that has not ended.
    pub(crate) fn stop(&self, reason: CancelReason) {
        let mut wake = Wake::default();
        wake.add_token(self.cancel.cancel(reason));
        let mut state = self.lock();
        state.run.stop(reason);
        for cell in state.cells() {
            wake.signal(Some(cell), reason);
        }
        wake.add(state.cancelled_workers());
        wake.add(state.everybody());
        drop(state);
        wake.perform();
    }

    /// Keeps a status for the next moment at which it may be pushed to the handler.
    pub(crate) fn push(&self, subject: Subject, status: Status) {
        self.change(|state| state.pushes.push((subject, status)));
    }

    /// Tells the handler what was pushed. Called while a window is open, between two polls.
    pub(crate) fn deliver(&self) {
        let pushes = mem::take(&mut self.lock().pushes);
        for (subject, status) in pushes {
            let context = self.context();
            let push = || self.handler.set_item_status(&context, subject, status);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(push)) {
                let text = format!("the handler panicked when told of a skip: {}", panic_text(panic));
                self.link.log(LogEntry::new(LogLevel::Error, text));
            }
        }
    }

    /// Whether every item has ended.
    pub(crate) fn is_done(&self) -> bool {
        self.lock().run.open() == 0
    }

    /// From now on items may begin.
    pub(crate) fn open(&self) {
        self.lock().working = Working::Now;
    }

    /// `synchronize` has ended with `code`: waits for the workers, and closes what has no end (R105).
    pub(crate) async fn finish(&self, code: HResult) {
        self.settle().await;
        let unreported = self.close(|cell| {
            let cancel = cell.and_then(|cell| cell.cancel().reason()).or(self.stopped());
            judge_unreported(code, cancel, cell.map(ItemCell::traces).unwrap_or_default())
        });
        for item in unreported {
            self.link.log(LogEntry::new(LogLevel::Error, "the handler did not report this item").about(item));
        }
    }

    /// From now on nothing is taken. What has not ended ends as `judge` says, with the cell of what began by hand.
    /// Returns the items whose end belongs into the log.
    pub(crate) fn close(&self, judge: impl Fn(Option<&ItemCell>) -> Verdict) -> Vec<ItemId> {
        let mut to_log = Vec::new();
        let cells = self.change(|state| {
            state.working = Working::Over;
            state.pushes.clear();
            for place in 0..state.run.phases().len() {
                if !matches!(state.run.phases()[place], Phase::Ended(_)) {
                    let verdict = judge(state.by_hand.get(&place).map(|cell| &**cell));
                    state.end(place, verdict);
                    to_log.extend(verdict.level.map(|_| self.facts.selection[place].id()));
                }
            }
            mem::take(&mut state.by_hand)
        });
        cells.values().for_each(|cell| cell.cancel().close());
        to_log
    }

    /// The host has detached: every context of the attempt refuses.
    pub(crate) fn detach(&self) {
        self.cancel.close();
    }

    /// Waits until no worker is busy. What is still running is stopped.
    async fn settle(&self) {
        if self.is_busy() {
            self.stop(CancelReason::HandlerStopped);
        }
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.busy == 0 {
                return Poll::Ready(());
            }
            state.wait(cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// Whether a worker is busy.
    pub(crate) fn is_busy(&self) -> bool {
        self.lock().busy > 0
    }

    /// Wakes `waker` when there is a status to push, or workers come or go.
    pub(crate) fn wake_at_change(&self, waker: &Waker) {
        self.lock().wait(waker);
    }

    /// Wakes `waker` when the journal grows.
    pub(crate) fn observe(&self, waker: &Waker) {
        self.lock().observe(waker);
    }

    /// Wakes those who observe, because something happened that the journal does not have.
    pub(crate) fn notify(&self) {
        let observers = mem::take(&mut self.lock().observers);
        observers.into_iter().for_each(Waker::wake);
    }

    /// Reads the journal from `from` on: how long it is, and its next entries.
    pub(crate) fn journal(&self, from: usize, most: usize) -> Vec<JournalEntry> {
        self.lock().run.journal().iter().skip(from).take(most).copied().collect()
    }

    /// How long the journal is.
    pub(crate) fn journal_len(&self) -> usize {
        self.lock().run.journal().len()
    }

    /// Every item's phase, and the verdicts of those that failed.
    pub(crate) fn phases(&self) -> (Vec<Phase>, BTreeMap<usize, Verdict>) {
        let state = self.lock();
        (state.run.phases().to_vec(), state.failures.clone())
    }

    /// The host lends workers. `false` when they are not needed any more; they stay with the host then.
    pub(crate) fn lend(&self, count: usize) -> bool {
        self.change(|state| {
            let needed = state.working == Working::Now && state.run.has_next();
            state.lent += if needed { count } else { 0 };
            needed
        })
    }

    /// What the running items reported last.
    pub(crate) fn progress(&self) -> Vec<(ItemId, ProgressState)> {
        let state = self.lock();
        state.running().map(|(place, cell)| (self.facts.selection[place].id(), cell.state())).collect()
    }

    /// Takes the workers the host has lent since the last call.
    pub(crate) fn poll_lent(&self, waker: &Waker) -> Poll<Lent> {
        let mut state = self.lock();
        if state.lent > 0 {
            let slots = (0..mem::take(&mut state.lent)).map(|_| state.take_slot()).collect();
            return Poll::Ready(Lent::Slots(slots));
        }
        if state.busy == 0 && !state.run.has_next() {
            return Poll::Ready(Lent::Done);
        }
        state.wait(waker);
        Poll::Pending
    }

    /// Lent workers that were not put to work go back.
    pub(crate) fn return_lent(&self) {
        let unused = mem::take(&mut self.lock().lent);
        if unused > 0 {
            self.link.give_back_workers(unused);
        }
    }

    /// A worker's turn: ends the item it had and begins the next, in one lock. `false` when there is none and the
    /// worker leaves.
    pub(crate) fn turn(&self, slot: usize, ended: Option<Ended>, context: &mut Option<ItemContext>) -> bool {
        let mut state = self.lock();
        if let Some(ended) = ended {
            state.end(ended.place, ended.verdict);
        }
        let seated = state.seat(slot);
        let wakers = if seated.is_some() { mem::take(&mut state.observers) } else { state.everybody() };
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        let Some((place, cell)) = seated else {
            *context = None;
            self.link.give_back_workers(1);
            return false;
        };
        match context {
            Some(context) => context.turn_to(place, cell),
            none => {
                *none = Some(ItemContext::new(self.myself(), place, cell.expect("a first item comes with its cell")))
            }
        }
        true
    }

    /// An item was abandoned: what it started is still running.
    pub(crate) fn abandon(&self, item: ItemId, cell: &Arc<ItemCell>) {
        self.link.abandoned(item, cell.clone());
    }

    /// A worker is gone in the middle of an item.
    pub(crate) fn leave(&self, slot: usize, ended: Ended) {
        self.change(|state| {
            state.end(ended.place, ended.verdict);
            state.vacate(slot);
        });
        self.link.give_back_workers(1);
    }

    /// A worker is polled with another waker than before.
    pub(crate) fn rewake(&self, slot: usize, waker: &Waker) {
        self.lock().slots[slot].waker.clone_from(waker);
    }

    /// Where an item is in the selection.
    fn place(&self, item: ItemId) -> Option<usize> {
        let places = || self.facts.selection.iter().enumerate().map(|(place, item)| (item.id(), place)).collect();
        self.places.get_or_init(places).get(&item).copied()
    }

    /// Asks for as many workers as the limit leaves and the items can use.
    fn want_workers(&self) -> Result<(), Cancelled> {
        let count = {
            let state = self.lock();
            if state.working == Working::Over {
                return Err(Cancelled { reason: CancelReason::Over });
            }
            state.run.open().min(self.limits.items()).saturating_sub(state.busy + state.lent)
        };
        self.link.want_workers(&self.myself(), count);
        Ok(())
    }

    /// Changes the state and wakes everybody who waits for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        let wakers = state.everybody();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn myself(&self) -> Arc<Self> {
        self.this.upgrade().expect("an attempt is only reached through its Arc")
    }
}
