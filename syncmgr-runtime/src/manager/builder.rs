//! The settings of a manager.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::guard::GuardPolicy;
use syncmgr_core::decision::ledger::Resume;
use syncmgr_core::port::{ConnectionProvider, Interaction, MemorySecrets, SecretStore};
use syncmgr_core::retry::RetryPolicy;
use syncmgr_core::store::StateStore;

use super::SyncManager;
use crate::change_source::ChangeSource;
use crate::chooser::Chooser;
use crate::clock::{Clock, SystemClock};
use crate::environment::{EnvironmentSource, ManualEnvironment};
use crate::host::{Host, Ports, Records, Rules};
use crate::memory::MemoryStore;
use crate::random::{Randomness, SystemRandomness};
use crate::watchdog::Watchdog;

/// The default of [`SyncManagerBuilder::reconnect_interval`].
const RECONNECT_INTERVAL: Duration = Duration::from_secs(5);

/// The default of [`SyncManagerBuilder::idle_after`].
const IDLE_AFTER: Duration = Duration::from_secs(5 * 60);

/// The default of [`SyncManagerBuilder::ending_margin`].
const ENDING_MARGIN: Duration = Duration::from_millis(500);

/// The default of [`SyncManagerBuilder::choosing_deadline`].
const CHOOSING_DEADLINE: Duration = Duration::from_secs(10 * 60);

/// Configures and builds a [`SyncManager`].
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// let manager = SyncManager::builder()
///     .store(MemoryStore::new())                  // keeps state; `SqliteStore` keeps it in a file
///     .max_concurrent_items(16)                          // in parallel, over all handlers
///     .capacity("imap.example.org", 4)            // in parallel, with this claim
///     .retry(RetryPolicy::DEFAULT.with_initial(Duration::from_secs(5)))
///     .watchdog(ThreadWatchdog::default())        // reports handlers that block their thread
///     .build();
/// assert!(manager.run(Mail).await?.is_success());
/// # manager.shutdown().await;
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[must_use = "the manager is only created by `build`"]
pub struct SyncManagerBuilder {
    ports: Ports,
    rules: Rules,
}

impl Default for SyncManagerBuilder {
    fn default() -> Self {
        let ports = Ports {
            clock: Arc::new(SystemClock::default()),
            randomness: Arc::new(SystemRandomness),
            store: Arc::new(MemoryStore::new()),
            interaction: None,
            secrets: Arc::new(MemorySecrets::new()),
            connections: None,
            chooser: None,
            watchdog: None,
            environment: Arc::new(ManualEnvironment::default()),
            change_source: None,
        };
        let rules = Rules {
            max_concurrent_items: 64,
            capacities: BTreeMap::new(),
            retry: RetryPolicy::DEFAULT,
            guards: GuardPolicy::DEFAULT,
            records: Records::Exceptions,
            resume: Resume::default(),
            reconnect_interval: RECONNECT_INTERVAL,
            connect_delay: Duration::ZERO,
            idle_after: IDLE_AFTER,
            ending_margin: ENDING_MARGIN,
            choosing_deadline: CHOOSING_DEADLINE,
        };
        Self { ports, rules }
    }
}

impl SyncManagerBuilder {
    /// Sets the clock. The default is the system clock.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// #[derive(Debug)]
    /// struct Y2K(SystemClock);
    ///
    /// impl Clock for Y2K {
    ///     fn now(&self) -> Now {
    ///         let mut now = self.0.now();
    ///         now.wall = SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800);
    ///         now
    ///     }
    /// }
    ///
    /// let manager = SyncManager::builder().clock(Y2K(SystemClock::default())).store(MemoryStore::new()).build();
    /// manager.run(Mail).await?;
    /// assert_eq!(manager.history().await?[0].began, SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.ports.clock = Arc::new(clock);
        self
    }

    /// Sets the source of randomness. The default is the operating system.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// struct Zeros;
    ///
    /// impl Randomness for Zeros {
    ///     fn fill(&self, bytes: &mut [u8]) {
    ///         bytes.fill(0);
    ///     }
    /// }
    ///
    /// let [one, other] = [(); 2].map(|()| SyncManager::builder().randomness(Zeros).build());
    /// assert_eq!(one.id(), other.id()); // equal randomness, equal ids
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn randomness(mut self, randomness: impl Randomness) -> Self {
        self.ports.randomness = Arc::new(randomness);
        self
    }

    /// Sets the store for item records, choices, settings, registrations, log, answers and session history. The default
    /// is a [`MemoryStore`] that ends with the manager.
    ///
    /// With the default store, the manager records no sessions, and no items that only ever succeeded without saving
    /// state.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let store = MemoryStore::new(); // a clone is another handle of the same store
    /// SyncManager::builder().store(store.clone()).build().run(Mail).await?;
    /// let later = SyncManager::builder().store(store).build();
    /// assert_eq!(later.history().await?.len(), 1);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn store(mut self, store: impl StateStore) -> Self {
        self.ports.store = Arc::new(store);
        self.rules.records = Records::All;
        self
    }

    /// Sets the source for the state of network, power and user. By default all three are unknown, and an unknown state
    /// holds nothing back.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let environment = ManualEnvironment::new(Environment::UNKNOWN.with_network(Network::Offline));
    /// let manager = SyncManager::builder().environment(environment.clone()).build();
    /// let report = manager.run(Feed).await?; // this handler needs a network
    /// assert_eq!(report.runs[0].hold, Some(Hold::Offline));
    /// environment.set_network(Network::Online); // the network is back
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn environment(mut self, environment: impl EnvironmentSource) -> Self {
        self.ports.environment = Arc::new(environment);
        self
    }

    /// Sets the source of local changes, which watches the [paths](syncmgr_core::item::SyncItem::with_watch) of items. By default,
    /// no path is watched.
    ///
    /// The manager watches a handler's paths from its first listing on. It does not know what changed before, such as while the
    /// program did not run: start a session first, which looks at everything.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let changes = ManualChanges::new(); // a program uses a file watcher
    /// let manager = SyncManager::builder().change_source(changes.clone()).build();
    /// manager.register(Mail)?;
    /// assert!(manager.update_all()?.finish().await.is_success());
    /// changes.changed("/var/mail/ann"); // runs the items that watch this path
    /// # manager.shutdown().await;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn change_source(mut self, source: impl ChangeSource) -> Self {
        self.ports.change_source = Some(Arc::new(source));
        self
    }

    /// Sets the retry policy for handlers without a policy of their own.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let patient = RetryPolicy::DEFAULT.with_initial(Duration::from_secs(600)).with_jitter(0);
    /// let manager = SyncManager::builder().retry(patient).build();
    /// let calendar = manager.register(Calendar)?;
    /// let before = SystemTime::now();
    /// manager.update_all()?.finish().await;
    /// match manager.explain_item(calendar, ItemId::from_name("Work"))?.next {
    ///     Next::At { time } => assert!(time >= before + Duration::from_secs(599)),
    ///     next => panic!("{next:?}"),
    /// }
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.rules.retry = retry;
        self
    }

    /// Sets the policy that checks plans before they run.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// # struct Photos;
    /// # #[async_trait]
    /// # impl SyncHandler for Photos {
    /// #     fn info(&self) -> HandlerInfo {
    /// #         HandlerInfo::new(HandlerId::from_u128(4), "Photos")
    /// #     }
    /// #     async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
    /// #         item.propose(&Plan::new().with_deletes(800, 900))?;
    /// #         Ok(())
    /// #     }
    /// # }
    /// let report = SyncManager::new().run(Photos).await?; // plans to delete 800 of 900
    /// assert_eq!(report.items().next().map(|item| item.outcome), Some(Outcome::NeedsUser));
    ///
    /// let trusting = GuardPolicy::DEFAULT.with_unattended(UnattendedPolicy::Allow);
    /// let report = SyncManager::builder().guards(trusting).build().run(Photos).await?;
    /// assert!(report.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn guards(mut self, guards: GuardPolicy) -> Self {
        self.rules.guards = guards;
        self
    }

    /// Sets the time at which interrupted runs continue after their process died. The default is the next session of
    /// their handler.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).resume(Resume::Immediately).build();
    /// manager.register(Mail)?;
    /// manager.start_scheduler()?; // runs that a crash interrupted continue now
    /// # manager.shutdown().await;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn resume(mut self, resume: Resume) -> Self {
        self.rules.resume = resume;
        self
    }

    /// Sets the reconnect interval: the minimum time between two starts of sessions because of a changed environment.
    /// The default is 5 s.
    ///
    /// The first change takes effect immediately. While the network flaps, handlers reconnect at most once per
    /// interval, and only if the network is up when the interval ends.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use syncmgr_doc_examples::*;
    /// let train = SyncManager::builder().reconnect_interval(Duration::from_secs(60)).build();
    /// # let _ = train;
    /// ```
    pub fn reconnect_interval(mut self, interval: Duration) -> Self {
        self.rules.reconnect_interval = interval;
        self
    }

    /// Sets the connect delay: the time for which the network has to be up, without a break and over the same link, before
    /// the handlers that are registered for [`CONNECT`](syncmgr_core::register::RegisterFlags::CONNECT) start and transient
    /// backoffs end.
    ///
    /// The default is zero, because most sources report a network only once it can be used, and then every second of waiting
    /// is lost. Set a delay if the network comes up several times before it stays up. The
    /// [reconnect interval](Self::reconnect_interval) does something else: it limits how often such starts follow each other,
    /// and does not delay the first one. Runs that wait for a network start at once in any case.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use syncmgr_doc_examples::*;
    /// let train = SyncManager::builder().connect_delay(Duration::from_secs(10)).build();
    /// # let _ = train;
    /// ```
    ///
    /// See also: R9.
    pub fn connect_delay(mut self, delay: Duration) -> Self {
        self.rules.connect_delay = delay;
        self
    }

    /// Sets the time for which the user has to be idle before an idle period begins. The default is 5 min. If it is only
    /// known that the user is absent, the period begins at once.
    ///
    /// In each period, the handlers that are registered for [`IDLE`](syncmgr_core::register::RegisterFlags::IDLE) run once.
    /// When the user returns, these runs stop; what is left goes on in the next period.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use syncmgr_doc_examples::*;
    /// let patient = SyncManager::builder().idle_after(Duration::from_secs(20 * 60)).build();
    /// # let _ = patient;
    /// ```
    ///
    /// See also: R11.
    pub fn idle_after(mut self, delay: Duration) -> Self {
        self.rules.idle_after = delay;
        self
    }

    /// Sets the time before the deadline of an [announced end](syncmgr_core::environment::Environment::ending) at which all
    /// work is stopped. The default is 500 ms. The handlers' graces
    /// ([`Limits`](syncmgr_core::info::Limits)) run within this time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use syncmgr_doc_examples::*;
    /// let slow_disk = SyncManager::builder().ending_margin(Duration::from_secs(2)).build();
    /// # let _ = slow_disk;
    /// ```
    ///
    /// See also: R10.
    pub fn ending_margin(mut self, margin: Duration) -> Self {
        self.rules.ending_margin = margin;
        self
    }

    /// Sets the way to ask the user. By default, the user is never asked.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// struct Dialogs;
    ///
    /// #[async_trait]
    /// impl Interaction for Dialogs {
    /// #     async fn confirm(&self, _: &Asker, _: &str) -> SyncResult<Confirmation> { Ok(Confirmation::Refuse) }
    /// #     async fn choose(&self, _: &Asker, _: &str, _: &[String]) -> SyncResult<Option<usize>> { Ok(None) }
    ///     async fn secret(&self, asker: &Asker, prompt: &str) -> SyncResult<Option<Secret>> {
    ///         assert_eq!((asker.to_string(), prompt), ("Account".into(), "Password for ann@example.org"));
    ///         Ok(Some(Secret::new("correct horse"))) // .. as the user entered it
    ///     }
    ///     // .. `confirm` and `choose`
    /// }
    ///
    /// struct Account;
    ///
    /// #[async_trait]
    /// impl SyncHandler for Account {
    /// #     fn info(&self) -> HandlerInfo { HandlerInfo::new(HandlerId::from_u128(5), "Account") }
    ///     async fn prepare(&self, run: &PrepareContext) -> SyncResult {
    ///         run.keep(run.secret("ann@example.org", "Password for ann@example.org").await?);
    ///         Ok(())
    ///     }
    /// #     async fn synchronize_item(&self, item: &ItemContext) -> SyncResult { item.kept::<Secret>().map(drop) }
    ///     // .. `synchronize_item`
    /// }
    ///
    /// let manager = SyncManager::builder().interaction(Dialogs).build();
    /// manager.register(Account)?;
    /// let alone = manager.session(Trigger::Scheduled).start()?.finish().await; // must not ask the user
    /// assert_eq!(alone.runs[0].ending, Some(RunEnding::NotPrepared(RunFault::NeedsUser)));
    ///
    /// assert!(manager.update_all()?.finish().await.is_success()); // asks the user
    /// let alone = manager.session(Trigger::Scheduled).start()?.finish().await; // uses the stored secret
    /// assert!(alone.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn interaction(mut self, interaction: impl Interaction) -> Self {
        self.ports.interaction = Some(Arc::new(interaction));
        self
    }

    /// Sets the store for secrets that the user enters. By default, the manager keeps them in memory until it is dropped.
    ///
    /// The feature `keyring` adds `KeyringSecrets`, which keeps them in the keyring of the operating system.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let secrets = MemorySecrets::new();
    /// secrets.put(Mail.info().id(), "ann@example.org", &Secret::new("correct horse")).await?;
    /// let manager = SyncManager::builder().secrets(secrets).build();
    /// # let _ = manager;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn secrets(mut self, secrets: impl SecretStore) -> Self {
        self.ports.secrets = Arc::new(secrets);
        self
    }

    /// Sets the provider of network connections. Without a provider, requests for connections fail.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// struct Vpn;
    ///
    /// #[async_trait]
    /// impl ConnectionProvider for Vpn {
    ///     async fn connect(&self, _name: Option<&str>) -> SyncResult<Connection> {
    ///         Ok(Box::new("a guard whose drop closes the tunnel"))
    ///     }
    /// }
    ///
    /// let manager = SyncManager::builder().connections(Vpn).build();
    /// # let _ = manager;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn connections(mut self, connections: impl ConnectionProvider) -> Self {
        self.ports.connections = Some(Arc::new(connections));
        self
    }

    /// Sets the chooser, which selects the items of sessions that may ask the user. Without a chooser, stored
    /// preferences decide.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// struct InboxOnly;
    ///
    /// #[async_trait]
    /// impl Chooser for InboxOnly {
    ///     async fn choose(&self, offers: &[Offer]) -> Option<Chosen> {
    ///         let inbox = |offer: &Offer| (offer.handler, BTreeSet::from([ItemId::from_name("Inbox")]));
    ///         Some(offers.iter().map(inbox).collect())
    ///     }
    /// }
    ///
    /// let manager = SyncManager::builder().chooser(InboxOnly).build();
    /// manager.register(Mail)?;
    /// assert_eq!(manager.update_all()?.finish().await.items().count(), 1);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn chooser(mut self, chooser: impl Chooser) -> Self {
        self.ports.chooser = Some(Arc::new(chooser));
        self
    }

    /// Sets the time that a chooser has for its answer. The default is 10 min. After that time nothing is chosen, nothing
    /// runs, and the log of each handler says so. The handlers of a session cannot run in other sessions while it waits.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use syncmgr_doc_examples::*;
    /// let kiosk = SyncManager::builder().choosing_deadline(Duration::from_secs(60)).build();
    /// # let _ = kiosk;
    /// ```
    pub fn choosing_deadline(mut self, deadline: Duration) -> Self {
        self.rules.choosing_deadline = deadline;
        self
    }

    /// Sets the watchdog, which detects handlers that block their thread. Without a watchdog, a blocking handler is not
    /// reported, and the manager makes no progress while all threads of the runtime are blocked.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::builder().watchdog(ThreadWatchdog::every(Duration::from_millis(100))).build();
    /// assert!(manager.run(Mail).await?.is_success());
    /// manager.shutdown().await; // ends its thread
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn watchdog(mut self, watchdog: impl Watchdog) -> Self {
        self.ports.watchdog = Some(Arc::new(watchdog));
        self
    }

    /// Sets the maximum number of items that run in parallel over all handlers. The default is 64; 0 counts as 1.
    ///
    /// A handler whose items hang does not take all of these places: a run with a running item leaves one free for each other
    /// registered handler that has none, but at most a quarter of all places, and at least one if there are several.
    /// A session with a [caller that waits](syncmgr_core::decision::host::Priority::Foreground) that has no place after a
    /// second gets one beyond the limit. At most as many places are added as the limit has.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let one_by_one = SyncManager::builder().max_concurrent_items(1).build();
    /// assert!(one_by_one.run(Mail).await?.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn max_concurrent_items(mut self, items: usize) -> Self {
        self.rules.max_concurrent_items = items;
        self
    }

    /// Sets the maximum number of items that hold this claim in parallel; 0 counts as 1. Overrides a capacity that handlers
    /// [declare](Claim::with_capacity). The default is the declared capacity, or 1.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// // `Mail` claims this name, so at most two of its folders run in parallel.
    /// let manager = SyncManager::builder().capacity("imap.example.org", 2).build();
    /// assert!(manager.run(Mail).await?.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn capacity(mut self, claim: impl Into<Claim>, items: usize) -> Self {
        self.rules.capacities.insert(claim.into(), items);
        self
    }

    /// Builds the manager.
    ///
    /// If another manager has the store, the new manager only reads: its sessions do not start
    /// ([`StartError::StoreInUse`](crate::session::StartError::StoreInUse)), and its changes are refused. A manager has its
    /// store until it is shut down, or until its last handle and its sessions are dropped.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let store = MemoryStore::new();
    /// let manager = SyncManager::builder().store(store.clone()).build();
    /// let second = SyncManager::builder().store(store.clone()).build();
    /// assert!(second.history().await?.is_empty()); // reading is possible
    /// assert!(matches!(second.run(Mail).await, Err(StartError::StoreInUse(_))));
    /// manager.shutdown().await;
    /// assert!(SyncManager::builder().store(store).build().run(Mail).await?.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn build(self) -> SyncManager {
        SyncManager::from_host(Host::new(self.ports, self.rules))
    }
}

impl std::fmt::Debug for SyncManagerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SyncManagerBuilder({} concurrent items)", self.rules.max_concurrent_items)
    }
}
