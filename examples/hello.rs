//! A complete provider with two items. Run it with `cargo run --example hello`.
use syncmgr::prelude::*;

struct Hello;

#[sync_handler(id = "5d0f0f6e-6b6c-4a43-9d6e-3c1f0a2b7c11", name = "Hello")]
impl SyncHandler for Hello {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["moon", "world"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        println!("hello, {}", item.name());
        Ok(())
    }
}

#[tokio::main]
async fn main() -> SyncResult {
    println!("{}", SyncManager::new().run(Hello).await?.into_result()?);
    Ok(())
}

#[test]
fn hello_passes_the_conformance_check() {
    syncmgr_test::assert_conforms(|| Hello);
}
