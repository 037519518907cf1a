//! Calls of two handlers that would wait for each other: for sessions, for a claim, or for the user's attention.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr::{HandlerInfo, Outcome, Report, Session, StartError, SyncManager, SyncResult, Trigger};
use syncmgr_test::ScriptedUser;
use tokio::sync::{Barrier, Notify};
use tokio::time::Instant;

use crate::support::Scripted;
use crate::support::awaitable_host::within;
use crate::support::steps::{nth, start_manual};

/// Registers a handler with one item, which does this in its first run only.
fn register(
    manager: &SyncManager,
    info: HandlerInfo,
    act: impl Fn(SyncManager) -> BoxFuture<'static, SyncResult> + Send + Sync + 'static,
) {
    let (first, outer) = (AtomicBool::new(true), manager.clone());
    let handler = Scripted::new(&["item"]).info(move |_| info.clone()).on_item(move |_| {
        let is_first = first.swap(false, Ordering::Relaxed);
        if is_first { act(outer.clone()) } else { async { Ok(()) }.boxed() }
    });
    manager.register(handler).expect("the handler can be registered");
}

fn info(number: u128) -> HandlerInfo {
    HandlerInfo::new(nth(number), "Handler")
}

fn start(manager: &SyncManager, number: u128) -> Result<Session, StartError> {
    manager.session(Trigger::Manual).handlers([nth(number)]).start()
}

/// Runs a session of the first two handlers each, and checks that neither has waited for a timeout.
async fn run_both(manager: &SyncManager) -> [Report; 2] {
    let began = Instant::now();
    let [first, second] = [1, 2].map(|number| start_manual(manager, number));
    let reports = within(async { [first.finish().await, second.finish().await] }).await;
    assert!(began.elapsed().is_zero(), "the calls waited for each other");
    reports
}

#[tokio::test(start_paused = true)]
async fn of_two_items_that_await_each_others_handler_one_is_refused() {
    let (manager, results) = (SyncManager::new(), Arc::new(Mutex::new(Vec::new())));
    let both = Arc::new(Barrier::new(2));
    for (own, other) in [(1, 2), (2, 1)] {
        let (both, results) = (both.clone(), results.clone());
        register(&manager, info(own), move |manager| {
            let (both, results) = (both.clone(), results.clone());
            async move {
                both.wait().await;
                let outcome = match start(&manager, other) {
                    Ok(session) => Ok(session.finish().await.is_success()),
                    Err(error) => Err((error, other)),
                };
                results.lock().unwrap().push(outcome);
                Ok(())
            }
            .boxed()
        });
    }
    assert!(run_both(&manager).await.iter().all(Report::is_success));
    let results = results.lock().unwrap();
    let [Err((refused, other)), Ok(true)] = &results[..] else { panic!("{results:?}") };
    assert_eq!(*refused, StartError::Nested { handler: nth(*other) });
}

#[tokio::test(start_paused = true)]
async fn of_two_items_that_start_and_then_await_one_gets_the_report_so_far() {
    let (manager, endings) = (SyncManager::new(), Arc::new(Mutex::new(Vec::new())));
    let both = Arc::new(Barrier::new(2));
    for (own, other) in [(1, 2), (2, 1)] {
        let (both, endings) = (both.clone(), endings.clone());
        register(&manager, info(own), move |manager| {
            let (both, endings) = (both.clone(), endings.clone());
            async move {
                both.wait().await;
                let session = start(&manager, other)?;
                both.wait().await;
                let report = session.finish().await;
                endings.lock().unwrap().push((report.runs[0].ending.is_some(), report.is_success()));
                Ok(())
            }
            .boxed()
        });
    }
    assert!(run_both(&manager).await.iter().all(Report::is_success));
    assert_eq!(*endings.lock().unwrap(), [(false, true), (true, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_needs_a_claim_of_an_item_that_waits_is_refused() {
    let (manager, waits) = (SyncManager::new(), Arc::new(Notify::new()));
    let wakes = waits.clone();
    register(&manager, info(1).with_claim("disk"), move |manager| {
        let wakes = wakes.clone();
        async move {
            let session = start(&manager, 2)?;
            wakes.notify_one();
            session.finish().await;
            Ok(())
        }
        .boxed()
    });
    register(&manager, info(2), move |manager| {
        let waits = waits.clone();
        async move {
            waits.notified().await;
            let refused = start(&manager, 3).err();
            assert_eq!(refused, Some(StartError::NestedClaim { handler: nth(3), claim: "disk".into() }));
            Ok(())
        }
        .boxed()
    });
    manager.register(Scripted::new(&["item"]).info(|_| info(3).with_claim("disk"))).unwrap();
    assert!(run_both(&manager).await.iter().all(Report::is_success));
}

#[tokio::test(start_paused = true)]
async fn an_item_cannot_await_a_session_that_waits_for_its_own_claim() {
    let (manager, both) = (SyncManager::new(), Arc::new(Barrier::new(2)));
    let meets = both.clone();
    register(&manager, info(1).with_claim("disk"), move |manager| {
        let meets = meets.clone();
        async move {
            let session = start(&manager, 2)?;
            meets.wait().await;
            assert!(session.finish().await.runs[0].ending.is_none());
            Ok(())
        }
        .boxed()
    });
    register(&manager, info(2), move |manager| {
        let both = both.clone();
        async move {
            let session = start(&manager, 3)?;
            let waits = session.finish();
            let joined = futures::future::join(waits, both.wait());
            assert!(joined.await.0.is_success());
            Ok(())
        }
        .boxed()
    });
    manager.register(Scripted::new(&["item"]).info(|_| info(3).with_claim("disk"))).unwrap();
    assert!(run_both(&manager).await.iter().all(Report::is_success));
}

/// A session whose item asks for the user's attention, run to its end.
type Nested = Arc<dyn Fn() -> BoxFuture<'static, SyncResult> + Send + Sync>;

/// Runs a handler that runs a nested session in one of its calls, and returns the outcomes of that session.
async fn nested_outcomes(calling: impl FnOnce(Scripted, Nested) -> Scripted) -> Vec<Outcome> {
    let manager = SyncManager::builder().interaction(ScriptedUser::new()).build();
    let (outer, outcomes) = (manager.clone(), Arc::new(Mutex::new(Vec::new())));
    let known = outcomes.clone();
    let nested = move || {
        let (manager, known) = (outer.clone(), known.clone());
        async move {
            let session = manager.session(Trigger::Manual).handlers([nth(2)]).may_bother_user().start()?;
            let report = session.finish().await;
            known.lock().expect("no test panics").extend(report.items().map(|item| item.outcome));
            Ok(())
        }
        .boxed()
    };
    manager
        .register(calling(Scripted::new(&["outer"]).info(|_| info(1)), Arc::new(nested)))
        .expect("the handler can be registered");
    let asks = Scripted::new(&["asks"]).info(|_| info(2));
    manager
        .register(asks.on_item(|item| async { item.run().interaction().await.map(drop) }.boxed()))
        .expect("the handler can be registered");
    let session =
        manager.session(Trigger::Manual).handlers([nth(1)]).may_bother_user().start().expect("inside a runtime");
    let began = Instant::now();
    assert!(within(session.finish()).await.is_success());
    assert!(began.elapsed().is_zero(), "the nested session waited for its caller");
    let outcomes = outcomes.lock().expect("no test panics");
    outcomes.clone()
}

#[tokio::test(start_paused = true)]
async fn a_session_cannot_ask_the_user_while_the_item_that_awaits_it_does() {
    let outcomes = nested_outcomes(|handler, nested| {
        handler.on_item(move |item| {
            let nested = nested();
            async move {
                let _user = item.run().interaction().await?;
                nested.await
            }
            .boxed()
        })
    });
    assert_eq!(outcomes.await, [Outcome::NeedsUser]);
}

#[tokio::test(start_paused = true)]
async fn a_session_cannot_ask_the_user_while_the_prepare_that_awaits_it_does() {
    let outcomes = nested_outcomes(|handler, nested| {
        handler.on_prepare(move |run| {
            let nested = nested();
            async move {
                let _user = run.interaction().await?;
                nested.await
            }
            .boxed()
        })
    });
    assert_eq!(outcomes.await, [Outcome::NeedsUser]);
}

#[tokio::test(start_paused = true)]
async fn a_session_can_ask_the_user_while_the_item_that_awaits_it_does_not() {
    let outcomes = nested_outcomes(|handler, nested| {
        handler.on_item(move |item| {
            let nested = nested();
            async move {
                drop(item.run().interaction().await?);
                nested.await
            }
            .boxed()
        })
    });
    assert_eq!(outcomes.await, [Outcome::Succeeded]);
}
