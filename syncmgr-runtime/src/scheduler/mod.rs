//! Two things: what may run, in [`admission`], and what starts by itself.
//!
//! [`HostState`](syncmgr_core::decision::host::HostState) and [`RetryLedger`] decide. Here is what performs the decisions of the
//! ledger; [`task`] waits for its next deadline, [`launch`] starts the sessions it wants.

pub(crate) mod admission;
mod launch;
mod task;

use std::sync::{Arc, MutexGuard};
use std::time::SystemTime;

use syncmgr_core::decision::ledger::{Effect, Resume, RetryLedger, Start};
use syncmgr_core::id::ItemId;
use syncmgr_core::log::LogEntry;
use syncmgr_core::store::StateChange;
use syncmgr_core::sync::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::host::Host;

/// The retry ledger of a manager, and the task that waits for its deadlines.
pub(crate) struct Scheduler {
    ledger: Mutex<RetryLedger>,
    /// Notified when the task is to look again.
    wake: Notify,
    task: Mutex<Option<AbortHandle>>,
}

/// Starts the sessions nobody asked for in person.
pub(crate) trait Launcher: Send + Sync {
    fn launch(self: Arc<Self>, start: Start);
}

/// The log of a run, as far as a decision changes it.
pub(crate) trait RunLog {
    /// Adds a question, in place of the entry with its id.
    fn ask(&self, question: LogEntry);
    /// Takes out what asks something of an item.
    fn settle(&self, item: ItemId);
}

/// Where no run is concerned: none of these decisions asks or settles anything.
pub(crate) struct NoLog;

impl RunLog for NoLog {
    fn ask(&self, _: LogEntry) {}
    fn settle(&self, _: ItemId) {}
}

impl Scheduler {
    pub(crate) fn new(resume: Resume) -> Self {
        Self { ledger: Mutex::new(RetryLedger::new(resume)), wake: Notify::new(), task: Mutex::default() }
    }
}

impl Host {
    /// The retry ledger. What it decides is [performed](Self::perform) once its lock is free.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, RetryLedger> {
        self.scheduler.ledger.lock()
    }

    /// Tells the ledger of something that has happened now.
    pub(crate) fn decide<T>(&self, event: impl FnOnce(&mut RetryLedger, SystemTime) -> T) -> T {
        let now = self.now().wall;
        event(&mut self.ledger(), now)
    }

    /// Performs what was decided about a run. What is to be stored is returned, for one write with what else has changed.
    #[must_use = "store the changes"]
    pub(crate) fn perform(self: &Arc<Self>, effects: Vec<Effect>, log: &dyn RunLog) -> Vec<StateChange> {
        let mut changes = Vec::new();
        for effect in effects {
            match effect {
                Effect::Write(change) => changes.push(change),
                Effect::Ask(question) => log.ask(question),
                Effect::Settle(item) => log.settle(item),
                Effect::Wake => self.wake_scheduler(),
                Effect::Start(start) => {
                    // What was stored before it began must not overwrite what it stores.
                    self.store_all(std::mem::take(&mut changes));
                    self.launch(start);
                }
            }
        }
        changes
    }

    /// Performs what was decided apart from any run, and stores the changes.
    pub(crate) fn follow(self: &Arc<Self>, effects: Vec<Effect>) {
        let changes = self.perform(effects, &NoLog);
        self.store_all(changes);
    }

    /// Has the scheduler look again, and makes it where there is none. Without a runtime nothing can be started.
    fn wake_scheduler(self: &Arc<Self>) {
        self.scheduler.wake.notify_one();
        self.run_scheduler();
    }

    fn launch(&self, start: Start) {
        if let Some(launcher) = self.launcher() {
            launcher.launch(start);
        }
    }
}
