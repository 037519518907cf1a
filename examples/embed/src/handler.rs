//! A sync handler with simulated downloads.

use std::time::Duration;

use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use syncmgr::schedule::Schedule;

/// The name of an item that fails halfway.
pub const BROKEN: &str = "broken link";

/// The name of an item that needs the user.
pub const LOCKED: &str = "members only";

/// Simulates downloads of files. There are two more items: one fails, and one needs the user.
#[derive(Debug)]
pub struct Downloads {
    files: u32,
    steps: u64,
    pace: Duration,
    schedule: Option<Schedule>,
}

impl Downloads {
    /// Creates a handler with `files` files. Each takes `steps` steps with a duration of `pace`.
    pub fn new(files: u32, steps: u64, pace: Duration) -> Self {
        Self { files, steps, pace, schedule: None }
    }

    /// Sets the schedule of all items.
    pub fn with_schedule(self, schedule: impl Into<Option<Schedule>>) -> Self {
        Self { schedule: schedule.into(), ..self }
    }

    /// Downloads the first `steps` steps of an item.
    async fn download(&self, item: &ItemContext, steps: u64) -> SyncResult {
        for step in 0..steps {
            item.progress(step, self.steps)?;
            tokio::time::sleep(self.pace).await;
        }
        Ok(item.progress(steps, self.steps)?)
    }
}

#[sync_handler(id = "6f1d3c02-8a5e-4b0c-9d27-51c4e0a7b9f3", name = "Downloads")]
impl SyncHandler for Downloads {
    fn info(&self) -> HandlerInfo {
        Self::HANDLER.with_schedule(self.schedule.clone())
    }

    async fn items(&self) -> SyncResult<Items> {
        let files = (1..=self.files).map(|number| format!("file {number}"));
        Ok(files.chain([BROKEN, LOCKED].map(String::from)).map(SyncItem::named).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        match item.name() {
            BROKEN => {
                self.download(item, self.steps / 2).await?;
                Err(anyhow!("the server closed the connection halfway"))
            }
            LOCKED => Err(NeedsUser::new("log in to the site, then synchronize again").into()),
            _ => self.download(item, self.steps).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use syncmgr::Outcome;

    use super::*;

    fn downloads() -> Downloads {
        Downloads::new(2, 4, Duration::from_secs(1))
    }

    #[test]
    fn downloads_pass_the_conformance_check() {
        let kit = syncmgr_test::Kit::new(downloads);
        kit.expecting(BROKEN, Outcome::Failed).expecting(LOCKED, Outcome::NeedsUser).assert_conforms();
    }

    #[tokio::test(start_paused = true)]
    async fn a_complete_file_reports_full_progress() {
        let item = ItemContext::for_test("file 1");
        downloads().synchronize_item(&item).await.unwrap();
        let state = item.cell().state();
        assert_eq!((state.value, state.max), (4, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn the_broken_item_fails_halfway_and_the_locked_one_needs_the_user() {
        let broken = ItemContext::for_test(BROKEN);
        let error = downloads().synchronize_item(&broken).await.unwrap_err();
        assert!(!NeedsUser::is_in(&error));
        assert_eq!(broken.cell().state().value, 2);
        let error = downloads().synchronize_item(&ItemContext::for_test(LOCKED)).await.unwrap_err();
        assert!(NeedsUser::is_in(&error));
    }
}
