//! syncmgr's store and sqlx in one program: sqlx reads what a session has stored while the store is still open.

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use syncmgr::prelude::*;
use syncmgr::store::SqliteStore;
use syncmgr::{HandlerId, HandlerInfo, Items, SyncHandler, SyncManager, async_trait};

struct Notes;

#[async_trait]
impl SyncHandler for Notes {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HandlerId::from_u128(1), "Notes")
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok([SyncItem::named("first"), SyncItem::named("second")].into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut runs = item.saved::<u64>()?;
        *runs += 1;
        runs.commit().await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let store = SqliteStore::open(directory.path().join("state"))?;
    let manager = SyncManager::builder().store(store.clone()).build();
    let report = manager.run(Notes).await?;
    assert!(report.is_success());

    let theirs = SqlitePool::connect_with(SqliteConnectOptions::new().filename(store.path()).read_only(true)).await?;
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT outcome, checkpoint FROM items_shown").fetch_all(&theirs).await?;
    let one = ("succeeded".to_string(), "1".to_string());
    assert_eq!(rows, [one.clone(), one]);
    let (version,): (String,) = sqlx::query_as("SELECT sqlite_version()").fetch_one(&theirs).await?;
    println!("syncmgr wrote and sqlx read {} records, both with SQLite {version}", rows.len());
    Ok(())
}
