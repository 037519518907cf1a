use syncmgr::prelude::*;

struct UnknownCapability;

#[sync_handler(
    id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59",
    name = "Offline Web Pages",
    capabilities(cancellable, fast)
)]
impl SyncHandler for UnknownCapability {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct MisspelledCapability;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", capabilities(cancelable))]
impl SyncHandler for MisspelledCapability {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct DuplicateCapability;

#[sync_handler(
    id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59",
    name = "Offline Web Pages",
    capabilities(resumable, resumable)
)]
impl SyncHandler for DuplicateCapability {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct CapabilityWithAValue;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", capabilities(resumable = true))]
impl SyncHandler for CapabilityWithAValue {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct CapabilitiesAssigned;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", capabilities = resumable)]
impl SyncHandler for CapabilitiesAssigned {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(UnknownCapability);
    let _ = UnknownCapability::HANDLER;
    is_handler(MisspelledCapability);
    let _ = MisspelledCapability::HANDLER;
    is_handler(DuplicateCapability);
    let _ = DuplicateCapability::HANDLER;
    is_handler(CapabilityWithAValue);
    let _ = CapabilityWithAValue::HANDLER;
    is_handler(CapabilitiesAssigned);
    let _ = CapabilitiesAssigned::HANDLER;
}
