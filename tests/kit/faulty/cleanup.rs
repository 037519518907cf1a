//! Handlers that leave values, contexts or tasks in use after a run.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use syncmgr::Progress;
use syncmgr::prelude::*;
use syncmgr::progress::Status;
use syncmgr_test::Check;

use super::super::peer::{FakePeer, assert_caught};

/// A connection to the peer.
struct Login;

/// Stores the kept connection of a run beyond its end.
struct HoldsKeptValue {
    peer: Arc<FakePeer>,
    login: Mutex<Option<Arc<Login>>>,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1001", name = "Holds kept value")]
impl SyncHandler for HoldsKeptValue {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.peer.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        *self.login.lock().unwrap() = Some(run.keep(Login));
        Ok(())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_kept_value_that_outlives_its_run_is_found() {
    assert_caught(
        |peer| HoldsKeptValue { peer, login: Mutex::default() },
        Check::Release,
        "holds a value that the run kept",
    );
}

/// Returns a pooled connection only at the end of the call.
struct LeaksPooledConnection(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1005", name = "Leaks pooled connection")]
impl SyncHandler for LeaksPooledConnection {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.0.connections.fetch_add(1, Ordering::Relaxed);
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn a_pooled_connection_that_a_drop_leaks_is_found() {
    assert_caught(
        LeaksPooledConnection,
        Check::Release,
        "resources of the handler's pool are still in use after the session: 1",
    );
}

/// Reports progress after the terminal status.
struct ReportsProgressAfterEnd(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1006", name = "Reports progress after end")]
impl SyncHandler for ReportsProgressAfterEnd {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        item.report(Progress::new().with_status(Status::Succeeded))?;
        let text = self.0.fetch(item.name(), 0).await?;
        item.progress(1, 1)?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn progress_after_the_terminal_status_is_found() {
    assert_caught(ReportsProgressAfterEnd, Check::Statuses, "reports progress after its terminal status");
}

/// Logs an entry for an item while the next item runs.
struct LogsAfterItemEnd(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1007", name = "Logs after item end", limits(items = 1))]
impl SyncHandler for LogsAfterItemEnd {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let context = item.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(15)).await;
            context.info("a late entry");
        });
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_log_entry_after_the_end_of_an_item_is_found() {
    assert_caught(
        LogsAfterItemEnd,
        Check::LateUse,
        "synchronize_item of `atlas` logged an entry after its item had ended",
    );
}

/// Reports progress after the session has ended.
struct ReportsAfterSessionEnd(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1002", name = "Reports after session end")]
impl SyncHandler for ReportsAfterSessionEnd {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let context = item.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            _ = context.progress(1, 1);
        });
        Ok(())
    }
}

#[test]
fn progress_after_the_end_of_the_session_is_found() {
    assert_caught(ReportsAfterSessionEnd, Check::LateUse, "was reported on after it had ended");
}

/// Logs an entry after the session has ended.
struct LogsAfterSessionEnd(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1003", name = "Logs after session end")]
impl SyncHandler for LogsAfterSessionEnd {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let run = run.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            run.info("a late entry");
        });
        Ok(())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_log_entry_after_the_end_of_the_session_is_found() {
    assert_caught(LogsAfterSessionEnd, Check::LateUse, "prepare logged an entry after its session had ended");
}

/// Fetches in a task that outlives the item when the item is stopped.
struct LeaksTask(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1004", name = "Leaks task")]
impl SyncHandler for LeaksTask {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let (peer, name) = (self.0.clone(), item.name().to_owned());
        let text = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(60)).await;
            peer.fetch(&name, 0).await
        });
        self.0.put(item.name(), 0, text.await??);
        Ok(())
    }
}

#[test]
fn a_task_that_outlives_a_stop_is_found() {
    assert_caught(LeaksTask, Check::Tasks, "after shutdown");
}
