//! A session: one trigger, one or more handler runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::choice::Offer;
use syncmgr_core::decision::host::Priority;
use syncmgr_core::decision::retry::Ask;
use syncmgr_core::decision::run::Pause;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::request::RunRequest;
use syncmgr_core::trigger::Trigger;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::task::AbortHandle;

use super::choosing::Choosing;
use super::connections::Connections;
use crate::chooser::Chosen;
use crate::clock::Now;
use crate::host::Host;
use crate::meter;
use crate::pending::Reason;
use crate::run::{self, Run, Wish};
use crate::tasks::Tasks;
use crate::trace;

/// What the parts of a session share.
pub(crate) struct SessionShared {
    id: SessionId,
    trigger: Trigger,
    priority: Priority,
    choosing: Choosing,
    deadline: Option<SystemTime>,
    reason: Reason,
    ask: Ask,
    span: tracing::Span,
    began: Now,
    pub(super) host: Arc<Host>,
    tasks: Tasks,
    /// Notified whenever something may be over.
    changes: Arc<Notify>,
    pub(super) chosen: OnceLock<Chosen>,
    connections: Connections,
    state: Mutex<SessionState>,
}

#[derive(Default)]
pub(super) struct SessionState {
    pub(super) runs: Vec<Arc<Run>>,
    /// How many handles there are that were made apart from each other.
    holders: usize,
    pub(super) offers: BTreeMap<HandlerId, Offer>,
    pub(super) stop: Option<CancelReason>,
    /// What is to be remembered of the session once somebody has chosen.
    asked: Vec<RunRequest>,
    pause: Pause,
    /// Nobody holds the session, or somebody has closed it: its runs are let go of when they rest.
    closing: bool,
    lasted: Option<Duration>,
    /// The lives of the session and its runs.
    tasks: Vec<AbortHandle>,
    over: bool,
}

/// Under what a session runs.
pub(crate) struct SessionTerms {
    pub(crate) trigger: Trigger,
    pub(crate) priority: Priority,
    pub(crate) choosing: Choosing,
    /// When it is stopped if it has not ended.
    pub(crate) deadline: Option<SystemTime>,
    pub(crate) reason: Reason,
    /// How firmly it was asked for.
    pub(crate) ask: Ask,
}

/// The life of a session. One that is cut short, because its task was aborted or its runtime is gone, is over all the
/// same for those who wait.
struct Life(Arc<SessionShared>);

impl Drop for Life {
    fn drop(&mut self) {
        if !self.0.is_over() {
            // Unless it had chosen before.
            let _ = self.0.chosen.set(Chosen::new());
            if self.0.lasted().is_none() {
                self.0.record_cut();
            }
            self.0.finish();
        }
    }
}

impl SessionShared {
    pub(crate) fn new(host: Arc<Host>, tasks: Tasks, terms: SessionTerms) -> Arc<Self> {
        let SessionTerms { trigger, priority, choosing, deadline, reason, ask } = terms;
        let id = host.next_session();
        Arc::new(Self {
            id,
            trigger,
            priority,
            choosing,
            deadline,
            reason,
            ask,
            span: trace::session(host.id, id, trigger),
            began: host.now(),
            host,
            tasks,
            changes: Arc::default(),
            chosen: OnceLock::new(),
            connections: Connections::default(),
            state: Mutex::default(),
        })
    }

    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    pub(super) fn began(&self) -> Now {
        self.began
    }

    pub(crate) fn span(&self) -> &tracing::Span {
        &self.span
    }

    pub(crate) fn trigger(&self) -> Trigger {
        self.trigger
    }

    pub(crate) fn priority(&self) -> Priority {
        self.priority
    }

    pub(crate) fn reason(&self) -> Reason {
        self.reason
    }

    pub(crate) fn ask(&self) -> Ask {
        self.ask
    }

    pub(crate) fn choosing(&self) -> &Choosing {
        &self.choosing
    }

    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    pub(crate) fn runs(&self) -> Vec<Arc<Run>> {
        self.lock().runs.clone()
    }

    pub(crate) fn run(&self, handler: HandlerId) -> Option<Arc<Run>> {
        self.lock().runs.iter().find(|run| run.id().handler == handler).cloned()
    }

    /// Takes the runs and begins. What was stopped meanwhile begins stopped.
    pub(crate) fn begin(self: &Arc<Self>, runs: Vec<Arc<Run>>, asked: Vec<RunRequest>) {
        match self.choosing {
            // Until somebody has chosen there is nothing to finish.
            Choosing::Ask => self.lock().asked = asked,
            _ => self.record_begin(asked),
        }
        trace::session_began(&self.span, self.host.id, self.id, self.trigger, runs.len());
        let stop = {
            let mut state = self.lock();
            state.runs = runs.clone();
            state.stop
        };
        if let Some(reason) = stop {
            runs.iter().for_each(|run| run.stop(reason));
        }
        self.host.gate.request(&runs, self.priority, Run::comes_after);
        let mut tasks = Vec::new();
        for run in runs {
            tasks.push(self.tasks.spawn(Box::pin(run::Life::of(run, self.clone()).live())));
        }
        let life = Life(self.clone());
        tasks.push(self.tasks.spawn(Box::pin(async move { life.0.live().await })));
        if let Some(deadline) = self.deadline {
            let session = self.clone();
            tasks.push(self.tasks.spawn(Box::pin(async move { session.stop_at(deadline).await })));
        }
        self.lock().tasks = tasks;
    }

    /// Stops the session when its time is up.
    async fn stop_at(&self, deadline: SystemTime) {
        let left = deadline.duration_since(self.began.wall).unwrap_or_default();
        tokio::select! {
            biased;
            () = self.until(|session| session.lasted().is_some()) => {}
            () = tokio::time::sleep(left) => self.stop(CancelReason::SessionStopped),
        }
    }

    /// The life of a session: collect, choose, wait until every run rests, close. Whenever all rest, connections are not
    /// needed any more (R138); a retry brings them up again.
    async fn live(&self) {
        self.until(|session| session.is_collected()).await;
        let chosen = self.choose_among_offers().await;
        if matches!(self.choosing, Choosing::Ask) {
            let asked = std::mem::take(&mut self.lock().asked);
            self.record_begin(asked);
        }
        // A session chooses once.
        let _ = self.chosen.set(chosen);
        self.changed();
        self.until(|session| session.is_at_rest()).await;
        self.rests().await;
        self.changed();
        let mut rested = None;
        while !self.lock().closing || !self.is_at_rest() {
            self.until(|session| session.is_at_rest() && session.has_news(rested)).await;
            rested = Some(self.times_rested());
            self.connections.close();
            self.until(|session| session.has_news(rested)).await;
        }
        for run in self.runs() {
            // A run that is over has nobody to reply.
            let _ = run.ask(Wish::Close).await;
        }
        self.until(|session| session.runs().iter().all(|run| run.is_over())).await;
        self.finish();
    }

    /// Whether runs have come to rest again, or somebody wants the session closed.
    fn has_news(&self, rested: Option<u64>) -> bool {
        self.lock().closing || rested != Some(self.times_rested())
    }

    /// Every run rests for the first time.
    async fn rests(&self) {
        let lasted = self.host.now().mono.saturating_sub(self.began.mono);
        self.host.lasting.record(lasted);
        self.record_end().await;
        self.lock().lasted = Some(lasted);
        trace::session_rests(&self.span, self.host.id, self.id, lasted);
        meter::session(self.trigger, lasted);
    }

    /// The session is over.
    fn finish(&self) {
        self.connections.close();
        self.host.known().sessions.remove(&self.id);
        let lasted = self.lasted().unwrap_or_else(|| self.host.now().mono.saturating_sub(self.began.mono));
        {
            let mut state = self.lock();
            state.lasted = Some(lasted);
            state.over = true;
        }
        self.changed();
    }

    pub(crate) fn stop(&self, reason: CancelReason) {
        let runs = {
            let mut state = self.lock();
            state.stop.get_or_insert(reason);
            state.runs.clone()
        };
        runs.iter().for_each(|run| run.stop(reason));
        self.changed();
    }

    /// Pauses or resumes the session's items.
    pub(crate) fn set_pause(&self, pause: Pause) {
        self.lock().pause = pause;
        self.apply_pause();
    }

    /// Whether items may begin: neither the session nor the manager is paused.
    pub(crate) fn pause(&self) -> Pause {
        let of_manager = self.host.known().pause;
        if self.lock().pause == Pause::Paused { Pause::Paused } else { of_manager }
    }

    pub(crate) fn apply_pause(&self) {
        self.runs().iter().for_each(|run| run.apply_pause());
    }

    /// Drops the session's tasks where they stand. What they leave open is closed by their lives.
    pub(crate) fn abort(&self) {
        let tasks = std::mem::take(&mut self.lock().tasks);
        tasks.iter().for_each(AbortHandle::abort);
    }

    pub(crate) fn add_holder(&self) {
        self.lock().holders += 1;
    }

    /// How many are left.
    pub(crate) fn remove_holder(&self) -> usize {
        let mut state = self.lock();
        state.holders -= 1;
        state.holders
    }

    /// The results are not needed any more; what runs goes on to its end.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed();
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        self.runs().iter().all(|run| run.is_at_rest())
    }

    /// How often runs have come to rest.
    pub(crate) fn times_rested(&self) -> u64 {
        self.runs().iter().map(|run| run.rests()).sum()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.lock().over
    }

    /// How long the session took until every run rested for the first time.
    pub(crate) fn lasted(&self) -> Option<Duration> {
        self.lock().lasted
    }

    /// Brings a connection up.
    pub(crate) async fn connect(&self, name: Option<&str>) -> SyncResult {
        self.connections.connect(self.host.ports.connections.as_deref(), name).await
    }

    /// Tells everybody who waits that something may be over.
    pub(crate) fn changed(&self) {
        self.changes.notify_waiters();
    }

    /// Resolves at the next such change after this call.
    pub(crate) fn next_change(&self) -> OwnedNotified {
        self.changes.clone().notified_owned()
    }

    /// Waits until something holds. Cancel safe.
    pub(crate) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        loop {
            // Made before looking: it is woken by every change from here on.
            let changed = self.changes.notified();
            if holds(self) {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
