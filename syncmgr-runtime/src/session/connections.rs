//! The connections of a session: one per name, until every handler has finished.

use std::collections::btree_map::Entry;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::anyhow;
use syncmgr_core::error::{Classify, SyncResult, drop_panic};

use super::SessionShared;

impl SessionShared {
    /// Brings a connection up, once per name (R137).
    pub(crate) async fn connect(&self, name: Option<&str>) -> SyncResult {
        let provider = self.host.ports.connections.as_ref();
        let none = || anyhow!("this host has no provider of connections; give the manager one");
        let provider = provider.ok_or_else(none).permanent()?;
        let mut connections = self.connections.lock().await;
        if let Entry::Vacant(place) = connections.entry(name.map(str::to_owned)) {
            place.insert(provider.connect(name).await?);
        }
        Ok(())
    }

    /// Closes every connection. Whoever brings one up at this moment is about to be told that it is over.
    pub(super) fn close_connections(&self) {
        let Ok(mut connections) = self.connections.try_lock() else { return };
        let connections = std::mem::take(&mut *connections);
        for connection in connections.into_values() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(connection))) {
                drop_panic(panic);
            }
        }
    }
}
