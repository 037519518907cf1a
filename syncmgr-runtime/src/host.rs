//! The state shared by all sessions of a manager.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::attempt::Pause;
use syncmgr_core::decision::guard::GuardPolicy;
use syncmgr_core::decision::ledger::Resume;
use syncmgr_core::decision::listing::Listing;
use syncmgr_core::foreign::{self, Foreign};
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::{HandlerId, ItemId, SessionId, Subject};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::item::{Completeness, Items, SyncItem};
use syncmgr_core::overrides::{Overrides, Settings};
use syncmgr_core::port::{ConnectionProvider, Interaction, SecretStore};
use syncmgr_core::record::Fence;
use syncmgr_core::register::{Generation, Registry};
use syncmgr_core::requirements::Requirements;
use syncmgr_core::retry::RetryPolicy;
use syncmgr_core::schedule::Schedule;
use syncmgr_core::store::{StateStore, StoreInUse, StoreLease};
use syncmgr_core::sync::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::change_source::ChangeSource;
use crate::chooser::Chooser;
use crate::clock::{Clock, Now};
use crate::environment::EnvironmentSource;
use crate::latency::LatencyHistogram;
use crate::nesting::Waits;
use crate::outbox::Outbox;
use crate::random::{Randomness, random_id, random_number};
use crate::scheduler::admission::Admission;
use crate::scheduler::{Launcher, Scheduler};
use crate::secrets::Secrets;
use crate::turns::Turns;
use crate::watchdog::Watchdog;
use crate::watching::Watching;

/// The ports through which a manager uses its environment.
pub(crate) struct Ports {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) interaction: Option<Arc<dyn Interaction>>,
    pub(crate) secrets: Arc<dyn SecretStore>,
    pub(crate) connections: Option<Arc<dyn ConnectionProvider>>,
    pub(crate) chooser: Option<Arc<dyn Chooser>>,
    pub(crate) watchdog: Option<Arc<dyn Watchdog>>,
    pub(crate) environment: Arc<dyn EnvironmentSource>,
    pub(crate) change_source: Option<Arc<dyn ChangeSource>>,
}

/// The settings of a manager.
pub(crate) struct Rules {
    pub(crate) max_concurrent_items: usize,
    pub(crate) capacities: BTreeMap<Claim, usize>,
    pub(crate) retry: RetryPolicy,
    pub(crate) guards: GuardPolicy,
    pub(crate) records: Records,
    pub(crate) resume: Resume,
    pub(crate) reconnect_interval: Duration,
    pub(crate) connect_delay: Duration,
    pub(crate) idle_after: Duration,
    pub(crate) ending_margin: Duration,
    /// `true` if the environment may change, so that the scheduler runs from the first session on.
    pub(crate) follows_environment: bool,
    pub(crate) choosing_deadline: Duration,
}

/// The items whose end is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Records {
    /// All items.
    All,
    /// Only items that saved state or did not succeed, for stores that end with the manager.
    Exceptions,
}

/// The shared part of a manager.
pub(crate) struct Host {
    pub(crate) id: Uuid,
    pub(crate) ports: Foreign<Ports>,
    /// The user's attention: one permit.
    pub(crate) attention: Arc<Semaphore>,
    pub(crate) admission: Arc<Admission>,
    /// The sessions that calls of handlers await.
    pub(crate) waits: Waits,
    pub(crate) tracker: TaskTracker,
    /// The times from the request to stop a running item to its end.
    pub(crate) stop_latencies: LatencyHistogram,
    /// The durations of sessions.
    pub(crate) session_durations: LatencyHistogram,
    pub(crate) scheduler: Scheduler,
    pub(crate) watching: Watching,
    pub(crate) retry: RetryPolicy,
    pub(crate) guards: GuardPolicy,
    pub(crate) records: Records,
    pub(crate) lease: Mutex<Lease>,
    pub(crate) outbox: Outbox,
    pub(crate) secrets: Arc<Secrets>,
    /// The time after which a choice that is not made counts as none.
    pub(crate) choosing_deadline: Duration,
    launcher: OnceLock<Weak<dyn Launcher>>,
    /// Cancelled when the manager shuts down.
    pub(crate) closing: CancellationToken,
    pub(crate) last_session: AtomicU64,
    last_attempt: AtomicU32,
    state: Mutex<ManagerState>,
}

/// The right of a manager to use its store: `None` once it is released, and the reason if another manager has the store.
pub(crate) type Lease = Result<Option<StoreLease>, StoreInUse>;

/// A registered handler.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) handler: Foreign<Arc<dyn SyncHandler>>,
    /// Its description at registration, with what a person has set.
    pub(crate) info: HandlerInfo,
    /// What the description declares.
    pub(crate) declared: Settings,
    /// What a person has set for the handler and its items.
    pub(crate) overrides: Arc<AllOverrides>,
    pub(crate) generation: Generation,
    pub(crate) turns: Arc<Turns>,
    /// Its latest listing.
    pub(crate) listing: Option<KnownListing>,
}

/// What a person has set for a handler and its items.
pub(crate) type AllOverrides = BTreeMap<Subject, Overrides>;

impl Registered {
    /// Returns its description at registration, without what a person has set.
    pub(crate) fn described(&self) -> HandlerInfo {
        self.info.clone().with_settings(self.declared.clone())
    }

    /// Returns what a person has set for the handler or an item.
    pub(crate) fn overrides_of(&self, subject: Subject) -> Overrides {
        self.overrides.get(&subject).cloned().unwrap_or_default()
    }

    /// Lets these settings apply in place of those that a person has set before.
    pub(crate) fn set_overrides(&mut self, subject: Subject, set: Overrides) {
        match (subject, &mut self.listing) {
            (Subject::Handler, _) => self.info = self.info.clone().with_settings(self.declared.clone().with(&set)),
            (Subject::Item(item), Some(known)) => known.listing.set_overrides(item, &set),
            (Subject::Item(_), None) => {}
        }
        let all = Arc::make_mut(&mut self.overrides);
        match set.is_empty() {
            true => all.remove(&subject),
            false => all.insert(subject, set),
        };
    }

    /// Removes and returns what a person has set for items that the latest listing, which is complete, lacks.
    pub(crate) fn remove_absent(&mut self) -> AllOverrides {
        let Some(listing) = self.listing.as_ref().map(|known| &known.listing) else { return AllOverrides::new() };
        let is_absent = |subject: &Subject| subject.item().is_some_and(|item| listing.item(item).is_none());
        let absent: Vec<_> = self.overrides.keys().filter(|subject| is_absent(subject)).copied().collect();
        if absent.is_empty() {
            return AllOverrides::new();
        }
        let all = Arc::make_mut(&mut self.overrides);
        absent.into_iter().filter_map(|subject| all.remove_entry(&subject)).collect()
    }

    /// Returns the schedules that items have of their own, as far as they are known.
    pub(crate) fn item_schedules(&self) -> (BTreeSet<Schedule>, Completeness) {
        let listed = self.listing.as_ref().map(|known| &known.listing);
        let mut schedules = listed.map(Listing::schedules).unwrap_or_default();
        schedules.extend(schedules_set(&self.overrides).cloned());
        (schedules, listed.map_or(Completeness::MissingItems, Listing::completeness))
    }

    /// Returns `true` if the latest listing may lack items.
    pub(crate) fn lacks_items(&self) -> bool {
        self.listing.as_ref().is_some_and(|known| known.listing.completeness() != Completeness::Complete)
    }

    /// Returns what an automatic run of an item requires. `None` if the item is not listed, and no person has set that.
    pub(crate) fn requirements_of(&self, item: ItemId) -> Option<Requirements> {
        let listed = self.listing.as_ref().and_then(|known| known.listing.item(item));
        let of_item = match listed {
            Some(item) => item.requirements().clone(),
            None => self.overrides.get(&Subject::Item(item))?.requirements()?,
        };
        Some(self.info.requirements().and(&of_item))
    }
}

/// Returns the schedules that a person has set for items.
pub(crate) fn schedules_set(overrides: &AllOverrides) -> impl Iterator<Item = &Schedule> {
    let of_items = overrides.iter().filter(|(subject, _)| subject.item().is_some());
    of_items.filter_map(|(_, set)| set.firing_schedule())
}

/// A listing whose effects on the records are stored.
#[derive(Clone)]
pub(crate) struct KnownListing {
    pub(crate) listing: Listing,
    pub(crate) recorded: Recorded,
    /// The items that were forgotten since.
    pub(crate) forgotten: Arc<BTreeSet<ItemId>>,
}

impl KnownListing {
    pub(crate) fn new(listing: Listing, recorded: Recorded) -> Self {
        Self { listing, recorded, forgotten: Arc::default() }
    }

    /// Returns the listing if these items are a clone of it, all items with records are listed, and none was forgotten since:
    /// another run with it changes nothing.
    pub(crate) fn again(&self, items: &Items) -> Option<&Listing> {
        let is_recorded = self.recorded == Recorded::Listed && self.forgotten.is_empty();
        Some(&self.listing).filter(|listing| is_recorded && listing.is_of(items))
    }

    /// Returns the item with this id, unless it was forgotten.
    pub(crate) fn item(&self, id: ItemId) -> Option<&SyncItem> {
        self.listing.item(id).filter(|_| !self.forgotten.contains(&id))
    }

    /// Returns the items that were not forgotten.
    pub(crate) fn items(&self) -> impl Iterator<Item = &SyncItem> {
        self.listing.items().iter().filter(|item| !self.forgotten.contains(&item.id()))
    }
}

/// The items of a handler that have records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// All are listed, so that another run with the same listing changes nothing.
    Listed,
    /// Some may be missing.
    Missing,
}

/// The registered handlers and the pause state of a manager.
#[derive(Default)]
pub(crate) struct ManagerState {
    pub(crate) registry: Registry,
    pub(crate) handlers: BTreeMap<HandlerId, Registered>,
    pub(crate) pause: Pause,
    /// The schedules of handlers that were unregistered. The store keeps a schedule until a listing lacks it, which may be long after
    /// the handler is registered again with another one.
    unregistered: BTreeMap<HandlerId, Schedule>,
    last_generation: Generation,
    /// The generation at which each handler was last forgotten. Runs of earlier generations store nothing.
    forgotten: BTreeMap<HandlerId, Generation>,
}

impl ManagerState {
    pub(crate) fn next_generation(&mut self) -> Generation {
        self.last_generation = self.last_generation.next();
        self.last_generation
    }

    /// Returns the schedule that a handler had when it was unregistered, unless one of its items had it too.
    pub(crate) fn take_unregistered(&mut self, handler: HandlerId) -> Option<Schedule> {
        self.unregistered.remove(&handler)
    }

    /// Returns `true` if this registration of a handler is the current one.
    pub(crate) fn is_registered(&self, handler: HandlerId, generation: Generation) -> bool {
        self.handlers.get(&handler).is_some_and(|known| known.generation == generation)
    }

    /// Removes a handler and returns it. Drop it after the lock is released: the drop is foreign code.
    pub(crate) fn remove(&mut self, handler: HandlerId) -> Option<Registered> {
        self.registry.unregister(handler);
        let removed = self.handlers.remove(&handler)?;
        let schedule = removed.info.schedule().filter(|own| !removed.item_schedules().0.contains(own));
        self.unregistered.extend(schedule.map(|schedule| (handler, schedule.clone())));
        Some(removed)
    }

    /// Returns this registration of a handler if it is the current one.
    pub(crate) fn registered(&mut self, handler: HandlerId, generation: Generation) -> Option<&mut Registered> {
        self.handlers.get_mut(&handler).filter(|registered| registered.generation == generation)
    }

    /// Returns the latest listing of this registration of a handler.
    pub(crate) fn known_listing(&self, handler: HandlerId, generation: Generation) -> Option<&KnownListing> {
        let registered = self.handlers.get(&handler).filter(|registered| registered.generation == generation);
        registered?.listing.as_ref()
    }

    /// Notes that items of an earlier listing run again: they may get records, and need not be in the latest listing.
    pub(crate) fn runs_again(&mut self, handler: HandlerId, listing: &Listing) {
        let known = self.handlers.get_mut(&handler).and_then(|registered| registered.listing.as_mut());
        if let Some(known) = known.filter(|known| !known.listing.is_of(&listing.to_items())) {
            known.recorded = Recorded::Missing;
        }
    }

    /// Marks all registrations of a handler so far as forgotten.
    pub(crate) fn forget(&mut self, handler: HandlerId) {
        self.unregistered.remove(&handler);
        let generation = self.next_generation();
        self.forgotten.insert(handler, generation);
    }

    /// Returns the generation at which the handler was last forgotten.
    pub(crate) fn forgotten(&self, handler: HandlerId) -> Option<Generation> {
        self.forgotten.get(&handler).copied()
    }
}

impl Host {
    pub(crate) fn new(ports: Ports, rules: Rules) -> Arc<Self> {
        let (lease, id) = (ports.store.acquire(), random_id(&*ports.randomness));
        let scheduler = Scheduler::new(&rules, id.as_u64_pair().1);
        let host = Arc::new(Self {
            id,
            attention: Arc::new(Semaphore::new(1)), // R133
            admission: Arc::new(Admission::new(rules.max_concurrent_items, rules.capacities)),
            waits: Waits::default(),
            tracker: TaskTracker::new(),
            stop_latencies: LatencyHistogram::new(),
            session_durations: LatencyHistogram::new(),
            scheduler,
            watching: Watching::default(),
            retry: rules.retry,
            guards: rules.guards,
            records: rules.records,
            lease: Mutex::new(lease.map(Some)),
            outbox: Outbox::default(),
            secrets: Secrets::new(ports.secrets.clone()),
            choosing_deadline: rules.choosing_deadline,
            launcher: OnceLock::new(),
            closing: CancellationToken::new(),
            last_session: AtomicU64::new(0),
            last_attempt: AtomicU32::new(0),
            state: Mutex::default(),
            ports: Foreign::new(ports),
        });
        host.load();
        host
    }

    /// Sets the launcher for scheduled sessions.
    pub(crate) fn set_launcher(&self, launcher: Weak<dyn Launcher>) {
        assert!(self.launcher.set(launcher).is_ok(), "a host belongs to one manager");
    }

    /// Returns the launcher. `None` once every handle of the manager is dropped.
    pub(crate) fn launcher(&self) -> Option<Arc<dyn Launcher>> {
        self.launcher.get()?.upgrade()
    }

    /// Returns the fence of an attempt that begins now. The fence is ordered after all earlier attempts of all sessions.
    pub(crate) fn next_fence(&self) -> Fence {
        let session = SessionId(self.last_session.load(Ordering::Relaxed));
        Fence::new(session, self.last_attempt.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn next_session(&self) -> SessionId {
        SessionId(self.last_session.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn manager_state(&self) -> MutexGuard<'_, ManagerState> {
        self.state.lock()
    }

    /// Returns a random number.
    pub(crate) fn random_number(&self) -> u64 {
        random_number(&*self.ports.randomness)
    }

    /// Returns the current time. If the clock panics, returns zero and the Unix epoch, because callers must not panic.
    pub(crate) fn now(&self) -> Now {
        foreign::call(|| self.ports.clock.now()).unwrap_or_else(|error| {
            tracing::error!(manager = %self.id, %error, "the clock panicked");
            Now::new(Duration::ZERO, SystemTime::UNIX_EPOCH)
        })
    }
}
