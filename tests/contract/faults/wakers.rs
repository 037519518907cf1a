//! Wakers that panic affect only their own tasks.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures::FutureExt;
use syncmgr::{Outcome, SessionEvent};
use tokio::sync::Notify;

use crate::support::awaitable_host::{until, within};
use crate::support::{HANDLER, Scripted, id, start};

/// A waker that panics.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("the fault")
    }
}

fn faulty() -> Waker {
    Arc::new(Panics).into()
}

/// Polls a future once with the faulty waker.
fn poll_with_faulty_waker<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    future.poll_unpin(&mut Context::from_waker(&faulty()))
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_a_faulty_waker_does_not_keep_others_from_the_report() {
    let go = Arc::new(Notify::new());
    let wait = go.clone();
    let session = start(Scripted::new(&["a"]).on_item(move |_| {
        let wait = wait.clone();
        async move {
            wait.notified().await;
            Ok(())
        }
        .boxed()
    }));
    let mut events = session.events();
    until(&mut events, |event| matches!(event, SessionEvent::Began { .. })).await;
    let (mut reported, mut next) = (pin!(session.report()), pin!(events.next()));
    assert!(poll_with_faulty_waker(&mut reported).is_pending() && poll_with_faulty_waker(&mut next).is_pending());
    let other = session.clone();
    let other = tokio::spawn(async move { other.report().await });
    tokio::task::yield_now().await;
    go.notify_one();
    assert!(within(other).await.unwrap().is_success());
    within(session.clone().close()).await;
}

#[tokio::test(start_paused = true)]
async fn a_skip_and_a_stop_reach_items_that_wait_with_a_faulty_waker() {
    let handler = Scripted::new(&["a", "b"]).on_item(|item| {
        async move {
            let mut cancelled = pin!(item.cancelled());
            poll_fn(|_| poll_with_faulty_waker(&mut cancelled)).await;
            Ok(item.check()?)
        }
        .boxed()
    });
    let session = start(handler);
    let mut events = session.events();
    for _ in 0..2 {
        until(&mut events, |event| matches!(event, SessionEvent::Began { .. })).await;
    }
    session.skip(HANDLER, id("a")).unwrap();
    session.stop();
    let report = within(session.finish()).await;
    let outcomes: Vec<_> = report.items().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Outcome::Skipped, Outcome::Stopped], "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_polls_its_items_with_a_faulty_waker_can_be_stopped() {
    let handler = Scripted::new(&["a", "b"]).on_synchronize(|run| {
        async move {
            let mut each = pin!(run.each(|_| std::future::pending().boxed()));
            poll_fn(|_| poll_with_faulty_waker(&mut each)).await
        }
        .boxed()
    });
    let session = start(handler);
    let mut events = session.events();
    until(&mut events, |event| matches!(event, SessionEvent::Began { .. })).await;
    session.skip(HANDLER, id("a")).unwrap();
    session.stop();
    assert!(!within(session.finish()).await.is_success());
}
