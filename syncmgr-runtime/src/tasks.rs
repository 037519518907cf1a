//! The tasks of a session.

use futures::future::BoxFuture;
use tokio::runtime::{EnterGuard, Handle};
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

/// A tokio runtime and the tracker of the tasks on it.
#[derive(Clone)]
pub(crate) struct Tasks {
    runtime: Handle,
    tracker: TaskTracker,
}

impl Tasks {
    /// Creates a spawner of tasks on this runtime. The tracker counts the tasks that have not ended.
    pub(crate) fn new(runtime: Handle, tracker: TaskTracker) -> Self {
        Self { runtime, tracker }
    }

    /// Enters the runtime, for polls from outside of it.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    pub(crate) fn spawn(&self, task: BoxFuture<'static, ()>) -> AbortHandle {
        self.tracker.spawn_on(task, &self.runtime).abort_handle()
    }

    pub(crate) fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        self.tracker.spawn_blocking_on(job, &self.runtime);
    }
}
