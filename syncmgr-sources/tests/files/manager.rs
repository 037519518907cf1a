//! A manager that watches real files.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use syncmgr::changes::Settle;
use syncmgr::prelude::*;
use syncmgr::retry::StartReason;
use syncmgr::{HandlerInfo, ManagerEvent, SessionEvent};
use syncmgr_sources::FileChanges;
use tokio::time::timeout;

/// A handler that copies a directory's number of files into a file beside it.
struct Notes(PathBuf);

#[sync_handler(id = "0f5c9c6a-0f1c-4c43-9d36-9a3a8f0b6f11", name = "Notes")]
impl SyncHandler for Notes {
    fn info(&self) -> HandlerInfo {
        Self::HANDLER.with_settle(Settle::DEFAULT.with_quiet(Duration::from_millis(1)))
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok([SyncItem::named("notes").with_watch(self.0.join("notes"))].into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let files = fs::read_dir(self.0.join("notes"))?.count();
        fs::write(self.0.join("count"), files.to_string())?;
        Ok(item.progress(1, 1)?)
    }
}

#[tokio::test]
async fn a_changed_file_runs_the_item_that_watches_it() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("notes")).unwrap();
    let manager = SyncManager::builder().change_source(FileChanges::new()).build();
    manager.register(Notes(directory.path().into())).unwrap();
    let mut events = manager.events();
    assert!(manager.update_all().unwrap().finish().await.is_success());
    fs::write(directory.path().join("notes/groceries"), "milk").unwrap();
    let noticed = async {
        while fs::read_to_string(directory.path().join("count")).unwrap() != "1" {
            let ManagerEvent { event, .. } = events.next().await.expect("the manager exists");
            if let SessionEvent::Started { reason, .. } = event {
                assert!(matches!(reason, StartReason::Requested | StartReason::LocalChange), "{reason:?}");
            }
        }
    };
    timeout(Duration::from_secs(60), noticed).await.expect("the change starts a run");
    assert!(manager.shutdown().await.is_empty());
}
