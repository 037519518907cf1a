//! A handler that is right, and uses what there is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use syncmgr::prelude::*;

use super::world::{World, kit};

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
