//! The ending of a run: its code and the outcomes of its items.

use std::time::Duration;

use anyhow::anyhow;
use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::session::RunFault;
use syncmgr::{FailureClass, HandlerId, LogLevel, NeedsUser, Outcome, Report, RunEnding, SyncResult};

use crate::support::awaitable_host::within;
use crate::support::window::ran;
use crate::support::{HANDLER, Scripted, ending_of, run};

fn ending(report: &Report, handler: HandlerId) -> RunEnding {
    ran(report, handler).ending.expect("the run has ended")
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_is_never_success() {
    // The handler itself drops the work on its items; there is no cancellation.
    let handler = Scripted::new(&["a", "b"]).on_synchronize(|run| {
        async {
            let work = run.each(|item| async move {
                item.progress(1, 2)?;
                std::future::pending().await
            });
            let _ = tokio::time::timeout(Duration::from_secs(1), work).await;
            Ok(())
        }
        .boxed()
    });
    let report = within(run(handler)).await;
    let outcomes: Vec<_> = report.items().map(|item| (item.outcome, item.class)).collect();
    assert_eq!(outcomes, [(Outcome::Failed, Some(FailureClass::Transient)); 2]);
}

#[tokio::test(start_paused = true)]
async fn items_need_the_user_if_their_handler_needs_the_user_to_prepare() {
    let handler = Scripted::new(&["a"]).on_prepare(|run| async { run.interaction().await.map(drop) }.boxed());
    let report = run(handler.clone()).await;
    assert_eq!(ending(&report, HANDLER), RunEnding::NotPrepared(RunFault::NeedsUser));
    assert_eq!(report.items().next().unwrap().outcome, Outcome::NeedsUser);
    assert!(report.runs[0].log.iter().all(|entry| entry.level == LogLevel::Warning), "{report}");
    assert_eq!(handler.transcript.count("synchronize"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_completes_with_the_code_of_its_result() {
    let ends: [(fn() -> SyncResult, HResult); 4] = [
        (|| Ok(()), HResult::S_OK),
        (|| Err(NeedsUser::new("sign in").into()), HResult::S_FALSE),
        (|| Err(anyhow!("no network")), HResult::E_FAIL),
        (|| panic!("no idea"), HResult::E_UNEXPECTED),
    ];
    for (end, code) in ends {
        let report = run(Scripted::new(&["a"]).on_synchronize(move |_| async move { end() }.boxed())).await;
        assert_eq!(ending(&report, HANDLER), ending_of(code));
        if !code.is_ok() {
            let report = run(Scripted::new(&["a"]).on_prepare(move |_| async move { end() }.boxed())).await;
            assert_eq!(ending(&report, HANDLER), RunEnding::NotPrepared(code.into()));
        }
    }
}
