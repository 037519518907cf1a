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
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.ports.clock = Arc::new(clock);
        self
    }

    /// Takes randomness from here instead of from the operating system.
    pub fn randomness(mut self, randomness: impl Randomness) -> Self {
        self.ports.randomness = Arc::new(randomness);
        self
    }

    /// Remembers here, instead of in a [`MemoryStore`] of its own: the record of every item, choices, settings,
    /// registrations, the log, answers, the history of sessions.
    ///
    /// Without a store nothing outlives the manager, and of items that only ever succeeded nothing is recorded.
    pub fn store(mut self, store: impl StateStore) -> Self {
        self.ports.store = Arc::new(store);
        self.rules.records = Records::All;
        self
    }

    /// Learns of the network, the power and the user here. Without a source nothing is known, and nothing held back for it.
    pub fn facts(mut self, facts: impl FactSource) -> Self {
        self.ports.facts = Arc::new(facts);
        self
    }

    /// Retries by these rules the items of handlers that have none of their own.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.rules.retry = retry;
        self
    }

    /// Judges plans by these rules.
    pub fn guards(mut self, guards: GuardPolicy) -> Self {
        self.rules.guards = guards;
        self
    }

    /// When runs go on that were interrupted because their process was gone; with the next session of their handler unless
    /// said otherwise.
    pub fn resume(mut self, resume: Resume) -> Self {
        self.rules.resume = resume;
        self
    }

    /// Reaches the user here. Without one, nobody is ever asked.
    pub fn interaction(mut self, interaction: impl Interaction) -> Self {
        self.ports.interaction = Some(Arc::new(interaction));
        self
    }

    /// Brings connections up here. Without one, requests for connections fail.
    pub fn connections(mut self, connections: impl ConnectionProvider) -> Self {
        self.ports.connections = Some(Arc::new(connections));
        self
    }

    /// Asks this which items to run, in sessions that may bother the user. Without one, preferences decide.
    pub fn chooser(mut self, chooser: impl Chooser) -> Self {
        self.ports.chooser = Some(Arc::new(chooser));
        self
    }

    /// Has this notice handlers that block their thread. Without one, a handler that blocks is not reported, and on a
    /// runtime whose threads are all blocked nothing else goes on.
    pub fn watchdog(mut self, watchdog: impl Watchdog) -> Self {
        self.ports.watchdog = Some(Arc::new(watchdog));
        self
    }

    /// At most this many items run at once over all handlers; 64 unless said otherwise, 0 counts as 1.
    pub fn items_at_once(mut self, items: usize) -> Self {
        self.rules.items_at_once = items;
        self
    }

    /// So many items may have this claim at once; 1 unless said otherwise, 0 counts as 1.
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
