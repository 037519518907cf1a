//! Retries that end with their manager: nobody called them off.

use std::time::Duration;

use futures::FutureExt;
use futures::future::pending;
use syncmgr::{MemoryStore, SyncManager};
use tokio::time::sleep;

use crate::daytime::{Began, Daytime, fails, setback, stored};
use crate::steps::{idle, manual, registered};
use crate::support::Scripted;
use crate::watched::within;

/// Its item fails, and in the first retry ends no more; from then on it succeeds.
fn slow(began: &Began) -> Scripted {
    let noting = began.clone();
    began.handler(1, &["a"], |_, _| Ok(())).on_item(move |_| {
        let times = noting.note("a");
        async move {
            match times {
                1 => fails(),
                2 => pending().await,
                _ => Ok(()),
            }
        }
        .boxed()
    })
}

async fn in_its_retry(began: &Began, clock: &Daytime, store: &MemoryStore) -> SyncManager {
    let manager = registered(stored(clock, store).build(), [slow(began)]);
    within(manual(&manager, 1).finish()).await;
    sleep(Duration::from_secs(31)).await;
    assert_eq!(began.of("a"), [0, 30]);
    manager
}

#[tokio::test(start_paused = true)]
async fn a_retry_the_shutdown_ended_is_due_at_once_in_the_next_manager() {
    let (began, clock, store) = (Began::new(), Daytime::new(), MemoryStore::new());
    let first = in_its_retry(&began, &clock, &store).await;
    within(first.shutdown()).await;
    drop(first);
    assert_eq!(setback(&store, 1, "a").map(|left| left.failures), Some(1), "it is no failure");
    let second = registered(stored(&clock, &store).build(), [slow(&began)]);
    second.attend().unwrap();
    idle().await;
    assert_eq!(began.of("a").len(), 3, "{:?}", setback(&store, 1, "a"));
    assert_eq!(setback(&store, 1, "a"), None);
}

#[tokio::test(start_paused = true)]
async fn a_retry_somebody_stopped_is_not_due_at_once_in_the_next_manager() {
    let (began, clock, store) = (Began::new(), Daytime::new(), MemoryStore::new());
    let first = in_its_retry(&began, &clock, &store).await;
    for session in first.sessions() {
        session.stop();
        within(session.finish()).await;
    }
    within(first.shutdown()).await;
    drop(first);
    let second = registered(stored(&clock, &store).build(), [slow(&began)]);
    second.attend().unwrap();
    idle().await;
    assert_eq!(began.of("a"), [0, 30]);
}
