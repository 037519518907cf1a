//! Where a session's tasks run.

use futures::future::BoxFuture;
use tokio::runtime::{EnterGuard, Handle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A tokio runtime, and the tasks we have on it.
#[derive(Clone)]
pub(crate) struct Tasks {
    runtime: Handle,
    tracker: TaskTracker,
    abort: CancellationToken,
}

impl Tasks {
    /// Tasks on this runtime. The tracker is asked whether any are left; `abort` drops them all.
    pub(crate) fn new(runtime: Handle, tracker: TaskTracker, abort: CancellationToken) -> Self {
        Self { runtime, tracker, abort }
    }

    /// Makes the runtime current, for what is polled outside of it.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    pub(crate) fn spawn(&self, task: BoxFuture<'static, ()>) {
        let abort = self.abort.clone();
        // An aborted task has nobody to tell: what it held says so when it is dropped.
        let task = async move { _ = abort.run_until_cancelled_owned(task).await };
        self.tracker.spawn_on(task, &self.runtime);
    }

    pub(crate) fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        self.tracker.spawn_blocking_on(job, &self.runtime);
    }
}
