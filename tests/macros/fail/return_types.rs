use syncmgr::prelude::*;

struct ReturnTypeMissing;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ReturnTypeMissing {
    async fn synchronize_item(&self, item: &ItemContext) {
        let _ = item.name();
    }
}

struct ReturnTypeOfAnotherMethod;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ReturnTypeOfAnotherMethod {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async fn items(&self) -> SyncResult {
        Ok(())
    }
}

struct ReturnTypeThatIsAVector;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ReturnTypeThatIsAVector {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async fn items(&self) -> SyncResult<Vec<SyncItem>> {
        Ok(["inbox", "sent"].into_iter().map(SyncItem::named).collect())
    }
}

struct ReturnTypeWhereNothingIsReturned;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ReturnTypeWhereNothingIsReturned {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    fn set_item_status(&self, _run: &RunContext, _subject: Subject, _status: Status) -> SyncResult {
        Ok(())
    }
}

struct ReturnTypeWithAnErrorOfStd;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ReturnTypeWithAnErrorOfStd {
    async fn synchronize_item(&self, _item: &ItemContext) -> Result<(), std::io::Error> {
        Ok(())
    }
}

struct ReturnTypeWithoutAResult;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ReturnTypeWithoutAResult {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async fn items(&self) -> Items {
        ["inbox", "sent"].into_iter().map(SyncItem::named).collect()
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(ReturnTypeMissing);
    let _ = ReturnTypeMissing::HANDLER;
    is_handler(ReturnTypeOfAnotherMethod);
    let _ = ReturnTypeOfAnotherMethod::HANDLER;
    is_handler(ReturnTypeThatIsAVector);
    let _ = ReturnTypeThatIsAVector::HANDLER;
    is_handler(ReturnTypeWhereNothingIsReturned);
    let _ = ReturnTypeWhereNothingIsReturned::HANDLER;
    is_handler(ReturnTypeWithAnErrorOfStd);
    let _ = ReturnTypeWithAnErrorOfStd::HANDLER;
    is_handler(ReturnTypeWithoutAResult);
    let _ = ReturnTypeWithoutAResult::HANDLER;
}
