//! What is watched, and for how long.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use syncmgr::changes::ManualChanges;
use syncmgr::{HandlerInfo, Items, SyncItem, SyncManager};
use tokio::time::sleep;

use super::{after_first_session, builder_with_changes, seconds, watched, watching};
use crate::support::steps::{assert_succeeds, nth, register_all, start_manual, wait_until_idle};
use crate::support::test_clock::{DAY, StartTimes};

/// A manager whose handler lists what the test sets, and its source of changes.
fn with_listing() -> (SyncManager, ManualChanges, impl Fn(Items)) {
    let listing = Arc::new(Mutex::new(watched(&["a", "b"])));
    let listed = listing.clone();
    let (builder, changes) = builder_with_changes();
    let handler = watching(&StartTimes::new(), &[]).items(move || Ok(listed.lock().expect("not poisoned").clone()));
    let set = move |items| *listing.lock().expect("not poisoned") = items;
    (register_all(builder.build(), [handler]), changes, set)
}

async fn watched_after_session(manager: &SyncManager, changes: &ManualChanges) -> Vec<PathBuf> {
    assert_succeeds(start_manual(manager, 1)).await;
    wait_until_idle().await;
    changes.watched(nth(1))
}

#[tokio::test(start_paused = true)]
async fn paths_are_watched_from_the_first_listing_on() {
    let (manager, changes, _) = with_listing();
    seconds(60).await;
    assert!(changes.watched(nth(1)).is_empty(), "nothing has called the handler");
    assert_eq!(watched_after_session(&manager, &changes).await, [Path::new("/a"), Path::new("/b")]);
}

#[tokio::test(start_paused = true)]
async fn a_later_listing_changes_the_watched_paths() {
    let (manager, changes, set) = with_listing();
    watched_after_session(&manager, &changes).await;
    set(watched(&["b", "c"]));
    assert_eq!(watched_after_session(&manager, &changes).await, [Path::new("/b"), Path::new("/c")]);
    set(Items::incomplete(watched(&["d"]).iter().cloned()));
    let kept = watched_after_session(&manager, &changes).await;
    assert_eq!(kept, [Path::new("/b"), Path::new("/c"), Path::new("/d")], "absent items may still exist");
    set(Items::from(vec![SyncItem::named("without paths")]));
    assert!(watched_after_session(&manager, &changes).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_relative_path_begins_at_the_current_directory_and_an_empty_one_is_ignored() {
    let (manager, changes, set) = with_listing();
    set(Items::from(vec![SyncItem::named("a").with_watch("notes").with_watch("")]));
    let expected = std::env::current_dir().unwrap().join("notes");
    assert_eq!(watched_after_session(&manager, &changes).await, [expected]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_watched_after_the_handler_is_unregistered_or_forgotten() {
    let (manager, changes, _) = with_listing();
    watched_after_session(&manager, &changes).await;
    manager.unregister(nth(1));
    wait_until_idle().await;
    assert!(changes.watched(nth(1)).is_empty());
    let manager = register_all(manager, [watching(&StartTimes::new(), &["a"])]);
    assert_eq!(watched_after_session(&manager, &changes).await, [Path::new("/a")]);
    manager.forget(nth(1)).await.unwrap();
    wait_until_idle().await;
    assert!(changes.watched(nth(1)).is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_watched_after_a_shutdown_or_once_the_manager_is_dropped() {
    let (manager, changes, _) = with_listing();
    watched_after_session(&manager, &changes).await;
    assert!(manager.shutdown().await.is_empty());
    assert!(changes.watched(nth(1)).is_empty());
    let (manager, changes, _) = with_listing();
    watched_after_session(&manager, &changes).await;
    drop(manager);
    wait_until_idle().await;
    assert!(changes.watched(nth(1)).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_before_an_unregistration_starts_nothing() {
    let began = StartTimes::new();
    let (manager, changes) = after_first_session(watching(&began, &["a"])).await;
    changes.changed("/a");
    wait_until_idle().await;
    manager.unregister(nth(1));
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0]);
}

#[tokio::test(start_paused = true)]
async fn every_handler_is_watched_by_itself() {
    let (builder, changes) = builder_with_changes();
    let (first, second) = (StartTimes::new(), StartTimes::new());
    let other = watching(&second, &["b"]).info(|info| HandlerInfo::new(nth(2), "Other").with_settle(info.settle()));
    let manager = register_all(builder.build(), [watching(&first, &["a"]), other]);
    assert_succeeds(start_manual(&manager, 1)).await;
    assert_succeeds(start_manual(&manager, 2)).await;
    seconds(60).await;
    changes.changed("/b");
    sleep(DAY).await;
    assert_eq!((first.of("a"), second.of("b")), (vec![0], vec![0, 65]));
}
