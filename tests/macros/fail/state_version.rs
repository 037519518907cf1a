use syncmgr::prelude::*;

struct StateVersionGivenTwice;

#[sync_handler(
    id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59",
    name = "Offline Web Pages",
    state_version = 2,
    state_version = 3
)]
impl SyncHandler for StateVersionGivenTwice {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct StateVersionInQuotes;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", state_version = "2")]
impl SyncHandler for StateVersionInQuotes {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct StateVersionOfZero;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", state_version = 0)]
impl SyncHandler for StateVersionOfZero {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct StateVersionThatIsNegative;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", state_version = -1)]
impl SyncHandler for StateVersionThatIsNegative {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(StateVersionGivenTwice);
    let _ = StateVersionGivenTwice::HANDLER;
    is_handler(StateVersionInQuotes);
    let _ = StateVersionInQuotes::HANDLER;
    is_handler(StateVersionOfZero);
    let _ = StateVersionOfZero::HANDLER;
    is_handler(StateVersionThatIsNegative);
    let _ = StateVersionThatIsNegative::HANDLER;
}
