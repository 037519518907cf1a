//! Detection of handlers that block their thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use syncmgr_core::decision::host::RunId;
use syncmgr_core::id::ItemId;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::sync::Mutex;

/// Monitors the threads that a manager's handlers run on.
///
/// A blocked thread can stall the runtime itself, so an implementation needs a thread or a loop outside the runtime.
/// [`ThreadWatchdog`] is such an implementation.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// struct OwnThread(Mutex<Option<std::thread::JoinHandle<()>>>);
///
/// impl Watchdog for OwnThread {
///     fn start(&self, mut probe: Probe) {
///         let start = std::time::Instant::now();
///         let probe = move || while probe.check(start.elapsed()) == ProbeStatus::Active {
///             std::thread::sleep(Duration::from_millis(5));
///         };
///         *self.0.lock().expect("the lock is not poisoned") = Some(std::thread::spawn(probe));
///     }
///
///     fn stop(&self) {} // `check` returns `ProbeStatus::Finished` once the manager is dropped
/// }
///
/// let manager = SyncManager::builder().watchdog(OwnThread(Mutex::default())).build();
/// assert!(manager.run(Mail).await?.is_success());
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub trait Watchdog: Send + Sync + 'static {
    /// Starts a loop that calls [`Probe::check`] periodically until it returns [`ProbeStatus::Finished`].
    /// Called at the manager's first session.
    fn start(&self, probe: Probe);

    /// Stops the loop of [`start`](Self::start) and waits until it has ended. Called when the manager shuts down.
    fn stop(&self);
}

/// The result of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the watchdog either continues or ends")]
pub enum ProbeStatus {
    /// The manager exists: probe again.
    Active,
    /// The manager no longer exists.
    Finished,
}

/// A poll that takes this long is reported.
const REPORT_AFTER: Duration = Duration::from_secs(1);

/// The runs of a manager.
pub(crate) trait RunSource: Send + Sync {
    fn runs(&self) -> Vec<Arc<dyn WatchedRun>>;
}

/// A run as seen by the watchdog.
pub(crate) trait WatchedRun: Send + Sync {
    fn id(&self) -> RunId;
    /// Evicts workers that do not return from a cancelled item.
    fn evict_overdue(&self);
    /// Returns the polls in progress: the worker slot, the number of the poll, and the item.
    fn polls(&self) -> Vec<(Option<usize>, u32, Option<ItemId>)>;
    fn log(&self, entry: LogEntry);
}

/// Probes a manager's running handlers.
pub struct Probe {
    manager: Weak<dyn RunSource>,
    polls: BTreeMap<PollKey, Poll>,
}

/// The identity of a poll: the run and, for an item, the worker slot.
type PollKey = (RunId, Option<usize>);

/// A poll that was in progress at a probe.
#[derive(Clone, Copy)]
struct Poll {
    number: u32,
    since: Duration,
    reported: Reported,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reported {
    NotYet,
    Already,
}

impl Probe {
    pub(crate) fn new(manager: Weak<dyn RunSource>) -> Self {
        Self { manager, polls: BTreeMap::new() }
    }

    /// Probes once, at the time `now` of a monotonic clock with any origin.
    ///
    /// A poll of a handler that has been in progress for a second is reported once, in the handler's log. A cancelled item
    /// that does not return from its poll ends *abandoned*, although its thread is still blocked.
    pub fn check(&mut self, now: Duration) -> ProbeStatus {
        let Some(manager) = self.manager.upgrade() else { return ProbeStatus::Finished };
        let mut polls = BTreeMap::new();
        for run in manager.runs() {
            self.probe_run(&*run, now, &mut polls);
        }
        self.polls = polls;
        ProbeStatus::Active
    }

    fn probe_run(&self, run: &dyn WatchedRun, now: Duration, polls: &mut BTreeMap<PollKey, Poll>) {
        run.evict_overdue();
        for (slot, number, item) in run.polls() {
            let key = (run.id(), slot);
            let first_seen = Poll { number, since: now, reported: Reported::NotYet };
            let mut poll = self.polls.get(&key).copied().filter(|poll| poll.number == number).unwrap_or(first_seen);
            if poll.reported == Reported::NotYet && now.saturating_sub(poll.since) >= REPORT_AFTER {
                poll.reported = Reported::Already;
                let text = "has blocked its thread for more than a second; move the blocking work into `item.blocking`";
                let entry = LogEntry::new(LogLevel::Warning, text);
                run.log(item.map_or(entry.clone(), |item| entry.with_item(item)));
            }
            polls.insert(key, poll);
        }
    }
}

/// A watchdog on its own thread, from the manager's first session until its shutdown.
#[derive(Debug)]
pub struct ThreadWatchdog {
    every: Duration,
    stopped: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl ThreadWatchdog {
    /// Creates a watchdog that probes at this interval, at least a millisecond.
    pub fn every(every: Duration) -> Self {
        let every = every.max(Duration::from_millis(1));
        Self { every, stopped: Arc::default(), thread: Mutex::new(None) }
    }

    fn replace_thread(&self, thread: Option<JoinHandle<()>>) -> Option<JoinHandle<()>> {
        std::mem::replace(&mut *self.thread.lock(), thread)
    }
}

impl Default for ThreadWatchdog {
    /// Creates a watchdog that probes four times a second.
    fn default() -> Self {
        Self::every(Duration::from_millis(250))
    }
}

impl Watchdog for ThreadWatchdog {
    fn start(&self, mut probe: Probe) {
        let (every, stopped) = (self.every, self.stopped.clone());
        let watch = move || {
            let mut now = Duration::ZERO;
            while !stopped.load(Ordering::Acquire) && probe.check(now) == ProbeStatus::Active {
                std::thread::park_timeout(every);
                now = now.saturating_add(every);
            }
        };
        match std::thread::Builder::new().name("syncmgr-watchdog".into()).spawn(watch) {
            Ok(thread) => drop(self.replace_thread(Some(thread))),
            Err(error) => tracing::error!(%error, "the watchdog thread did not start; blocking handlers go unnoticed"),
        }
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(thread) = self.replace_thread(None) {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the watchdog thread has panicked");
            }
        }
    }
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Probe({} polls)", self.polls.len())
    }
}
