use syncmgr::prelude::*;

struct UnknownRequirement;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", requires(main))]
impl SyncHandler for UnknownRequirement {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct ContradictoryRequirements;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", requires(idle_user, active_user))]
impl SyncHandler for ContradictoryRequirements {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct UnknownConditionPolicy;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", when_condition_ends = halt)]
impl SyncHandler for UnknownConditionPolicy {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct UnknownImportance;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", importance = hihg)]
impl SyncHandler for UnknownImportance {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct ImportanceInQuotes;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", importance = "high")]
impl SyncHandler for ImportanceInQuotes {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct QuietTimeOfZero;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", settle(quiet = "0s"))]
impl SyncHandler for QuietTimeOfZero {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct MaximumWaitBelowQuietTime;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", settle(quiet = "1min", max_wait = "5s"))]
impl SyncHandler for MaximumWaitBelowQuietTime {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(UnknownRequirement);
    let _ = UnknownRequirement::HANDLER;
    is_handler(ContradictoryRequirements);
    let _ = ContradictoryRequirements::HANDLER;
    is_handler(UnknownConditionPolicy);
    let _ = UnknownConditionPolicy::HANDLER;
    is_handler(UnknownImportance);
    let _ = UnknownImportance::HANDLER;
    is_handler(ImportanceInQuotes);
    let _ = ImportanceInQuotes::HANDLER;
    is_handler(QuietTimeOfZero);
    let _ = QuietTimeOfZero::HANDLER;
    is_handler(MaximumWaitBelowQuietTime);
    let _ = MaximumWaitBelowQuietTime::HANDLER;
}
