//! Sessions that a handler starts and awaits inside one of its calls.

use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr::explain::Held;
use syncmgr::store::StoreAccessError;
use syncmgr::{Hold, ItemContext, Outcome, Report, Session, StartError, SyncManager, SyncResult, Trigger};
use tokio::time::sleep;

use crate::support::awaitable_host::{begin, within};
use crate::support::steps::{nth, outcome};
use crate::support::{HANDLER, Scripted, id};

/// Starts and awaits a session of one handler, and returns the names and outcomes of its items.
async fn finish(manager: &SyncManager, handler: u128) -> Result<Vec<Outcome>, StartError> {
    let report = manager.session(Trigger::Manual).handlers([nth(handler)]).start()?.finish().await;
    Ok(report.items().map(|item| item.outcome).collect())
}

/// A handler whose items succeed, with these claims.
fn inner(number: u128, item: &'static str, claim: Option<&'static str>) -> Scripted {
    let handler = Scripted::new(&[item]).info(move |_| syncmgr::HandlerInfo::new(nth(number), "Inner"));
    claim.into_iter().fold(handler, |handler, claim| handler.info(|info| info.with_claim(claim)))
}

/// Runs a session whose only item does this with its manager and its session.
async fn run_outer(
    manager: SyncManager,
    claim: Option<&'static str>,
    act: impl for<'a> Fn(SyncManager, Session, &'a ItemContext) -> BoxFuture<'a, SyncResult> + Send + Sync + 'static,
) -> Report {
    let (outer, own) = (manager.clone(), Arc::new(OnceLock::<Session>::new()));
    let known = own.clone();
    let handler = Scripted::new(&["outer"]).on_item(move |item| {
        let session = known.get().expect("the session is started").clone();
        act(outer.clone(), session, item)
    });
    let handler = claim.into_iter().fold(handler, |handler, claim| handler.info(|info| info.with_claim(claim)));
    manager.register(handler).expect("the handler can be registered");
    let session = manager.session(Trigger::Manual).handlers([HANDLER]).start().expect("inside a runtime");
    own.set(session.clone()).expect("set once");
    within(session.report()).await
}

/// Runs a session of another handler inside an item, to its end.
async fn assert_nested_session_runs(manager: SyncManager) {
    manager.register(inner(2, "inner", None)).expect("the handler can be registered");
    let report = run_outer(manager, None, |manager, _, _| {
        async move {
            assert_eq!(finish(&manager, 2).await?, [Outcome::Succeeded]);
            Ok(())
        }
        .boxed()
    });
    assert_eq!(outcome(&report.await, id("outer")), Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_nested_session_of_another_handler_runs() {
    assert_nested_session_runs(SyncManager::new()).await;
}

#[tokio::test(start_paused = true)]
async fn a_nested_session_runs_although_its_item_has_the_only_worker() {
    assert_nested_session_runs(SyncManager::builder().max_concurrent_items(1).build()).await;
}

#[tokio::test(start_paused = true)]
async fn a_nested_session_of_the_same_handler_is_refused() {
    let report = run_outer(SyncManager::new(), None, |manager, _, item| {
        async move {
            let refused = manager.session(Trigger::Manual).handlers([HANDLER]).start().err();
            assert_eq!(refused, Some(StartError::Nested { handler: HANDLER }));
            let spawned = item.spawn(async move { Ok(manager.update_all().err()) }).await?;
            assert_eq!(spawned, Some(StartError::Nested { handler: HANDLER }));
            Ok(())
        }
        .boxed()
    });
    assert_eq!(outcome(&report.await, id("outer")), Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_nested_session_of_the_first_handler_is_refused_at_any_depth() {
    let manager = SyncManager::new();
    let deep = manager.clone();
    manager
        .register(inner(2, "inner", None).on_item(move |_| {
            let refused = deep.session(Trigger::Manual).handlers([HANDLER]).start().err();
            async move {
                assert_eq!(refused, Some(StartError::Nested { handler: HANDLER }));
                Ok(())
            }
            .boxed()
        }))
        .unwrap();
    let report = run_outer(manager, None, |manager, _, _| {
        async move {
            assert_eq!(finish(&manager, 2).await?, [Outcome::Succeeded]);
            Ok(())
        }
        .boxed()
    });
    assert_eq!(outcome(&report.await, id("outer")), Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_nested_session_of_a_handler_that_needs_a_held_claim_is_refused() {
    let manager = SyncManager::new();
    manager.register(inner(2, "inner", Some("account"))).unwrap();
    let report = run_outer(manager, Some("account"), |manager, _, _| {
        async move {
            let refused = finish(&manager, 2).await.err();
            assert_eq!(refused, Some(StartError::NestedClaim { handler: nth(2), claim: "account".into() }));
            Ok(())
        }
        .boxed()
    });
    assert_eq!(outcome(&report.await, id("outer")), Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_nested_item_that_needs_a_held_claim_is_left_out() {
    let manager = SyncManager::new();
    let claiming = || Ok([syncmgr::SyncItem::named("inner").with_claim("account")].into_iter().collect());
    manager.register(inner(2, "inner", None).items(claiming)).unwrap();
    let report = run_outer(manager, Some("account"), |manager, _, _| {
        async move {
            let session = manager.session(Trigger::Manual).handlers([nth(2)]).start()?;
            let report = session.finish().await;
            let item = report.items().next().expect("the item is reported");
            let hold = Some(&Hold::Claimed { claim: "account".into() });
            assert_eq!((item.outcome, item.hold.as_ref()), (Outcome::Skipped, hold));
            Ok(())
        }
        .boxed()
    });
    assert_eq!(outcome(&report.await, id("outer")), Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_awaits_its_own_session_gets_its_report_so_far() {
    let report = run_outer(SyncManager::new(), None, |_, own, _| {
        async move {
            assert_eq!(own.report().await.session, own.id());
            own.close().await;
            own.clone().finish().await;
            Ok(())
        }
        .boxed()
    });
    let report = report.await;
    assert_eq!(outcome(&report, id("outer")), Outcome::Succeeded);
    assert!(report.runs[0].log.iter().any(|entry| entry.text.contains("the session waits for")), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_cannot_forget_itself_or_its_running_item() {
    let report = run_outer(SyncManager::new(), None, |manager, _, item| {
        async move {
            let refused = manager.forget(HANDLER).await.err();
            assert!(matches!(refused, Some(StoreAccessError::Nested { handler: HANDLER })), "{refused:?}");
            let refused = manager.forget_item(HANDLER, item.id()).await.err();
            assert!(matches!(refused, Some(StoreAccessError::Nested { handler: HANDLER })), "{refused:?}");
            manager.forget_item(HANDLER, id("another")).await?;
            Ok(())
        }
        .boxed()
    });
    assert_eq!(outcome(&report.await, id("outer")), Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_shuts_its_manager_down_does_not_wait_for_itself() {
    let manager = SyncManager::new();
    let report = run_outer(manager.clone(), None, |manager, _, _| {
        async move {
            let began = tokio::time::Instant::now();
            let still_running = manager.shutdown().await;
            assert_eq!(still_running.len(), 1);
            assert!(began.elapsed().is_zero(), "the call waited for itself");
            Ok(())
        }
        .boxed()
    });
    assert_eq!(report.await.items().count(), 1);
    assert_eq!(within(manager.shutdown()).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_handler_can_stop_pause_and_unregister_itself() {
    let manager = SyncManager::new();
    let report = run_outer(manager.clone(), None, |manager, own, item| {
        async move {
            manager.pause();
            sleep(std::time::Duration::from_millis(100)).await;
            manager.resume();
            assert!(manager.unregister(HANDLER));
            own.stop();
            item.cancelled().await;
            Ok(())
        }
        .boxed()
    });
    assert_eq!(report.await.items().count(), 1);
    let held: Vec<Held> = manager.held();
    assert_eq!(held, []);
}

#[tokio::test(start_paused = true)]
async fn a_session_started_after_the_call_is_not_nested() {
    let manager = SyncManager::new();
    run_outer(manager.clone(), None, |_, _, _| async { Ok(()) }.boxed()).await;
    let session = begin(&manager);
    assert!(within(session.finish()).await.is_success());
}
