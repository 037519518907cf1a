use syncmgr::prelude::*;

struct MisspelledLimit;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", limits(item = 4))]
impl SyncHandler for MisspelledLimit {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct ItemsInQuotes;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", limits(items = "4"))]
impl SyncHandler for ItemsInQuotes {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct RoomForZeroItems;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", limits(items = 0))]
impl SyncHandler for RoomForZeroItems {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct DurationThatIsANumber;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", limits(soft_grace = 100))]
impl SyncHandler for DurationThatIsANumber {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct DurationWithoutAUnit;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", limits(soft_grace = "100"))]
impl SyncHandler for DurationWithoutAUnit {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct DeadlineOfZero;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", limits(prepare = "0s"))]
impl SyncHandler for DeadlineOfZero {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct SoftGraceLongerThanHardGrace;

#[sync_handler(
    id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59",
    name = "Offline Web Pages",
    limits(soft_grace = "6s", hard_grace = "5s")
)]
impl SyncHandler for SoftGraceLongerThanHardGrace {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct StallOfZero;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", limits(stall = "0s"))]
impl SyncHandler for StallOfZero {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct UnknownStallPolicy;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", limits(when_stalled = abort))]
impl SyncHandler for UnknownStallPolicy {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct MisspelledStallPolicy;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", limits(when_stalled = reprot))]
impl SyncHandler for MisspelledStallPolicy {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct StallPolicyInQuotes;

#[sync_handler(
    id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59",
    name = "Offline Web Pages",
    limits(when_stalled = "report")
)]
impl SyncHandler for StallPolicyInQuotes {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(MisspelledLimit);
    let _ = MisspelledLimit::HANDLER;
    is_handler(ItemsInQuotes);
    let _ = ItemsInQuotes::HANDLER;
    is_handler(RoomForZeroItems);
    let _ = RoomForZeroItems::HANDLER;
    is_handler(DurationThatIsANumber);
    let _ = DurationThatIsANumber::HANDLER;
    is_handler(DurationWithoutAUnit);
    let _ = DurationWithoutAUnit::HANDLER;
    is_handler(DeadlineOfZero);
    let _ = DeadlineOfZero::HANDLER;
    is_handler(SoftGraceLongerThanHardGrace);
    let _ = SoftGraceLongerThanHardGrace::HANDLER;
    is_handler(StallOfZero);
    let _ = StallOfZero::HANDLER;
    is_handler(UnknownStallPolicy);
    let _ = UnknownStallPolicy::HANDLER;
    is_handler(MisspelledStallPolicy);
    let _ = MisspelledStallPolicy::HANDLER;
    is_handler(StallPolicyInQuotes);
    let _ = StallPolicyInQuotes::HANDLER;
}
