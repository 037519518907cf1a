//! The scheduler task: one timer for the ledger's deadlines, and changes of the environment.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use crate::clock::later;
use crate::host::Host;

/// The interval at which the time of day is checked. The time of day advances while the machine sleeps; the timer does
/// not.
const CLOCK_CHECK: Duration = Duration::from_secs(60);

impl Host {
    /// Starts the scheduler, unless it is running, the manager has shut down, or there is no current runtime.
    pub(crate) fn run_scheduler(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut running = self.scheduler.task.lock();
        if self.tracker.is_closed() || running.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let task = Task { host: self.clone(), deadline: None };
        *running = Some(self.tracker.spawn_on(task.run(), &runtime).abort_handle());
    }
}

struct Task {
    host: Arc<Host>,
    /// The awaited deadline, as time of day and as an instant of the runtime's clock.
    deadline: Option<(SystemTime, Instant)>,
}

impl Task {
    async fn run(mut self) {
        let host = self.host.clone();
        let mut changes = host.ports.environment.changes().fuse();
        let mut environment = host.ports.environment.now();
        loop {
            self.tick();
            tokio::select! {
                biased;
                () = host.closing.cancelled() => return,
                Some(now) = changes.next() => {
                    let effects = host.decide(|ledger, time| ledger.environment_changed(environment, now, time));
                    host.apply(effects);
                    environment = now;
                }
                () = host.scheduler.wake.notified() => {}
                () = self.deadline() => {}
            }
        }
    }

    /// Starts everything that is due, by the time of day or by the elapsed timer.
    fn tick(&self) {
        let elapsed = self.deadline.filter(|(_, at)| *at <= Instant::now()).map(|(deadline, _)| deadline);
        let environment = self.host.ports.environment.now();
        let effects = self.host.decide(|ledger, now| ledger.tick(elapsed, environment, now));
        self.host.apply(effects);
    }

    /// Resolves once something may be due.
    async fn deadline(&mut self) {
        let (deadline, now) = self.host.decide(|ledger, now| (ledger.next_deadline(), ledger.time(now)));
        let Some(deadline) = deadline else { return pending().await };
        let at = match self.deadline {
            Some((known, at)) if known == deadline => at,
            _ => later(Instant::now(), deadline.duration_since(now).unwrap_or_default()),
        };
        self.deadline = Some((deadline, at));
        sleep_until(at.min(Instant::now() + CLOCK_CHECK)).await;
    }
}
