//! What other synchronizers lose, ask for ever or do twice, done with this one.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::trees::{Trees, chmod, file, link, snapshot};
use crate::two_way::read;
use crate::two_way_disks::settle;

#[test]
fn a_side_that_lost_its_only_file_is_not_taken_for_deleted_and_needs_no_repair() {
    let trees = Trees::synchronized(&["only"]);
    fs::remove_file(trees.from.join("only")).unwrap();
    for _ in 0..2 {
        assert_eq!((trees.synchronize(&[]).code, trees.to.join("only").exists()), (Some(1), true));
    }
    file(&trees.from.join("only"), "only", 1);
    trees.settle(&[]);
}

#[test]
fn what_both_sides_have_deleted_is_agreed() {
    let trees = Trees::synchronized(&["docs/a", "docs/b", "c"]);
    for side in [&trees.from, &trees.to] {
        fs::remove_dir_all(side.join("docs")).unwrap();
        fs::remove_file(side.join("c")).unwrap();
    }
    settle(&trees, &[]);
    file(&trees.from.join("docs/a"), "new", 2);
    trees.settle(&[]);
}

#[test]
fn the_new_name_of_a_directory_that_is_everything_is_no_loss_and_no_copy() {
    let trees = Trees::new();
    (0..1000).for_each(|number| file(&trees.from.join(format!("old/{number}")), "text", number));
    settle(&trees, &[]);
    let inode = |name: &str| trees.to.join(name).metadata().unwrap().ino();
    let before = inode("old/7");
    fs::rename(trees.from.join("old"), trees.from.join("new")).unwrap();
    let output = settle(&trees, &[]);
    assert_eq!((inode("new/7"), trees.to.join("old").exists()), (before, false));
    assert_eq!((&output.item("new")["counts"]["copied"], &output.item("new")["bytes"]), (&json!(0), &json!(0)));
}

#[test]
fn a_name_that_is_not_utf8_is_synchronized() {
    let trees = Trees::new();
    let name = OsStr::from_bytes(b"caf\xe9");
    file(&trees.from.join(name).join(name), "menu", 1);
    trees.settle(&[]);
    file(&trees.to.join(name).join(name), "new menu", 2);
    trees.settle(&[]);
    assert_eq!(read(trees.from.join(name).join(name)), "new menu");
}

#[test]
fn an_edit_against_a_directory_with_its_name_is_a_conflict_that_keep_both_ends() {
    for policy in ["ask", "newer"] {
        let trees = Trees::synchronized(&["docs/a", "docs/b"]);
        fs::remove_file(trees.from.join("docs/a")).unwrap();
        file(&trees.from.join("docs/a/inner"), "inner", 2);
        file(&trees.to.join("docs/a"), "edited", 3);
        for _ in 0..2 {
            assert_eq!(trees.synchronize(&["--conflict", policy]).code, Some(1), "{policy}");
            assert_eq!([read(trees.from.join("docs/a/inner")), read(trees.to.join("docs/a"))], ["inner", "edited"]);
        }
        settle(&trees, &["--conflict", "keep-both"]);
        assert_eq!([read(trees.to.join("docs/a/inner")), read(trees.from.join("docs/a (B)"))], ["inner", "edited"]);
    }
}

#[test]
fn an_edit_wins_over_a_deletion_also_with_an_old_time() {
    let trees = Trees::synchronized(&["docs/a", "docs/b"]);
    fs::remove_file(trees.from.join("docs/a")).unwrap();
    file(&trees.to.join("docs/a"), "edited", 0);
    trees.settle(&[]);
    assert_eq!(read(trees.from.join("docs/a")), "edited");
}

#[test]
fn two_edits_of_one_size_and_time_are_a_conflict() {
    let trees = Trees::synchronized(&["docs/a"]);
    file(&trees.from.join("docs/a"), "one", 5);
    file(&trees.to.join("docs/a"), "two", 5);
    assert_eq!(trees.synchronize(&[]).code, Some(1));
    assert_eq!([read(trees.from.join("docs/a")), read(trees.to.join("docs/a"))], ["one", "two"]);
}

#[test]
fn an_edit_within_the_same_second_is_copied() {
    let trees = Trees::synchronized(&["docs/a"]);
    fs::write(trees.from.join("docs/a"), "docs/A").unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_001, 123_456_790);
    fs::File::options().write(true).open(trees.from.join("docs/a")).unwrap().set_modified(time).unwrap();
    trees.settle(&[]);
    assert_eq!(read(trees.to.join("docs/a")), "docs/A");
}

#[test]
fn a_snapshot_of_hard_links_keeps_its_contents() {
    let trees = Trees::synchronized(&["docs/a"]);
    let snapshot = trees.base.path().join("snapshot");
    fs::hard_link(trees.to.join("docs/a"), &snapshot).unwrap();
    settle(&trees, &[]);
    file(&trees.from.join("docs/a"), "changed", 2);
    trees.settle(&[]);
    assert_eq!([read(snapshot), read(trees.to.join("docs/a"))], ["docs/a", "changed"]);
}

#[test]
fn the_names_of_one_file_are_files_of_their_own_on_the_other_side() {
    let trees = Trees::new();
    file(&trees.from.join("docs/a"), "text", 1);
    fs::hard_link(trees.from.join("docs/a"), trees.from.join("docs/b")).unwrap();
    settle(&trees, &[]);
    fs::rename(trees.from.join("docs/b"), trees.from.join("docs/c")).unwrap();
    file(&trees.from.join("docs/a"), "changed", 2);
    settle(&trees, &[]);
    assert_eq!(["docs/a", "docs/c"].map(|name| read(trees.to.join(name))), ["changed", "changed"]);
    assert!(!trees.to.join("docs/b").exists());
}

#[test]
fn a_link_in_the_place_of_a_directory_is_not_followed() {
    let trees = Trees::synchronized(&["docs/deep/a", "docs/b"]);
    let precious = trees.base.path().join("precious");
    file(&precious.join("a"), "precious", 1);
    let before = snapshot(&precious);
    fs::remove_dir_all(trees.to.join("docs/deep")).unwrap();
    link(&trees.to.join("docs/deep"), &precious);
    file(&trees.from.join("docs/deep/a"), "changed", 2);
    for flags in [&[][..], &["--conflict", "keep-both"], &["--conflict", "keep-both"]] {
        trees.synchronize(flags);
        assert_eq!(snapshot(&precious), before);
        assert_eq!(read(trees.from.join("docs/deep/a")), "changed");
    }
}

#[test]
fn the_sides_may_be_links() {
    let mut trees = Trees::synchronized(&["docs/a"]);
    let [from, to] = ["link-a", "link-b"].map(|name| trees.base.path().join(name));
    link(&from, &trees.from);
    link(&to, &trees.to);
    (trees.from, trees.to) = (from, to);
    file(&trees.from.join("docs/a"), "changed", 2);
    trees.settle(&[]);
    assert_eq!(read(trees.to.join("docs/a")), "changed");
}

#[test]
fn what_a_killed_run_has_left_is_removed_and_never_synchronized() {
    let trees = Trees::synchronized(&["docs/a"]);
    for side in [&trees.from, &trees.to] {
        file(&side.join("docs/.offline-files-00112233445566ff.partial"), "half", 1);
        file(&side.join(".offline-files-00112233445566ff.partial"), "half", 1);
    }
    let ignore = trees.base.path().join("ignore");
    file(&ignore, ".*\n", 1);
    trees.settle(&["--ignore-file", ignore.to_str().unwrap()]);
    assert_eq!(snapshot(&trees.from).len(), 2);
}

#[test]
fn an_edit_that_a_killed_run_was_about_to_check_gets_its_name_back() {
    let trees = Trees::synchronized(&["docs/a"]);
    file(&trees.from.join("docs/.offline-files-0011223344556677.displaced-a"), "edited", 2);
    fs::remove_file(trees.from.join("docs/a")).unwrap();
    trees.settle(&[]);
    assert_eq!(read(trees.to.join("docs/a")), "edited");
    assert_eq!(snapshot(&trees.from).len(), 2);
}

#[test]
fn a_file_that_cannot_be_read_but_is_unchanged_is_no_error() {
    let trees = Trees::new();
    ["docs/a", "docs/b"].iter().for_each(|name| file(&trees.from.join(name), name, 1));
    assert_eq!(crate::bad_input::run_without_privileges(&trees, &["--two-way"]).code, Some(0));
    chmod(&trees.from.join("docs/a"), 0o000);
    fs::remove_file(trees.from.join("docs/b")).unwrap();
    crate::bad_input::run_without_privileges(&trees, &["--two-way"]);
    chmod(&trees.from.join("docs/a"), 0o644);
    assert!(trees.to.join("docs/a").exists());
    assert_eq!(crate::bad_input::run_without_privileges(&trees, &["--two-way"]).code, Some(0));
    assert!(!trees.to.join("docs/b").exists());
}
