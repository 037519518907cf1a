//! Files and directories of FROM that cannot be read.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::attributes::{has_acl, remove_acl, set_acl};
use crate::bad_input::run_without_privileges;
use crate::incremental::repeat_until_settled;
use crate::trees::{Trees, chmod, file, snapshot};

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

/// The permission bits of an entry of TO.
fn mode(trees: &Trees, name: &str) -> u32 {
    fs::metadata(trees.to.join(name)).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_copy_loses_the_permissions_of_a_file_that_can_no_longer_be_read() {
    let trees = Trees::new();
    for name in ["docs/same", "docs/changed", "top"] {
        file(&trees.from.join(name), "text", 1);
        chmod(&trees.from.join(name), 0o644);
    }
    assert_eq!(run_without_privileges(&trees, &[]).code, Some(0));
    file(&trees.from.join("docs/changed"), "other", 2);
    for (name, mode) in [("docs/same", 0o000), ("docs/changed", 0o020), ("top", 0o000)] {
        chmod(&trees.from.join(name), mode);
    }
    for _ in 0..2 {
        let output = run_without_privileges(&trees, &[]);
        assert_eq!((output.code, output.item("docs")["errors"].as_array().unwrap().len()), (Some(1), 2));
        for name in ["docs/same", "docs/changed", "top"] {
            assert_eq!(mode(&trees, name), 0o000, "{name}");
        }
    }
    for name in ["docs/same", "docs/changed", "top"] {
        chmod(&trees.from.join(name), 0o644);
    }
    assert_eq!(run_without_privileges(&trees, &[]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_copy_loses_the_permissions_of_a_directory_that_cannot_be_read() {
    let trees = Trees::new();
    for name in ["docs/closed/file", "docs/listed/file", "item/file"] {
        file(&trees.from.join(name), "text", 1);
    }
    let modes = [("docs/closed", 0o000, 0o700), ("docs/listed", 0o644, 0o744), ("item", 0o050, 0o750)];
    modes.iter().for_each(|(name, ..)| chmod(&trees.from.join(name), 0o755));
    assert_eq!(run_without_privileges(&trees, &[]).code, Some(0));
    modes.iter().for_each(|(name, mode, _)| chmod(&trees.from.join(name), *mode));
    for _ in 0..2 {
        assert_eq!(run_without_privileges(&trees, &["--delete"]).code, Some(1));
        for (name, _, expected) in modes {
            assert_eq!(mode(&trees, name), expected, "{name}");
        }
    }
    modes.iter().for_each(|(name, ..)| chmod(&trees.from.join(name), 0o755));
    assert_eq!(run_without_privileges(&trees, &["--delete"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_snapshot_keeps_the_permissions_of_a_file_that_cannot_be_read() {
    let trees = Trees::new();
    file(&trees.from.join("docs/f"), "text", 1);
    chmod(&trees.from.join("docs/f"), 0o644);
    assert_eq!(run_without_privileges(&trees, &["-H"]).code, Some(0));
    fs::hard_link(trees.to.join("docs/f"), trees.base.path().join("snapshot")).unwrap();
    fs::hard_link(trees.from.join("docs/f"), trees.from.join("docs/g")).unwrap();
    file(&trees.to.join("docs/g"), "text", 1);
    chmod(&trees.from.join("docs/f"), 0o000);
    assert_eq!(run_without_privileges(&trees, &["-H"]).code, Some(1));
    assert_eq!(mode(&trees, "../snapshot"), 0o644);
}

#[test]
fn a_copy_loses_the_acl_that_an_original_that_cannot_be_read_lacks() {
    let trees = Trees::new();
    let names = ["docs/file", "docs/inner"];
    file(&trees.from.join("docs/inner/secret"), "text", 1);
    file(&trees.from.join("docs/file"), "text", 1);
    if !names.iter().all(|name| set_acl(&trees.from.join(name))) {
        return;
    }
    assert_eq!(run_without_privileges(&trees, &[]).code, Some(0));
    assert!(names.iter().all(|name| has_acl(&trees.to.join(name))));
    names.iter().for_each(|name| remove_acl(&trees.from.join(name)));
    file(&trees.from.join("docs/file"), "other", 2);
    names.iter().for_each(|name| chmod(&trees.from.join(name), 0o040));
    assert_eq!(run_without_privileges(&trees, &[]).code, Some(1));
    assert!(!names.iter().any(|name| has_acl(&trees.to.join(name))));
    assert_eq!(names.map(|name| mode(&trees, name) & 0o077), [0; 2], "the group had nothing");
}

#[test]
fn nothing_is_deleted_after_a_file_that_replaces_a_directory_has_failed() {
    let trees = Trees::new();
    ["docs/a", "docs/inner/b"].iter().for_each(|name| file(&trees.from.join(name), name, 1));
    assert_eq!(run_without_privileges(&trees, &[]).code, Some(0));
    fs::remove_dir_all(trees.from.join("docs/inner")).unwrap();
    fs::rename(trees.from.join("docs/a"), trees.from.join("docs/inner")).unwrap();
    chmod(&trees.from.join("docs/inner"), 0o000);
    assert_eq!(run_without_privileges(&trees, &["--delete"]).code, Some(1));
    assert_eq!(fs::read_to_string(trees.to.join("docs/a")).unwrap(), "docs/a");
}

#[test]
fn a_file_that_cannot_be_read_is_no_reason_to_compare_the_files_beside_it() {
    let trees = Trees::new();
    file(&trees.from.join("docs/sub/big"), "big", 1);
    let run = |code| assert_eq!(run_without_privileges(&trees, &[]).code, Some(code));
    repeat_until_settled(&trees, || run(0));
    file(&trees.from.join("docs/sub/unreadable"), "text", 2);
    file(&trees.from.join("docs/new"), "new", 3);
    chmod(&trees.from.join("docs/sub/unreadable"), 0o000);
    run(1);
    file(&trees.to.join("docs/sub/big"), "BIG", 1);
    for _ in 0..2 {
        run(1);
        assert_eq!(fs::read_to_string(trees.to.join("docs/sub/big")).unwrap(), "BIG");
    }
}
