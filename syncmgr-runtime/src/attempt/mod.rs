//! One attempt of a run: its items behind one mutex, its workers, and the port its contexts speak to.

mod claiming;
mod ending;
pub(crate) mod grace;
mod link;
mod port;
mod remember;
mod seats;
mod state;
mod watch;
mod worker;

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, MutexGuard, OnceLock, Weak};
use std::task::Waker;
use std::time::Duration;

use syncmgr_core::cancel::{Cancel, CancelReason};
use syncmgr_core::cell::ItemCell;
use syncmgr_core::claim::Claim;
use syncmgr_core::context::{PrepareContext, RunContext, SynchronizeContext};
use syncmgr_core::decision::merge::covered;
use syncmgr_core::decision::run::{Change, JournalEntry, Pause, Phase};
use syncmgr_core::decision::verdict::{Outcome, Verdict};
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::ItemId;
use syncmgr_core::info::{HandlerInfo, Limits};
use syncmgr_core::item::SyncItem;
use syncmgr_core::port::{Kept, RunFacts};
use syncmgr_core::progress::ProgressState;
use syncmgr_core::record::Fence;
use syncmgr_core::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub(crate) use self::link::HostLink;
pub(crate) use self::remember::Used;
use self::state::{Aborted, Slot, State, Working};

/// An item that has ended, before it is decided whether to tell.
pub(crate) struct Candidate<'a> {
    pub(crate) item: ItemId,
    pub(crate) outcome: Outcome,
    pub(crate) used: Option<&'a Used>,
}

/// An item that has ended.
pub(crate) struct ItemEnded {
    pub(crate) place: usize,
    pub(crate) item: ItemId,
    pub(crate) verdict: Verdict,
    pub(crate) used: Used,
}

/// One attempt of a run: from `initialize` or `show_error`, which may choose its items, to the end of `synchronize`.
pub(crate) struct Attempt {
    /// Which attempt of its run this is, from 0.
    number: u32,
    /// What holds before its items are selected.
    facts: RunFacts,
    selected: OnceLock<Selected>,
    handler: Arc<dyn SyncHandler>,
    limits: Limits,
    state_version: u32,
    /// What every item of the handler claims.
    claims: Vec<Claim>,
    cancel: Cancel,
    /// Counts polls of the handler's methods as a cell does those of its item.
    call: ItemCell,
    span: tracing::Span,
    kept: Arc<Kept>,
    link: Arc<dyn HostLink>,
    state: Mutex<State>,
    this: Weak<Attempt>,
}

/// What holds once the items of an attempt are selected.
struct Selected {
    facts: RunFacts,
    /// Whether any item claims anything.
    claiming: bool,
    /// Where each item is in the selection; made when somebody asks by id.
    places: OnceLock<BTreeMap<ItemId, usize>>,
}

impl Attempt {
    pub(crate) fn new(
        number: u32,
        facts: RunFacts,
        handler: Arc<dyn SyncHandler>,
        info: &HandlerInfo,
        kept: Arc<Kept>,
        link: Arc<dyn HostLink>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            number,
            facts,
            selected: OnceLock::new(),
            handler,
            limits: info.limits(),
            state_version: info.state_version(),
            claims: info.claims().to_vec(),
            cancel: Cancel::default(),
            call: ItemCell::default(),
            span: link.span(),
            kept,
            link,
            state: Mutex::default(),
            this: this.clone(),
        })
    }

    /// The attempt is about these items, and what it writes from now on is ordered by this fence. What was stopped before
    /// is stopped in it.
    ///
    /// # Panics
    /// When they are selected already.
    pub(crate) fn select(&self, selection: Arc<[SyncItem]>, fence: Fence) {
        let claiming = !self.claims.is_empty() || selection.iter().any(|item| !item.claims().is_empty());
        let items = selection.len();
        let facts = self.facts.clone().with_selection(selection).with_attempt(self.number + 1).with_fence(fence);
        self.change(|state| {
            let first = self.selected.set(Selected { facts, claiming, places: OnceLock::new() }).is_ok();
            assert!(first, "the items of an attempt are selected once");
            state.run.select(items);
        });
    }

    /// What holds for the attempt.
    fn facts(&self) -> &RunFacts {
        self.selected.get().map_or(&self.facts, |selected| &selected.facts)
    }

    /// Whether any item claims anything.
    fn is_claiming(&self) -> bool {
        self.selected.get().is_some_and(|selected| selected.claiming)
    }

    /// Which attempt of its run this is, from 0.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// What orders the attempt's writes.
    pub(crate) fn fence(&self) -> Fence {
        self.facts().fence
    }

    pub(crate) fn handler(&self) -> &dyn SyncHandler {
        &*self.handler
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn selection(&self) -> &Arc<[SyncItem]> {
        &self.facts().selection
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

    /// How long the handler has had the user's attention, or waited for it.
    pub(crate) fn attended(&self) -> Duration {
        self.link.attended()
    }

    /// Whether every item has ended.
    pub(crate) fn is_done(&self) -> bool {
        self.lock().run.open() == 0
    }

    /// From now on items may begin.
    pub(crate) fn open(&self) {
        self.lock().working = Working::Now;
    }

    /// Whether items wait for somebody to resume.
    pub(crate) fn is_paused(&self) -> bool {
        let state = self.lock();
        state.run.pause() == Pause::Paused && state.run.has_waiting()
    }

    /// Whether items may begin.
    pub(crate) fn pause(&self) -> Pause {
        self.lock().run.pause()
    }

    /// Pauses or resumes: while paused no new item begins.
    pub(crate) fn set_pause(&self, pause: Pause) {
        let put_back = self.change(|state| state.run.set_pause(pause));
        put_back.into_iter().for_each(|place| self.link.put_back(self.selection()[place].id()));
        if pause == Pause::Going && self.lock().served > 0 {
            // An attempt that is over has no use for workers, and says so.
            let _ = self.want_workers();
        }
    }

    /// Whether nobody drives the attempt any more.
    pub(crate) fn is_aborted(&self) -> bool {
        self.lock().aborted == Aborted::Yes
    }

    /// Where an item stands in the attempt, if it is part of it.
    pub(crate) fn phase_of(&self, item: ItemId) -> Option<Phase> {
        let place = self.place(item)?;
        self.lock().run.phase(place)
    }

    /// Whether an item is no part of the attempt, or has ended in it.
    pub(crate) fn has_ended(&self, item: ItemId) -> bool {
        let Some(place) = self.place(item) else { return true };
        matches!(self.lock().run.phase(place), None | Some(Phase::Ended(_)))
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
        self.lock().run.journal(from).take(most).collect()
    }

    /// What the journal covers from `from` on. Only for runs that are over: everybody else waits meanwhile.
    pub(crate) fn covered(&self, from: usize) -> BTreeMap<usize, Outcome> {
        covered(self.lock().run.journal(from))
    }

    /// The verdict of an item that failed.
    pub(crate) fn failure(&self, place: usize) -> Option<Verdict> {
        self.lock().failures.get(&place).copied()
    }

    /// Whether an item was abandoned: somebody had stopped it.
    pub(crate) fn was_abandoned(&self, item: ItemId) -> bool {
        self.lock().abandoned.contains(&item)
    }

    /// What has ended between `from` and as many entries later, with its verdict and what it used; and how far that is.
    pub(crate) fn ends(
        &self,
        from: usize,
        most: usize,
        wanted: impl Fn(Candidate<'_>) -> bool,
    ) -> (Vec<ItemEnded>, usize) {
        let mut state = self.lock();
        let State { run, failures, used, .. } = &mut *state;
        let entries = run.journal(from).take(most);
        let next = from + entries.len();
        let ended = entries.filter_map(|entry| {
            let Change::Ended(outcome) = entry.change else { return None };
            let place = entry.item as usize;
            let item = self.selection()[place].id();
            let verdict = failures.get(&place).copied().unwrap_or(Verdict::plain(outcome));
            let known = Candidate { item, outcome, used: used.get(&item) };
            wanted(known).then(|| ItemEnded { place, item, verdict, used: used.remove(&item).unwrap_or_default() })
        });
        (ended.collect(), next)
    }

    /// How long the journal is.
    pub(crate) fn journal_len(&self) -> usize {
        self.lock().run.journal_len()
    }

    /// Polls a method of the handler.
    pub(crate) fn polled<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.call.note_poll();
        let polled = self.span.in_scope(poll);
        self.call.note_poll();
        polled
    }

    /// The polls of the handler under way: in which seat, which one, of which item. Where an item is polled inside a
    /// method, the item is what counts.
    pub(crate) fn polling(&self) -> Vec<(Option<usize>, u32, Option<ItemId>)> {
        let state = self.lock();
        let of_slot = |(index, slot): (usize, &Slot)| {
            let item = self.selection()[slot.place?].id();
            Some((Some(index), slot.cell.poll_under_way()?, Some(item)))
        };
        let polls: Vec<_> = state.slots.iter().enumerate().filter_map(of_slot).collect();
        drop(state);
        match self.call.poll_under_way() {
            Some(poll) if polls.is_empty() => vec![(None, poll, None)],
            _ => polls,
        }
    }

    /// Looks at every item's phase.
    pub(crate) fn with_phases<T>(&self, look: impl FnOnce(&[Phase]) -> T) -> T {
        look(self.lock().run.phases())
    }

    /// Every item's phase, and the verdicts of those that failed.
    pub(crate) fn phases(&self) -> (Vec<Phase>, BTreeMap<usize, Verdict>) {
        let state = self.lock();
        (state.run.phases().to_vec(), state.failures.clone())
    }

    /// What the running items reported last.
    pub(crate) fn progress(&self) -> Vec<(ItemId, ProgressState)> {
        let state = self.lock();
        state.running().map(|(place, cell)| (self.selection()[place].id(), cell.state())).collect()
    }

    /// Where an item is in the selection.
    fn place(&self, item: ItemId) -> Option<usize> {
        let Selected { facts, places, .. } = self.selected.get()?;
        let all = || facts.selection.iter().enumerate().map(|(place, item)| (item.id(), place)).collect();
        places.get_or_init(all).get(&item).copied()
    }

    /// Changes the state and wakes everybody who waits for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        let (wakers, over) = (state.everybody(), mem::take(&mut state.over));
        drop(state);
        over.iter().for_each(CancellationToken::cancel);
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn myself(&self) -> Arc<Self> {
        self.this.upgrade().expect("an attempt is only reached through its Arc")
    }
}
