//! A program with a console: `cargo run -p syncmgr-console --example downloads -- /tmp/downloads/console.sock`. It downloads some files
//! every minute, until Ctrl-C. `syncmgr --socket /tmp/downloads/console.sock status` shows it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use syncmgr::schedule::Schedule;
use syncmgr::store::MemoryStore;
use syncmgr_console::{Console, Questions, socket_path};

/// Downloads that take a while. `private.zip` needs a password, `report.pdf` has a question, and `video.mp4` fails every other time.
#[derive(Default)]
struct Downloads {
    has_failed: AtomicBool,
}

#[sync_handler(
    id = "3c5a2f8b-0d19-4e7a-a6d4-5f1e8b7c9d02",
    name = "Downloads",
    capabilities(cancellable),
    retry(initial = "10s")
)]
impl SyncHandler for Downloads {
    fn info(&self) -> HandlerInfo {
        Self::HANDLER.with_schedule(Schedule::every(Duration::from_secs(60)).ok())
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(["letter.txt", "photo.jpg", "private.zip", "report.pdf", "video.mp4"]
            .into_iter()
            .map(SyncItem::named)
            .collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if item.name() == "private.zip" {
            item.secret("server", "The password of the server").await?;
        }
        for step in 0..=20 {
            item.progress(step, 20)?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        match item.name() {
            "report.pdf" => {
                // Without an answer, the item waits for one.
                let question = "The file was changed on both sides. Which one is right?";
                let _ = item.decide("newer", question, &["here", "on the server"]);
                Ok(())
            }
            "video.mp4" if !self.has_failed.fetch_xor(true, Ordering::Relaxed) => Err(anyhow!("the disk is full")),
            _ => Ok(()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).map_or_else(|| socket_path("syncmgr"), Into::into);
    let questions = Questions::new();
    let builder = SyncManager::builder().store(MemoryStore::new());
    let manager = builder.interaction(questions.clone()).chooser(questions.clone()).build();
    manager.register(Downloads::default())?;
    manager.start_scheduler()?;
    let console = Console::new(&manager).at(path).with_questions(questions).with_page(0).start()?;
    println!("the console is {}", console.path().display());
    println!("the page is {}", console.page().unwrap_or_default());
    tokio::signal::ctrl_c().await?;
    console.stop().await;
    manager.shutdown().await;
    Ok(())
}
