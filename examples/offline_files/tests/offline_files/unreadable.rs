//! Files and directories of FROM that cannot be read.

use std::fs;

use serde_json::json;

use crate::bad_input::run_without_privileges;
use crate::trees::{Trees, chmod, file};

/// Trees in sync, in which two files of `docs` have a new name in FROM, and the first of them cannot be read.
fn trees_with_renamed_files() -> Trees {
    let trees = Trees::new();
    file(&trees.from.join("docs/a"), "a", 1);
    file(&trees.from.join("docs/inner/b"), "b", 2);
    assert_eq!(run_without_privileges(&trees, &[]).code, Some(0));
    fs::rename(trees.from.join("docs/a"), trees.from.join("docs/c")).unwrap();
    fs::rename(trees.from.join("docs/inner/b"), trees.from.join("docs/d")).unwrap();
    chmod(&trees.from.join("docs/c"), 0o000);
    trees
}

#[test]
fn the_copy_of_a_renamed_file_that_cannot_be_read_is_not_deleted() {
    let trees = trees_with_renamed_files();
    for _ in 0..2 {
        let output = run_without_privileges(&trees, &["--delete"]);
        let docs = output.item("docs");
        assert_eq!((output.code, &docs["counts"]["deleted"]), (Some(1), &json!(0)), "{docs}");
        assert_eq!(docs["warnings"][0]["path"], "docs");
        let message = docs["warnings"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("nothing was deleted because of the errors"), "{message}");
        assert!(trees.to.join("docs/a").exists() && trees.to.join("docs/inner/b").exists());
    }
    chmod(&trees.from.join("docs/c"), 0o644);
    let output = run_without_privileges(&trees, &["--delete"]);
    assert_eq!((output.code, &output.item("docs")["counts"]["deleted"]), (Some(0), &json!(2)));
}

#[test]
fn a_directory_is_not_replaced_by_a_file_while_another_file_fails() {
    let trees = trees_with_renamed_files();
    fs::remove_dir(trees.from.join("docs/inner")).unwrap();
    file(&trees.from.join("docs/inner"), "a file now", 3);
    assert_eq!(run_without_privileges(&trees, &["--delete"]).code, Some(1));
    assert!(trees.to.join("docs/inner/b").exists());
    chmod(&trees.from.join("docs/c"), 0o644);
    assert_eq!(run_without_privileges(&trees, &["--delete"]).code, Some(0));
    assert_eq!(fs::read_to_string(trees.to.join("docs/inner")).unwrap(), "a file now");
}

#[test]
fn yes_deletes_entries_although_others_failed() {
    let trees = trees_with_renamed_files();
    let output = run_without_privileges(&trees, &["--delete", "--yes"]);
    assert_eq!((output.code, &output.item("docs")["counts"]["deleted"]), (Some(1), &json!(2)));
}
