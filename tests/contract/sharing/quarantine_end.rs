//! A quarantine ends by itself once the thread returns, not earlier.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::{Claim, Hold, Outcome, SyncItem, SyncManager, Trigger};

use crate::cancellation::stopped::advance_in_steps;
use crate::sharing::quarantine::{Blocked, let_hard_grace_pass};
use crate::support::awaitable_host::begin;
use crate::support::steps::{assert_succeeds, holds, manager_with, nth, outcome, start_manual};
use crate::support::{HANDLER, Scripted, id};

/// Yields until nothing is held. Virtual time does not advance until the thread has returned.
async fn until_nothing_is_held(manager: &SyncManager) {
    for _ in 0..1_000_000 {
        if manager.held().is_empty() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("still held: {:?}", manager.held());
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_item_is_held_until_its_thread_returns_and_then_runs() {
    let blocked = Blocked::new();
    let handler = blocked.handler(&["a"]);
    let transcript = handler.transcript.clone();
    let manager = manager_with([handler]);
    blocked.abandoned(&manager).await;
    let [held] = &manager.held()[..] else { panic!("{:?}", manager.held()) };
    assert_eq!((held.handler, held.item, held.session, &held.hold), (HANDLER, Some(id("a")), None, &Hold::Quarantined));
    blocked.release.send(()).unwrap();
    until_nothing_is_held(&manager).await;
    blocked.release.send(()).unwrap();
    assert_succeeds(begin(&manager)).await;
    assert_eq!(transcript.count("item a"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_item_abandoned_after_a_late_stop_is_held_until_its_thread_returns() {
    let blocked = Blocked::new();
    let manager = manager_with([blocked.handler(&["a"])]);
    let session = begin(&manager);
    blocked.begun.notified().await;
    session.stop();
    // Time passes before the worker is polled, as on a busy runtime.
    advance_in_steps(Duration::from_secs(6)).await;
    session.report().await;
    assert_eq!(holds(&manager.held()), [(Some(id("a")), Hold::Quarantined)]);
    blocked.release.send(()).unwrap();
    until_nothing_is_held(&manager).await;
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_item_keeps_its_claim_until_its_thread_returns() {
    let blocked = Blocked::new();
    let claiming = |item: &'static str| move || Ok([SyncItem::named(item).with_claim("disk")].into_iter().collect());
    let other = Scripted::new(&[]).info(|_| syncmgr::HandlerInfo::new(nth(2), "Other")).items(claiming("b"));
    let manager = manager_with([blocked.handler(&[]).items(claiming("a")), other.clone()]);
    let first = manager.session(Trigger::Manual).handlers([HANDLER]).start().unwrap();
    blocked.begun.notified().await;
    first.stop();
    let_hard_grace_pass().await;
    assert_eq!(outcome(&first.report().await, id("a")), Outcome::Failed);
    first.close().await;
    let second = start_manual(&manager, 2);
    advance_in_steps(Duration::from_secs(1)).await;
    let claimed = (Some(id("b")), Hold::Claimed { claim: Claim::new("disk") });
    assert_eq!(holds(&manager.held()), [claimed, (Some(id("a")), Hold::Quarantined)]);
    assert_eq!(other.transcript.count("item b"), 0);
    blocked.release.send(()).unwrap();
    let report = second.report().await;
    assert!(report.is_success(), "{report}");
    until_nothing_is_held(&manager).await;
}

#[tokio::test(start_paused = true)]
async fn an_item_is_held_until_the_last_of_its_threads_returns() {
    let [one, two] = [Blocked::new(), Blocked::new()];
    let works = (one.work(), two.work());
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (first, second) = works.clone();
        async move { tokio::try_join!(item.blocking(first), item.blocking(second)).map(drop) }.boxed()
    });
    let manager = manager_with([handler]);
    let session = begin(&manager);
    one.begun.notified().await;
    two.begun.notified().await;
    session.stop();
    let_hard_grace_pass().await;
    session.report().await;
    one.release.send(()).unwrap();
    drop(one);
    advance_in_steps(Duration::from_secs(1)).await;
    assert_eq!(holds(&manager.held()), [(Some(id("a")), Hold::Quarantined)]);
    two.release.send(()).unwrap();
    until_nothing_is_held(&manager).await;
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_item_is_held_after_its_thread_drops_its_uninterrupted_guard() {
    let [guarded, rest] = [Blocked::new(), Blocked::new()];
    let works = (guarded.work(), rest.work());
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (first, second) = works.clone();
        item.blocking(move |item| {
            let guard = item.uninterrupted();
            first(item.clone())?;
            drop(guard);
            second(item)
        })
        .boxed()
    });
    let manager = manager_with([handler]);
    guarded.abandoned(&manager).await;
    guarded.release.send(()).unwrap();
    // The guard is dropped; the thread continues.
    rest.begun.notified().await;
    let held = holds(&manager.held());
    rest.release.send(()).unwrap();
    until_nothing_is_held(&manager).await;
    assert_eq!(held, [(Some(id("a")), Hold::Quarantined)]);
}

#[tokio::test(start_paused = true)]
async fn an_item_dropped_by_its_run_is_held_until_its_thread_returns() {
    let blocked = Blocked::new();
    let work = blocked.work();
    let handler = Scripted::new(&["a"]).on_synchronize(move |run| {
        let work = work.clone();
        async move {
            tokio::select! {
                biased;
                () = run.cancelled() => Ok(()),
                done = run.each(|item| { let work = work.clone(); async move { item.blocking(work).await } }) => done,
            }
        }
        .boxed()
    });
    let manager = manager_with([handler]);
    let session = begin(&manager);
    blocked.begun.notified().await;
    session.stop();
    session.report().await;
    assert_eq!(holds(&manager.held()), [(Some(id("a")), Hold::Quarantined)]);
    blocked.release.send(()).unwrap();
    until_nothing_is_held(&manager).await;
    blocked.release.send(()).unwrap();
    assert_succeeds(begin(&manager)).await;
}
