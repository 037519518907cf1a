//! Mistakes in what is left when a run is over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use syncmgr::prelude::*;
use syncmgr_test::Check;

use super::super::world::{World, caught};

/// A connection to the peer.
struct Login;

/// Keeps the connection of a run for the next one.
struct Clings {
    world: Arc<World>,
    login: Mutex<Option<Arc<Login>>>,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1001", name = "Clings")]
impl SyncHandler for Clings {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.world.items())
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
fn a_connection_that_outlives_its_run_is_noticed() {
    caught(|world| Clings { world, login: Mutex::default() }, Check::Release, "the run has kept outlives it");
}

/// Says how it went a while after it went.
struct Afterthought(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1002", name = "Afterthought")]
impl SyncHandler for Afterthought {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let kept = item.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            _ = kept.progress(1, 1);
        });
        Ok(())
    }
}

#[test]
fn progress_after_the_end_is_noticed() {
    caught(Afterthought, Check::Late, "was reported on when it had ended");
}

/// Writes to the log of a run that is over.
struct Chronicler(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1003", name = "Chronicler")]
impl SyncHandler for Chronicler {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let run = run.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            run.info("all is well");
        });
        Ok(())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_log_entry_after_the_end_is_noticed() {
    caught(Chronicler, Check::Late, "prepare logged something when its session was over");
}

/// Fetches in a task nobody waits for when the item is stopped.
struct Leaks(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1004", name = "Leaks")]
impl SyncHandler for Leaks {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let (world, name) = (self.0.clone(), item.name().to_owned());
        let text = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(60)).await;
            world.fetch(&name, 0).await
        });
        self.0.put(item.name(), 0, text.await??);
        Ok(())
    }
}

#[test]
fn a_task_that_outlives_a_stop_is_noticed() {
    caught(Leaks, Check::Tasks, "when everything was shut down");
}
