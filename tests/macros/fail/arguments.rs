use syncmgr::prelude::*;

struct ArgumentMissing;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ArgumentMissing {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async fn prepare(&self) -> SyncResult {
        Ok(())
    }
}

struct ArgumentTooMany;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ArgumentTooMany {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async fn items(&self, _run: &RunContext) -> SyncResult<Items> {
        Ok(["inbox", "sent"].into_iter().map(SyncItem::named).collect())
    }
}

struct ArgumentByReference;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ArgumentByReference {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async fn show_properties(&self, _run: &RunContext, _subject: &Subject) -> SyncResult<PropertiesOutcome> {
        Ok(PropertiesOutcome::Done)
    }
}

struct ContextByValue;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ContextByValue {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async fn prepare(&self, _run: PrepareContext) -> SyncResult {
        Ok(())
    }
}

struct ContextOfAnotherMethod;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ContextOfAnotherMethod {
    async fn synchronize_item(&self, _run: &SynchronizeContext) -> SyncResult {
        Ok(())
    }
}

struct ContextThatIsMutable;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ContextThatIsMutable {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async fn prepare(&self, _run: &mut PrepareContext) -> SyncResult {
        Ok(())
    }
}

struct ReceiverMissing;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ReceiverMissing {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async fn items() -> SyncResult<Items> {
        Ok(["inbox", "sent"].into_iter().map(SyncItem::named).collect())
    }
}

struct ReceiverByValue;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ReceiverByValue {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async fn items(self) -> SyncResult<Items> {
        Ok(["inbox", "sent"].into_iter().map(SyncItem::named).collect())
    }
}

#[derive(Default)]
struct ReceiverThatIsMutable {
    copied: usize,
}

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for ReceiverThatIsMutable {
    async fn synchronize_item(&mut self, item: &ItemContext) -> SyncResult {
        self.copied += item.name().len();
        Ok(())
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(ArgumentMissing);
    let _ = ArgumentMissing::HANDLER;
    is_handler(ArgumentTooMany);
    let _ = ArgumentTooMany::HANDLER;
    is_handler(ArgumentByReference);
    let _ = ArgumentByReference::HANDLER;
    is_handler(ContextByValue);
    let _ = ContextByValue::HANDLER;
    is_handler(ContextOfAnotherMethod);
    let _ = ContextOfAnotherMethod::HANDLER;
    is_handler(ContextThatIsMutable);
    let _ = ContextThatIsMutable::HANDLER;
    is_handler(ReceiverMissing);
    let _ = ReceiverMissing::HANDLER;
    is_handler(ReceiverByValue);
    let _ = ReceiverByValue::HANDLER;
    is_handler(ReceiverThatIsMutable::default());
    let _ = ReceiverThatIsMutable::HANDLER;
}
