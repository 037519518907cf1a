//! A session: one trigger, one or more handler runs.

use std::cmp::Reverse;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, OnceLock};
use std::time::{Duration, SystemTime};

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::attempt::Pause;
use syncmgr_core::decision::ledger::StartReason;
use syncmgr_core::id::HandlerId;
use syncmgr_core::request::RunRequest;
use syncmgr_core::store::StateChange;
use syncmgr_core::sync::Mutex;
use tokio::task::AbortHandle;

use super::open::OpenSessions;
use super::scope::{Choosing, SessionScope, SessionTerms};
use crate::chooser::Chosen;
use crate::host::Host;
use crate::meter;
use crate::run::lifecycle::RunTask;
use crate::run::{IdleRequest, Run};
use crate::scheduler::admission::Admitted;
use crate::tasks::Tasks;
use crate::trace;

/// A session and its runs.
pub(crate) struct SessionShared {
    scope: Arc<SessionScope>,
    open: Arc<OpenSessions>,
    state: Mutex<SessionState>,
    /// In order of handler id. Set when the session begins, under the lock of the state.
    runs: OnceLock<Box<[Arc<Run>]>>,
    /// The run for which a condition of all runs did not hold the last time.
    waited_for: AtomicUsize,
}

#[derive(Default)]
pub(super) struct SessionState {
    /// The number of independent handles; clones of a handle count once.
    handles: usize,
    pub(super) stop: Option<CancelReason>,
    /// The runs to record once the items are chosen.
    requests: Vec<RunRequest>,
    /// `true` once the last handle is dropped or the session is closed: its runs are released when they are idle.
    pub(super) closing: bool,
    /// The time until every run was idle for the first time.
    time_to_idle: Option<Duration>,
    /// The tasks of the session and its runs.
    tasks: Vec<AbortHandle>,
    ended: bool,
}

impl Deref for SessionShared {
    type Target = SessionScope;

    fn deref(&self) -> &SessionScope {
        &self.scope
    }
}

/// The task of a session. If the task is aborted or its runtime shuts down, dropping it ends the session and all waits
/// for it.
struct SessionTask(Arc<SessionShared>);

impl Drop for SessionTask {
    fn drop(&mut self) {
        if !self.0.has_ended() {
            self.0.set_chosen(Chosen::new());
            if self.0.time_to_idle().is_none() {
                self.0.record_dropped();
            }
            self.0.finish();
        }
    }
}

impl SessionShared {
    /// Creates a session that has not begun. Returns `None` once the manager is shut down.
    pub(super) fn open(
        host: Arc<Host>,
        open: Arc<OpenSessions>,
        tasks: Tasks,
        terms: SessionTerms,
    ) -> Option<Arc<Self>> {
        let scope = Arc::new(SessionScope::new(host, tasks, terms));
        let (state, runs) = (Mutex::default(), OnceLock::new());
        let session = Arc::new(Self { scope, open, state, runs, waited_for: AtomicUsize::default() });
        session.open.add(&session).then_some(session)
    }

    pub(super) fn scope(&self) -> &Arc<SessionScope> {
        &self.scope
    }

    /// Returns the runs, in order of handler id; none before the session begins.
    pub(crate) fn runs(&self) -> &[Arc<Run>] {
        self.runs.get().map_or(&[], |runs| runs)
    }

    pub(crate) fn run(&self, handler: HandlerId) -> Option<Arc<Run>> {
        let runs = self.runs();
        runs.binary_search_by_key(&handler, |run| run.id().handler).ok().map(|found| runs[found].clone())
    }

    /// Begins with these runs, and stores the changes. If the session was stopped meanwhile, the runs are stopped. Runs that the
    /// scheduler has decided are left out if their handlers were unregistered meanwhile.
    pub(crate) fn begin(self: &Arc<Self>, runs: Vec<Arc<Run>>, requests: Vec<RunRequest>, changes: Vec<StateChange>) {
        let runs = match self.terms.choosing {
            // Recorded once the items are chosen: until then, a crash leaves nothing to finish.
            Choosing::ByChooser => {
                self.lock().requests = requests;
                self.host.store_all(changes);
                runs
            }
            _ if self.terms.reason != StartReason::Requested => self.record_scheduled(runs, requests, changes),
            _ => {
                self.record_begin(requests, changes);
                runs
            }
        };
        trace::session_began(&self.span, self.host.id, self.id, self.terms.trigger, runs.len());
        let stop = {
            let state = self.lock();
            self.runs.get_or_init(|| runs.as_slice().into());
            state.stop
        };
        // A stream of events may have read the session before it had runs.
        self.changed();
        if let Some(reason) = stop {
            runs.iter().for_each(|run| run.stop(reason));
        }
        self.stop_forgotten(&runs);
        runs.iter().for_each(|run| run.observe_turns());
        self.host.admission.request(&runs);
        let mut tasks = Vec::new();
        // Important handlers are prepared first.
        let mut runs = runs;
        runs.sort_by_key(|run| Reverse(run.urgency()));
        for run in runs {
            tasks.push(self.tasks.spawn(Box::pin(RunTask(run).drive())));
        }
        let task = SessionTask(self.clone());
        tasks.push(self.tasks.spawn(Box::pin(async move { task.0.drive().await })));
        if let Some(deadline) = self.terms.deadline {
            let session = self.clone();
            tasks.push(self.tasks.spawn(Box::pin(async move { session.stop_at(deadline).await })));
        }
        self.lock().tasks = tasks;
    }

    /// Stops the runs whose handlers were forgotten after the session was requested.
    fn stop_forgotten(&self, runs: &[Arc<Run>]) {
        let is_forgotten = |run: &&Arc<Run>| {
            let forgotten = self.host.manager_state().forgotten(run.id().handler);
            forgotten.is_some_and(|forgotten| run.generation() < forgotten)
        };
        for run in runs.iter().filter(is_forgotten) {
            run.forget();
            run.stop(CancelReason::HandlerStopped);
        }
    }

    /// Stops the session at its deadline.
    async fn stop_at(&self, deadline: SystemTime) {
        let left = deadline.duration_since(self.began.wall).unwrap_or_default();
        tokio::select! {
            biased;
            () = self.until(|| self.time_to_idle().is_some()) => {}
            () = tokio::time::sleep(left) => self.stop(CancelReason::SessionStopped),
        }
    }

    /// Drives the session: collects offers, chooses items, waits until every run is idle, closes. Whenever all runs are
    /// idle, the connections are closed; a retry establishes them again.
    async fn drive(&self) {
        self.until(|| self.has_all_offers()).await;
        let chosen = self.choose_among_offers().await;
        if matches!(self.terms.choosing, Choosing::ByChooser) {
            let mut requests = std::mem::take(&mut self.lock().requests);
            requests.retain(|request| self.run(request.handler).is_none_or(|run| !run.is_forgotten()));
            self.record_begin(requests, Vec::new());
        }
        self.set_chosen(chosen);
        self.until(|| self.is_idle()).await;
        self.became_idle().await;
        self.changed();
        let mut idle_count = None;
        while !self.lock().closing || !self.is_idle() {
            self.until(|| self.is_idle() && self.has_changed_since(idle_count)).await;
            idle_count = Some(self.times_idle());
            // R138.
            self.connections.close();
            self.until(|| self.has_changed_since(idle_count)).await;
        }
        for run in self.runs().iter() {
            // A run that has ended sends no reply.
            let _ = run.send_request(IdleRequest::Close).await;
        }
        self.until(|| self.all_runs(Run::has_ended)).await;
        self.finish();
    }

    /// Returns `true` if runs have become idle since `idle_count`, or the session is closing.
    fn has_changed_since(&self, idle_count: Option<u64>) -> bool {
        self.lock().closing || idle_count != Some(self.times_idle())
    }

    /// Records that every run is idle for the first time.
    async fn became_idle(&self) {
        let duration = self.host.now().mono.saturating_sub(self.began.mono);
        self.host.session_durations.record(duration);
        self.record_end().await;
        self.lock().time_to_idle = Some(duration);
        trace::session_idle(&self.span, self.host.id, self.id, duration);
        meter::session(self.terms.trigger, duration);
    }

    /// Ends the session.
    fn finish(&self) {
        self.connections.close();
        self.open.remove(self);
        let duration = self.time_to_idle().unwrap_or_else(|| self.host.now().mono.saturating_sub(self.began.mono));
        {
            let mut state = self.lock();
            state.time_to_idle = Some(duration);
            state.ended = true;
        }
        self.changed();
    }

    pub(crate) fn stop(&self, reason: CancelReason) {
        let runs = {
            let mut state = self.lock();
            state.stop.get_or_insert(reason);
            self.runs()
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

    /// Aborts the session's tasks. Dropping the tasks ends the session and its runs.
    pub(crate) fn abort(&self) {
        let tasks = std::mem::take(&mut self.lock().tasks);
        tasks.iter().for_each(AbortHandle::abort);
    }

    pub(crate) fn add_handle(&self) {
        self.lock().handles += 1;
    }

    /// Removes a handle and returns the number of handles left.
    pub(crate) fn remove_handle(&self) -> usize {
        let mut state = self.lock();
        state.handles -= 1;
        state.handles
    }

    /// Closes the results; running items continue to their end.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed();
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.all_runs(Run::is_idle)
    }

    /// Returns `true` if the session has begun, and no run has anything left to do.
    pub(crate) fn is_finished(&self) -> bool {
        self.time_to_idle().is_some() && self.is_idle()
    }

    /// Returns `true` if a condition holds for all runs. Begins with the run for which it did not hold the last time, so that a
    /// wait for all runs looks at each of them about once.
    pub(super) fn all_runs(&self, holds: impl Fn(&Run) -> bool) -> bool {
        let runs = self.runs();
        let first = self.waited_for.load(Ordering::Relaxed).min(runs.len());
        let other = (first..runs.len()).chain(0..first).find(|run| !holds(&runs[*run]));
        other.into_iter().for_each(|run| self.waited_for.store(run, Ordering::Relaxed));
        other.is_none()
    }

    /// Returns the number of times runs have become idle.
    pub(crate) fn times_idle(&self) -> u64 {
        self.runs().iter().map(|run| run.times_idle()).sum()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Returns the time until every run was idle for the first time.
    pub(crate) fn time_to_idle(&self) -> Option<Duration> {
        self.lock().time_to_idle
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock()
    }
}
