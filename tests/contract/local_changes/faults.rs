//! Faulty settings, handlers and sources.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use syncmgr::HandlerInfo;
use syncmgr::changes::{ChangeSource, LocalChange, Settle, Watch, WatchEvent, WatchProblem};
use syncmgr::request::RequestError;
use tokio::time::sleep;

use super::{seconds, watching};
use crate::support::steps::{assert_succeeds, manager_with, nth, register_all, start_manual};
use crate::support::test_clock::{DAY, StartTimes, TestClock, builder_with_clock};
use crate::support::{Scripted, id, stored_log};

/// A source with a fault.
enum Faulty {
    Watch,
    Poll,
    Drop,
}

impl ChangeSource for Faulty {
    fn watch(&self, _: Watch) -> BoxStream<'static, WatchEvent> {
        match self {
            Self::Watch => panic!("the fault"),
            Self::Poll => stream::poll_fn(|_| panic!("the fault")).boxed(),
            Self::Drop => {
                let problem = WatchEvent::Problem(WatchProblem::new("the limit is reached").with_path("/a"));
                let change = WatchEvent::Changed(LocalChange::Item(id("a")));
                let faulty = PanicsOnDrop;
                stream::iter([problem, change]).inspect(move |_| _ = &faulty).boxed()
            }
        }
    }
}

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("the fault");
    }
}

#[tokio::test]
async fn a_quiet_time_or_a_maximum_wait_of_zero_is_refused() {
    let manager = manager_with([]);
    for settle in [Settle::DEFAULT.with_quiet(Duration::ZERO), Settle::DEFAULT.with_max_wait(Duration::ZERO)] {
        let handler = Scripted::new(&[]).info(|_| HandlerInfo::new(nth(1), "Hasty").with_settle(settle));
        let error = manager.register(handler).unwrap_err();
        assert_eq!(error, RequestError::NoTimeToSettle { handler: nth(1) });
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_leads_to_one_full_look() {
    for source in [Faulty::Watch, Faulty::Poll] {
        let began = StartTimes::new();
        let builder = builder_with_clock(&TestClock::new()).change_source(source);
        let manager = register_all(builder.build(), [watching(&began, &["a", "b"])]);
        assert_succeeds(start_manual(&manager, 1)).await;
        sleep(DAY).await;
        assert_eq!((began.of("a"), began.of("b")), (vec![0, 5], vec![0, 5]));
        manager.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_panics_when_it_is_dropped_concerns_only_itself() {
    let began = StartTimes::new();
    let builder = builder_with_clock(&TestClock::new()).change_source(Faulty::Drop);
    let manager = register_all(builder.build(), [watching(&began, &["a"])]);
    assert_succeeds(start_manual(&manager, 1)).await;
    seconds(60).await;
    assert_eq!(began.of("a"), [0, 5]);
    assert!(manager.shutdown().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_when_asked_for_its_changes_still_runs() {
    let began = StartTimes::new();
    let handler = watching(&began, &["a"]).on_changes(|| panic!("the fault"));
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [handler]);
    let report = start_manual(&manager, 1).finish().await;
    assert_eq!(began.of("a"), [0], "{report}");
    let log = stored_log(&manager, nth(1));
    assert!(log.iter().any(|record| record.entry.text.contains("local changes are not noticed")), "{log:?}");
}
