//! A correct handler of items that change on both sides.

use std::sync::Arc;

use syncmgr::prelude::*;

use super::shelf::{CONFLICT, Shelf, shelf_kit};

/// Synchronizes books in both directions. The checkpoint is the text on which both sides last agreed.
pub(crate) struct TwoWay(pub(crate) Arc<Shelf>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0a21", name = "Two way", capabilities(cancellable, idempotent))]
impl SyncHandler for TwoWay {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut agreed = item.saved::<Option<String>>()?;
        let name = item.name();
        let peer = self.0.fetch(name).await?;
        let local = self.0.local().get(name).cloned();
        if peer == *agreed {
            self.0.send(name, local.clone(), peer.as_ref()).await?;
            *agreed = local;
            return agreed.commit().await;
        }
        if local != *agreed && local != peer {
            self.0.put(&format!("{name}{CONFLICT}"), local);
        }
        self.0.put(name, peer.clone());
        *agreed = peer;
        agreed.commit().await
    }
}

#[test]
fn a_two_way_handler_whose_items_change_passes_every_check() {
    shelf_kit(TwoWay).assert_conforms();
}
