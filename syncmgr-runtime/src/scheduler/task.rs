//! The scheduler task: one timer for the ledger's deadlines, and changes of the environment.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::clock::later;
use crate::host::{Host, Rules};

/// The interval at which the time of day is checked. The time of day advances while the machine sleeps; the timer does
/// not.
const CLOCK_CHECK: Duration = Duration::from_secs(60);

/// The task of a scheduler. It runs once it is both allowed and needed.
#[derive(Debug)]
pub(super) struct SchedulerTask {
    /// `true` once the application has started the scheduler or a session.
    is_allowed: bool,
    /// `true` once something may become due or the environment may change.
    is_needed: bool,
    running: Option<AbortHandle>,
}

impl SchedulerTask {
    pub(super) fn new(rules: &Rules) -> Self {
        Self { is_allowed: false, is_needed: rules.follows_environment, running: None }
    }
}

impl Host {
    /// Starts the scheduler at the request of the application.
    pub(crate) fn start_scheduler(self: &Arc<Self>) {
        self.run_scheduler(|task| (task.is_allowed, task.is_needed) = (true, true));
    }

    /// Starts the scheduler with a session, if it has anything to do.
    pub(crate) fn allow_scheduler(self: &Arc<Self>) {
        self.run_scheduler(|task| task.is_allowed = true);
    }

    /// Wakes the scheduler. Also starts it, if the application has started it or a session before.
    pub(crate) fn wake_scheduler(self: &Arc<Self>) {
        self.scheduler.wake.notify_one();
        self.run_scheduler(|task| task.is_needed = true);
    }

    /// Starts the task, unless it is running, not allowed or not needed, the manager has shut down, or there is no runtime.
    fn run_scheduler(self: &Arc<Self>, update: impl FnOnce(&mut SchedulerTask)) {
        let mut task = self.scheduler.task.lock();
        update(&mut task);
        let is_running = task.running.as_ref().is_some_and(|task| !task.is_finished());
        if !task.is_allowed || !task.is_needed || is_running || self.tracker.is_closed() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let waiting = Task { host: self.clone(), deadline: None, agenda: self.scheduler.ledger.agenda_version() };
        task.running = Some(self.tracker.spawn_on(waiting.run(), &runtime).abort_handle());
    }
}

struct Task {
    host: Arc<Host>,
    /// The awaited deadline, as time of day and as an instant of the runtime's clock.
    deadline: Option<(SystemTime, Instant)>,
    /// The version of the agenda of which the observers know.
    agenda: u64,
}

impl Task {
    async fn run(mut self) {
        let host = self.host.clone();
        let mut changes = host.ports.environment.changes().fuse();
        let mut environment = host.ports.environment.now();
        loop {
            self.tick();
            self.tell_agenda();
            tokio::select! {
                biased;
                () = host.closing.cancelled() => return,
                Some(now) = changes.next() => {
                    let effects = host.decide(|ledger, time| ledger.environment_changed(&environment, &now, time));
                    host.apply(effects);
                    environment = now;
                    host.check_conditions();
                    // What holds the entries of the agenda may have changed.
                    host.agenda_observers().changes.notify();
                }
                () = host.scheduler.wake.notified() => {}
                () = host.agenda_observers().wake.notified() => {}
                () = self.deadline() => {}
            }
        }
    }

    /// Tells the observers of the agenda if it has changed.
    fn tell_agenda(&mut self) {
        let version = self.host.scheduler.ledger.agenda_version();
        if std::mem::replace(&mut self.agenda, version) != version {
            self.host.agenda_observers().changes.notify();
        }
    }

    /// Starts everything that is due, by the time of day or by the elapsed timer.
    fn tick(&self) {
        let elapsed = self.deadline.filter(|(_, at)| *at <= Instant::now()).map(|(deadline, _)| deadline);
        let environment = self.host.ports.environment.now();
        let effects = self.host.decide(|ledger, now| ledger.tick(elapsed, &environment, now));
        self.host.apply(effects);
        self.host.release_if_done();
    }

    /// Resolves once something may be due.
    async fn deadline(&mut self) {
        let (deadline, firing, clock, now) =
            self.host.decide(|ledger, now| (ledger.next_deadline(), ledger.next_by_clock(), now, ledger.time(now)));
        let wait = |until: SystemTime| later(Instant::now(), until.duration_since(clock).unwrap_or_default());
        let firing = firing.map(wait);
        let deadline = deadline.map(|deadline| self.wait_for(deadline, now));
        match deadline.into_iter().chain(firing).min() {
            Some(at) => sleep_until(at.min(Instant::now() + CLOCK_CHECK)).await,
            None => pending().await,
        }
    }

    /// Returns the instant at which a deadline of the ledger is reached.
    fn wait_for(&mut self, deadline: SystemTime, now: SystemTime) -> Instant {
        let by_clock = later(Instant::now(), deadline.duration_since(now).unwrap_or_default());
        // A clock that was set forward makes the wait shorter; one that was set back does not make it longer.
        let at = match self.deadline {
            Some((known, at)) if known == deadline => at.min(by_clock),
            _ => by_clock,
        };
        self.deadline = Some((deadline, at));
        at
    }
}
