//! The connections of a session: one per name, however many ask for it, until every handler has finished.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anyhow::anyhow;
use syncmgr_core::error::{Classify, SyncResult, drop_panic};
use syncmgr_core::port::{Connection, ConnectionProvider};
use syncmgr_core::sync::Mutex;

/// What is up, and what is being brought up.
#[derive(Default)]
pub(super) struct Connections(Mutex<BTreeMap<Option<String>, Line>>);

/// One connection. Whoever wants the same one waits while it is brought up, and nobody else does.
type Line = Arc<tokio::sync::Mutex<Option<Connection>>>;

impl Connections {
    /// Brings a connection up, once per name (R137).
    pub(super) async fn connect(&self, provider: Option<&dyn ConnectionProvider>, name: Option<&str>) -> SyncResult {
        let none = || anyhow!("this host has no provider of connections; give the manager one");
        let provider = provider.ok_or_else(none).permanent()?;
        let line = {
            let mut lines = self.0.lock();
            lines.entry(name.map(str::to_owned)).or_default().clone()
        };
        let mut connection = line.lock().await;
        if connection.is_none() {
            *connection = Some(provider.connect(name).await?);
        }
        Ok(())
    }

    /// Closes every connection. Whoever is bringing one up is about to be told that it is over, and drops it with the line.
    pub(super) fn close(&self) {
        let lines = std::mem::take(&mut *self.0.lock());
        for line in lines.into_values() {
            let connection = line.try_lock().ok().and_then(|mut line| line.take());
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(connection))) {
                drop_panic(panic);
            }
        }
    }
}
