//! The changes that a handler itself reports.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::StreamExt;
use futures::channel::mpsc;
use futures::stream;
use syncmgr::changes::LocalChange;
use tokio::time::sleep;

use super::{seconds, watching};
use crate::support::id;
use crate::support::steps::{assert_succeeds, register_all, start_manual};
use crate::support::test_clock::{DAY, StartTimes, TestClock, builder_with_clock};

#[tokio::test(start_paused = true)]
async fn a_handler_reports_its_own_changes() {
    let (began, (report, changes)) = (StartTimes::new(), mpsc::unbounded());
    let changes = std::sync::Mutex::new(Some(changes));
    let handler = watching(&began, &["a", "b"]).on_changes(move || changes.lock().unwrap().take().unwrap().boxed());
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [handler]);
    assert_succeeds(start_manual(&manager, 1)).await;
    seconds(60).await;
    report.unbounded_send(LocalChange::Item(id("b"))).unwrap();
    sleep(DAY).await;
    assert_eq!((began.of("a"), began.of("b")), (vec![0], vec![0, 65]));
}

#[tokio::test(start_paused = true)]
async fn the_changes_of_a_handler_are_requested_once_per_registration() {
    let (began, calls) = (StartTimes::new(), Arc::<AtomicU32>::default());
    let counted = calls.clone();
    let handler = watching(&began, &["a"]).on_changes(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        stream::empty().boxed()
    });
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [handler.clone()]);
    for _ in 0..3 {
        assert_succeeds(start_manual(&manager, 1)).await;
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    manager.unregister(crate::support::steps::nth(1));
    let manager = register_all(manager, [handler]);
    assert_succeeds(start_manual(&manager, 1)).await;
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_always_ready_does_not_stop_the_manager() {
    let began = StartTimes::new();
    let handler = watching(&began, &["a"]).on_changes(|| stream::repeat(LocalChange::Item(id("a"))).boxed());
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [handler]);
    assert_succeeds(start_manual(&manager, 1)).await;
    seconds(95).await;
    assert_eq!(began.of("a"), [0, 30, 60, 90]);
    manager.shutdown().await;
}
