//! Items that their handler no longer waits for fail, whether it runs them with `each_item` or with `each`.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::{FailureClass, Limits, Outcome, Report, SyncResult, SynchronizeContext};
use tokio::time::timeout;

use crate::support::awaitable_host::within;
use crate::support::{Scripted, run};

/// Runs the items with a time limit, and returns the report.
async fn run_for_a_second(
    each: impl for<'a> Fn(&'a SynchronizeContext) -> futures::future::BoxFuture<'a, SyncResult>
    + Send
    + Sync
    + Clone
    + 'static,
) -> Report {
    let handler = Scripted::new(&["done", "hangs", "begins never"])
        .info(|info| info.with_limits(Limits::DEFAULT.with_items(1)))
        .on_item(|item| async { if item.name() == "done" { Ok(()) } else { std::future::pending().await } }.boxed())
        .on_synchronize(move |run| {
            let each = each.clone();
            async move { timeout(Duration::from_secs(1), each(run)).await.unwrap_or(Ok(())) }.boxed()
        });
    within(run(handler)).await
}

#[tokio::test(start_paused = true)]
async fn items_that_the_handler_no_longer_waits_for_fail_with_a_reason() {
    let spawned = run_for_a_second(|run| run.each_item().boxed()).await;
    let in_place = run_for_a_second(|run| {
        run.each(|item| {
            async move { if item.name() == "done" { Ok(()) } else { std::future::pending().await } }.boxed()
        })
        .boxed()
    })
    .await;
    for report in [spawned, in_place] {
        let ended: Vec<_> = report.items().map(|item| (item.outcome, item.class)).collect();
        let failed = (Outcome::Failed, Some(FailureClass::Transient));
        assert_eq!(ended, [(Outcome::Succeeded, None), failed, failed], "{report}");
        for item in report.items().filter(|item| item.outcome == Outcome::Failed) {
            let reason = report.runs[0].log.iter().find(|entry| entry.item == Some(item.item.id()));
            assert!(reason.is_some(), "{}: {report}", item.item.name());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_run_the_items_again_that_it_stopped_waiting_for() {
    let handler = Scripted::new(&["a", "b"])
        .info(|info| info.with_limits(Limits::DEFAULT.with_items(1)))
        .on_item(|item| async { if item.name() == "a" { std::future::pending().await } else { Ok(()) } }.boxed())
        .on_synchronize(|run| {
            async {
                let _ = timeout(Duration::from_secs(1), run.each_item()).await;
                run.each_item().await
            }
            .boxed()
        });
    let report = within(run(handler)).await;
    let outcomes: Vec<_> = report.items().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Succeeded], "{report}");
}

#[tokio::test(start_paused = true)]
async fn concurrent_work_that_is_always_ready_can_be_stopped() {
    let handler = Scripted::new(&["a"])
        .on_item(|item| async move { item.concurrently(4, 0_u64.., |_| async { Ok(()) }).await.map(drop) }.boxed());
    let session = crate::support::start(handler);
    let begun = |event: &syncmgr::SessionEvent| matches!(event, syncmgr::SessionEvent::Began { .. });
    crate::support::awaitable_host::until(&mut session.events(), begun).await;
    session.stop();
    let report = within(session.finish()).await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Stopped, "{report}");
}
