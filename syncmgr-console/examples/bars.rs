//! A session as progress bars: `cargo run -p syncmgr-console --example bars`. With `2> log`, or `TERM=dumb`, it prints plain lines.

use std::time::Duration;

use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use syncmgr::progress::ProgressUnit;
use syncmgr_console::Bars;

/// Photos that are uploaded. One of them fails, and the size of one is not known.
struct Photos;

#[sync_handler(id = "0b0f3a6e-3f0e-4a55-9d6e-6a6f5a1c2b77", name = "Photos", capabilities(cancellable))]
impl SyncHandler for Photos {
    async fn items(&self) -> SyncResult<Items> {
        Ok((1..=30).map(|number| SyncItem::named(format!("photo {number}.jpg"))).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        item.report(Progress::new().with_unit(ProgressUnit::Bytes))?;
        let size = 40_000 * item.name().len() as u64 * (20 + item.name().bytes().map(u64::from).sum::<u64>() % 40);
        let total = if item.name() == "photo 4.jpg" { None } else { Some(size) };
        for sent in (0..=size).step_by(200_000) {
            item.progress(sent, total)?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        match item.name() {
            "photo 7.jpg" => Err(anyhow!("the server has no space left")),
            _ => Ok(()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manager = SyncManager::builder().max_concurrent_items(4).build();
    manager.register(Photos)?;
    let session = manager.session(Trigger::Manual).start()?;
    let report = Bars::new().show(&session).await;
    println!("{report}");
    Ok(())
}
