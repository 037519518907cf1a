//! The parts that an application injects.

use std::sync::Arc;

use syncmgr_core::port::{ConnectionProvider, Interaction, SecretStore};
use syncmgr_core::store::StateStore;

use super::SyncManagerBuilder;
use crate::change_source::ChangeSource;
use crate::chooser::Chooser;
use crate::clock::Clock;
use crate::environment::EnvironmentSource;
use crate::host::Records;
use crate::random::Randomness;
use crate::watchdog::Watchdog;

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
    /// is a [`MemoryStore`](crate::memory::MemoryStore) that ends with the manager.
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
        self.rules.follows_environment = true;
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
}
