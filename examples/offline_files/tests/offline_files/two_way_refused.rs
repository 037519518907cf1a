//! What runs in both directions refuse, leave alone and cannot do.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::bad_input::run_without_privileges;
use crate::trees::{Trees, chmod, file};
use crate::two_way::read;

/// Writes files with these numbers into a directory.
fn numbered(directory: &Path, numbers: std::ops::Range<u32>) {
    numbers.for_each(|number| file(&directory.join(number.to_string()), "text", 1));
}

#[test]
fn a_side_that_was_emptied_but_for_a_new_file_is_not_taken_for_deleted() {
    let trees = Trees::synchronized(&["docs/a", "docs/b", "c"]);
    fs::remove_dir_all(trees.from.join("docs")).unwrap();
    fs::remove_file(trees.from.join("c")).unwrap();
    file(&trees.from.join("desktop.ini"), "new", 2);
    assert_eq!(trees.synchronize(&[]).code, Some(1));
    assert_eq!(read(trees.to.join("docs/a")), "docs/a");
    trees.settle(&["--yes"]);
    assert!(!trees.to.join("docs").exists() && trees.to.join("desktop.ini").exists());
}

#[test]
fn a_directory_that_was_emptied_is_not_taken_for_deleted() {
    let trees = Trees::synchronized(&["disk/1", "disk/2", "disk/3", "disk/4", "disk/5", "docs/1", "docs/2"]);
    for name in ["1", "2", "3", "4", "5"] {
        fs::remove_file(trees.from.join("disk").join(name)).unwrap();
    }
    fs::remove_dir_all(trees.from.join("docs")).unwrap();
    let output = trees.synchronize(&[]);
    assert_eq!(output.code, Some(1));
    assert_eq!(output.item("disk")["status"], "not_done");
    assert!(trees.to.join("disk/1").exists());
    assert!(!trees.to.join("docs").exists(), "the deletion of a whole directory is no mistake");
}

#[test]
fn a_root_that_is_gone_or_another_one_is_refused() {
    let trees = Trees::synchronized(&["docs/a"]);
    fs::rename(&trees.to, trees.base.path().join("elsewhere")).unwrap();
    assert_eq!(trees.synchronize(&[]).code, Some(1));
    assert!(!trees.to.exists());
    fs::create_dir(&trees.to).unwrap();
    let output = trees.synchronize(&[]);
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("B is another directory"), "{}", output.stdout);
    assert!(trees.from.join("docs/a").exists());
    trees.settle(&["--yes"]);
}

#[test]
fn two_runs_at_once_are_locked_out() {
    let trees = Trees::synchronized(&["docs/a"]);
    for side in [&trees.from, &trees.to] {
        let directory = fs::File::open(side).unwrap();
        directory.lock().unwrap();
        let output = trees.synchronize(&[]);
        assert_eq!(output.code, Some(1));
        assert!(output.stdout.contains("another run is writing"), "{}", output.stdout);
    }
}

#[test]
fn an_unreadable_directory_deletes_nothing_on_the_other_side() {
    let trees = Trees::new();
    ["docs/sub/a", "docs/b"].iter().for_each(|path| file(&trees.from.join(path), path, 1));
    assert_eq!(run_without_privileges(&trees, &["--two-way"]).code, Some(0));
    chmod(&trees.from.join("docs/sub"), 0o000);
    assert_eq!(run_without_privileges(&trees, &["--two-way"]).code, Some(1));
    chmod(&trees.from.join("docs/sub"), 0o755);
    assert!(trees.to.join("docs/sub/a").exists());
}

#[test]
fn a_special_file_is_left_alone_and_named() {
    let trees = Trees::synchronized(&["docs/a"]);
    assert!(Command::new("mkfifo").arg(trees.from.join("docs/pipe")).status().unwrap().success());
    let output = trees.synchronize(&[]);
    assert_eq!(output.code, Some(0));
    assert_eq!(output.item("docs")["warnings"][0]["path"], "docs/pipe");
    assert!(!trees.to.join("docs/pipe").exists());
}

#[test]
fn an_entry_that_is_not_synchronized_in_the_way_is_named() {
    let trees = Trees::synchronized(&["docs/a"]);
    file(&trees.base.path().join("rules"), "out/\n*.log\n", 1);
    let rules = trees.base.path().join("rules");
    file(&trees.from.join("docs/out/x"), "ignored", 1);
    file(&trees.to.join("docs/out"), "a file", 1);
    file(&trees.to.join("docs/dir/x.log"), "ignored", 1);
    file(&trees.to.join("docs/dir/b"), "b", 1);
    file(&trees.from.join("docs/dir"), "a file", 1);
    let output = trees.synchronize(&["--ignore-file", rules.to_str().unwrap(), "--conflict", "A"]);
    let errors = output.item("docs")["errors"].to_string();
    assert!(output.code == Some(1) && errors.contains("an entry of this name is not synchronized"), "{errors}");
    assert!(errors.contains("the directory in B has entries that are not synchronized"), "{errors}");
    assert_eq!(output.item("docs")["warnings"], json!([]));
    assert!(trees.to.join("docs/dir/b").exists() && trees.to.join("docs/dir/x.log").exists());
}

#[test]
fn a_file_that_cannot_be_compared_is_one_error_on_each_side() {
    for side in ["A", "B"] {
        let trees = Trees::new();
        file(&trees.from.join("docs/a"), "a", 1);
        assert_eq!(run_without_privileges(&trees, &["--two-way"]).code, Some(0));
        chmod(&(if side == "A" { &trees.from } else { &trees.to }).join("docs/a"), 0o000);
        let output = run_without_privileges(&trees, &["--two-way"]);
        let item = output.item("docs");
        let message = item["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(&format!("in {side}: Permission denied")), "{message}");
        assert_eq!((output.code, &item["warnings"]), (Some(1), &json!([])));
    }
}

#[test]
fn an_edit_in_a_read_only_directory_is_an_error_with_advice() {
    let trees = Trees::new();
    file(&trees.from.join("docs/deep/a"), "a", 1);
    chmod(&trees.from.join("docs/deep"), 0o555);
    assert_eq!(run_without_privileges(&trees, &["--two-way"]).code, Some(0));
    file(&trees.from.join("docs/deep/a"), "edited", 2);
    let errors = run_without_privileges(&trees, &["--two-way"]).item("docs")["errors"].to_string();
    assert!(errors.contains("Permission denied (os error 13); is its directory read-only?"), "{errors}");
}

#[test]
fn a_refused_deletion_of_moved_entries_can_be_allowed() {
    let trees = Trees::new();
    numbered(&trees.from.join("photos"), 1..17);
    trees.settle(&[]);
    fs::rename(trees.from.join("photos"), trees.from.join("music")).unwrap();
    (3..17).for_each(|number| fs::remove_file(trees.from.join(format!("music/{number}"))).unwrap());
    file(&trees.to.join("photos/new"), "new", 1);
    let errors = trees.synchronize(&[]).item("music")["errors"].to_string();
    assert!(errors.contains("nothing was deleted: A has lost 14 of 17 entries"), "{errors}");
    assert!(trees.from.join("music/new").exists(), "only the deletions are held");
    trees.settle(&["--yes"]);
    assert!(!trees.to.join("music/5").exists() && !trees.from.join("music/5").exists());
}

#[test]
fn refused_deletions_stay_refused_until_they_are_allowed() {
    let trees = Trees::new();
    numbered(&trees.from.join("big"), 0..30);
    numbered(&trees.from.join("small"), 0..5);
    trees.settle(&[]);
    fs::remove_dir_all(trees.from.join("big")).unwrap();
    assert_eq!(trees.synchronize(&[]).code, Some(1));
    // Of another time, so that none with the inode number of a deleted file looks like one that was moved.
    (0..80).for_each(|number| file(&trees.from.join(format!("small/new-{number}")), "text", 2));
    for _ in 0..3 {
        let output = trees.synchronize(&[]);
        assert_eq!((output.code, &output.item("big")["status"]), (Some(1), &json!("not_done")));
    }
    assert!(trees.to.join("big/0").exists() && trees.to.join("small/new-0").exists());
    trees.settle(&["--yes"]);
    assert!(!trees.to.join("big").exists());
}

#[test]
fn yes_deletes_although_another_entry_fails() {
    let trees = Trees::new();
    ["a", "b"].iter().for_each(|name| file(&trees.from.join("docs").join(name), name, 1));
    assert_eq!(run_without_privileges(&trees, &["--two-way"]).code, Some(0));
    file(&trees.from.join("docs/unreadable"), "text", 1);
    chmod(&trees.from.join("docs/unreadable"), 0o000);
    fs::remove_file(trees.from.join("docs/a")).unwrap();
    assert_eq!(run_without_privileges(&trees, &["--two-way"]).code, Some(1));
    assert!(trees.to.join("docs/a").exists());
    assert_eq!(run_without_privileges(&trees, &["--two-way", "--yes"]).code, Some(1));
    assert!(!trees.to.join("docs/a").exists());
}

#[test]
fn a_special_file_in_the_place_of_a_file_is_not_done() {
    let trees = Trees::synchronized(&["docs/a"]);
    fs::remove_file(trees.from.join("docs/a")).unwrap();
    assert!(Command::new("mkfifo").arg(trees.from.join("docs/a")).status().unwrap().success());
    file(&trees.to.join("docs/a"), "an edit", 2);
    let output = trees.synchronize(&["--conflict", "B"]);
    let errors = output.item("docs")["errors"].to_string();
    assert!(output.code == Some(1) && errors.contains("is a special file in A"), "{errors}");
}

#[test]
fn a_conflict_that_is_no_change_is_told_as_a_difference() {
    let trees = Trees::new();
    file(&trees.from.join("docs/a"), "one", 1);
    file(&trees.to.join("docs/a"), "other", 1);
    for (policy, text) in [
        ("ask", "nothing was overwritten: make both sides equal"),
        ("newer", "neither is newer; make both sides equal"),
    ] {
        let errors = trees.synchronize(&["--conflict", policy]).item("docs")["errors"].clone();
        let message = errors[0]["message"].as_str().unwrap();
        assert!(message.starts_with("is different on both sides") && message.contains(text), "{message}");
        assert_eq!(errors[0]["kind"], "conflict");
    }
}

#[test]
fn the_sides_are_named_in_errors() {
    let trees = Trees::new();
    fs::remove_dir(&trees.from).unwrap();
    let output = trees.synchronize(&[]);
    assert_eq!(output.code, Some(2));
    assert!(output.stdout.contains("A is not a directory that can be read"), "{}", output.stdout);
}
