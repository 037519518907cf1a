//! Mistakes around the user.

use std::sync::{Arc, Mutex};

use syncmgr::anyhow;
use syncmgr::environment::InteractionPermit;
use syncmgr::prelude::*;
use syncmgr_test::Check;

use super::super::world::{World, caught};

/// Keeps the way to the user it was once given.
struct Pushy {
    world: Arc<World>,
    user: Mutex<Option<Arc<InteractionPermit>>>,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f01", name = "Pushy")]
impl SyncHandler for Pushy {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.world.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let known = self.user.lock().unwrap().clone();
        let user = match known {
            Some(user) => user,
            None => Arc::new(run.interaction().await?),
        };
        *self.user.lock().unwrap() = Some(user.clone());
        user.confirm("log in?").await?;
        Ok(())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

fn pushy(world: Arc<World>) -> Pushy {
    Pushy { world, user: Mutex::default() }
}

#[test]
fn a_prompt_where_nobody_may_be_bothered_is_noticed() {
    caught(pushy, Check::Silence, "prepare asks `log in?` where nobody may be bothered");
}

#[test]
fn a_permit_that_is_kept_is_noticed() {
    caught(pushy, Check::Attention, "prepare returns and keeps the user's attention");
}

/// Asks before it knows whether it takes part.
struct Eager(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f04", name = "Eager")]
impl SyncHandler for Eager {
    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        _ = run.interaction().await;
        Ok(Participation::TakePart)
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn asking_in_initialize_is_noticed() {
    caught(Eager, Check::Silence, "initialize asks for the user's attention");
}

/// Does nothing where it cannot ask, and calls that a success.
struct Content(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f05", name = "Content")]
impl SyncHandler for Content {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let Ok(user) = item.run().interaction().await else { return Ok(()) };
        drop(user);
        self.0.put(item.name(), 0, "a page".into());
        Ok(())
    }
}

#[test]
fn work_that_is_left_undone_in_silence_is_noticed() {
    caught(Content, Check::Silence, "after nobody could be asked the data are not");
}

/// Keeps the user's attention while it copies.
struct Leisurely(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f06", name = "Leisurely")]
impl SyncHandler for Leisurely {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let user = item.run().interaction().await?;
        user.confirm("copy it?").await?;
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        Ok(())
    }
}

#[test]
fn attention_that_is_kept_while_the_work_is_done_is_noticed() {
    caught(Leisurely, Check::Attention, "keeps the user's attention for 60 s after its last question");
}

/// Takes the refusal of the host for a failure of its own.
struct Offended(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f02", name = "Offended")]
impl SyncHandler for Offended {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let user = item.run().interaction().await.map_err(|_| anyhow::anyhow!("the log-in failed"))?;
        user.confirm("log in?").await?;
        Ok(())
    }
}

#[test]
fn a_refusal_that_is_taken_for_a_failure_is_noticed() {
    caught(Offended, Check::Silence, "cannot do without the user, and ends: failed; it needs the user");
}

/// Keeps the user's attention for the whole run.
struct Holds(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0f03", name = "Holds")]
impl SyncHandler for Holds {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let user = run.interaction().await?;
        user.confirm("log in?").await?;
        run.keep(user);
        Ok(())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_permit_that_is_kept_for_the_run_is_noticed() {
    caught(Holds, Check::Attention, "prepare returns and keeps the user's attention");
}
