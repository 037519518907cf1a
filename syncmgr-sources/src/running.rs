//! A source that runs: its task, and the values that the task publishes.

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use syncmgr_core::environment::Environment;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// The values of a source.
#[derive(Clone, Debug, Default)]
struct Known {
    environment: Environment,
    /// `true` once the source has read its values, or knows that it cannot.
    is_ready: bool,
}

/// The task of a source. The task ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    known: watch::Receiver<Known>,
    _task: AbortOnDropHandle<()>,
}

impl Running {
    /// Spawns the task on the current tokio runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub(crate) fn spawn<F>(work: impl FnOnce(Publisher) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, known) = watch::channel(Known::default());
        let task = tokio::spawn(work(Publisher { sender }));
        Self { known, _task: AbortOnDropHandle::new(task) }
    }

    pub(crate) fn now(&self) -> Environment {
        self.known.borrow().environment.clone()
    }

    pub(crate) fn changes(&self) -> BoxStream<'static, Environment> {
        let mut known = self.known.clone();
        known.mark_unchanged();
        stream::unfold(known, |mut known| async move {
            known.changed().await.ok()?;
            let environment = known.borrow_and_update().environment.clone();
            Some((environment, known))
        })
        .boxed()
    }

    pub(crate) fn readiness(&self) -> Readiness {
        Readiness(self.known.clone())
    }
}

/// Waits for the first values of a source.
#[derive(Clone, Debug)]
pub(crate) struct Readiness(watch::Receiver<Known>);

impl Readiness {
    /// Resolves once the source has read its values, or knows that it cannot.
    pub(crate) async fn wait(mut self) {
        // An error means that the task has ended, so that nothing else will become known.
        let _ = self.0.wait_for(|known| known.is_ready).await;
    }
}

/// The side of the task.
#[derive(Debug)]
pub(crate) struct Publisher {
    sender: watch::Sender<Known>,
}

impl Publisher {
    /// Publishes the values, if they have changed.
    pub(crate) fn publish(&self, environment: Environment) {
        self.sender.send_if_modified(|known| {
            let changes = !known.is_ready || known.environment != environment;
            *known = Known { environment, is_ready: true };
            changes
        });
    }

    /// Reports the values as changed although they are equal, because the machine has slept.
    #[cfg(all(feature = "network", any(not(target_os = "linux"), syncmgr_other_place)))]
    pub(crate) fn publish_again(&self, environment: Environment) {
        self.sender.send_replace(Known { environment, is_ready: true });
    }
}
