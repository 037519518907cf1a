//! What a manager is to use.

use std::sync::Arc;

use syncmgr_core::port::{ConnectionProvider, Interaction};

use super::SyncManager;
use crate::chooser::Chooser;
use crate::clock::{Clock, SystemClock};
use crate::host::Host;

/// What a manager is to use.
pub struct SyncManagerBuilder {
    clock: Option<Arc<dyn Clock>>,
    interaction: Option<Arc<dyn Interaction>>,
    connections: Option<Arc<dyn ConnectionProvider>>,
    chooser: Option<Arc<dyn Chooser>>,
    items_at_once: usize,
}

impl Default for SyncManagerBuilder {
    fn default() -> Self {
        Self { clock: None, interaction: None, connections: None, chooser: None, items_at_once: 64 }
    }
}

impl SyncManagerBuilder {
    /// Reads the time here instead of from the machine.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Reaches the user here. Without one, nobody is ever asked.
    pub fn interaction(mut self, interaction: impl Interaction) -> Self {
        self.interaction = Some(Arc::new(interaction));
        self
    }

    /// Brings connections up here. Without one, requests for connections fail.
    pub fn connections(mut self, connections: impl ConnectionProvider) -> Self {
        self.connections = Some(Arc::new(connections));
        self
    }

    /// Asks this which items to run, in sessions that may bother the user. Without one, preferences decide.
    pub fn chooser(mut self, chooser: impl Chooser) -> Self {
        self.chooser = Some(Arc::new(chooser));
        self
    }

    /// At most this many items run at once over all handlers; 64 unless said otherwise, 0 counts as 1.
    pub fn items_at_once(mut self, items: usize) -> Self {
        self.items_at_once = items;
        self
    }

    /// The manager.
    pub fn build(self) -> SyncManager {
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::default()));
        let host = Host::new(clock, self.interaction, self.connections, self.chooser, self.items_at_once);
        SyncManager { host: Arc::new(host) }
    }
}
