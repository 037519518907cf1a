//! The ways in which programs save files.

use std::fs;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use futures::StreamExt;
use syncmgr::ItemId;
use syncmgr::changes::{ChangeSource, LocalChange, WatchEvent};
use syncmgr_sources::FileChanges;

use crate::support::{Files, make, paths, rename};

#[tokio::test]
async fn a_write_is_a_change_of_the_item_that_watches_its_directory() {
    let mut files = Files::watch(&["a", "b"]).await;
    files.write("a/letter");
    assert_eq!(files.changed().await, ["a"]);
    files.write("b/letter");
    assert_eq!(files.changed().await, ["b"]);
}

#[tokio::test]
async fn an_atomic_save_is_a_change() {
    let mut files = Files::watch(&["a"]).await;
    for _ in 0..20 {
        files.write("a/letter.tmp");
        rename(&files.path("a/letter.tmp"), &files.path("a/letter"));
        files.until("a").await;
    }
}

#[tokio::test]
async fn an_edit_in_place_that_replaces_the_file_is_a_change() {
    let mut files = Files::watch(&["a"]).await;
    files.write("a/letter");
    files.until("a").await;
    let status = Command::new("sed").args(["-i", "s/text/more/"]).arg(files.path("a/letter")).status().unwrap();
    assert!(status.success());
    assert_eq!(files.changed().await, ["a"]);
}

#[tokio::test]
async fn a_save_with_a_backup_is_a_change() {
    let mut files = Files::watch(&["a"]).await;
    files.write("a/letter");
    files.until("a").await;
    rename(&files.path("a/letter"), &files.path("a/letter~"));
    files.write("a/letter");
    fs::remove_file(files.path("a/letter~")).unwrap();
    assert_eq!(files.changed().await, ["a"]);
}

#[tokio::test]
async fn a_watched_file_that_is_saved_atomically_stays_watched() {
    let mut files = Files::watch_with(&["a"], |directory| fs::write(directory.join("a"), "").unwrap()).await;
    files.write("other");
    assert_eq!(files.changed().await, [""; 0], "a file beside it is not watched");
    for _ in 0..5 {
        files.write("other");
        rename(&files.path("other"), &files.path("a"));
        files.until("a").await;
        for _ in 0..3 {
            files.write("a");
            files.until("a").await;
        }
    }
}

#[tokio::test]
async fn a_file_that_is_written_without_pause_is_reported_again_and_again() {
    let mut files = Files::watch(&["a"]).await;
    let mut log = fs::File::create(files.path("a/log")).unwrap();
    for _ in 0..50 {
        writeln!(log, "line").unwrap();
        files.until("a").await;
    }
}

#[tokio::test]
async fn reading_is_no_change() {
    let mut files = Files::watch(&["a"]).await;
    files.write("a/letter");
    files.until("a").await;
    files.changed().await;
    assert_eq!(fs::read(files.path("a/letter")).unwrap(), b"text");
    assert_eq!(fs::read_dir(files.path("a")).unwrap().count(), 1);
    assert_eq!(files.changed().await, [""; 0]);
}

#[tokio::test]
async fn removals_and_new_permissions_are_changes() {
    let mut files = Files::watch(&["a"]).await;
    files.write("a/letter");
    files.until("a").await;
    files.changed().await;
    fs::set_permissions(files.path("a/letter"), fs::metadata(files.path("a")).unwrap().permissions()).unwrap();
    assert_eq!(files.changed().await, ["a"]);
    fs::remove_file(files.path("a/letter")).unwrap();
    assert_eq!(files.changed().await, ["a"]);
}

#[tokio::test]
async fn a_change_between_the_listing_and_the_start_of_the_watch_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    make(&directory.path().join("a/n/m"));
    let since = fs::metadata(directory.path()).unwrap().modified().unwrap();
    fs::write(directory.path().join("a/n/m/letter"), "").unwrap();
    let mut events = FileChanges::new().watch(paths(directory.path(), &["a"], since));
    let first = tokio::time::timeout(Duration::from_secs(60), events.next()).await.unwrap();
    assert_eq!(first, Some(WatchEvent::Changed(LocalChange::Item(ItemId::from_name("a")))));
}

#[tokio::test]
async fn what_did_not_change_since_the_listing_is_not_reported() {
    let directory = tempfile::tempdir().unwrap();
    make(&directory.path().join("a"));
    make(&directory.path().join("~probe"));
    let tomorrow = fs::metadata(directory.path()).unwrap().modified().unwrap() + Duration::from_secs(86_400);
    let mut events = FileChanges::new().watch(paths(directory.path(), &["a"], tomorrow));
    let writing = async {
        for number in 0.. {
            fs::write(directory.path().join(format!("~probe/{number}")), "").unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let first = tokio::select! {
        biased;
        first = tokio::time::timeout(Duration::from_secs(60), events.next()) => first.unwrap(),
        () = writing => unreachable!("the probe is written until it is noticed"),
    };
    assert_eq!(first, Some(WatchEvent::Changed(LocalChange::Item(ItemId::from_name("~probe")))));
}
