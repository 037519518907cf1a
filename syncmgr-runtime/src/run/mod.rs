//! Runs: one handler in one session.

mod absence;
mod attempts;
mod attention;
mod choosing;
mod conditions;
mod events;
mod holding;
pub(crate) mod lifecycle;
mod link;
mod local_changes;
mod merge;
mod naming;
mod recording;
mod requests;
mod settings;
mod state;
mod suspects;

use std::future::poll_fn;
use std::sync::{Arc, MutexGuard, Weak};
use std::task::Poll;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::claim::Claim;
use syncmgr_core::decision::attempt::Phase;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::host::{Priority, RunId, Urgency};
use syncmgr_core::decision::listing::Listing;
use syncmgr_core::decision::protocol::{Event, Step};
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::foreign::Foreign;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ItemId, Subject};
use syncmgr_core::importance::Importance;
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::LogEntry;
use syncmgr_core::port::{Kept, RunInfo};
use syncmgr_core::register::Generation;
use syncmgr_core::status::Status;
use syncmgr_core::sync::Mutex;
use tokio::sync::{Notify, oneshot};

use self::attempts::{Attempts, OfRun};
use self::attention::AttentionPermits;
pub(crate) use self::events::{NotRun, PositionedEvent, RunEvent, RunEvents};
pub(crate) use self::state::IdleRequest;
use self::state::{Command, Recorded, RunState, purpose};
use crate::attempt::Attempt;
use crate::ending::{RunChange, RunEnding};
use crate::host::{Host, Registered};
use crate::scheduler::admission::Admitted;
use crate::session::scope::{Choosing, SessionScope, SessionTerms};
use crate::turns::Turns;
use crate::watchdog::WatchedRun;

/// The run of one handler in one session.
pub(crate) struct Run {
    id: RunId,
    info: HandlerInfo,
    handler: Foreign<Arc<dyn SyncHandler>>,
    /// The registration of the handler that the run belongs to.
    generation: Generation,
    turns: Arc<Turns>,
    /// The state shared with the session and its other runs.
    scope: Arc<SessionScope>,
    run_info: RunInfo,
    span: tracing::Span,
    kept: Arc<Kept>,
    events: RunEvents,
    attention: AttentionPermits,
    attempts: Attempts,
    started: Notify,
    recorded: Mutex<Recorded>,
    /// Locked while the run reports to the ledger and the store, so that nothing is reported once the run is forgotten.
    reporting: Mutex<()>,
    state: Mutex<RunState>,
    /// Notified when the idle run has a request.
    requested: Notify,
    this: Weak<Run>,
}

impl Run {
    pub(crate) fn new(
        scope: &Arc<SessionScope>,
        Registered { handler, info, generation, turns, .. }: Registered,
        run_info: RunInfo,
    ) -> Arc<Self> {
        let id = RunId { session: run_info.session, handler: run_info.handler };
        let run = Arc::new_cyclic(|this| Self {
            id,
            info,
            handler,
            generation,
            turns,
            scope: scope.clone(),
            state: Mutex::new(RunState::new(purpose(scope, &run_info), scope.terms.reason, scope.terms.requested_by)),
            run_info,
            span: crate::trace::handler(&scope.span, id),
            kept: Arc::default(),
            events: RunEvents::default(),
            attention: AttentionPermits::default(),
            attempts: Attempts::default(),
            started: Notify::new(),
            recorded: Mutex::default(),
            reporting: Mutex::default(),
            requested: Notify::new(),
            this: this.clone(),
        });
        run.add_attempt();
        run
    }

    pub(crate) fn id(&self) -> RunId {
        self.id
    }

    pub(crate) fn info(&self) -> &HandlerInfo {
        &self.info
    }

    pub(crate) fn events(&self) -> &RunEvents {
        &self.events
    }

    pub(crate) fn ending(&self) -> Option<RunEnding> {
        self.lock().ending
    }

    /// Returns the reason the run was held, if it was.
    pub(crate) fn held(&self) -> Option<Hold> {
        self.lock().hold.clone()
    }

    /// Returns `true` if the run is idle: it is over, or waits for requests about its results.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.idle || state.ended
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Returns the number of times the run became idle.
    pub(crate) fn times_idle(&self) -> u64 {
        self.lock().times_idle
    }

    /// Returns the reason properties could not be shown, if they could not.
    pub(crate) fn not_shown(&self) -> Option<(HResult, String)> {
        self.lock().not_shown.clone()
    }

    /// Returns `true` if the user has opened an entry or the properties, and so can be asked.
    fn is_attended(&self) -> bool {
        use syncmgr_core::decision::protocol::Stage;
        matches!(self.lock().protocol.stage(), Stage::ShowingError(_) | Stage::ShowingProperties(_))
    }

    /// Returns every attempt so far.
    pub(crate) fn attempts(&self) -> Vec<Arc<Attempt>> {
        self.attempts.all()
    }

    /// Returns the number of attempts so far.
    pub(crate) fn attempt_count(&self) -> usize {
        self.attempts.count()
    }

    /// Returns the attempt with this number, from 0.
    pub(crate) fn nth_attempt(&self, number: u32) -> Option<OfRun<'_>> {
        self.attempts.nth(number as usize)
    }

    /// Returns the latest attempt.
    pub(crate) fn attempt(&self) -> OfRun<'_> {
        self.attempts.latest()
    }

    pub(crate) fn listing(&self) -> Listing {
        self.lock().listing.clone()
    }

    /// Returns the name of an item of the current attempt, or of a listed one.
    pub(crate) fn name_of(&self, item: ItemId) -> Option<Arc<str>> {
        let in_attempt = self.attempt().item(item).map(SyncItem::shared_name);
        in_attempt.or_else(|| self.lock().listing.item(item).map(SyncItem::shared_name))
    }

    /// Returns `true` if the run has listed this item.
    pub(crate) fn has_item(&self, item: ItemId) -> bool {
        self.lock().listing.item(item).is_some()
    }

    /// Skips one item, in the current attempt or in the next one.
    pub(crate) fn skip(&self, item: ItemId) {
        let attempt = {
            let mut state = self.lock();
            if !matches!(state.protocol.on(Event::SkipRequested), Step::Do(_)) {
                return;
            }
            state.skipped.insert(item);
            self.attempts.latest()
        };
        self.skip_in(&attempt, item);
    }

    pub(super) fn skip_in(&self, attempt: &Attempt, item: ItemId) {
        if attempt.skip(item) {
            attempt.push(Subject::Item(item), Status::Skipped);
        }
        if !attempt.selection().is_empty() && attempt.is_done() {
            self.on(Event::NoItemsLeft);
        }
    }

    /// Stops reporting anything about the run to the ledger and the store.
    pub(crate) fn forget(&self) {
        let _reporting = self.reporting.lock();
        self.lock().forgotten = true;
    }

    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    /// Returns `true` if nothing about the run is to be stored.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.lock().forgotten
    }

    /// Stops reporting an item.
    pub(crate) fn forget_item(&self, item: ItemId) {
        let _reporting = self.reporting.lock();
        self.lock().forgotten_items.insert(item);
        self.events.forget(item);
    }

    /// Returns `true` if the manager was shut down or dropped before the run had ended, and the run left something undone.
    pub(crate) fn was_cut_short(&self) -> bool {
        let state = self.lock();
        let shut_down = state.stop == Some(CancelReason::ShuttingDown);
        let (ending, attempt) = (state.ending, self.attempts.latest());
        drop(state);
        let has_stopped_items = || attempt.with_phases(|phases| phases.contains(&Phase::Ended(Outcome::Stopped)));
        let shut_down = shut_down || self.was_stopped_by_shutdown();
        shut_down && (ending == Some(RunEnding::Stopped) || has_stopped_items())
    }

    /// Returns `true` while an item runs.
    pub(crate) fn is_running(&self, item: ItemId) -> bool {
        self.attempt().phase_of(item) == Some(Phase::Running)
    }

    /// Returns the claims of the items that wait for this run's session.
    fn claims_of_callers(&self) -> Vec<Claim> {
        self.host().launcher().map(|launcher| launcher.claims_of_callers(self.id.session)).unwrap_or_default()
    }

    /// Returns `true` if the run's handler needs this claim, or an item that has not begun does.
    pub(crate) fn needs(&self, claim: &Claim) -> bool {
        self.info.claims().contains(claim) || self.attempt().has_waiting_with(claim)
    }

    /// Returns `true` if a call of this run has the user's attention: the call of an item, or of the handler.
    pub(crate) fn has_attention(&self, item: Option<ItemId>) -> bool {
        self.attention.is_held_by(item)
    }

    /// Returns `true` if the run waits for the user's attention.
    pub(crate) fn awaits_attention(&self) -> bool {
        self.attention.is_awaited()
    }

    /// Waits until an item no longer runs.
    pub(crate) async fn until_ended(&self, item: ItemId) {
        let attempt = self.attempt();
        poll_fn(|cx| {
            // Registered before the check, so that no end is missed.
            attempt.observe(cx.waker());
            if attempt.has_ended(item) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Stops every item of the run.
    pub(crate) fn stop(&self, reason: CancelReason) {
        self.stop_and(reason, |_| {});
    }

    /// Stops every item of the run. Calls `change` and returns `true` if the run was not stopped before.
    fn stop_and(&self, reason: CancelReason, change: impl FnOnce(&mut RunState)) -> bool {
        let (attempt, is_first) = {
            let mut state = self.lock();
            if !matches!(state.protocol.on(Event::StopRequested), Step::Do(_)) {
                return false;
            }
            let is_first = state.stop.is_none();
            if is_first {
                state.stop = Some(reason);
                change(&mut state);
            }
            (self.attempts.latest(), is_first)
        };
        stop_in(&attempt, reason);
        is_first
    }

    /// Pauses or resumes the run, as the session and the manager require.
    pub(crate) fn apply_pause(&self) {
        let attempt = self.attempt();
        // Repeated, because a concurrent call may have checked the attempt before this call updated it.
        while attempt.pause() != self.scope.pause() {
            attempt.set_pause(self.scope.pause());
        }
        self.host().work_changed();
    }

    /// Sends a request to an idle run. The receiver fails if the run is over.
    pub(crate) fn send_request(&self, request: IdleRequest) -> oneshot::Receiver<()> {
        let (reply, receiver) = oneshot::channel();
        {
            let mut state = self.lock();
            // A run that is over drops the request with its reply.
            if !state.ended {
                state.commands.push_back(Command { request, reply });
            }
        }
        self.requested.notify_one();
        receiver
    }

    fn on(&self, event: Event) -> Step {
        self.lock().protocol.on(event)
    }

    fn host(&self) -> &Arc<Host> {
        &self.scope.host
    }

    /// Adds an entry to the log.
    pub(crate) fn log(&self, entry: LogEntry) {
        if let Some(attempt) = self.log_quietly(entry) {
            attempt.notify();
        }
    }

    /// Adds an entry to the log. The caller notifies the observers of the attempt, once it has released its locks.
    fn log_quietly(&self, entry: LogEntry) -> Option<OfRun<'_>> {
        let attempt = {
            let state = self.lock();
            if entry.item.is_some_and(|item| state.forgotten_items.contains(&item)) {
                return None;
            }
            self.attempts.latest()
        };
        let item_name = || entry.item.and_then(|item| self.name_of(item));
        crate::trace::entry(&self.span, self.id, self.info.name(), &entry, item_name);
        self.events.log(attempt.number(), attempt.journal_len(), entry);
        Some(attempt)
    }

    /// Notifies the observers of the run's new state.
    fn record_change(&self, change: RunChange) {
        crate::trace::run(&self.span, self.id, change);
        self.add_event(RunEvent::Changed(change));
    }

    fn add_event(&self, event: RunEvent) {
        let attempt = self.attempt();
        self.events.add(attempt.number(), attempt.journal_len(), event);
        attempt.notify();
    }

    fn recorded_so_far(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock()
    }

    fn lock(&self) -> MutexGuard<'_, RunState> {
        self.state.lock()
    }
}

/// Stops an attempt and notifies its handler.
pub(super) fn stop_in(attempt: &Attempt, reason: CancelReason) {
    attempt.stop(reason);
    attempt.push(Subject::Handler, Status::Stopped);
}

impl Drop for Run {
    /// A run that was never driven ends here.
    fn drop(&mut self) {
        self.end_automatic();
    }
}

impl Admitted for Run {
    fn id(&self) -> RunId {
        self.id
    }

    fn urgency(&self) -> Urgency {
        let SessionTerms { priority, requested_by, choosing, .. } = &self.scope.terms;
        // Sessions in which the user chooses have the same urgency, because they would wait for each other if they overtook each
        // other at some handlers only.
        let is_requested = *requested_by != RequestedBy::Automatic || matches!(choosing, Choosing::ByChooser);
        let comes_first = is_requested && *priority == Priority::Foreground;
        let importance = if comes_first { Importance::High } else { self.info.importance() };
        Urgency { priority: *priority, importance }
    }

    fn start(&self) {
        self.started.notify_one();
    }

    fn grant(&self, workers: usize) -> bool {
        self.attempt().grant(workers)
    }

    fn ready(&self, item: ItemId) -> bool {
        self.attempt().ready(item)
    }
}

impl WatchedRun for Run {
    fn id(&self) -> RunId {
        self.id
    }

    fn evict_overdue(&self) {
        self.attempt().evict_overdue(tokio::time::Instant::now());
    }

    fn polls(&self) -> Vec<(Option<usize>, u32, Option<ItemId>)> {
        self.attempt().polls_in_progress()
    }

    fn log(&self, entry: LogEntry) {
        Self::log(self, entry);
    }
}
