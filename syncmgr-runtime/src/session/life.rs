//! A session: one trigger, one or more handler runs.

use std::ops::Deref;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, SystemTime};

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::run::Pause;
use syncmgr_core::id::HandlerId;
use syncmgr_core::request::RunRequest;
use syncmgr_core::sync::Mutex;
use tokio::task::AbortHandle;

use super::open::OpenSessions;
use super::scope::{Choosing, SessionScope, SessionTerms};
use crate::chooser::Chosen;
use crate::host::Host;
use crate::meter;
use crate::run::life::RunLife;
use crate::run::{Run, Wish};
use crate::tasks::Tasks;
use crate::trace;

/// A session and its runs.
pub(crate) struct SessionShared {
    scope: Arc<SessionScope>,
    open: Arc<OpenSessions>,
    state: Mutex<SessionState>,
}

#[derive(Default)]
pub(super) struct SessionState {
    pub(super) runs: Vec<Arc<Run>>,
    /// How many handles there are that were made apart from each other.
    holders: usize,
    pub(super) stop: Option<CancelReason>,
    /// What is to be remembered of the session once somebody has chosen.
    asked: Vec<RunRequest>,
    /// Nobody holds the session, or somebody has closed it: its runs are let go of when they rest.
    closing: bool,
    lasted: Option<Duration>,
    /// The lives of the session and its runs.
    tasks: Vec<AbortHandle>,
    over: bool,
}

impl Deref for SessionShared {
    type Target = SessionScope;

    fn deref(&self) -> &SessionScope {
        &self.scope
    }
}

/// The life of a session. One that is cut short, because its task was aborted or its runtime is gone, is over all the
/// same for those who wait.
struct Life(Arc<SessionShared>);

impl Drop for Life {
    fn drop(&mut self) {
        if !self.0.is_over() {
            self.0.set_chosen(Chosen::new());
            if self.0.lasted().is_none() {
                self.0.record_cut();
            }
            self.0.finish();
        }
    }
}

impl SessionShared {
    /// A session that is about to begin. `None` once the manager was shut down.
    pub(super) fn open(
        host: Arc<Host>,
        open: Arc<OpenSessions>,
        tasks: Tasks,
        terms: SessionTerms,
    ) -> Option<Arc<Self>> {
        let scope = Arc::new(SessionScope::new(host, tasks, terms));
        let session = Arc::new(Self { scope, open, state: Mutex::default() });
        session.open.add(&session).then_some(session)
    }

    pub(super) fn scope(&self) -> &Arc<SessionScope> {
        &self.scope
    }

    pub(crate) fn runs(&self) -> Vec<Arc<Run>> {
        self.lock().runs.clone()
    }

    pub(crate) fn run(&self, handler: HandlerId) -> Option<Arc<Run>> {
        self.lock().runs.iter().find(|run| run.id().handler == handler).cloned()
    }

    /// Takes the runs and begins. What was stopped meanwhile begins stopped.
    pub(crate) fn begin(self: &Arc<Self>, runs: Vec<Arc<Run>>, asked: Vec<RunRequest>) {
        match self.terms.choosing {
            // Until somebody has chosen there is nothing to finish.
            Choosing::Ask => self.lock().asked = asked,
            _ => self.record_begin(asked),
        }
        trace::session_began(&self.span, self.host.id, self.id, self.terms.trigger, runs.len());
        let stop = {
            let mut state = self.lock();
            state.runs = runs.clone();
            state.stop
        };
        if let Some(reason) = stop {
            runs.iter().for_each(|run| run.stop(reason));
        }
        // Whoever lets go of a session last drops its handlers: not while the host decides.
        let mut earlier_sessions = Vec::new();
        self.host.admission.request(&runs, self.terms.priority, |run, earlier| {
            let sessions: Vec<_> = earlier.iter().filter_map(|run| self.open.get(run.session)).collect();
            run.comes_after(sessions.iter().filter_map(|session| session.run(run.id().handler)));
            earlier_sessions.extend(sessions);
        });
        drop(earlier_sessions);
        let mut tasks = Vec::new();
        for run in runs {
            tasks.push(self.tasks.spawn(Box::pin(RunLife(run).live())));
        }
        let life = Life(self.clone());
        tasks.push(self.tasks.spawn(Box::pin(async move { life.0.live().await })));
        if let Some(deadline) = self.terms.deadline {
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
            () = self.until(|| self.lasted().is_some()) => {}
            () = tokio::time::sleep(left) => self.stop(CancelReason::SessionStopped),
        }
    }

    /// The life of a session: collect, choose, wait until every run rests, close. Whenever all rest, connections are not
    /// needed any more (R138); a retry brings them up again.
    async fn live(&self) {
        self.until(|| self.is_collected()).await;
        let chosen = self.choose_among_offers().await;
        if matches!(self.terms.choosing, Choosing::Ask) {
            let asked = std::mem::take(&mut self.lock().asked);
            self.record_begin(asked);
        }
        self.set_chosen(chosen);
        self.until(|| self.is_at_rest()).await;
        self.rests().await;
        self.changed();
        let mut rested = None;
        while !self.lock().closing || !self.is_at_rest() {
            self.until(|| self.is_at_rest() && self.has_news(rested)).await;
            rested = Some(self.times_rested());
            self.connections.close();
            self.until(|| self.has_news(rested)).await;
        }
        for run in self.runs() {
            // A run that is over has nobody to reply.
            let _ = run.ask(Wish::Close).await;
        }
        self.until(|| self.runs().iter().all(|run| run.is_over())).await;
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
        meter::session(self.terms.trigger, lasted);
    }

    /// The session is over.
    fn finish(&self) {
        self.connections.close();
        self.open.remove(self.id);
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
        *self.own_pause() = pause;
        self.apply_pause();
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

    pub(super) fn lock(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock()
    }
}
