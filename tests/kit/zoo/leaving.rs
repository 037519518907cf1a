//! Mistakes in what is left when a run is over.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use syncmgr::Progress;
use syncmgr::prelude::*;
use syncmgr::progress::Status;
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

/// Has a pool of connections, and gives one back at the end of the call.
struct Pool(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1005", name = "Pool")]
impl SyncHandler for Pool {
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
fn a_connection_of_the_handlers_own_that_a_drop_does_not_give_back_is_noticed() {
    caught(Pool, Check::Release, "1 of what the handler takes from its own pool are not back");
}

/// Reports an item as done, and goes on counting.
struct Counts(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1006", name = "Counts")]
impl SyncHandler for Counts {
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
fn progress_after_the_terminal_status_is_noticed() {
    caught(Counts, Check::Statuses, "reports progress after it had reported its end");
}

/// Says in the log what it thought of an item, when the next is running.
struct Muses(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1007", name = "Muses", limits(items = 1))]
impl SyncHandler for Muses {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let kept = item.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(15)).await;
            kept.info("that was a fine page");
        });
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_log_entry_of_an_item_that_has_ended_is_noticed_while_the_session_goes_on() {
    caught(Muses, Check::Late, "synchronize_item of `atlas` logged something when it had ended");
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
