//! Handlers with faults in their info, items, selection and statuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use syncmgr::prelude::*;
use syncmgr::progress::Status;
use syncmgr::{HandlerId, HandlerInfo, Progress, anyhow, async_trait};
use syncmgr_test::{Check, Kit};

use super::super::peer::{FakePeer, assert_caught};

/// Fails an item that has no pages.
struct FailsEmptyItem(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b01", name = "Fails empty item")]
impl SyncHandler for FailsEmptyItem {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["atlas", "empty"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        match self.0.pages(item.name()) {
            0 => Err(anyhow::anyhow!("there is nothing to copy")),
            _ => Ok(()),
        }
    }
}

#[test]
fn an_item_that_fails_without_faults_is_named() {
    assert_caught(FailsEmptyItem, Check::Baseline, "`empty` ends: failed, although no fault was injected");
}

/// Writes a number that differs between instances.
struct WritesInstanceNumber(Arc<FakePeer>, u32);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b09", name = "Writes instance number")]
impl SyncHandler for WritesInstanceNumber {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.0.put(item.name(), 0, format!("written by {}", self.1));
        Ok(())
    }
}

#[test]
fn data_that_differ_between_providers_are_found() {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let numbered = |peer| WritesInstanceNumber(peer, NUMBER.fetch_add(1, Ordering::Relaxed));
    assert_caught(numbered, Check::Baseline, "two runs without faults, on two providers, leave different data");
}

/// Derives ids from the address of its server, which takes another free port in each provider.
struct HasPortInIds(Arc<FakePeer>, u32);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c0e", name = "Has port in ids")]
impl SyncHandler for HasPortInIds {
    async fn items(&self) -> SyncResult<Items> {
        let url = |item: &SyncItem| format!("http://127.0.0.1:{}/{}", self.1, item.name());
        let with_url = |item: &SyncItem| SyncItem::new(ItemId::from_name(&url(item)), item.name());
        Ok(self.0.items().iter().map(with_url).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn ids_that_contain_a_free_port_are_the_only_violation_of_a_report() {
    static FREE_PORT: AtomicU32 = AtomicU32::new(49152);
    let serve = || HasPortInIds(Arc::default(), FREE_PORT.fetch_add(1, Ordering::Relaxed));
    let report = Kit::new(serve).report();
    let violations: Vec<_> = report.violations().map(|(check, found)| (check, found.headline())).collect();
    assert_eq!(violations, [(Check::Baseline, "the items of two providers have different ids")]);
    assert!(report.to_string().contains("without host and port"), "the report names the remedy: {report}");
}

/// Counts the calls of `info` in its name.
struct ChangesName(AtomicU32);

#[async_trait]
impl SyncHandler for ChangesName {
    fn info(&self) -> HandlerInfo {
        let asked = self.0.fetch_add(1, Ordering::Relaxed);
        HandlerInfo::new(HandlerId::from_u128(0xB02), "Changes name").with_name(format!("Changes name {asked}"))
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_handler_that_changes_its_name_is_found() {
    assert_caught(|_| ChangesName(AtomicU32::new(0)), Check::Description, "different info each time");
}

/// Derives ids from a counter that each listing advances.
struct ChangesIds(AtomicU32);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b03", name = "Changes ids")]
impl SyncHandler for ChangesIds {
    async fn items(&self) -> SyncResult<Items> {
        let item = |name| {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            SyncItem::new(ItemId::from_name(&format!("item {number}")), name)
        };
        Ok(["atlas", "bestiary"].map(item).into_iter().collect())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn unstable_ids_are_found() {
    assert_caught(|_| ChangesIds(AtomicU32::new(0)), Check::Listing, "a second listing returns different items");
}

/// Lists an item twice.
struct ListsItemTwice;

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b04", name = "Lists item twice")]
impl SyncHandler for ListsItemTwice {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["atlas", "bestiary", "atlas"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn an_item_that_is_listed_twice_is_named() {
    assert_caught(|_| ListsItemTwice, Check::Listing, "the id of `atlas` occurs twice");
}

/// Has a blank name, and an item with the nil id.
struct NoNameAndNilId;

#[async_trait]
impl SyncHandler for NoNameAndNilId {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HandlerId::from_u128(0xB0A), " ")
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok([SyncItem::named("atlas"), SyncItem::new(ItemId::from_u128(0), "new")].into_iter().collect())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_nil_id_and_a_blank_name_are_found() {
    assert_caught(|_| NoNameAndNilId, Check::Listing, "`new` has the nil id");
    assert_caught(|_| NoNameAndNilId, Check::Description, "the handler has no name");
}

/// Lists no items.
struct ListsNothing;

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b0b", name = "Lists nothing")]
impl SyncHandler for ListsNothing {
    async fn items(&self) -> SyncResult<Items> {
        Ok([].into_iter().collect())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_provider_without_items_fails_the_baseline() {
    assert_caught(|_| ListsNothing, Check::Baseline, "no item was run, so there is nothing to check");
}

/// Copies a book only if the previous book in the list is already copied.
struct DependsOnItemOrder(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b05", name = "Depends on item order", limits(items = 1))]
impl SyncHandler for DependsOnItemOrder {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let listed = self.0.items();
        let before =
            listed.iter().take_while(|other| other.id() != item.id()).last().map(|before| before.name().to_owned());
        if let Some(before) = before.filter(|before| !self.0.copies().contains_key(&format!("{before}/0"))) {
            return Err(anyhow::anyhow!("{before} must be copied first"));
        }
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn an_item_that_depends_on_the_order_is_named() {
    assert_caught(DependsOnItemOrder, Check::Selection, "run alone, `cookbook` ends: failed");
}

/// Copies all items, regardless of the selection.
struct IgnoresSelection(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b06", name = "Ignores selection")]
impl SyncHandler for IgnoresSelection {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn prepare(&self, _: &PrepareContext) -> SyncResult {
        for item in self.0.items().iter() {
            let text = self.0.fetch(item.name(), 0).await?;
            self.0.put(item.name(), 0, text);
        }
        Ok(())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_handler_that_ignores_the_selection_is_found() {
    assert_caught(
        IgnoresSelection,
        Check::Selection,
        "only `cookbook` was selected, but the data are those of all items",
    );
}

/// Reports progress after the terminal status.
struct ReportsAfterTerminalStatus(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b07", name = "Reports after terminal status")]
impl SyncHandler for ReportsAfterTerminalStatus {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        for item in run.selection() {
            run.report(item.id(), Progress::new().with_status(Status::Updating))?;
            run.report(item.id(), Progress::new().with_status(Status::Succeeded))?;
            _ = run.report(item.id(), Progress::new().with_value(1).with_max(1));
        }
        Ok(())
    }
}

#[test]
fn a_report_on_an_item_that_has_ended_is_found() {
    assert_caught(ReportsAfterTerminalStatus, Check::Statuses, "`atlas`: item");
}

/// Reports another status after the terminal one.
struct ReportsStatusAfterEnd(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b08", name = "Reports status after end")]
impl SyncHandler for ReportsStatusAfterEnd {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        item.report(Progress::new().with_status(Status::Succeeded))?;
        let text = self.0.fetch(item.name(), 0).await?;
        item.report(Progress::new().with_status(Status::Updating))?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_second_status_after_the_terminal_one_is_found() {
    assert_caught(ReportsStatusAfterEnd, Check::Statuses, "reports Updating after its terminal status");
}
