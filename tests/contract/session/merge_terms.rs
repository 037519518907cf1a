//! Requests that do not merge because their cookies, rights or priorities differ, and items that the second session runs
//! because the first skipped or stopped them, or failed.

use std::sync::Arc;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::request::{Invocation, InvokeFlags, Priority};
use syncmgr::{Classify, FailureClass, Outcome, RunEnding, Session, SyncManager, Trigger};
use tokio::sync::Notify;

use crate::session::merge::{merged_into, open_all, sequential_handler};
use crate::support::awaitable_host::{begin, within};
use crate::support::steps::{
    Steps, assert_succeeds, hold_of, manager_with, nth, outcome, start_background, start_manual, wait_until_idle,
};
use crate::support::{HANDLER, Scripted, id};

/// Returns the number of runs of `b`, which has not begun when the second session starts.
async fn runs_of_b(start: impl Fn(&SyncManager) -> [Session; 2]) -> usize {
    let steps = Steps::default();
    let manager = manager_with([sequential_handler(&steps, &["a", "b"])]);
    let [first, second] = start(&manager);
    assert_eq!(steps.running().await, "a");
    open_all(&steps);
    within(first.finish()).await;
    within(second.finish()).await;
    steps.notes.count("+b")
}

#[tokio::test(start_paused = true)]
async fn only_requests_with_the_same_cookie_merge() {
    let invoke = |manager: &SyncManager, cookie: &[u8]| {
        let (flags, cookie) = (InvokeFlags::START_SYNC, Some(cookie.into()));
        manager.invoke(Invocation::new(nth(1)).with_flags(flags).with_cookie(cookie)).unwrap()
    };
    assert_eq!(runs_of_b(|manager| [invoke(manager, b"x"), invoke(manager, b"y")]).await, 2);
    assert_eq!(runs_of_b(|manager| [invoke(manager, b"x"), invoke(manager, b"x")]).await, 1);
    assert_eq!(runs_of_b(|manager| [invoke(manager, b"x"), start_manual(manager, 1)]).await, 2);
    assert_eq!(runs_of_b(|manager| [start_manual(manager, 1), invoke(manager, b"x")]).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_merges_only_into_one_with_at_least_its_rights() {
    let bothering =
        |manager: &SyncManager| manager.session(Trigger::Manual).handlers([nth(1)]).may_bother_user().start().unwrap();
    assert_eq!(runs_of_b(|manager| [start_manual(manager, 1), bothering(manager)]).await, 2);
    assert_eq!(runs_of_b(|manager| [bothering(manager), start_manual(manager, 1)]).await, 1);
    assert_eq!(runs_of_b(|manager| [bothering(manager), bothering(manager)]).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_merges_only_into_one_with_at_least_its_priority() {
    let with_priority = |manager: &SyncManager, priority| {
        manager.session(Trigger::Scheduled).handlers([nth(1)]).priority(priority).start().unwrap()
    };
    assert_eq!(runs_of_b(|manager| [start_background(manager, 1), start_manual(manager, 1)]).await, 2);
    assert_eq!(runs_of_b(|manager| [start_manual(manager, 1), start_background(manager, 1)]).await, 1);
    assert_eq!(
        runs_of_b(|manager| [start_manual(manager, 1), with_priority(manager, Priority::Foreground)]).await,
        1,
        "the trigger decided instead of the priority"
    );
}

#[tokio::test(start_paused = true)]
async fn an_item_skipped_in_the_first_session_runs_in_the_second() {
    let steps = Steps::default();
    let manager = manager_with([sequential_handler(&steps, &["a", "b", "c"])]);
    let first = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let second = start_manual(&manager, 1);
    first.skip(nth(1), id("b")).unwrap();
    open_all(&steps);
    let report = assert_succeeds(second).await;
    assert_eq!(["a", "b", "c"].map(|name| hold_of(&report, id(name))), [None, None, merged_into(&first)]);
    assert_eq!(steps.began(), "a c a b");
    assert_eq!(outcome(&within(first.finish()).await, id("b")), Outcome::Skipped);
}

#[tokio::test(start_paused = true)]
async fn an_item_skipped_while_it_ran_in_the_first_session_runs_in_the_second() {
    let steps = Steps::default();
    let manager = manager_with([sequential_handler(&steps, &["a", "b"])]);
    let first = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let second = start_manual(&manager, 1);
    wait_until_idle().await;
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "b");
    first.skip(nth(1), id("b")).unwrap();
    within(first.finish()).await;
    open_all(&steps);
    let report = assert_succeeds(second).await;
    assert_eq!(hold_of(&report, id("b")), None);
    assert_eq!(steps.began(), "a b a b");
}

#[tokio::test(start_paused = true)]
async fn items_stopped_in_the_first_session_run_in_the_second() {
    let steps = Steps::default();
    let manager = manager_with([sequential_handler(&steps, &["a", "b"])]);
    let first = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let second = start_manual(&manager, 1);
    wait_until_idle().await;
    first.stop();
    within(first.finish()).await;
    open_all(&steps);
    let report = assert_succeeds(second).await;
    assert!(report.items().all(|item| item.hold.is_none()));
    assert_eq!(steps.began(), "a a b");
}

#[tokio::test(start_paused = true)]
async fn a_second_session_stopped_before_it_listed_has_no_items() {
    let steps = Steps::default();
    let manager = manager_with([sequential_handler(&steps, &["a", "b"])]);
    let first = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let second = start_manual(&manager, 1);
    wait_until_idle().await;
    // The second session has listed no items yet, so none can be skipped.
    assert!(second.skip(nth(1), id("b")).is_err());
    second.stop();
    let report = within(second.finish()).await;
    assert_eq!((report.runs[0].ending, report.items().count()), (Some(RunEnding::Stopped), 0));
    open_all(&steps);
    assert_succeeds(first).await;
    assert_eq!(steps.began(), "a b");
}

#[tokio::test(start_paused = true)]
async fn the_next_session_runs_all_items_if_the_first_fails_to_prepare() {
    let (go, preparing) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (waits, begins) = (go.clone(), preparing.clone());
    let failed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let handler = Scripted::new(&["a", "b"]).on_prepare(move |_| {
        let (waits, begins, failed) = (waits.clone(), begins.clone(), failed.clone());
        async move {
            if failed.swap(true, std::sync::atomic::Ordering::Relaxed) {
                return Ok(());
            }
            begins.notify_one();
            waits.notified().await;
            Err(anyhow!("no network")).permanent()
        }
        .boxed()
    });
    let transcript = handler.transcript.clone();
    let manager = manager_with([handler]);
    let first = begin(&manager);
    within(preparing.notified()).await;
    let second = begin(&manager);
    go.notify_one();
    let report = assert_succeeds(second).await;
    assert!(report.items().all(|item| item.hold.is_none()));
    let report = within(first.finish()).await;
    assert!(report.items().all(|item| item.class == Some(FailureClass::Permanent)), "{report}");
    assert_eq!(transcript.count("item "), 2);
}

#[tokio::test(start_paused = true)]
async fn the_next_session_runs_all_items_if_the_first_fails_to_list() {
    let turns = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let handler = Scripted::new(&[]).items(move || match turns.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => Err(anyhow!("no directory")),
        _ => Ok(crate::support::awaitable_host::items_named(&["a"])),
    });
    let manager = manager_with([handler]);
    let [first, second] = [(); 2].map(|()| begin(&manager));
    assert_eq!(hold_of(&assert_succeeds(second).await, id("a")), None);
    assert!(matches!(within(first.finish()).await.runs[0].ending, Some(RunEnding::NotBegun(_))));
}

#[tokio::test(start_paused = true)]
async fn an_item_excluded_in_the_first_session_runs_in_the_second() {
    let first_time = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let handler = Scripted::new(&["a", "b"]).on_prepare(move |run| {
        let excluded = match first_time.swap(false, std::sync::atomic::Ordering::Relaxed) {
            true => run.exclude(id("a"), anyhow!("the folder is locked")),
            false => Ok(()),
        };
        async move { Ok(excluded?) }.boxed()
    });
    let manager = manager_with([handler]);
    let [first, second] = [(); 2].map(|()| begin(&manager));
    let report = assert_succeeds(second).await;
    assert_eq!(["a", "b"].map(|name| hold_of(&report, id(name))), [None, merged_into(&first)]);
    assert_eq!(outcome(&within(first.finish()).await, id("a")), Outcome::Failed);
}

#[tokio::test(start_paused = true)]
async fn items_of_another_handler_in_the_same_session_are_not_merged() {
    let other = Scripted::new(&["a"]).info(|_| syncmgr::HandlerInfo::new(nth(2), "Other"));
    let manager = manager_with([Scripted::new(&["a"]), other.clone()]);
    let first = manager.session(Trigger::Manual).handlers([HANDLER]).start().unwrap();
    let second = begin(&manager);
    let report = assert_succeeds(second).await;
    assert_eq!(report.run(HANDLER).unwrap().item(id("a")).unwrap().hold, merged_into(&first));
    assert_eq!(report.run(nth(2)).unwrap().item(id("a")).unwrap().hold, None);
    assert_eq!(other.transcript.count("item a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_background_request_merges_into_an_urgent_one_that_overtook_it() {
    let steps = Steps::default();
    let manager = manager_with([sequential_handler(&steps, &["a", "b"])]);
    let first = start_background(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let [waiting, urgent] = [start_background(&manager, 1), start_manual(&manager, 1)];
    open_all(&steps);
    for session in [first, waiting, urgent] {
        assert_succeeds(session).await;
    }
    // The urgent session merges neither item into the first session: `a` was already running, and `b` had a lower priority.
    // The waiting session merges both items into the urgent session.
    assert_eq!(steps.began(), "a b a b");
}
