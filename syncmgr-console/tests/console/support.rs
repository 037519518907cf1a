//! A manager with a console, and a client of it.

use std::sync::Arc;

use serde_json::Value;
use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use syncmgr::store::MemoryStore;
use syncmgr_console::{Client, Console, Serving};
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// A handler whose items wait for a permit each. `broken` fails, and `locked` needs the user.
pub(crate) struct Gated {
    pub(crate) gate: Arc<Semaphore>,
}

#[sync_handler(id = "7b0c7e52-7f3c-4a6c-9f0e-0d1b5a3f6e21", name = "Gated", capabilities(cancellable))]
impl SyncHandler for Gated {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["broken", "one", "two"].into_iter().map(SyncItem::named).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        item.progress(1, 2)?;
        self.gate.acquire().await?.forget();
        if item.name() == "broken" {
            item.log(LogEntry::new(LogLevel::Warning, "the disk is slow"));
            return Err(anyhow!("the disk is full"));
        }
        Ok(item.progress(2, 2)?)
    }
}

/// A manager with the handler and a console.
pub(crate) struct Host {
    pub(crate) manager: SyncManager,
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) client: Client,
    pub(crate) console: Serving,
    _folder: TempDir,
}

impl Host {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is a directory for temporary files");
        let path = folder.path().join("run/test.sock");
        let manager = SyncManager::builder().store(MemoryStore::new()).build();
        let gate = Arc::new(Semaphore::new(0));
        manager.register(Gated { gate: gate.clone() }).expect("the handler is new");
        let console = Console::new(&manager).at(&path).with_page(0).start().expect("the socket is free");
        Self { manager, gate, client: Client::new(path), console, _folder: folder }
    }

    /// Returns the path of the handler.
    pub(crate) fn handler(&self, rest: &str) -> String {
        format!("/v1/handlers/{}{rest}", self.manager.handlers()[0].id())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.client.get(path).await.expect(path)
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.client.post(path, &body).await.expect(path)
    }

    /// Starts a session and returns its path.
    pub(crate) async fn session(&self, body: Value) -> String {
        format!("/v1/sessions/{}", self.post("/v1/sessions", body).await["session"])
    }
}
