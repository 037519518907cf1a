use syncmgr::prelude::*;

struct UnknownRetryRule;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", retry(attempts = 3))]
impl SyncHandler for UnknownRetryRule {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct MisspelledRetryRule;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", retry(factr = 2))]
impl SyncHandler for MisspelledRetryRule {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct RetryAssigned;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", retry = 3)]
impl SyncHandler for RetryAssigned {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct RetryThatWaitsForNothing;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", retry(initial = "0s"))]
impl SyncHandler for RetryThatWaitsForNothing {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct RetryWithABudgetOfZero;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", retry(budget = 0))]
impl SyncHandler for RetryWithABudgetOfZero {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct RetryWithAFactorOfZero;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", retry(factor = 0))]
impl SyncHandler for RetryWithAFactorOfZero {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct RetryWithInitialLongerThanCap;

#[sync_handler(
    id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59",
    name = "Offline Web Pages",
    retry(initial = "2h", cap = "1h")
)]
impl SyncHandler for RetryWithInitialLongerThanCap {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct RetryWithJitterOfMoreThanAll;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", retry(jitter = 101))]
impl SyncHandler for RetryWithJitterOfMoreThanAll {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(UnknownRetryRule);
    let _ = UnknownRetryRule::HANDLER;
    is_handler(MisspelledRetryRule);
    let _ = MisspelledRetryRule::HANDLER;
    is_handler(RetryAssigned);
    let _ = RetryAssigned::HANDLER;
    is_handler(RetryThatWaitsForNothing);
    let _ = RetryThatWaitsForNothing::HANDLER;
    is_handler(RetryWithABudgetOfZero);
    let _ = RetryWithABudgetOfZero::HANDLER;
    is_handler(RetryWithAFactorOfZero);
    let _ = RetryWithAFactorOfZero::HANDLER;
    is_handler(RetryWithInitialLongerThanCap);
    let _ = RetryWithInitialLongerThanCap::HANDLER;
    is_handler(RetryWithJitterOfMoreThanAll);
    let _ = RetryWithJitterOfMoreThanAll::HANDLER;
}
