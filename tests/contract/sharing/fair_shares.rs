//! Fair shares of the workers: a handler whose items hang does not stop the others.

use futures::FutureExt;
use futures::future::pending;
use syncmgr::{HandlerInfo, Limits, Outcome, SyncItem, SyncManager};

use crate::support::awaitable_host::within;
use crate::support::steps::{nth, outcome, register_all, start_background, start_manual};
use crate::support::test_clock::StartTimes;
use crate::support::{Scripted, id};

/// A handler with a huge limit and items that never end.
fn hanging() -> Scripted {
    Scripted::new(&[])
        .info(|_| HandlerInfo::new(nth(1), "Hangs").with_limits(Limits::DEFAULT.with_items(10_000)))
        .items(|| Ok((0..1_000).map(|number| SyncItem::named(format!("item {number}"))).collect()))
        .on_item(|_| pending().boxed())
}

#[tokio::test(start_paused = true)]
async fn a_manual_session_begins_although_the_items_of_another_handler_hang() {
    for limit in [2, 4, 64] {
        let began = StartTimes::new();
        let handlers = [hanging(), began.handler(2, &["a", "b"], |_, _| Ok(()))];
        let manager = register_all(SyncManager::builder().max_concurrent_items(limit).build(), handlers);
        let _hanging = start_background(&manager, 1);
        tokio::task::yield_now().await;
        let report = within(start_manual(&manager, 2).finish()).await;
        assert_eq!([outcome(&report, id("a")), outcome(&report, id("b"))], [Outcome::Succeeded; 2], "{limit} workers");
        manager.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_alone_gets_all_workers() {
    let manager = register_all(SyncManager::builder().max_concurrent_items(4).build(), [hanging()]);
    let session = start_background(&manager, 1);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(session.progress().len(), 4);
    manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_manual_session_begins_although_the_items_of_all_other_handlers_hang() {
    let began = StartTimes::new();
    let builder = SyncManager::builder().max_concurrent_items(1);
    let manager = register_all(builder.build(), [hanging()]);
    let _hanging = start_manual(&manager, 1);
    tokio::task::yield_now().await;
    manager.register(began.handler(2, &["a", "b"], |_, _| Ok(()))).unwrap(); // after all workers are taken
    let report = within(start_manual(&manager, 2).finish()).await;
    assert_eq!([outcome(&report, id("a")), outcome(&report, id("b"))], [Outcome::Succeeded; 2]);
    manager.shutdown().await;
}
