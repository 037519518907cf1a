use syncmgr::prelude::*;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
fn synchronize() {}

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
struct OnAStruct;

struct ImplOfAnotherTrait;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl Clone for ImplOfAnotherTrait {
    fn clone(&self) -> Self {
        Self
    }
}

struct ImplWithoutTheTrait;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl ImplWithoutTheTrait {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct MisspelledTrait;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandlr for MisspelledTrait {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct NegativeImpl;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl !SyncHandler for NegativeImpl {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct UnsafeImpl;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
unsafe impl SyncHandler for UnsafeImpl {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct AttributeGivenTwice;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for AttributeGivenTwice {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct AsyncTraitAbove;

#[syncmgr::__private::async_trait]
#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for AsyncTraitAbove {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct AsyncTraitBelow;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
#[syncmgr::__private::async_trait]
impl SyncHandler for AsyncTraitBelow {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    synchronize();
    let _ = OnAStruct;
    let _ = ImplOfAnotherTrait.clone();
    is_handler(ImplWithoutTheTrait);
    let _ = ImplWithoutTheTrait::HANDLER;
    is_handler(MisspelledTrait);
    let _ = MisspelledTrait::HANDLER;
    is_handler(NegativeImpl);
    let _ = NegativeImpl::HANDLER;
    is_handler(UnsafeImpl);
    let _ = UnsafeImpl::HANDLER;
    is_handler(AttributeGivenTwice);
    let _ = AttributeGivenTwice::HANDLER;
    is_handler(AsyncTraitAbove);
    let _ = AsyncTraitAbove::HANDLER;
    is_handler(AsyncTraitBelow);
    let _ = AsyncTraitBelow::HANDLER;
}
