//! One handler in one session: what it is, and what others do to it.

mod absence;
mod choosing;
mod grants;
mod holding;
mod life;
mod link;
mod looking;
mod merge;
mod notes;
mod recording;
mod state;

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::choice::Listing;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::host::{Priority, RunId};
use syncmgr_core::decision::protocol::{Event, Step};
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ErrorId, ItemId, Subject};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::log::LogEntry;
use syncmgr_core::port::{Kept, RunFacts};
use syncmgr_core::status::Status;
use tokio::sync::{Notify, oneshot};

use self::grants::Grants;
pub(crate) use self::life::Life;
use self::link::RunLink;
pub use self::notes::RunChange;
pub(crate) use self::notes::{Apart, Note, Notes, Placed};
use self::recording::Recorded;
use self::state::{RunState, purpose};
use crate::attempt::Attempt;
use crate::session::SessionShared;

/// One handler in one session.
pub(crate) struct Run {
    id: RunId,
    info: HandlerInfo,
    handler: Arc<dyn SyncHandler>,
    session: Weak<SessionShared>,
    facts: RunFacts,
    priority: Priority,
    span: tracing::Span,
    kept: Arc<Kept>,
    notes: Notes,
    grants: Grants,
    started: Notify,
    recorded: Mutex<Recorded>,
    state: Mutex<RunState>,
    /// Notified when somebody wants something of the resting run.
    wanted: Notify,
    this: Weak<Run>,
}

/// What somebody who looks at a resting run wants. The reply is sent when the run rests again.
pub(crate) struct Command {
    pub(crate) wish: Wish,
    pub(crate) reply: oneshot::Sender<()>,
}

/// What is wanted of a resting run.
pub(crate) enum Wish {
    /// Explain this entry.
    Open(ErrorId),
    /// Run these items again: a question of theirs was answered.
    Retry(Vec<ItemId>),
    /// Show properties.
    Properties(Subject),
    /// Nobody looks any more.
    Close,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunEnding {
    /// The handler declined to take part (R31).
    Declined,
    /// The handler could not begin: `initialize` or `items` ended with this code (R33).
    NotBegun(HResult),
    /// Nothing was chosen (R63), or the run was for settings only (R36).
    NothingToDo,
    /// It may not run now (offline, a metered link, backing off): not a failure. The report says why.
    Held,
    /// Everything was stopped before `synchronize`.
    Stopped,
    /// `prepare` did not end with `S_OK` (R90).
    NotPrepared(HResult),
    /// `synchronize` ended with this code (R102).
    Completed(HResult),
}

impl Run {
    pub(crate) fn new(
        session: &Arc<SessionShared>,
        handler: Arc<dyn SyncHandler>,
        info: HandlerInfo,
        facts: RunFacts,
    ) -> Arc<Self> {
        let id = RunId { session: facts.session, handler: facts.handler };
        let run = Arc::new_cyclic(|this| Self {
            id,
            info,
            handler,
            session: Arc::downgrade(session),
            state: Mutex::new(RunState::new(purpose(session, &facts), session.ask())),
            facts,
            priority: session.priority(),
            span: crate::trace::handler(session.span(), id),
            kept: Arc::default(),
            notes: Notes::default(),
            grants: Grants::default(),
            started: Notify::new(),
            recorded: Mutex::default(),
            wanted: Notify::new(),
            this: this.clone(),
        });
        run.add_attempt(session, run.facts.clone());
        run
    }

    pub(crate) fn id(&self) -> RunId {
        self.id
    }

    pub(crate) fn info(&self) -> &HandlerInfo {
        &self.info
    }

    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Notified when the host lets the run start.
    pub(crate) fn started(&self) -> &Notify {
        &self.started
    }

    pub(crate) fn ending(&self) -> Option<RunEnding> {
        self.lock().ending
    }

    /// Why the run may not run now, if it was held.
    pub(crate) fn held(&self) -> Option<Hold> {
        self.lock().hold.clone()
    }

    /// Whether nothing goes on: the run is over, or waits for somebody who looks at its results.
    pub(crate) fn is_at_rest(&self) -> bool {
        let state = self.lock();
        state.resting || state.over
    }

    pub(crate) fn is_over(&self) -> bool {
        self.lock().over
    }

    /// How often the run has come to rest.
    pub(crate) fn rests(&self) -> u64 {
        self.lock().rests
    }

    /// Why properties could not be shown, if they could not.
    pub(crate) fn not_shown(&self) -> Option<(HResult, String)> {
        self.lock().not_shown.clone()
    }

    /// Whether a person has opened an entry or the properties, and so is there to be asked.
    fn is_attended(&self) -> bool {
        use syncmgr_core::decision::protocol::Stage;
        matches!(self.lock().protocol.stage(), Stage::ShowingError(_) | Stage::ShowingProperties(_))
    }

    /// Every attempt so far; the first has no items.
    pub(crate) fn attempts(&self) -> Vec<Arc<Attempt>> {
        self.lock().attempts.clone()
    }

    pub(crate) fn attempt(&self) -> Arc<Attempt> {
        self.lock().latest()
    }

    pub(crate) fn listing(&self) -> Listing {
        self.lock().listing.clone()
    }

    /// Whether the run has listed this item.
    pub(crate) fn has_item(&self, item: ItemId) -> bool {
        self.lock().listing.item(item).is_some()
    }

    /// Skips one item, now or once there is an attempt that has it.
    pub(crate) fn skip(&self, item: ItemId) {
        let attempt = {
            let mut state = self.lock();
            if !matches!(state.protocol.on(Event::SkipWanted), Step::Do(_)) {
                return;
            }
            state.skipped.insert(item);
            state.latest()
        };
        self.skip_in(&attempt, item);
    }

    fn skip_in(&self, attempt: &Attempt, item: ItemId) {
        if attempt.skip(item) {
            attempt.push(Subject::Item(item), Status::Skipped);
        }
        if !attempt.selection().is_empty() && attempt.is_done() {
            self.on(Event::Emptied);
        }
    }

    /// Nothing of the run is stored from now on.
    pub(crate) fn forget(&self) {
        self.lock().forgotten = true;
    }

    /// Whether nothing of the run is to be stored.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.lock().forgotten
    }

    /// Skips an item, and records nothing of it from now on.
    pub(crate) fn forget_item(&self, item: ItemId) {
        self.lock().forgotten_items.insert(item);
        self.notes.forget(item);
        self.skip(item);
    }

    /// Waits until an item does not run any more.
    pub(crate) async fn until_ended(&self, item: ItemId) {
        let attempt = self.attempt();
        poll_fn(|cx| {
            // Registered before looking, so that no end is missed.
            attempt.observe(cx.waker());
            if attempt.has_ended(item) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Stops every item of the run.
    pub(crate) fn stop(&self, reason: CancelReason) {
        let attempt = {
            let mut state = self.lock();
            if !matches!(state.protocol.on(Event::StopWanted), Step::Do(_)) {
                return;
            }
            state.stop.get_or_insert(reason);
            state.latest()
        };
        stop_in(&attempt, reason);
    }

    /// Pauses or resumes with the session and the manager.
    pub(crate) fn apply_pause(&self) {
        let Some(session) = self.session.upgrade() else { return };
        let attempt = self.attempt();
        // Again if it has changed meanwhile: whoever changed it may have looked at the attempt before this set it.
        while attempt.pause() != session.pause() {
            attempt.set_pause(session.pause());
        }
    }

    /// The host lends workers. `false` when the run has no use for them.
    pub(crate) fn lend(&self, workers: usize) -> bool {
        self.attempt().lend(workers)
    }

    /// Asks a resting run for something. The receiver fails when the run is over.
    pub(crate) fn ask(&self, wish: Wish) -> oneshot::Receiver<()> {
        let (reply, receiver) = oneshot::channel();
        {
            let mut state = self.lock();
            // A run that is over drops the wish, and with it the reply.
            if !state.over {
                state.commands.push_back(Command { wish, reply });
            }
        }
        self.wanted.notify_one();
        receiver
    }

    fn on(&self, event: Event) -> Step {
        self.lock().protocol.on(event)
    }

    /// The session, which lives as long as its runs do.
    fn session(&self) -> Arc<SessionShared> {
        self.session.upgrade().expect("the life of a run holds its session")
    }

    /// Begins an attempt under these facts. What was cancelled before it began is cancelled in it.
    fn add_attempt(&self, session: &SessionShared, facts: RunFacts) -> Arc<Attempt> {
        let link = Arc::new(RunLink::new(self, session));
        let number = u32::try_from(self.lock().attempts.len()).unwrap_or(u32::MAX);
        let facts = facts.with_attempt(number).with_fence(session.host().next_fence());
        let attempt = Attempt::new(facts, self.handler.clone(), &self.info, self.kept.clone(), link);
        let (skipped, stop) = {
            let mut state = self.lock();
            state.attempts.push(attempt.clone());
            (std::mem::take(&mut state.skipped), state.stop)
        };
        // Whoever follows the attempt before is told that there is another.
        session.changed();
        self.apply_pause();
        skipped.into_iter().for_each(|item| self.skip_in(&attempt, item));
        if let Some(reason) = stop {
            stop_in(&attempt, reason);
        }
        attempt
    }

    /// Adds an entry of the manager's own to the log.
    pub(crate) fn log(&self, entry: LogEntry) {
        let (number, attempt) = {
            let state = self.lock();
            if entry.item.is_some_and(|item| state.forgotten_items.contains(&item)) {
                return;
            }
            (state.attempts.len() - 1, state.latest())
        };
        crate::trace::entry(&self.span, self.id, &entry);
        self.notes.log(number, attempt.journal_len(), entry);
        attempt.notify();
    }

    /// Tells those who observe what the run does now.
    fn note(&self, change: RunChange) {
        crate::trace::run(&self.span, self.id, change);
        self.add_note(Note::Run(change));
    }

    fn add_note(&self, note: Note) {
        let (number, attempt) = {
            let state = self.lock();
            (state.attempts.len() - 1, state.latest())
        };
        self.notes.add(number, attempt.journal_len(), note);
        attempt.notify();
    }

    fn recorded_so_far(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops an attempt and tells its handler.
fn stop_in(attempt: &Attempt, reason: CancelReason) {
    attempt.stop(reason);
    attempt.push(Subject::Handler, Status::Stopped);
}
