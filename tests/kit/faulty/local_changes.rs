//! Handlers whose stream of local changes reports the wrong ones.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use syncmgr::changes::LocalChange;
use syncmgr::prelude::*;
use syncmgr_test::{Check, CheckResult};

use super::super::shelf::{Shelf, Write, Writer, assert_caught, shelf_kit};

/// Copies books, and reports the writes to the copies for which `is_change` returns `true`.
struct Follows {
    shelf: Arc<Shelf>,
    is_change: fn(&Write) -> bool,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1401", name = "Follows")]
impl SyncHandler for Follows {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.shelf.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let text = self.shelf.fetch(item.name()).await?;
        self.shelf.put(item.name(), text);
        Ok(())
    }

    fn changes(&self) -> Option<BoxStream<'static, LocalChange>> {
        let is_change = self.is_change;
        let changes = self.shelf.writes().filter(move |write| std::future::ready(is_change(write)));
        Some(changes.map(|write| LocalChange::Item(ItemId::from_name(&write.name))).boxed())
    }
}

#[test]
fn a_stream_that_reports_what_the_user_changes_passes() {
    let kit = shelf_kit(|shelf| Follows { shelf, is_change: |write| write.by == Writer::User });
    assert!(matches!(kit.check(Check::LocalChanges), CheckResult::Passed(_)));
}

#[test]
fn a_stream_that_reports_the_handlers_own_writes_is_found() {
    let headline = "the handler runs again although nothing has changed";
    assert_caught(|shelf| Follows { shelf, is_change: |_| true }, Check::LocalChanges, headline);
}

#[test]
fn a_stream_that_misses_deletions_is_found() {
    let misses = |shelf| Follows { shelf, is_change: |write| write.by == Writer::User && !write.is_deletion };
    let headline = "the user deletes `atlas`, and the stream of local changes does not report it";
    assert_caught(misses, Check::LocalChanges, headline);
}

#[test]
fn a_stream_that_panics_is_found() {
    let panics = |shelf| Follows { shelf, is_change: |_| std::panic::resume_unwind(Box::new("no such book")) };
    assert_caught(panics, Check::LocalChanges, "the stream of local changes panics: no such book");
}
