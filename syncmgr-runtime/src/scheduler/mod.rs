//! Admission of runs and the scheduler.
//!
//! [`HostState`](syncmgr_core::decision::host::HostState) and [`RetryLedger`] decide; [`admission`] performs the decisions
//! of the former, this module those of the latter. [`task`] waits for the ledger's next deadline, [`launch`] starts the
//! sessions it requests.

pub(crate) mod admission;
mod launch;
mod ledger;
mod task;

use std::sync::Arc;
use std::time::SystemTime;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::ledger::{Effect, RetryLedger, Start, Work};
use syncmgr_core::environment::{EndingKind, Environment};
use syncmgr_core::foreign;
use syncmgr_core::id::{ItemId, SessionId};
use syncmgr_core::log::LogEntry;
use syncmgr_core::store::StateChange;
use syncmgr_core::sync::Mutex;
use tokio::sync::Notify;

pub(crate) use self::ledger::AgendaObservers;
use self::ledger::{LockedLedger, SharedLedger};
use self::task::SchedulerTask;
use crate::host::{Host, Rules};

/// The retry ledger of a manager and the task that waits for its deadlines.
pub(crate) struct Scheduler {
    ledger: SharedLedger,
    /// Notified when the task is to check the ledger again.
    wake: Notify,
    task: Mutex<SchedulerTask>,
}

/// Starts scheduled sessions.
pub(crate) trait Launcher: Send + Sync {
    fn launch(self: Arc<Self>, start: Start);
    /// Stops the automatic runs whose conditions have ended.
    fn check_conditions(&self, environment: &Environment);
    /// Stops every run for this reason, unless only the network goes down and the run does not need it, or was requested.
    fn stop_runs(&self, hold: &Hold);
    /// Returns the work that is left before this end.
    fn work_before(&self, kind: EndingKind) -> Work;
    /// Returns the claims of the items that wait for a session.
    fn claims_of_callers(&self, session: SessionId) -> Vec<Claim>;
    /// Returns `true` if a call that waits for a session has the user's attention.
    fn callers_have_attention(&self, session: SessionId) -> bool;
}

/// The changes that decisions make to the log of a run.
pub(crate) trait RunLog {
    /// Adds a question, replacing the entry with its id.
    fn add_question(&self, question: LogEntry);
    /// Removes the open questions of an item.
    fn remove_questions(&self, item: ItemId);
}

/// The log for decisions that concern no run: such decisions neither ask nor remove a question.
pub(crate) struct NoLog;

impl RunLog for NoLog {
    fn add_question(&self, _: LogEntry) {}
    fn remove_questions(&self, _: ItemId) {}
}

impl Scheduler {
    /// `seed` determines the jitter of schedules.
    pub(crate) fn new(rules: &Rules, seed: u64) -> Self {
        let ledger = RetryLedger::new(rules.resume)
            .with_reconnect_interval(rules.reconnect_interval)
            .with_connect_delay(rules.connect_delay)
            .with_idle_delay(rules.idle_after)
            .with_ending_margin(rules.ending_margin)
            .with_seed(seed);
        Self { ledger: SharedLedger::new(ledger), wake: Notify::new(), task: Mutex::new(SchedulerTask::new(rules)) }
    }

    /// Returns `true` if a claim may be held back, because it has a retry state.
    pub(crate) fn has_resources(&self) -> bool {
        self.ledger.has_resources()
    }
}

impl Host {
    /// Locks the retry ledger. [Perform](Self::perform) its decisions after the lock is released.
    pub(crate) fn ledger(&self) -> LockedLedger<'_> {
        self.scheduler.ledger.lock()
    }

    pub(crate) fn agenda_observers(&self) -> &Arc<AgendaObservers> {
        self.scheduler.ledger.observers()
    }

    /// Passes an event to the ledger, with the current time.
    pub(crate) fn decide<T>(&self, event: impl FnOnce(&mut RetryLedger, SystemTime) -> T) -> T {
        let now = self.now().wall;
        event(&mut self.ledger(), now)
    }

    /// Performs decisions about a run. Returns the changes, which the caller stores in one write with its own changes.
    #[must_use = "store the changes"]
    pub(crate) fn perform(self: &Arc<Self>, effects: Vec<Effect>, log: &dyn RunLog) -> Vec<StateChange> {
        let mut changes = Vec::new();
        for effect in effects {
            match effect {
                Effect::Write(change) => changes.push(change),
                Effect::AddQuestion(question) => log.add_question(question),
                Effect::RemoveQuestions(item) => log.remove_questions(item),
                Effect::Wake => self.wake_scheduler(),
                Effect::Start(start) => {
                    // These changes are stored first, so that they do not overwrite changes of the new session.
                    self.store_all(std::mem::take(&mut changes));
                    self.launch(start);
                }
                Effect::CheckRuns => self.check_conditions(),
                Effect::StopRuns(hold) => self.launcher().into_iter().for_each(|launcher| launcher.stop_runs(&hold)),
                Effect::Release(ending) => {
                    if let Err(error) = foreign::call(|| self.ports.environment.release(ending)) {
                        tracing::error!(manager = %self.id, %error, "the environment panicked");
                    }
                }
            }
        }
        changes
    }

    /// Applies effects of the ledger without a run, and stores their changes.
    pub(crate) fn apply(self: &Arc<Self>, effects: Vec<Effect>) {
        let changes = self.perform(effects, &NoLog);
        self.store_all(changes);
    }

    /// Stops the automatic runs whose conditions have ended.
    fn check_conditions(&self) {
        if let Some(launcher) = self.launcher() {
            launcher.check_conditions(&self.ports.environment.now());
        }
    }

    /// Lets the system go on if nothing is left to do before what is about to end.
    fn release_if_done(self: &Arc<Self>) {
        let kind = self.ports.environment.now().ending.map(|ending| ending.kind);
        let Some(kind) = kind.filter(|_| self.ledger().is_ending()) else { return };
        let work = self.launcher().map_or(Work::Done, |launcher| launcher.work_before(kind));
        let effects = self.decide(|ledger, now| ledger.release(work, now));
        self.apply(effects.into_iter().collect());
    }

    /// Notes that a run was paused, resumed or has ended: the system may wait for it.
    pub(crate) fn work_changed(self: &Arc<Self>) {
        if self.ledger().is_ending() {
            self.wake_scheduler();
        }
    }

    fn launch(&self, start: Start) {
        if let Some(launcher) = self.launcher() {
            launcher.launch(start);
        }
    }
}
