//! Correct handlers of different designs.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use syncmgr::context::ReportError;
use syncmgr::prelude::*;
use syncmgr::progress::Status;
use syncmgr::{Progress, anyhow};

use super::peer::{FakePeer, kit};

/// Commits after each page.
pub(crate) struct Correct(pub(crate) Arc<FakePeer>);

/// The number of copied pages of a book.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub(crate) pages: u32,
}

/// A connection to the peer, kept by the run.
struct Login;

#[sync_handler(
    id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a01",
    name = "Correct",
    capabilities(cancellable, resumable, idempotent)
)]
impl SyncHandler for Correct {
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
        item.kept::<Login>()?;
        let mut saved = item.saved::<Copied>()?;
        let pages = self.0.pages(item.name());
        while saved.pages < pages {
            item.progress(saved.pages.into(), u64::from(pages))?;
            let text = self.0.fetch(item.name(), saved.pages).await?;
            self.0.put(item.name(), saved.pages, text);
            saved.pages += 1;
            saved.commit().await?;
        }
        Ok(())
    }
}

#[test]
fn a_handler_that_commits_per_page_passes_every_check() {
    kit(Correct).assert_conforms();
}

mod one_test_for_each_check {
    syncmgr_test::conformance_tests!(super::kit(super::Correct));
}

/// Processes all items in one call, and reports progress values before the first status of an item.
struct SingleCall(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a11", name = "Single call")]
impl SyncHandler for SingleCall {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        for item in run.selection() {
            run.check()?;
            let pages = self.0.pages(item.name());
            if run.report(item.id(), Progress::new().with_value(0).with_max(pages.into())).is_err() {
                continue;
            }
            let ended = match self.copy(run, item, pages).await {
                Ok(()) => Status::Succeeded,
                // The host sets the outcome of a cancelled item.
                Err(error) if error.is::<ReportError>() => continue,
                Err(_) => Status::Failed,
            };
            _ = run.report(item.id(), Progress::new().with_status(ended));
        }
        Ok(())
    }
}

impl SingleCall {
    async fn copy(&self, run: &SynchronizeContext, item: &SyncItem, pages: u32) -> SyncResult {
        for page in 0..pages {
            run.report(item.id(), Progress::new().with_value(page.into()))?;
            let text = self.0.fetch(item.name(), page).await?;
            self.0.put(item.name(), page, text);
        }
        Ok(())
    }
}

#[test]
fn a_handler_that_processes_all_items_in_one_call_passes_every_check() {
    kit(SingleCall).assert_conforms();
}

/// Shares a connection between all items, and processes the parts of an item concurrently, in tasks and blocking jobs.
struct ParallelParts(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a12", name = "Parallel parts", limits(items = 2))]
impl SyncHandler for ParallelParts {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        let login = Login;
        run.each(|item| self.copy(item, &login)).await
    }
}

impl ParallelParts {
    async fn copy(&self, item: ItemContext, _: &Login) -> SyncResult {
        let pages = self.0.pages(item.name());
        item.concurrently(2, 0..pages, async |page| {
            let text = self.0.fetch(item.name(), page).await?;
            let (peer, name) = (self.0.clone(), item.name().to_owned());
            item.blocking(move |item| {
                item.check()?;
                peer.put(&name, page, text);
                Ok(())
            })
            .await
        })
        .await?;
        let (peer, name) = (self.0.clone(), item.name().to_owned());
        let index = item.spawn(async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            peer.put(&name, pages, format!("{pages} pages"));
            Ok(())
        });
        index.await
    }
}

#[test]
fn a_handler_with_tasks_and_blocking_jobs_passes_every_check() {
    kit(ParallelParts).assert_conforms();
}

/// Excludes an item in `prepare`, asks the user for a decision, proposes a plan, and claims the peer.
struct ExcludesAndDecides(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a13", name = "Excludes and decides", retry(budget = 1))]
impl SyncHandler for ExcludesAndDecides {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items().iter().map(|item| item.clone().with_claim("the peer")).collect())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        for item in run.selection().iter().filter(|item| item.name() == "bestiary") {
            run.exclude(item.id(), anyhow::anyhow!("excluded by the test"))?;
        }
        Ok(())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if item.name() == "cookbook" && item.decide("outcome", "Which outcome first?", &["soup", "dessert"]).is_none() {
            return Ok(());
        }
        let text = self.0.fetch(item.name(), 0).await?;
        item.propose(&Plan::new().with_creates(1))?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_handler_that_decides_excludes_and_claims_passes_every_check() {
    let kit = kit(ExcludesAndDecides).expecting("bestiary", Outcome::Failed).expecting("cookbook", Outcome::NeedsUser);
    kit.assert_conforms();
}

/// Fetches in `prepare`, so that a failure of the peer affects the whole handler.
struct FetchesInPrepare(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a14", name = "Fetches in prepare")]
impl SyncHandler for FetchesInPrepare {
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
fn a_handler_that_fetches_in_prepare_passes_every_check() {
    kit(FetchesInPrepare).assert_conforms();
}
