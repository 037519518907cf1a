//! Notices handlers that block their thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use syncmgr_core::decision::host::RunId;
use syncmgr_core::id::ItemId;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::sync::Mutex;

/// Looks after the threads a manager's handlers run on, from outside of them.
///
/// A handler that blocks its thread can keep the runtime itself from noticing, so whatever implements this needs a thread,
/// or a loop, of its own: [`ThreadWatchdog`] is one.
///
/// ```
/// # use syncmgr_setting::*;
/// # run(async {
/// struct Looking(Mutex<Option<std::thread::JoinHandle<()>>>); // a loop of the program's own
///
/// impl Watchdog for Looking {
///     fn start(&self, mut patrol: Patrol) {
///         let begun = std::time::Instant::now();
///         let look = move || while patrol.look(begun.elapsed()) == Watch::GoesOn {
///             std::thread::sleep(Duration::from_millis(5));
///         };
///         *self.0.lock().expect("nobody panics while holding it") = Some(std::thread::spawn(look));
///     }
///
///     fn stop(&self) {} // `look` says that it is over once the manager is gone
/// }
///
/// let manager = SyncManager::builder().watchdog(Looking(Mutex::default())).build();
/// assert!(manager.run(Mail).await?.is_success());
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub trait Watchdog: Send + Sync + 'static {
    /// The manager's first session starts: calls [`Patrol::look`] from time to time until it says [`Watch::Over`].
    fn start(&self, patrol: Patrol);

    /// The manager has shut down: ends what [`start`](Self::start) began, and returns once it has ended.
    fn stop(&self);
}

/// Whether there is still something to look after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is something to look after or not")]
pub enum Watch {
    /// Look again.
    GoesOn,
    /// The manager is gone.
    Over,
}

/// How long a poll may take before it is reported.
const PATIENCE: Duration = Duration::from_secs(1);

/// The runs of a manager.
pub(crate) trait Patrolled: Send + Sync {
    fn runs(&self) -> Vec<Arc<dyn Polled>>;
}

/// A run, as the watchdog sees it.
pub(crate) trait Polled: Send + Sync {
    fn id(&self) -> RunId;
    /// Takes the seats of workers that never came back.
    fn evict_overdue(&self);
    /// The polls under way: in which seat, which one, of which item.
    fn polls(&self) -> Vec<(Option<usize>, u32, Option<ItemId>)>;
    fn log(&self, entry: LogEntry);
}

/// Goes round a manager's running handlers.
pub struct Patrol {
    manager: Weak<dyn Patrolled>,
    polls: BTreeMap<Place, Poll>,
}

/// Where a poll was seen: the run, and the seat of a worker if it is an item's.
type Place = (RunId, Option<usize>);

/// A poll that was under way when somebody looked.
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

impl Patrol {
    pub(crate) fn new(manager: Weak<dyn Patrolled>) -> Self {
        Self { manager, polls: BTreeMap::new() }
    }

    /// Looks once, at `now` of a clock that never goes back; any start will do.
    ///
    /// A poll of a handler that was under way a second ago, and still is, is reported in its log, once. An item that was
    /// cancelled and never came back from its poll ends *abandoned*, although its thread is still blocked.
    pub fn look(&mut self, now: Duration) -> Watch {
        let Some(manager) = self.manager.upgrade() else { return Watch::Over };
        let mut polls = BTreeMap::new();
        for run in manager.runs() {
            self.look_at(&*run, now, &mut polls);
        }
        self.polls = polls;
        Watch::GoesOn
    }

    fn look_at(&self, run: &dyn Polled, now: Duration, polls: &mut BTreeMap<Place, Poll>) {
        run.evict_overdue();
        for (seat, number, item) in run.polls() {
            let place = (run.id(), seat);
            let first_seen = Poll { number, since: now, reported: Reported::NotYet };
            let mut poll = self.polls.get(&place).copied().filter(|poll| poll.number == number).unwrap_or(first_seen);
            if poll.reported == Reported::NotYet && now.saturating_sub(poll.since) >= PATIENCE {
                poll.reported = Reported::Already;
                let text = "blocks its thread for more than a second; move what blocks into `item.blocking`";
                let entry = LogEntry::new(LogLevel::Warning, text);
                run.log(item.map_or(entry.clone(), |item| entry.with_item(item)));
            }
            polls.insert(place, poll);
        }
    }
}

/// A watchdog on a thread of its own, which begins with the manager's first session and has ended after its shutdown.
#[derive(Debug)]
pub struct ThreadWatchdog {
    every: Duration,
    stopped: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl ThreadWatchdog {
    /// Looks this often; at most a thousand times a second.
    pub fn every(every: Duration) -> Self {
        let every = every.max(Duration::from_millis(1));
        Self { every, stopped: Arc::default(), thread: Mutex::new(None) }
    }

    fn keep(&self, thread: Option<JoinHandle<()>>) -> Option<JoinHandle<()>> {
        std::mem::replace(&mut *self.thread.lock(), thread)
    }
}

impl Default for ThreadWatchdog {
    /// Looks four times a second.
    fn default() -> Self {
        Self::every(Duration::from_millis(250))
    }
}

impl Watchdog for ThreadWatchdog {
    fn start(&self, mut patrol: Patrol) {
        let (every, stopped) = (self.every, self.stopped.clone());
        let watch = move || {
            let mut now = Duration::ZERO;
            while !stopped.load(Ordering::Acquire) && patrol.look(now) == Watch::GoesOn {
                std::thread::park_timeout(every);
                now = now.saturating_add(every);
            }
        };
        match std::thread::Builder::new().name("syncmgr-watchdog".into()).spawn(watch) {
            Ok(thread) => drop(self.keep(Some(thread))),
            Err(error) => tracing::error!(%error, "no thread for the watchdog; nobody notices handlers that block"),
        }
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(thread) = self.keep(None) {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the watchdog had panicked");
            }
        }
    }
}

impl std::fmt::Debug for Patrol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Patrol({} polls)", self.polls.len())
    }
}
