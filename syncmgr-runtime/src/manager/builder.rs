//! What a manager is to use.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::guard::GuardPolicy;
use syncmgr_core::decision::ledger::Resume;
use syncmgr_core::port::{ConnectionProvider, Interaction};
use syncmgr_core::retry::RetryPolicy;
use syncmgr_core::store::StateStore;

use super::SyncManager;
use crate::chooser::Chooser;
use crate::clock::{Clock, SystemClock};
use crate::facts::{FactSource, ManualFacts};
use crate::host::{Host, Ports, Records, Rules};
use crate::memory::MemoryStore;
use crate::random::{Randomness, SystemRandomness};
use crate::watchdog::Watchdog;

/// What a manager is to use.
///
/// ```
/// # use syncmgr_setting::*;
/// # run(async {
/// let manager = SyncManager::builder()
///     .store(MemoryStore::new())                  // what is remembered; a file with `SqliteStore`
///     .items_at_once(16)                          // over all handlers
///     .capacity("imap.example.org", 4)            // of those that claim this
///     .retry(RetryPolicy::DEFAULT.with_initial(Duration::from_secs(5)))
///     .watchdog(ThreadWatchdog::default())        // reports handlers that block their thread
///     .build();
/// assert!(manager.run(Mail).await?.is_success());
/// # manager.shutdown().await;
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[must_use = "a builder makes no manager until `build`"]
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
            connections: None,
            chooser: None,
            watchdog: None,
            facts: Arc::new(ManualFacts::default()),
        };
        let rules = Rules {
            items_at_once: 64,
            capacities: BTreeMap::new(),
            retry: RetryPolicy::DEFAULT,
            guards: GuardPolicy::DEFAULT,
            records: Records::Exceptions,
            resume: Resume::default(),
        };
        Self { ports, rules }
    }
}

impl SyncManagerBuilder {
    /// Reads the time here instead of from the machine.
    ///
    /// ```
    /// # use syncmgr_setting::*;
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
    /// assert_eq!(manager.history()?[0].began, SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.ports.clock = Arc::new(clock);
        self
    }

    /// Takes randomness from here instead of from the operating system.
    ///
    /// ```
    /// # use syncmgr_setting::*;
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
    /// assert_eq!(one.id(), other.id()); // nothing else was left to chance
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn randomness(mut self, randomness: impl Randomness) -> Self {
        self.ports.randomness = Arc::new(randomness);
        self
    }

    /// Remembers here, instead of in a [`MemoryStore`] of its own: the record of every item, choices, settings,
    /// registrations, the log, answers, the history of sessions.
    ///
    /// Without a store nothing outlives the manager, and of items that only ever succeeded nothing is recorded.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let store = MemoryStore::new(); // a clone is another handle of the same store
    /// SyncManager::builder().store(store.clone()).build().run(Mail).await?;
    /// let later = SyncManager::builder().store(store).build();
    /// assert_eq!(later.history()?.len(), 1);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn store(mut self, store: impl StateStore) -> Self {
        self.ports.store = Arc::new(store);
        self.rules.records = Records::All;
        self
    }

    /// Learns of the network, the power and the user here. Without a source nothing is known, and nothing held back for it.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let facts = ManualFacts::new(Facts::UNKNOWN.with_network(Network::Offline));
    /// let manager = SyncManager::builder().facts(facts.clone()).build();
    /// let report = manager.run(Feed).await?; // declared that it needs a network
    /// assert_eq!(report.runs[0].hold, Some(Hold::Offline));
    /// facts.set_network(Network::Online); // the program has learnt of it
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn facts(mut self, facts: impl FactSource) -> Self {
        self.ports.facts = Arc::new(facts);
        self
    }

    /// Retries by these rules the items of handlers that have none of their own.
    ///
    /// ```
    /// # use syncmgr_setting::*;
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

    /// Judges plans by these rules.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// # struct Photos;
    /// # #[async_trait]
    /// # impl SyncHandler for Photos {
    /// #     fn info(&self) -> HandlerInfo {
    /// #         HandlerInfo::new(HandlerId::from_u128(4), "Photos")
    /// #     }
    /// #     async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
    /// #         item.clear(&Plan::new().with_deletes(800, 900)).or_leave()?;
    /// #         Ok(())
    /// #     }
    /// # }
    /// let report = SyncManager::new().run(Photos).await?; // plans to delete 800 of 900
    /// assert_eq!(report.items().next().map(|item| item.outcome), Some(Outcome::NeedsUser));
    ///
    /// let trusting = GuardPolicy::DEFAULT.with_headless(WhenGuarded::Allow);
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

    /// When runs go on that were interrupted because their process was gone; with the next session of their handler unless
    /// said otherwise.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).resume(Resume::AtOnce).build();
    /// manager.register(Mail)?;
    /// manager.attend()?; // what a crash cut short goes on now, without a trigger
    /// # manager.shutdown().await;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn resume(mut self, resume: Resume) -> Self {
        self.rules.resume = resume;
        self
    }

    /// Reaches the user here. Without one, nobody is ever asked.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// struct Keyring;
    ///
    /// #[async_trait]
    /// impl Interaction for Keyring {
    /// #     async fn confirm(&self, _: &str) -> SyncResult<Confirmation> { Ok(Confirmation::Refuse) }
    /// #     async fn choose(&self, _: &str, _: &[String]) -> SyncResult<Option<usize>> { Ok(None) }
    ///     async fn secret(&self, prompt: &str) -> SyncResult<Option<Secret>> {
    ///         Ok(prompt.contains("ann@example.org").then(|| Secret::new("correct horse")))
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
    ///         let password = run.interaction().await?.secret("Password for ann@example.org").await?;
    ///         run.keep(password.ok_or_else(|| NeedsUser::new("the password of ann@example.org"))?);
    ///         Ok(())
    ///     }
    /// #     async fn synchronize_item(&self, item: &ItemContext) -> SyncResult { item.prepared::<Secret>().map(drop) }
    ///     // .. `synchronize_item`
    /// }
    ///
    /// let manager = SyncManager::builder().interaction(Keyring).build();
    /// manager.register(Account)?;
    /// assert!(manager.update_all()?.finish().await.is_success());
    ///
    /// let alone = manager.session(Trigger::Scheduled).start()?.finish().await; // nobody may be bothered
    /// assert_eq!(alone.runs[0].ending, Some(RunEnding::NotPrepared(RunFault::NeedsUser)));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn interaction(mut self, interaction: impl Interaction) -> Self {
        self.ports.interaction = Some(Arc::new(interaction));
        self
    }

    /// Brings connections up here. Without one, requests for connections fail.
    ///
    /// ```
    /// # use syncmgr_setting::*;
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

    /// Asks this which items to run, in sessions that may bother the user. Without one, preferences decide.
    ///
    /// ```
    /// # use syncmgr_setting::*;
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

    /// Has this notice handlers that block their thread. Without one, a handler that blocks is not reported, and on a
    /// runtime whose threads are all blocked nothing else goes on.
    ///
    /// ```
    /// # use syncmgr_setting::*;
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

    /// At most this many items run at once over all handlers; 64 unless said otherwise, 0 counts as 1.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let one_by_one = SyncManager::builder().items_at_once(1).build();
    /// assert!(one_by_one.run(Mail).await?.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn items_at_once(mut self, items: usize) -> Self {
        self.rules.items_at_once = items;
        self
    }

    /// So many items may have this claim at once; 1 unless said otherwise, 0 counts as 1.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// // `Mail` claims this, so two of its folders are open at once at most.
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

    /// The manager.
    pub fn build(self) -> SyncManager {
        SyncManager::over(Host::new(self.ports, self.rules))
    }
}

impl std::fmt::Debug for SyncManagerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SyncManagerBuilder({} items at once)", self.rules.items_at_once)
    }
}
