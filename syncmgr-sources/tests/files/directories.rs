//! Directories that appear, move and disappear below a watched directory.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Files, make, rename};

/// Writes files in these directories one after the other, each once the one before is noticed: only a watch of each directory can
/// notice all of them.
async fn assert_watched(files: &mut Files, item: &str, directories: impl IntoIterator<Item = String>) {
    for directory in directories {
        for number in 0..3 {
            files.write(&format!("{directory}/late{number}"));
            files.until(item).await;
        }
    }
}

#[tokio::test]
async fn new_nested_directories_that_are_filled_at_once_are_watched() {
    let mut files = Files::watch(&["a"]).await;
    for tree in 0..10 {
        let nested = format!("a/{tree}/n/m/o");
        make(&files.path(&nested));
        (0..10).for_each(|number| files.write(&format!("{nested}/{number}")));
    }
    files.until("a").await;
    let nested = (0..10).flat_map(|tree| ["", "/n", "/n/m", "/n/m/o"].map(|below| format!("a/{tree}{below}")));
    assert_watched(&mut files, "a", nested).await;
}

#[tokio::test]
async fn a_directory_that_is_moved_in_is_watched_with_its_contents() {
    let mut files = Files::watch(&["a"]).await;
    make(&files.path("outside/n/m"));
    files.write("outside/n/m/letter");
    files.changed().await;
    rename(&files.path("outside"), &files.path("a/inside"));
    files.until("a").await;
    assert_watched(&mut files, "a", ["a/inside", "a/inside/n", "a/inside/n/m"].map(String::from)).await;
}

#[tokio::test]
async fn a_directory_that_is_moved_out_is_no_longer_watched() {
    let mut files = Files::watch_with(&["a"], |directory| make(&directory.join("a/n/m"))).await;
    rename(&files.path("a/n"), &files.path("outside"));
    assert_eq!(files.changed().await, ["a"]);
    // Its watches end shortly after the move is reported.
    for _ in 0..1_000 {
        files.write("outside/letter");
        files.write("outside/m/letter");
        if files.changed().await.is_empty() {
            return;
        }
    }
    panic!("it is still watched");
}

#[tokio::test]
async fn a_directory_that_is_renamed_stays_watched() {
    let mut files = Files::watch_with(&["a"], |directory| make(&directory.join("a/0/m"))).await;
    for name in 0..10 {
        rename(&files.path(&format!("a/{name}")), &files.path(&format!("a/{}", name + 1)));
        assert_watched(&mut files, "a", [format!("a/{}/m", name + 1)]).await;
    }
}

#[tokio::test]
async fn a_directory_that_moves_between_items_is_a_change_of_both() {
    let mut files = Files::watch_with(&["a", "b"], |directory| {
        make(&directory.join("a/n"));
        make(&directory.join("b"));
    })
    .await;
    rename(&files.path("a/n"), &files.path("b/n"));
    files.until("a").await;
    assert_watched(&mut files, "b", [String::from("b/n")]).await;
    files.changed().await;
    files.write("b/n/letter");
    assert_eq!(files.changed().await, ["b"]);
}

#[tokio::test]
async fn a_directory_that_is_removed_and_created_again_is_watched() {
    let mut files = Files::watch_with(&["a"], |directory| make(&directory.join("a/n/m"))).await;
    for _ in 0..10 {
        fs::remove_dir_all(files.path("a/n")).unwrap();
        make(&files.path("a/n/m"));
        assert_watched(&mut files, "a", [String::from("a/n/m")]).await;
    }
}

#[tokio::test]
async fn a_directory_that_replaces_one_which_is_still_open_is_watched() {
    let mut files = Files::watch_with(&["a"], |directory| make(&directory.join("a/n"))).await;
    let open = fs::File::open(files.path("a/n")).unwrap();
    fs::remove_dir(files.path("a/n")).unwrap();
    make(&files.path("a/n"));
    assert_watched(&mut files, "a", [String::from("a/n")]).await;
    drop(open); // only now the kernel reports that the earlier directory itself is gone
    assert_watched(&mut files, "a", [String::from("a/n")]).await;
}

#[tokio::test]
async fn a_link_to_a_directory_is_not_followed_and_a_loop_of_links_ends() {
    let mut files = Files::watch_with(&["a"], |directory| {
        make(&directory.join("a/n"));
        make(&directory.join("outside"));
        symlink(directory.join("outside"), directory.join("a/link")).unwrap();
        symlink(directory.join("a"), directory.join("a/n/loop")).unwrap();
    })
    .await;
    files.write("outside/letter");
    assert_eq!(files.changed().await, [""; 0]);
    files.write("a/n/letter");
    assert_eq!(files.changed().await, ["a"]);
}
