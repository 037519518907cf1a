//! Handlers that are right, in the shapes a handler may have.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use syncmgr::context::ReportError;
use syncmgr::prelude::*;
use syncmgr::progress::Status;
use syncmgr::{Progress, anyhow};

use super::world::{World, kit};

/// One item after the other saves as it goes on.
pub(crate) struct Right(pub(crate) Arc<World>);

/// How many leaves of a page are on the shelf.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub(crate) leaves: u32,
}

/// What a run has of the peer.
struct Login;

#[sync_handler(
    id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a01",
    name = "Right",
    capabilities(cancellable, resumable, idempotent)
)]
impl SyncHandler for Right {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let user = run.interaction().await?;
        user.confirm("log in?").await?;
        drop(user);
        run.keep(Login);
        Ok(())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        item.prepared::<Login>()?;
        let mut saved = item.saved::<Copied>()?;
        let leaves = self.0.leaves(item.name());
        while saved.leaves < leaves {
            item.progress(saved.leaves.into(), u64::from(leaves))?;
            let text = self.0.fetch(item.name(), saved.leaves).await?;
            self.0.put(item.name(), saved.leaves, text);
            saved.leaves += 1;
            saved.commit().await?;
        }
        Ok(())
    }
}

#[test]
fn a_handler_that_is_right_passes_every_check() {
    kit(Right).judge();
}

mod one_test_for_each_check {
    syncmgr_test::judge_each!(super::kit(super::Right));
}

/// Does all items in one piece of work, and reports each with numbers first.
struct OnePiece(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a11", name = "One piece")]
impl SyncHandler for OnePiece {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        for item in run.selection() {
            run.check()?;
            let leaves = self.0.leaves(item.name());
            if run.report(item.id(), Progress::new().with_value(0).with_max(leaves.into())).is_err() {
                continue;
            }
            let ended = match self.copy(run, item, leaves).await {
                Ok(()) => Status::Succeeded,
                // The host knows how an item ends that was cancelled.
                Err(error) if error.is::<ReportError>() => continue,
                Err(_) => Status::Failed,
            };
            _ = run.report(item.id(), Progress::new().with_status(ended));
        }
        Ok(())
    }
}

impl OnePiece {
    async fn copy(&self, run: &SynchronizeContext, item: &SyncItem, leaves: u32) -> SyncResult {
        for leaf in 0..leaves {
            run.report(item.id(), Progress::new().with_value(leaf.into()))?;
            let text = self.0.fetch(item.name(), leaf).await?;
            self.0.put(item.name(), leaf, text);
        }
        Ok(())
    }
}

#[test]
fn a_handler_that_does_all_items_in_one_piece_of_work_passes_every_check() {
    kit(OnePiece).judge();
}

/// Borrows a connection for all items, and does parts of each beside one another, in tasks and on threads that may block.
struct Parts(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a12", name = "Parts", limits(items = 2))]
impl SyncHandler for Parts {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        let login = Login;
        run.each(|item| self.copy(item, &login)).await
    }
}

impl Parts {
    async fn copy(&self, item: ItemContext, _: &Login) -> SyncResult {
        let leaves = self.0.leaves(item.name());
        item.concurrently(2, 0..leaves, async |leaf| {
            let text = self.0.fetch(item.name(), leaf).await?;
            let (world, name) = (self.0.clone(), item.name().to_owned());
            item.blocking(move |item| {
                item.check()?;
                world.put(&name, leaf, text);
                Ok(())
            })
            .await
        })
        .await?;
        let (world, name) = (self.0.clone(), item.name().to_owned());
        let index = item.spawn(async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            world.put(&name, leaves, format!("{leaves} leaves"));
            Ok(())
        });
        index.await
    }
}

#[test]
fn a_handler_with_work_in_tasks_and_on_threads_passes_every_check() {
    kit(Parts).judge();
}

/// Leaves an item out while preparing, asks what it cannot know, goes on after a part that failed, and claims the peer.
struct Asking(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a13", name = "Asking", retry(budget = 1))]
impl SyncHandler for Asking {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items().iter().map(|item| item.clone().with_claim("the peer")).collect())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        for item in run.selection().iter().filter(|item| item.name() == "bestiary") {
            run.exclude(item.id(), anyhow::anyhow!("beasts are kept elsewhere"))?;
        }
        Ok(())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if item.name() == "cookbook" && item.decide("course", "Which course first?", &["soup", "dessert"]).is_none() {
            return Ok(());
        }
        let text = self.0.fetch(item.name(), 0).await?;
        let Clearance::Go = item.clear(&Plan::new().with_creates(1)) else { return Ok(()) };
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_handler_that_asks_excludes_and_claims_passes_every_check() {
    let kit = kit(Asking).expecting("bestiary", Outcome::Failed).expecting("cookbook", Outcome::NeedsUser);
    kit.judge();
}

/// The peer cannot be reached while the handler prepares.
struct Prepares(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a14", name = "Prepares")]
impl SyncHandler for Prepares {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        for item in run.selection() {
            self.0.fetch(item.name(), 0).await?;
        }
        Ok(())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.0.put(item.name(), 0, "a page".into());
        Ok(())
    }
}

#[test]
fn a_handler_whose_peer_fails_while_it_prepares_passes_every_check() {
    kit(Prepares).judge();
}
