//! Performs what the host state decides: starts runs and lends workers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use syncmgr_core::decision::host::{Grant, HostState, RunId};

use crate::run::Run;

/// The host state of a manager, and the runs it knows.
pub(crate) struct Gate {
    inner: Mutex<Inner>,
}

struct Inner {
    host: HostState,
    runs: BTreeMap<RunId, Weak<Run>>,
}

impl Gate {
    /// A gate for at most `limit` items at once.
    pub(crate) fn new(limit: usize) -> Self {
        Self { inner: Mutex::new(Inner { host: HostState::new(limit), runs: BTreeMap::new() }) }
    }

    /// Puts the runs of a session into the queue, all at once: sessions that wait for each other's handlers would
    /// otherwise wait for ever.
    pub(crate) fn request(&self, runs: &[Arc<Run>]) {
        let grants = {
            let mut inner = self.lock();
            let mut grants = Vec::new();
            for run in runs {
                inner.runs.insert(run.id(), Arc::downgrade(run));
                grants.extend(inner.host.request(run.id()));
            }
            grants
        };
        self.perform(grants);
    }

    /// Waits until the requested run may start. Cancel safe: a run that no longer waits leaves the queue.
    pub(crate) async fn wait(&self, run: &Arc<Run>) {
        let waiting = Waiting { gate: self, run, entered: false };
        // A permit of an earlier turn says nothing about this one.
        while !self.lock().host.is_current(run.id()) {
            run.started().notified().await;
        }
        waiting.entered();
    }

    /// The run has ended, or waits for somebody to look at its results.
    pub(crate) fn leave(&self, run: RunId) {
        let grants = self.lock().host.leave(run);
        self.perform(grants);
        self.lock().runs.remove(&run);
    }

    /// The run could use this many workers.
    pub(crate) fn want(&self, run: RunId, workers: usize) {
        let grants = {
            let mut inner = self.lock();
            inner.host.want_no_more(run);
            inner.host.want(run, workers)
        };
        self.perform(grants);
    }

    /// Workers have come back.
    pub(crate) fn give_back(&self, workers: usize) {
        let grants = self.lock().host.give_back(workers);
        self.perform(grants);
    }

    /// Performs grants. Workers that a run has no use for go to the next.
    fn perform(&self, mut grants: Vec<Grant>) {
        while let Some(grant) = grants.pop() {
            match grant {
                Grant::Start(run) => {
                    if let Some(run) = self.run(run) {
                        run.started().notify_one();
                    }
                }
                Grant::Lend(run, workers) => {
                    if !self.run(run).is_some_and(|run| run.lend(workers)) {
                        grants.extend(self.lock().host.give_back(workers));
                    }
                }
            }
        }
    }

    fn run(&self, run: RunId) -> Option<Arc<Run>> {
        self.lock().runs.get(&run)?.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run in the queue. Dropped before it has entered, it leaves.
struct Waiting<'a> {
    gate: &'a Gate,
    run: &'a Arc<Run>,
    entered: bool,
}

impl Waiting<'_> {
    fn entered(mut self) {
        self.entered = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.entered {
            self.gate.leave(self.run.id());
        }
    }
}
