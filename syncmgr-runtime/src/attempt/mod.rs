//! One attempt of a run: its items behind one mutex, its workers, and the port for its contexts.

mod claiming;
mod ending;
pub(crate) mod grace;
mod link;
mod port;
mod records;
mod slots;
mod state;
mod watch;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::{Arc, MutexGuard, OnceLock, Weak};
use std::task::Waker;
use std::time::Duration;

use syncmgr_core::cancel::{Cancel, CancelReason};
use syncmgr_core::cell::ItemCell;
use syncmgr_core::claim::Claim;
use syncmgr_core::context::{PrepareContext, RunContext, SynchronizeContext};
use syncmgr_core::decision::attempt::{Change, JournalEntry, Pause, Phase};
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::host::ClaimSet;
use syncmgr_core::decision::item_index::ItemIndex;
use syncmgr_core::decision::merge::covered;
use syncmgr_core::decision::verdict::{Outcome, Verdict};
use syncmgr_core::error::FailureClass;
use syncmgr_core::foreign::{self, Foreign};
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::ItemId;
use syncmgr_core::info::{HandlerInfo, Limits};
use syncmgr_core::item::SyncItem;
use syncmgr_core::port::{Kept, RunInfo};
use syncmgr_core::progress::ProgressState;
use syncmgr_core::record::Fence;
use syncmgr_core::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::nesting::{self, Call, CallSource};

pub(crate) use self::link::HostLink;
pub(crate) use self::records::Usage;
use self::state::{Aborted, AttemptPhase, Slot, State};

/// An item that has ended and may need to be recorded.
pub(crate) struct Candidate<'a> {
    pub(crate) item: ItemId,
    pub(crate) outcome: Outcome,
    pub(crate) used: Option<&'a Usage>,
}

/// An item that has ended.
pub(crate) struct ItemEnded {
    pub(crate) item: ItemId,
    pub(crate) verdict: Verdict,
    pub(crate) used: Usage,
}

/// One attempt of a run: from the call of `initialize` or `show_error` to the end of `synchronize`. `show_error` may
/// return the items to run.
pub(crate) struct Attempt {
    /// The number of the attempt in its run, from 0.
    number: u32,
    /// The run info before the items are selected.
    run_info: RunInfo,
    selected: OnceLock<Selected>,
    handler: Foreign<Arc<dyn SyncHandler>>,
    limits: Limits,
    state_version: u32,
    /// The claims of every item of the handler.
    claims: ClaimSet,
    cancel: Cancel,
    /// Counts the polls of the handler's methods.
    call: ItemCell,
    span: tracing::Span,
    /// The source of the handler's calls.
    source: CallSource,
    kept: Arc<Kept>,
    link: Arc<dyn HostLink>,
    state: Mutex<State>,
    this: Weak<Attempt>,
}

/// The selection of an attempt.
struct Selected {
    run_info: RunInfo,
    suspects: Suspects,
    index: ItemIndex,
}

/// The selected items that may have ended their process.
#[derive(Default)]
pub(crate) struct Suspects {
    pub(crate) items: BTreeSet<ItemId>,
    pub(crate) pace: Pace,
}

/// The number of items that run at the same time.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As many as the handler's limit allows.
    #[default]
    Concurrent,
    OneAtATime,
}

impl Attempt {
    pub(crate) fn new(
        number: u32,
        run_info: RunInfo,
        handler: Foreign<Arc<dyn SyncHandler>>,
        info: &HandlerInfo,
        kept: Arc<Kept>,
        link: Arc<dyn HostLink>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            number,
            run_info,
            selected: OnceLock::new(),
            handler,
            limits: info.limits(),
            state_version: info.state_version(),
            claims: info.claims().into(),
            cancel: Cancel::default(),
            call: ItemCell::default(),
            span: link.span(),
            source: link.call().map(Call::source),
            kept,
            link,
            state: Mutex::default(),
            this: this.clone(),
        })
    }

    /// Sets the items of the attempt and the fence of its writes. If the attempt was already stopped, its items are stopped.
    ///
    /// # Panics
    /// Panics if the items are already selected.
    pub(crate) fn select(&self, selection: Arc<[SyncItem]>, fence: Fence, suspects: Suspects) {
        let claiming = !self.claims.is_empty() || selection.iter().any(|item| !item.claims().is_empty());
        let items = selection.len();
        let run_info = self.run_info.clone().with_selection(selection).with_attempt(self.number + 1).with_fence(fence);
        self.change(|state| {
            let first = self.selected.set(Selected { run_info, suspects, index: ItemIndex::default() }).is_ok();
            assert!(first, "the items of an attempt are selected once");
            state.claiming = claiming;
            state.items.select(items);
        });
    }

    /// Returns `true` if the item may have ended its process.
    pub(crate) fn is_suspect(&self, item: ItemId) -> bool {
        self.selected.get().is_some_and(|selected| selected.suspects.items.contains(&item))
    }

    /// Returns the number of items that may run at the same time.
    fn max_items(&self) -> usize {
        match self.selected.get().map(|selected| selected.suspects.pace) {
            Some(Pace::OneAtATime) => 1,
            _ => self.limits.items(),
        }
    }

    /// Returns the run info of the attempt.
    fn run_info(&self) -> &RunInfo {
        self.selected.get().map_or(&self.run_info, |selected| &selected.run_info)
    }

    /// Returns the number of the attempt in its run, from 0.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Returns the fence that orders the attempt's writes.
    pub(crate) fn fence(&self) -> Fence {
        self.run_info().fence
    }

    pub(crate) fn handler(&self) -> &dyn SyncHandler {
        &**self.handler
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn selection(&self) -> &Arc<[SyncItem]> {
        &self.run_info().selection
    }

    pub(crate) fn context(&self) -> RunContext {
        RunContext::new(self.to_arc())
    }

    pub(crate) fn prepare_context(&self) -> PrepareContext {
        PrepareContext::new(self.to_arc())
    }

    pub(crate) fn synchronize_context(&self) -> SynchronizeContext {
        SynchronizeContext::new(self.to_arc())
    }

    /// Returns the token that is cancelled when the handler is stopped.
    pub(crate) fn token(&self) -> CancellationToken {
        self.cancel.token()
    }

    /// Returns the reason the handler was stopped, if it was.
    pub(crate) fn stopped(&self) -> Option<CancelReason> {
        self.cancel.reason()
    }

    /// Returns how long the handler has had the user's attention or waited for it.
    pub(crate) fn attention_time(&self) -> Duration {
        self.link.attention_time()
    }

    /// Returns `true` if every item has ended.
    pub(crate) fn is_done(&self) -> bool {
        self.lock().items.remaining() == 0
    }

    /// Lets items begin.
    pub(crate) fn begin_items(&self) {
        self.lock().phase = AttemptPhase::Synchronizing;
    }

    /// Returns `true` if the attempt is paused and items are waiting.
    pub(crate) fn is_paused(&self) -> bool {
        let state = self.lock();
        state.items.pause() == Pause::Paused && state.items.has_waiting()
    }

    /// Returns the pause state.
    pub(crate) fn pause(&self) -> Pause {
        self.lock().items.pause()
    }

    /// Pauses or resumes. While paused, no new item begins.
    pub(crate) fn set_pause(&self, pause: Pause) {
        let requeue = self.change(|state| state.items.set_pause(pause));
        requeue.into_iter().for_each(|index| self.link.requeue(self.selection()[index].id()));
        if pause == Pause::Running && self.lock().active_calls > 0 {
            self.request_needed_workers();
        }
    }

    /// Returns `true` if the task that drives the attempt was dropped.
    pub(crate) fn is_aborted(&self) -> bool {
        self.lock().aborted == Aborted::Yes
    }

    /// Returns an item's phase, if it is part of the attempt.
    pub(crate) fn phase_of(&self, item: ItemId) -> Option<Phase> {
        let index = self.index_of(item)?;
        self.lock().items.phase(index)
    }

    /// Returns `true` if an item has ended in the attempt or is not part of it.
    pub(crate) fn has_ended(&self, item: ItemId) -> bool {
        let Some(index) = self.index_of(item) else { return true };
        matches!(self.lock().items.phase(index), None | Some(Phase::Ended(_)))
    }

    /// Returns `true` if a worker is busy.
    pub(crate) fn is_busy(&self) -> bool {
        self.lock().busy > 0
    }

    /// Wakes `waker` when there is a status to push, or a worker starts or leaves.
    pub(crate) fn wake_at_change(&self, waker: &Waker) {
        let waker = waker.clone();
        let unneeded = self.lock().waiting.add(waker);
        drop(unneeded);
    }

    /// Wakes `waker` when the journal grows.
    pub(crate) fn observe(&self, waker: &Waker) {
        let waker = waker.clone();
        let unneeded = self.lock().observers.add(waker);
        drop(unneeded);
    }

    /// Wakes the observers for an event that is not in the journal.
    pub(crate) fn notify(&self) {
        let observers = mem::take(&mut self.lock().observers);
        observers.wake();
    }

    /// Reads up to `max` journal entries from `from` on.
    pub(crate) fn journal(&self, from: usize, max: usize) -> Vec<JournalEntry> {
        self.lock().items.journal(from).take(max).collect()
    }

    /// Returns the outcomes in the journal from entry `from` on. Keeps the attempt locked while it reads, so call it
    /// only for runs that have ended.
    pub(crate) fn covered(&self, from: usize) -> BTreeMap<usize, Outcome> {
        covered(self.lock().items.journal(from))
    }

    /// Returns the verdict on an item that ended with this outcome.
    pub(crate) fn verdict(&self, index: usize, outcome: Outcome) -> Verdict {
        self.lock().verdict(index, outcome)
    }

    /// Returns `true` if an item was abandoned after it was stopped.
    pub(crate) fn was_abandoned(&self, item: ItemId) -> bool {
        self.lock().abandoned.contains(&item)
    }

    /// Reads up to `max` journal entries from `from` on. Returns the ended items that `filter` accepts, and the position
    /// after these entries. An item that was held back has no attempt that could end.
    pub(crate) fn ends(
        &self,
        from: usize,
        max: usize,
        filter: impl Fn(Candidate<'_>) -> bool,
    ) -> (Vec<ItemEnded>, usize) {
        let mut state = self.lock();
        let selection = self.selection();
        let entries: Vec<_> = state.items.journal(from).take(max).collect();
        let next = from + entries.len();
        let mut ended = Vec::new();
        for entry in entries {
            let Change::Ended(outcome) = entry.change else { continue };
            let index = entry.item as usize;
            let item = selection[index].id();
            let known = Candidate { item, outcome, used: state.used.get(&item) };
            if state.held_back.contains_key(&index) || !filter(known) {
                continue;
            }
            let (verdict, used) = (state.verdict(index, outcome), state.used.remove(&item).unwrap_or_default());
            ended.push(ItemEnded { item, verdict, used });
        }
        (ended, next)
    }

    /// Returns the length of the journal.
    pub(crate) fn journal_len(&self) -> usize {
        self.lock().items.journal_len()
    }

    /// Polls a method of the handler.
    pub(crate) fn observe_poll<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.call.record_poll_boundary();
        let polled = self.span.in_scope(|| nesting::within(&mut self.source.clone(), poll));
        self.call.record_poll_boundary();
        polled
    }

    /// Returns the polls in progress: the worker slot, the number of the poll, and the item. A poll of a handler method
    /// is left out while any item is being polled.
    pub(crate) fn polls_in_progress(&self) -> Vec<(Option<usize>, u32, Option<ItemId>)> {
        let state = self.lock();
        let of_slot = |(slot_index, slot): (usize, &Slot)| {
            let item = self.selection()[slot.index?].id();
            Some((Some(slot_index), slot.cell.poll_in_progress()?, Some(item)))
        };
        let polls: Vec<_> = state.slots.iter().enumerate().filter_map(of_slot).collect();
        drop(state);
        match self.call.poll_in_progress() {
            Some(poll) if polls.is_empty() => vec![(None, poll, None)],
            _ => polls,
        }
    }

    /// Calls `read` with the phases of all items.
    pub(crate) fn with_phases<T>(&self, read: impl FnOnce(&[Phase]) -> T) -> T {
        read(self.lock().items.phases())
    }

    /// Returns the phases of all items, the classes of failures other than transient ones, and the reasons of the items that were
    /// held back.
    pub(crate) fn phases(&self) -> (Vec<Phase>, BTreeMap<usize, FailureClass>, BTreeMap<usize, Hold>) {
        let state = self.lock();
        (state.items.phases().to_vec(), state.classes.clone(), state.held_back.clone())
    }

    /// Returns the items that have not begun.
    pub(crate) fn waiting(&self) -> Vec<ItemId> {
        let is_waiting = |phase: &Phase| matches!(phase, Phase::Queued | Phase::Held);
        let state = self.lock();
        let waiting = self.selection().iter().zip(state.items.phases()).filter(|(_, phase)| is_waiting(phase));
        waiting.map(|(item, _)| item.id()).collect()
    }

    /// Returns `true` if an item that has not begun needs this claim.
    pub(crate) fn has_waiting_with(&self, claim: &Claim) -> bool {
        let waits = |phase: &Phase| matches!(phase, Phase::Queued | Phase::Held);
        let state = self.lock();
        let mut items = self.selection().iter().zip(state.items.phases());
        items.any(|(item, phase)| waits(phase) && item.claims().contains(claim))
    }

    /// Returns `true` if an item is running.
    pub(crate) fn is_running(&self) -> bool {
        self.lock().running().next().is_some()
    }

    /// Returns the running items, each with its latest progress.
    pub(crate) fn progress(&self) -> Vec<(&SyncItem, ProgressState)> {
        let state = self.lock();
        state.running().map(|(index, cell)| (&self.selection()[index], cell.state())).collect()
    }

    /// Returns the item with this id, if it is part of the attempt.
    pub(crate) fn item(&self, item: ItemId) -> Option<&SyncItem> {
        self.index_of(item).map(|index| &self.selection()[index])
    }

    /// Returns the index of an item in the selection.
    fn index_of(&self, item: ItemId) -> Option<usize> {
        let Selected { run_info, index, .. } = self.selected.get()?;
        index.position(&run_info.selection, item)
    }

    /// Changes the state and wakes everything that waits for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        let (wakers, ended_tokens) = (state.take_wakers(), mem::take(&mut state.ended_tokens));
        self.report_claims(state);
        ended_tokens.iter().for_each(foreign::cancel);
        wakers.wake();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn to_arc(&self) -> Arc<Self> {
        self.this.upgrade().expect("an attempt is only reached through its Arc")
    }
}
