//! Policies, limits and waits.

use std::time::Duration;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::guard::GuardPolicy;
use syncmgr_core::decision::ledger::Resume;
use syncmgr_core::retry::RetryPolicy;

use super::SyncManagerBuilder;

impl SyncManagerBuilder {
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
}
