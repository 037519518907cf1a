//! `--delete`, and what holds it back.

use std::fs;

use serde_json::json;

use crate::trees::{Trees, file, snapshot};

/// An item of which TO has `all` files and FROM lacks `gone`, beside one that is new.
fn item_with(all: u32, gone: u32) -> Trees {
    let trees = Trees::new();
    for number in 0..all {
        file(&trees.to.join(format!("docs/{number}")), "same", 1);
    }
    for number in gone..all {
        file(&trees.from.join(format!("docs/{number}")), "same", 1);
    }
    file(&trees.from.join("docs/new"), "new", 1);
    file(&trees.from.join("tools/new"), "new", 1);
    trees
}

#[test]
fn without_delete_everything_only_to_has_stays() {
    let trees = item_with(2, 1);
    assert_eq!(trees.run(&[]).code, Some(0));
    assert!(trees.to.join("docs/0").exists());
}

#[test]
fn delete_removes_what_from_no_longer_has() {
    let trees = Trees::full();
    for path in ["docs/old", "docs/gone/a/b", "gone/c", "old"] {
        file(&trees.to.join(path), "old", 1);
    }
    let ran = trees.run(&["--delete", "--json"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!((&ran.item("docs")["counts"]["deleted"], &ran.item(".")["counts"]["deleted"]), (&json!(4), &json!(3)));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn eleven_of_twenty_are_too_many_and_nothing_is_deleted() {
    let trees = item_with(20, 11);
    let ran = trees.run(&["--delete", "--json"]);
    assert_eq!(ran.code, Some(1));
    let item = ran.item("docs");
    assert_eq!((&item["status"], &item["counts"]["deleted"]), (&json!("not_done"), &json!(0)));
    let message = "nothing was deleted: 11 of the 20 entries in TO would be; --yes deletes them";
    assert_eq!(item["errors"], json!([{"path": "docs", "message": message}]));
    assert!((0..20).all(|number| trees.to.join(format!("docs/{number}")).exists()));
    // All else is done: what is new in this item, and the other items.
    assert!(trees.to.join("docs/new").exists() && trees.to.join("tools/new").exists());
    assert_eq!(ran.item("tools")["status"], "succeeded");
}

#[test]
fn the_table_says_why_nothing_was_deleted() {
    let ran = item_with(20, 11).run(&["--delete"]);
    assert!(ran.stdout.contains("\nnot done "), "{}", ran.stdout);
    assert!(ran.stdout.contains("\nerror: docs: nothing was deleted: 11 of the 20 entries"), "{}", ran.stdout);
}

#[test]
fn ten_or_half_are_not_too_many() {
    for (all, gone) in [(10, 10), (22, 11)] {
        let trees = item_with(all, gone);
        assert_eq!(trees.run(&["--delete"]).code, Some(0), "{gone} of {all}");
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }
}

#[test]
fn yes_deletes_however_much_it_is() {
    let trees = item_with(20, 11);
    assert_eq!(trees.run(&["--delete", "--yes"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn directories_only_to_has_count_with_all_that_is_in_them() {
    let trees = Trees::new();
    for number in 0..10 {
        file(&trees.to.join(format!("gone/{number}")), "old", 1);
    }
    let ran = trees.run(&["--delete", "--json"]);
    let message = "nothing was deleted: 11 of the 11 entries in TO would be; --yes deletes them";
    assert_eq!(ran.item(".")["errors"], json!([{"path": ".", "message": message}]));
    assert!(trees.to.join("gone/9").exists());
}

#[test]
fn a_file_and_a_directory_of_one_name_change_places() {
    let trees = Trees::new();
    file(&trees.from.join("one/file"), "a directory now", 1);
    file(&trees.to.join("one"), "was a file", 1);
    file(&trees.from.join("two"), "a file now", 1);
    fs::create_dir(trees.to.join("two")).unwrap();
    assert_eq!(trees.run(&[]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_directory_with_entries_gives_way_to_a_file_only_with_delete() {
    let trees = Trees::new();
    file(&trees.from.join("name"), "a file now", 1);
    file(&trees.to.join("name/entry"), "was in a directory", 1);
    let ran = trees.run(&["--json"]);
    assert_eq!(ran.code, Some(1));
    let errors = &ran.item(".")["errors"];
    assert_eq!(errors[0]["path"], "name");
    assert!(errors[0]["message"].as_str().unwrap().contains("--delete"), "{errors}");
    assert_eq!(trees.run(&["--delete"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_from_that_became_empty_is_not_taken_at_its_word() {
    let trees = item_with(12, 0);
    assert_eq!(trees.run(&["--delete"]).code, Some(0));
    fs::remove_dir_all(trees.from.join("docs")).unwrap();
    fs::create_dir(trees.from.join("docs")).unwrap();
    let ran = trees.run(&["--delete", "--json"]);
    assert_eq!((ran.code, &ran.item("docs")["status"]), (Some(1), &json!("not_done")));
    let message = "nothing was deleted: FROM is empty and had 13 entries, and 13 of the 13 entries in TO would be; \
                   --yes accepts that and deletes them";
    assert_eq!(ran.item("docs")["errors"], json!([{"path": "docs", "message": message}]));
    assert!(trees.to.join("docs/11").exists());
    // Somebody who makes the whole of FROM anew has not plugged in another disk.
    fs::rename(&trees.from, trees.base.path().join("away")).unwrap();
    fs::create_dir(&trees.from).unwrap();
    file(&trees.from.join("tools/new"), "new", 1);
    let ran = trees.run(&["--delete", "--json"]);
    assert_eq!(ran.item("tools")["status"], "succeeded");
    assert_eq!(ran.item(".")["status"], "not_done");
    assert_eq!(trees.run(&["--delete", "--yes"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}
