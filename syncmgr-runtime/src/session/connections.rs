//! The connections of a session: one per name, shared by its handlers until all of them have finished.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use syncmgr_core::error::{Classify, SyncResult};
use syncmgr_core::foreign::Foreign;
use syncmgr_core::port::{Connection, ConnectionProvider};
use syncmgr_core::sync::Mutex;

/// The connections that are open or being established.
#[derive(Default)]
pub(super) struct Connections(Mutex<BTreeMap<Option<String>, ConnectionSlot>>);

/// One connection. While it is being established, only callers that want the same connection wait.
type ConnectionSlot = Arc<tokio::sync::Mutex<Option<Foreign<Connection>>>>;

impl Connections {
    /// Establishes a connection, once per name.
    pub(super) async fn connect(&self, provider: Option<&dyn ConnectionProvider>, name: Option<&str>) -> SyncResult {
        // R137.
        let no_provider = || anyhow!("the manager has no connection provider; set one with its builder");
        let provider = provider.ok_or_else(no_provider).permanent()?;
        let slot = {
            let mut slots = self.0.lock();
            slots.entry(name.map(str::to_owned)).or_default().clone()
        };
        let mut connection = slot.lock().await;
        if connection.is_none() {
            *connection = Some(Foreign::new(provider.connect(name).await?));
        }
        Ok(())
    }

    /// Closes every connection. A caller that is still connecting is about to be cancelled and then drops its slot.
    pub(super) fn close(&self) {
        let slots = std::mem::take(&mut *self.0.lock());
        for slot in slots.into_values() {
            let connection = slot.try_lock().ok().and_then(|mut slot| slot.take());
            drop(connection);
        }
    }
}
