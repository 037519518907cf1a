//! The settings of a manager.

mod ports;
mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::decision::guard::GuardPolicy;
use syncmgr_core::decision::ledger::Resume;
use syncmgr_core::port::MemorySecrets;
use syncmgr_core::retry::RetryPolicy;

use super::SyncManager;
use crate::clock::SystemClock;
use crate::environment::ManualEnvironment;
use crate::host::{Host, Ports, Records, Rules};
use crate::memory::MemoryStore;
use crate::random::SystemRandomness;

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
            follows_environment: false,
            choosing_deadline: CHOOSING_DEADLINE,
        };
        Self { ports, rules }
    }
}

impl SyncManagerBuilder {
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
