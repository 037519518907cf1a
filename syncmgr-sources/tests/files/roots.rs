//! Watched paths that disappear, appear and move, and the directories above them.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Files, make, rename};

/// Asserts that changes in this directory are noticed, also after those that its appearance has caused.
async fn assert_watched(files: &mut Files, item: &str, directory: &str) {
    for number in 0..5 {
        files.write(&format!("{directory}/late{number}"));
        files.until(item).await;
    }
}

#[tokio::test]
async fn a_watched_directory_that_is_removed_and_created_again_is_watched() {
    let mut files = Files::watch(&["a", "b"]).await;
    for _ in 0..5 {
        fs::remove_dir_all(files.path("a")).unwrap();
        assert_eq!(files.changed().await, ["a"]);
        make(&files.path("a"));
        assert_watched(&mut files, "a", "a").await;
    }
    files.write("b/letter");
    files.until("b").await;
}

#[tokio::test]
async fn a_watched_directory_that_is_replaced_by_another_is_watched() {
    let mut files = Files::watch(&["a"]).await;
    make(&files.path("next/n"));
    rename(&files.path("a"), &files.path("earlier"));
    assert_eq!(files.changed().await, ["a"]);
    rename(&files.path("next"), &files.path("a"));
    files.until("a").await;
    assert_watched(&mut files, "a", "a/n").await;
}

#[tokio::test]
async fn a_directory_above_that_is_replaced_is_noticed() {
    let mut files = Files::watch(&["above/x/a", "b"]).await;
    rename(&files.path("above"), &files.path("earlier"));
    assert_eq!(files.changed().await, ["a"]);
    make(&files.path("above/x/a/n"));
    files.until("a").await;
    assert_watched(&mut files, "a", "above/x/a/n").await;
    fs::remove_dir_all(files.path("above")).unwrap();
    files.until("a").await;
    make(&files.path("above/x/a"));
    assert_watched(&mut files, "a", "above/x/a").await;
}

#[tokio::test]
async fn a_watched_path_that_does_not_exist_yet_is_watched_once_it_appears() {
    let mut files = Files::watch_with(&["above/x/a", "b"], |_| ()).await;
    assert_eq!(files.problems, []);
    make(&files.path("above/x/a/n"));
    files.write("above/x/a/n/letter");
    files.until("a").await;
    assert_watched(&mut files, "a", "above/x/a/n").await;
    files.write("b"); // a file this time
    files.until("b").await;
}

#[tokio::test]
async fn a_watched_path_inside_another_concerns_both_items() {
    let mut files = Files::watch(&["a", "a/b", "c"]).await;
    files.write("a/b/letter");
    assert_eq!(files.changed().await, ["a", "b"]);
    files.write("a/letter");
    assert_eq!(files.changed().await, ["a"]);
}

#[tokio::test]
async fn a_watched_link_to_a_directory_is_followed_also_after_it_changes() {
    let mut files = Files::watch_with(&["a"], |directory| {
        make(&directory.join("first"));
        make(&directory.join("second"));
        symlink(directory.join("first"), directory.join("a")).unwrap();
    })
    .await;
    files.write("first/letter");
    assert_eq!(files.changed().await, ["a"]);
    symlink(files.path("second"), files.path("next")).unwrap();
    rename(&files.path("next"), &files.path("a"));
    files.until("a").await;
    assert_watched(&mut files, "a", "second").await;
}
