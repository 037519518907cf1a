use syncmgr::prelude::*;

struct ForgottenAsync;

impl ForgottenAsync {
    async fn copy(&self, _page: &str) -> SyncResult {
        Ok(())
    }
}

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ForgottenAsync {
    fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.copy(item.name()).await
    }
}

struct AsyncWhereTheAnswerIsWantedAtOnce;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for AsyncWhereTheAnswerIsWantedAtOnce {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async fn info(&self) -> HandlerInfo {
        Self::HANDLER
    }
}

struct GenericMethod;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for GenericMethod {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async fn prepare<T>(&self, _run: &PrepareContext) -> SyncResult {
        Ok(())
    }
}

struct UnsafeMethod;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for UnsafeMethod {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async unsafe fn prepare(&self, _run: &PrepareContext) -> SyncResult {
        Ok(())
    }
}

struct MisspelledMethod;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for MisspelledMethod {
    async fn synchronise_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct NeitherSynchronizeNorSynchronizeItem;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for NeitherSynchronizeNorSynchronizeItem {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["inbox", "sent"].into_iter().map(SyncItem::named).collect())
    }
}

struct HelperAmongTheMethods;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for HelperAmongTheMethods {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    fn directory(&self) -> &str {
        "pages"
    }
}

struct ConstantAmongTheMethods;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ConstantAmongTheMethods {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    const WIDTH: u8 = 80;
}

struct TypeAmongTheMethods;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for TypeAmongTheMethods {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    type Page = String;
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(ForgottenAsync);
    let _ = ForgottenAsync::HANDLER;
    is_handler(AsyncWhereTheAnswerIsWantedAtOnce);
    let _ = AsyncWhereTheAnswerIsWantedAtOnce::HANDLER;
    is_handler(GenericMethod);
    let _ = GenericMethod::HANDLER;
    is_handler(UnsafeMethod);
    let _ = UnsafeMethod::HANDLER;
    is_handler(MisspelledMethod);
    let _ = MisspelledMethod::HANDLER;
    is_handler(NeitherSynchronizeNorSynchronizeItem);
    let _ = NeitherSynchronizeNorSynchronizeItem::HANDLER;
    is_handler(HelperAmongTheMethods);
    let _ = HelperAmongTheMethods::HANDLER;
    is_handler(ConstantAmongTheMethods);
    let _ = ConstantAmongTheMethods::HANDLER;
    is_handler(TypeAmongTheMethods);
    let _ = TypeAmongTheMethods::HANDLER;
}
