//! Mistakes around skip, stop and panics.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use syncmgr::prelude::*;
use syncmgr::progress::Status;
use syncmgr::{Progress, Subject, anyhow};
use syncmgr_test::Check;
use tokio_util::sync::CancellationToken;

use super::super::world::{World, caught};

/// Takes a cancel for the end of the work.
struct Swallows(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c01", name = "Swallows")]
impl SyncHandler for Swallows {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        for leaf in 0..self.0.leaves(item.name()) {
            if item.progress(leaf.into(), None).is_err() {
                break;
            }
            let text = self.0.fetch(item.name(), leaf).await?;
            self.0.put(item.name(), leaf, text);
        }
        Ok(())
    }
}

#[test]
fn a_cancel_that_is_swallowed_is_told_from_work_that_is_done() {
    caught(Swallows, Check::Skip, "was skipped and ends: succeeded, with its work undone");
}

/// Does all items in one piece of work, and does not look whether one was skipped.
struct Headstrong(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c05", name = "Headstrong")]
impl SyncHandler for Headstrong {
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
fn a_skip_that_one_piece_of_work_does_not_hear_of_is_noticed() {
    caught(Headstrong, Check::Skip, "was skipped before it began, and its work was done all the same");
}

/// Holds off whoever would interrupt it, for as long as it takes.
struct Unbending(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c02", name = "Unbending")]
impl SyncHandler for Unbending {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let _whole = item.uninterrupted();
        for leaf in 0..self.0.leaves(item.name()) {
            tokio::time::sleep(Duration::from_secs(20)).await;
            let text = self.0.fetch(item.name(), leaf).await?;
            self.0.put(item.name(), leaf, text);
        }
        Ok(())
    }
}

#[test]
fn an_item_that_cannot_be_interrupted_for_long_is_noticed_when_it_is_skipped() {
    caught(Unbending, Check::Skip, "was skipped and ended only after 5000 ms, when it was given up");
}

#[test]
fn an_item_that_cannot_be_interrupted_for_long_is_noticed_when_all_is_stopped() {
    caught(Unbending, Check::Stop, "stopped, the session came to rest only after");
}

/// Has one token for all items, and cancels it when one of them is.
#[derive(Default)]
struct Together {
    world: Arc<World>,
    token: Mutex<CancellationToken>,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c03", name = "Together")]
impl SyncHandler for Together {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.world.items())
    }

    async fn prepare(&self, _: &PrepareContext) -> SyncResult {
        *self.token.lock().unwrap() = CancellationToken::new();
        Ok(())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let token = self.token.lock().unwrap().clone();
        for leaf in 0..self.world.leaves(item.name()) {
            let text = tokio::select! {
                biased;
                () = item.cancelled() => {
                    token.cancel();
                    return Ok(item.check()?);
                }
                () = token.cancelled() => return Err(anyhow::anyhow!("cancelled")),
                text = self.world.fetch(item.name(), leaf) => text?,
            };
            self.world.put(item.name(), leaf, text);
        }
        Ok(())
    }
}

#[test]
fn a_skip_that_takes_the_neighbours_along_is_noticed() {
    caught(|world| Together { world, ..Together::default() }, Check::Skip, "its neighbour `bestiary` ends: failed");
}

/// Clears what all items share when one of them is cut.
struct Clears(Arc<World>);

/// Clears the shelf unless it was told that all is well.
struct Staging<'a>(&'a World, bool);

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.shelf().clear();
        }
    }
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c06", name = "Clears")]
impl SyncHandler for Clears {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut staging = Staging(&self.0, false);
        for leaf in 0..self.0.leaves(item.name()) {
            item.check()?;
            let text = self.0.fetch(item.name(), leaf).await?;
            self.0.put(item.name(), leaf, text);
        }
        staging.1 = true;
        Ok(())
    }
}

#[test]
fn a_skip_that_takes_data_of_the_neighbours_along_is_noticed() {
    caught(Clears, Check::Skip, "was skipped, and its neighbour");
}

/// Does not hear of a cancel on the thread it blocks.
struct Deaf;

#[sync_handler(
    id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c07",
    name = "Deaf",
    limits(soft_grace = "10ms", hard_grace = "50ms")
)]
impl SyncHandler for Deaf {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["atlas"].map(SyncItem::named).into_iter().collect())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the mistake")]
    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        item.blocking(|_| {
            std::thread::sleep(std::time::Duration::from_millis(300));
            Ok(())
        })
        .await
    }
}

#[test]
fn blocking_work_that_does_not_look_whether_it_was_skipped_is_noticed() {
    caught(|_| Deaf, Check::Skip, "`atlas` was skipped and ended only after");
}

/// Has no words for the handler as a whole.
struct Speechless(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c08", name = "Speechless")]
impl SyncHandler for Speechless {
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
fn a_panic_where_the_handler_is_told_of_a_stop_is_noticed() {
    caught(Speechless, Check::Stop, "set_item_status panics: no item");
}

/// Marks itself as busy, and does not come to unmark itself when it is cut short.
struct Busy {
    world: Arc<World>,
    busy: AtomicBool,
}

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0c04", name = "Busy", limits(items = 1))]
impl SyncHandler for Busy {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.world.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err(anyhow::anyhow!("another run is under way"));
        }
        let text = self.world.fetch(item.name(), 0).await?;
        self.world.put(item.name(), 0, text);
        self.busy.store(false, Ordering::Release);
        Ok(())
    }
}

fn busy(world: Arc<World>) -> Busy {
    Busy { world, busy: AtomicBool::new(false) }
}

#[test]
fn a_flag_that_a_stop_leaves_set_is_noticed() {
    caught(busy, Check::Resume, "in a run after a stop, `atlas` ends: failed");
}

#[test]
fn a_flag_that_a_panic_leaves_set_is_noticed() {
    caught(busy, Check::Panics, "`atlas` panicked, and its neighbour `bestiary` ends: failed");
}
