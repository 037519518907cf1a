//! Handlers that go on after a condition has ended, or past the time before the machine sleeps.

use std::sync::Arc;
use std::time::Duration;

use syncmgr::prelude::*;
use syncmgr::{CancelReason, anyhow};
use syncmgr_test::Check;

use super::super::peer::{FakePeer, assert_caught, kit, violation};

/// Finishes a book although a condition has ended, because only the user can mean a stop.
struct FinishesItsBook(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1301", name = "Finishes its book")]
impl SyncHandler for FinishesItsBook {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let _whole = item.uninterrupted();
        for page in 0..self.0.pages(item.name()) {
            tokio::time::sleep(Duration::from_secs(3)).await;
            match item.check() {
                Err(cancelled) if cancelled.reason != CancelReason::ConditionEnded => return Err(cancelled.into()),
                _ => {}
            }
            let text = self.0.fetch(item.name(), page).await?;
            self.0.put(item.name(), page, text);
        }
        Ok(())
    }
}

#[test]
fn an_item_that_continues_after_a_condition_has_ended_is_found() {
    let kit = kit(FinishesItsBook);
    assert!(!matches!(kit.check(Check::Stop), syncmgr_test::CheckResult::Failed(_)), "it obeys a stop by the user");
    let expected = "after the end of a condition, the session ended only after 5000 ms";
    assert!(violation(&kit, Check::Conditions).headline().starts_with(expected));
}

/// Leaves the rest of a book to a task of its own when a condition ends.
struct FinishesInATask(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1302", name = "Finishes in a task")]
impl SyncHandler for FinishesInATask {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        for page in 0..self.0.pages(item.name()) {
            let text = self.0.fetch(item.name(), page).await?;
            let (peer, name) = (self.0.clone(), item.name().to_owned());
            match item.check() {
                Err(cancelled) if cancelled.reason == CancelReason::ConditionEnded => {
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        peer.put(&name, page, text);
                    });
                    return Err(cancelled.into());
                }
                checked => checked?,
            }
            self.0.put(item.name(), page, text);
        }
        Ok(())
    }
}

#[test]
fn a_task_that_continues_after_a_condition_has_ended_is_found() {
    assert_caught(FinishesInATask, Check::Conditions, "atlas/0 changes, although a condition of the run has ended");
}

/// Sends a book in one piece, whatever time is left.
struct SendsWhole(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1303", name = "Sends whole", limits(items = 1))]
impl SyncHandler for SendsWhole {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        send(item, &self.0).await
    }
}

/// Sends a book in one piece, which takes two seconds.
async fn send(item: &ItemContext, peer: &FakePeer) -> SyncResult {
    let _whole = item.uninterrupted();
    tokio::time::sleep(Duration::from_secs(2)).await;
    peer.put(item.name(), 0, peer.fetch(item.name(), 0).await?);
    Ok(())
}

#[test]
fn work_that_goes_on_past_the_time_before_a_sleep_is_found() {
    let kit = kit(SendsWhole);
    for check in [Check::Skip, Check::Stop, Check::Conditions] {
        assert!(!matches!(kit.check(check), syncmgr_test::CheckResult::Failed(_)), "it ends in its grace");
    }
    let found = violation(&kit, Check::Endings);
    assert_eq!(found.headline(), "the machine sleeps after 876 ms, and the run ends only after 2010 ms");
}

/// Sends a book in one piece if the time allows it.
struct AsksForTheTime(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1304", name = "Asks for the time", limits(items = 1))]
impl SyncHandler for AsksForTheTime {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if item.run().time_left().is_some_and(|left| left < Duration::from_secs(3)) {
            return Err(anyhow::anyhow!("there was no time to send it before the end"));
        }
        send(item, &self.0).await
    }
}

#[test]
fn a_handler_that_asks_for_the_time_left_passes_every_check() {
    kit(AsksForTheTime).assert_conforms();
}
