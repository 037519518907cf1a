//! Handlers that treat a skip, a stop or a panic incorrectly.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use syncmgr::prelude::*;
use syncmgr::progress::Status;
use syncmgr::{Progress, Subject, anyhow};
use syncmgr_test::Check;
use tokio_util::sync::CancellationToken;

use super::super::peer::{FakePeer, assert_caught};

/// Reports success when it is cancelled.
struct SwallowsCancel(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c01", name = "Swallows cancel")]
impl SyncHandler for SwallowsCancel {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        for page in 0..self.0.pages(item.name()) {
            if item.progress(page.into(), None).is_err() {
                break;
            }
            let text = self.0.fetch(item.name(), page).await?;
            self.0.put(item.name(), page, text);
        }
        Ok(())
    }
}

#[test]
fn success_reported_after_a_cancel_is_found() {
    assert_caught(SwallowsCancel, Check::Skip, "was skipped and ends: succeeded, but its work is incomplete");
}

/// Processes all items in one call and does not check for skips.
struct IgnoresSkip(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c05", name = "Ignores skip")]
impl SyncHandler for IgnoresSkip {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        for item in run.selection() {
            _ = run.report(item.id(), Progress::new().with_status(Status::Updating));
            let text = self.0.fetch(item.name(), 0).await?;
            self.0.put(item.name(), 0, text);
            _ = run.report(item.id(), Progress::new().with_status(Status::Succeeded));
        }
        Ok(())
    }
}

#[test]
fn a_single_call_that_ignores_a_skip_is_found() {
    assert_caught(IgnoresSkip, Check::Skip, "was skipped before it began, but its work was done");
}

/// Marks the whole work of an item as uninterrupted.
struct LongUninterruptible(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c02", name = "Long uninterruptible")]
impl SyncHandler for LongUninterruptible {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let _whole = item.uninterrupted();
        for page in 0..self.0.pages(item.name()) {
            tokio::time::sleep(Duration::from_secs(20)).await;
            let text = self.0.fetch(item.name(), page).await?;
            self.0.put(item.name(), page, text);
        }
        Ok(())
    }
}

#[test]
fn a_long_uninterruptible_item_is_found_by_a_skip() {
    assert_caught(LongUninterruptible, Check::Skip, "was skipped and ended only after 5000 ms, when it was abandoned");
}

#[test]
fn a_long_uninterruptible_item_is_found_by_a_stop() {
    assert_caught(LongUninterruptible, Check::Stop, "after a stop, the session ended only after");
}

/// Cancels a token that all items share when one item is cancelled.
#[derive(Default)]
struct SharesCancelToken {
    peer: Arc<FakePeer>,
    token: Mutex<CancellationToken>,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c03", name = "Shares cancel token")]
impl SyncHandler for SharesCancelToken {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.peer.items())
    }

    async fn prepare(&self, _: &PrepareContext) -> SyncResult {
        *self.token.lock().unwrap() = CancellationToken::new();
        Ok(())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let token = self.token.lock().unwrap().clone();
        for page in 0..self.peer.pages(item.name()) {
            let text = tokio::select! {
                biased;
                () = item.cancelled() => {
                    token.cancel();
                    return Ok(item.check()?);
                }
                () = token.cancelled() => return Err(anyhow::anyhow!("cancelled")),
                text = self.peer.fetch(item.name(), page) => text?,
            };
            self.peer.put(item.name(), page, text);
        }
        Ok(())
    }
}

#[test]
fn a_skip_that_cancels_other_items_is_found() {
    assert_caught(
        |peer| SharesCancelToken { peer, ..SharesCancelToken::default() },
        Check::Skip,
        "item `bestiary` ends: failed",
    );
}

/// Deletes the copies of all items when one item is interrupted.
struct ClearsSharedData(Arc<FakePeer>);

/// Deletes all copies on drop, unless the flag is set.
struct Staging<'a>(&'a FakePeer, bool);

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.copies().clear();
        }
    }
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c06", name = "Clears shared data")]
impl SyncHandler for ClearsSharedData {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut staging = Staging(&self.0, false);
        for page in 0..self.0.pages(item.name()) {
            item.check()?;
            let text = self.0.fetch(item.name(), page).await?;
            self.0.put(item.name(), page, text);
        }
        staging.1 = true;
        Ok(())
    }
}

#[test]
fn a_skip_that_deletes_data_of_other_items_is_found() {
    assert_caught(ClearsSharedData, Check::Skip, "was skipped, and item");
}

/// Ignores cancellation while it blocks a thread.
struct BlockingIgnoresCancel;

#[sync_handler(
    id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c07",
    name = "Blocking ignores cancel",
    limits(soft_grace = "10ms", hard_grace = "50ms")
)]
impl SyncHandler for BlockingIgnoresCancel {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["atlas"].map(SyncItem::named).into_iter().collect())
    }

    #[expect(clippy::disallowed_methods, reason = "the fault of this handler")]
    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        item.blocking(|_| {
            std::thread::sleep(std::time::Duration::from_millis(300));
            Ok(())
        })
        .await
    }
}

#[test]
fn blocking_work_that_ignores_a_skip_is_found() {
    assert_caught(|_| BlockingIgnoresCancel, Check::Skip, "`atlas` was skipped and ended only after");
}

/// Panics in `set_item_status` if the subject is not an item.
struct PanicsInSetItemStatus(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c08", name = "Panics in set item status")]
impl SyncHandler for PanicsInSetItemStatus {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }

    fn set_item_status(&self, _: &RunContext, subject: Subject, _: Status) {
        let Subject::Item(_) = subject else { std::panic::resume_unwind(Box::new("no item")) };
    }
}

#[test]
fn a_panic_in_set_item_status_is_found_by_a_stop() {
    assert_caught(PanicsInSetItemStatus, Check::Stop, "set_item_status panics: no item");
}

/// Sets a busy flag and does not clear it when it is interrupted.
struct LeavesBusyFlagSet {
    peer: Arc<FakePeer>,
    busy: AtomicBool,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c04", name = "Leaves busy flag set", limits(items = 1))]
impl SyncHandler for LeavesBusyFlagSet {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.peer.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err(anyhow::anyhow!("busy"));
        }
        let text = self.peer.fetch(item.name(), 0).await?;
        self.peer.put(item.name(), 0, text);
        self.busy.store(false, Ordering::Release);
        Ok(())
    }
}

fn leaves_busy_flag_set(peer: Arc<FakePeer>) -> LeavesBusyFlagSet {
    LeavesBusyFlagSet { peer, busy: AtomicBool::new(false) }
}

#[test]
fn a_flag_left_set_by_a_stop_is_found() {
    assert_caught(leaves_busy_flag_set, Check::Resume, "in a run after a stop, `atlas` ends: failed");
}

#[test]
fn a_flag_left_set_by_a_panic_is_found() {
    assert_caught(leaves_busy_flag_set, Check::Panics, "`atlas` panicked, and item `bestiary` ends: failed");
}
