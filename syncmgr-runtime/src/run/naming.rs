//! The names of listed items, kept for lists of items without a session.

use std::collections::BTreeMap;

use syncmgr_core::decision::listing::Listing;
use syncmgr_core::decision::names::{changed_names, same_names};
use syncmgr_core::error::{SyncResult, one_line};
use syncmgr_core::id::ItemId;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::store::{ItemName, StateChange, StateStore};

use super::Run;
use crate::host::{KnownListing, Records};

impl Run {
    /// Stores the names that a listing changes. The store is read only if the listing differs from the one before.
    pub(super) async fn remember(&self, listing: &Listing, before: Option<KnownListing>) {
        // The name of a forgotten item was deleted.
        let has_names = |before: &KnownListing| before.forgotten.is_empty() && same_names(&before.listing, listing);
        let is_known = before.as_ref().is_some_and(has_names);
        if is_known || self.host().records != Records::All {
            return;
        }
        match self.changed_names(listing).await {
            Ok(items) if items.is_empty() => {}
            Ok(items) => self.store(StateChange::Names { handler: self.id.handler, items }),
            Err(error) => {
                let text = format!("the names of the items cannot be read and are not updated: {}", one_line(&error));
                self.log(LogEntry::new(LogLevel::Error, text));
            }
        }
    }

    async fn changed_names(&self, listing: &Listing) -> SyncResult<BTreeMap<ItemId, Option<ItemName>>> {
        let (handler, listing) = (self.id.handler, listing.clone());
        let changed = move |store: &dyn StateStore| {
            let recorded = store.recorded_items(handler)?;
            Ok(changed_names(&store.names(handler)?, &listing, |item| recorded.contains_key(&item)))
        };
        self.host().read_many(changed).await
    }
}
