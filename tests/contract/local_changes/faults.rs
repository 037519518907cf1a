//! Faulty settings, handlers and sources.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use syncmgr::changes::{ChangeSource, LocalChange, Settle, Watch, WatchEvent, WatchProblem};
use syncmgr::request::RequestError;
use syncmgr::store::MemoryStore;
use syncmgr::{HandlerInfo, ItemId, LogLevel};
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

/// A source that reports these problems.
struct Problems(Vec<WatchProblem>);

impl ChangeSource for Problems {
    fn watch(&self, _: Watch) -> BoxStream<'static, WatchEvent> {
        stream::iter(self.0.clone()).map(WatchEvent::Problem).chain(stream::pending()).boxed()
    }
}

/// Returns the texts and items of the log about what is not noticed.
async fn not_noticed(problems: Vec<WatchProblem>) -> Vec<(String, Option<ItemId>)> {
    let began = StartTimes::new();
    let builder = builder_with_clock(&TestClock::new()).change_source(Problems(problems)).store(MemoryStore::new());
    let manager = register_all(builder.build(), [watching(&began, &["a", "b"])]);
    assert_succeeds(start_manual(&manager, 1)).await;
    seconds(1).await;
    let log = stored_log(&manager, nth(1)).into_iter().map(|record| record.entry);
    let warnings = log.filter(|entry| entry.level == LogLevel::Warning);
    let found = warnings.map(|entry| (entry.text.to_string(), entry.item)).collect();
    manager.shutdown().await;
    found
}

#[tokio::test(start_paused = true)]
async fn a_path_that_cannot_be_watched_is_a_log_entry_of_its_item() {
    let problem = |path: &str, reason: &str| WatchProblem::new(reason).with_path(path);
    let problems =
        vec![problem("/a", "it does not exist"), problem("/a/b", "permission denied"), problem("/b", "gone")];
    let entry = |text: &str, item| (format!("not all local changes are noticed: {text}"), Some(id(item)));
    assert_eq!(not_noticed(problems).await, [entry("/a/b: permission denied", "a"), entry("/b: gone", "b")]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_fails_as_a_whole_is_a_log_entry_of_its_handler() {
    let text = "not all local changes are noticed: the watch limit is reached".to_owned();
    assert_eq!(not_noticed(vec![WatchProblem::new("the watch limit is reached")]).await, [(text, None)]);
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
