//! What all sessions of a manager share.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::guard::GuardPolicy;
use syncmgr_core::decision::ledger::Resume;
use syncmgr_core::decision::run::Pause;
use syncmgr_core::error::panic_text;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::port::{ConnectionProvider, Interaction};
use syncmgr_core::record::Fence;
use syncmgr_core::register::Registry;
use syncmgr_core::retry::RetryPolicy;
use syncmgr_core::store::StateStore;
use syncmgr_core::sync::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::chooser::Chooser;
use crate::clock::{Clock, Now};
use crate::facts::FactSource;
use crate::latency::LatencyHistogram;
use crate::random::{Randomness, fresh_id, fresh_number};
use crate::scheduler::admission::Admission;
use crate::scheduler::{Launcher, Scheduler};
use crate::watchdog::Watchdog;

/// What a manager uses of the world around it.
pub(crate) struct Ports {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) interaction: Option<Arc<dyn Interaction>>,
    pub(crate) connections: Option<Arc<dyn ConnectionProvider>>,
    pub(crate) chooser: Option<Arc<dyn Chooser>>,
    pub(crate) watchdog: Option<Arc<dyn Watchdog>>,
    pub(crate) facts: Arc<dyn FactSource>,
}

/// By which rules a manager goes.
pub(crate) struct Rules {
    pub(crate) items_at_once: usize,
    pub(crate) capacities: BTreeMap<Claim, usize>,
    pub(crate) retry: RetryPolicy,
    pub(crate) guards: GuardPolicy,
    pub(crate) records: Records,
    pub(crate) resume: Resume,
}

/// Of which items the end is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Records {
    /// Of all.
    All,
    /// Of those that saved something or did not succeed: the store ends with the manager, and all else would only cost.
    Exceptions,
}

/// The shared part of a manager.
pub(crate) struct Host {
    pub(crate) id: Uuid,
    pub(crate) ports: Ports,
    /// The user's attention: one permit (R133).
    pub(crate) attention: Arc<Semaphore>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) tracker: TaskTracker,
    /// From the request to stop a running item to its end.
    pub(crate) stopping: LatencyHistogram,
    /// How long sessions took.
    pub(crate) lasting: LatencyHistogram,
    pub(crate) scheduler: Scheduler,
    pub(crate) retry: RetryPolicy,
    pub(crate) guards: GuardPolicy,
    pub(crate) records: Records,
    launcher: OnceLock<Weak<dyn Launcher>>,
    /// Cancelled when the manager winds up.
    pub(crate) closing: CancellationToken,
    pub(crate) last_session: AtomicU64,
    last_attempt: AtomicU32,
    known: Mutex<Known>,
}

/// A handler and what it said of itself when it was registered.
pub(crate) type Registered = (Arc<dyn SyncHandler>, HandlerInfo);

/// What a manager remembers.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) registry: Registry,
    pub(crate) handlers: BTreeMap<HandlerId, Registered>,
    pub(crate) pause: Pause,
}

impl Host {
    pub(crate) fn new(ports: Ports, rules: Rules) -> Arc<Self> {
        let host = Arc::new(Self {
            id: fresh_id(&*ports.randomness),
            attention: Arc::new(Semaphore::new(1)),
            admission: Arc::new(Admission::new(rules.items_at_once, rules.capacities)),
            tracker: TaskTracker::new(),
            stopping: LatencyHistogram::new(),
            lasting: LatencyHistogram::new(),
            scheduler: Scheduler::new(rules.resume),
            retry: rules.retry,
            guards: rules.guards,
            records: rules.records,
            launcher: OnceLock::new(),
            closing: CancellationToken::new(),
            last_session: AtomicU64::new(0),
            last_attempt: AtomicU32::new(0),
            known: Mutex::default(),
            ports,
        });
        host.load();
        host
    }

    /// Sessions that start by themselves are started here.
    pub(crate) fn set_launcher(&self, launcher: Weak<dyn Launcher>) {
        assert!(self.launcher.set(launcher).is_ok(), "a host is given to one manager");
    }

    /// Who starts sessions, unless every handle of the manager is gone.
    pub(crate) fn launcher(&self) -> Option<Arc<dyn Launcher>> {
        self.launcher.get()?.upgrade()
    }

    /// The fence of an attempt that begins now: after all that began before it, in whatever session.
    pub(crate) fn next_fence(&self) -> Fence {
        let session = SessionId(self.last_session.load(Ordering::Relaxed));
        Fence::new(session, self.last_attempt.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn next_session(&self) -> SessionId {
        SessionId(self.last_session.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock()
    }

    /// Something by chance.
    pub(crate) fn chance(&self) -> u64 {
        fresh_number(&*self.ports.randomness)
    }

    /// The time now. A clock that panics stands at its start: it is read where nothing may panic.
    pub(crate) fn now(&self) -> Now {
        catch_unwind(AssertUnwindSafe(|| self.ports.clock.now())).unwrap_or_else(|panic| {
            tracing::error!(manager = %self.id, error = %panic_text(panic), "the clock panicked");
            Now::new(Duration::ZERO, SystemTime::UNIX_EPOCH)
        })
    }
}
