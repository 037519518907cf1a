//! Mistakes in what a handler says: of itself, of its items, of their statuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use syncmgr::prelude::*;
use syncmgr::progress::Status;
use syncmgr::{HandlerId, HandlerInfo, Progress, anyhow, async_trait};
use syncmgr_test::Check;

use super::super::world::{World, caught};

/// One of its pages has no leaves, which it takes for a failure.
struct Fails(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b01", name = "Fails")]
impl SyncHandler for Fails {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["atlas", "empty"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        match self.0.leaves(item.name()) {
            0 => Err(anyhow::anyhow!("there is nothing to copy")),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_handler_that_fails_with_nothing_in_its_way_is_told_which_item() {
    caught(Fails, Check::Undisturbed, "`empty` ends: failed, with nothing in its way");
}

/// Signs what it writes with a number of its own.
struct Signs(Arc<World>, u32);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b09", name = "Signs")]
impl SyncHandler for Signs {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.0.put(item.name(), 0, format!("written by {}", self.1));
        Ok(())
    }
}

#[test]
fn data_that_are_others_in_every_world_are_told_from_a_broken_promise() {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let signs = |world| Signs(world, NUMBER.fetch_add(1, Ordering::Relaxed));
    caught(signs, Check::Undisturbed, "two worlds, both undisturbed, come to different data");
}

/// Counts how often it was asked, in its name.
struct Moody(AtomicU32);

#[async_trait]
impl SyncHandler for Moody {
    fn info(&self) -> HandlerInfo {
        let asked = self.0.fetch_add(1, Ordering::Relaxed);
        HandlerInfo::new(HandlerId::from_u128(0xB02), "Moody").with_name(format!("Moody {asked}"))
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_handler_that_calls_itself_something_else_every_time_is_told_so() {
    caught(|_| Moody(AtomicU32::new(0)), Check::Description, "different things of itself");
}

/// Numbers the items of each listing from where the last one stopped.
struct Renumbers(AtomicU32);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b03", name = "Renumbers")]
impl SyncHandler for Renumbers {
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
fn unstable_ids_are_noticed() {
    caught(|_| Renumbers(AtomicU32::new(0)), Check::Listing, "the items are others");
}

/// Lists what two folders hold, and both hold the atlas.
struct ListsTwice;

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b04", name = "Lists twice")]
impl SyncHandler for ListsTwice {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["atlas", "bestiary", "atlas"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn an_item_that_is_listed_twice_is_named() {
    caught(|_| ListsTwice, Check::Listing, "the id of `atlas` occurs twice");
}

/// Has an id for its items only when it has talked to the peer.
struct Nameless;

#[async_trait]
impl SyncHandler for Nameless {
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
fn an_item_with_the_nil_id_and_a_handler_without_a_name_are_noticed() {
    caught(|_| Nameless, Check::Listing, "`new` has the nil id");
    caught(|_| Nameless, Check::Description, "the handler has no name");
}

/// Lists nothing in the world it is given.
struct Empty;

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b0b", name = "Empty")]
impl SyncHandler for Empty {
    async fn items(&self) -> SyncResult<Items> {
        Ok([].into_iter().collect())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_world_without_items_is_no_proof_of_anything() {
    caught(|_| Empty, Check::Undisturbed, "no item was run, so there is nothing to judge");
}

/// Copies each page only after the one before it in the list.
struct InOrder(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b05", name = "In order", limits(items = 1))]
impl SyncHandler for InOrder {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let listed = self.0.items();
        let before =
            listed.iter().take_while(|other| other.id() != item.id()).last().map(|before| before.name().to_owned());
        if let Some(before) = before.filter(|before| !self.0.shelf().contains_key(&format!("{before}/0"))) {
            return Err(anyhow::anyhow!("{before} has to be there first"));
        }
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_handler_that_depends_on_the_order_of_its_items_is_told_which_item_cannot_run_alone() {
    caught(InOrder, Check::Choice, "run alone, `cookbook` ends: failed");
}

/// Copies everything for whichever item is chosen.
struct Everything(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b06", name = "Everything")]
impl SyncHandler for Everything {
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
fn a_handler_that_does_everything_whatever_was_chosen_is_told_so() {
    caught(Everything, Check::Choice, "only `cookbook` was chosen, and the data are those of all items");
}

/// Reports an item as done, and then how much there was.
struct Postscript(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b07", name = "Postscript")]
impl SyncHandler for Postscript {
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
fn a_report_on_an_item_that_has_ended_is_noticed() {
    caught(Postscript, Check::Statuses, "`atlas`: item");
}

/// Says that an item is done, and goes on with it.
struct Hasty(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0b08", name = "Hasty")]
impl SyncHandler for Hasty {
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
fn a_second_status_after_the_terminal_one_is_noticed() {
    caught(Hasty, Check::Statuses, "reports Updating after it had reported its end");
}
