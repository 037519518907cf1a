//! `--delete` and its guard.

use std::fs;

use serde_json::json;

use crate::trees::{Trees, file, snapshot};

/// An item with `all` files in TO, of which FROM lacks `gone`. FROM also has one new file.
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
fn extra_entries_are_kept_without_delete() {
    let trees = item_with(2, 1);
    assert_eq!(trees.run(&[]).code, Some(0));
    assert!(trees.to.join("docs/0").exists());
}

#[test]
fn delete_removes_entries_that_the_source_does_not_have() {
    let trees = Trees::full();
    for path in ["docs/old", "docs/gone/a/b", "gone/c", "old"] {
        file(&trees.to.join(path), "old", 1);
    }
    let output = trees.run(&["--delete", "--json"]);
    assert_eq!(output.code, Some(0));
    assert_eq!(
        (&output.item("docs")["counts"]["deleted"], &output.item(".")["counts"]["deleted"]),
        (&json!(4), &json!(3))
    );
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn the_deletion_of_eleven_of_twenty_entries_is_held() {
    let trees = item_with(20, 11);
    let output = trees.run(&["--delete", "--json"]);
    assert_eq!(output.code, Some(1));
    let item = output.item("docs");
    assert_eq!((&item["status"], &item["counts"]["deleted"]), (&json!("not_done"), &json!(0)));
    let message = "nothing was deleted: 11 of 20 entries in TO would be deleted; use --yes to delete them";
    assert_eq!(item["errors"], json!([{"path": "docs", "kind": "refusal", "message": message}]));
    assert!((0..20).all(|number| trees.to.join(format!("docs/{number}")).exists()));
    // New files in this item and other items are copied.
    assert!(trees.to.join("docs/new").exists() && trees.to.join("tools/new").exists());
    assert_eq!(output.item("tools")["status"], "succeeded");
}

#[test]
fn the_table_shows_why_nothing_was_deleted() {
    let output = item_with(20, 11).run(&["--delete"]);
    assert!(output.stdout.contains("\nnot done "), "{}", output.stdout);
    assert!(output.stdout.contains("\nerror: docs: nothing was deleted: 11 of 20 entries"), "{}", output.stdout);
}

#[test]
fn ten_deletions_or_half_of_the_entries_are_not_held() {
    for (all, gone) in [(10, 10), (22, 11)] {
        let trees = item_with(all, gone);
        assert_eq!(trees.run(&["--delete"]).code, Some(0), "{gone} of {all}");
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }
}

#[test]
fn yes_allows_any_number_of_deletions() {
    let trees = item_with(20, 11);
    assert_eq!(trees.run(&["--delete", "--yes"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn an_extra_directory_counts_with_all_its_entries() {
    let trees = Trees::new();
    for number in 0..10 {
        file(&trees.to.join(format!("gone/{number}")), "old", 1);
    }
    let output = trees.run(&["--delete", "--json"]);
    let message =
        "nothing was deleted: 11 of 11 entries in TO would be deleted; use --yes to delete them (among them gone)";
    assert_eq!(output.item(".")["errors"], json!([{"path": ".", "kind": "refusal", "message": message}]));
    assert!(trees.to.join("gone/9").exists());
}

#[test]
fn a_file_replaces_an_empty_directory_and_a_directory_replaces_a_file() {
    let trees = Trees::new();
    file(&trees.from.join("one/file"), "a directory now", 1);
    file(&trees.to.join("one"), "was a file", 1);
    file(&trees.from.join("two"), "a file now", 1);
    fs::create_dir(trees.to.join("two")).unwrap();
    assert_eq!(trees.run(&[]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_file_replaces_a_directory_with_entries_only_with_delete() {
    let trees = Trees::new();
    file(&trees.from.join("name"), "a file now", 1);
    file(&trees.to.join("name/entry"), "was in a directory", 1);
    let output = trees.run(&["--json"]);
    assert_eq!(output.code, Some(1));
    let errors = &output.item(".")["errors"];
    assert_eq!(errors[0]["path"], "name");
    assert!(errors[0]["message"].as_str().unwrap().contains("--delete"), "{errors}");
    assert_eq!(trees.run(&["--delete"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn an_empty_source_is_held() {
    let trees = item_with(12, 0);
    assert_eq!(trees.run(&["--delete"]).code, Some(0));
    fs::remove_dir_all(trees.from.join("docs")).unwrap();
    fs::create_dir(trees.from.join("docs")).unwrap();
    let output = trees.run(&["--delete", "--json"]);
    assert_eq!((output.code, &output.item("docs")["status"]), (Some(1), &json!("not_done")));
    let message = "nothing was deleted: FROM is empty but had 13 entries, and 13 of 13 entries in TO would be deleted; \
                   use --yes to delete them";
    assert_eq!(output.item("docs")["errors"], json!([{"path": "docs", "kind": "refusal", "message": message}]));
    assert!(trees.to.join("docs/11").exists());
    // A FROM that was created again is on the same disk, so `tools` is not held.
    fs::rename(&trees.from, trees.base.path().join("away")).unwrap();
    fs::create_dir(&trees.from).unwrap();
    file(&trees.from.join("tools/new"), "new", 1);
    let output = trees.run(&["--delete", "--json"]);
    assert_eq!(output.item("tools")["status"], "succeeded");
    assert_eq!(output.item(".")["status"], "not_done");
    assert_eq!(trees.run(&["--delete", "--yes"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

/// Five items of eight files each, mirrored.
fn mirrored_items() -> Trees {
    let trees = Trees::new();
    for number in 0..40 {
        file(&trees.from.join(format!("{}/{number}", number / 8)), "same", 1);
    }
    assert_eq!(trees.run(&["--delete"]).code, Some(0));
    trees
}

/// Removes everything in the directories `names` of FROM.
fn empty(trees: &Trees, names: &[&str]) {
    for name in names {
        fs::remove_dir_all(trees.from.join(name)).unwrap();
        fs::create_dir(trees.from.join(name)).unwrap();
    }
}

#[test]
fn the_deletions_of_all_items_are_judged_together() {
    for flags in [&["--delete", "--json"][..], &["--delete", "--json", "--no-state"]] {
        let trees = mirrored_items();
        empty(&trees, &["0", "1", "2", "3"]);
        for name in ["0", "1", "2", "3"] {
            file(&trees.from.join(name).join("desktop.ini"), "new", 1);
        }
        let output = trees.run(flags);
        let message = "nothing was deleted: 32 of all 40 entries in TO would be deleted; use --yes to delete them";
        for name in ["0", "1", "2", "3"] {
            assert_eq!(output.item(name)["errors"], json!([{"path": name, "kind": "refusal", "message": message}]));
        }
        assert_eq!((output.code, &output.item("4")["status"]), (Some(1), &json!("succeeded")));
        assert!((0..40).all(|number| trees.to.join(format!("{}/{number}", number / 8)).exists()));
        assert_eq!(trees.run(&["--delete", "--yes"]).code, Some(0));
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }
}

#[test]
fn an_item_of_any_size_that_became_empty_is_a_question() {
    let trees = mirrored_items();
    empty(&trees, &["1"]);
    let output = trees.run(&["--delete", "--json"]);
    let message = "nothing was changed: FROM has none of the 8 entries in TO; use --yes to delete them";
    let item = output.item("1");
    assert_eq!(
        (&item["status"], &item["errors"]),
        (&json!("not_done"), &json!([{"path": "1", "kind": "refusal", "message": message}]))
    );
    assert!(trees.to.join("1/8").exists());
    assert_eq!(trees.run(&["--delete", "--yes"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn an_item_of_which_nothing_known_is_left_is_a_question() {
    let trees = mirrored_items();
    empty(&trees, &["1"]);
    file(&trees.from.join("1/not mounted"), "a marker", 1);
    for _ in 0..3 {
        let output = trees.run(&["--delete", "--json"]);
        let statuses = ["1", "2"].map(|name| output.item(name)["status"].clone());
        assert_eq!(statuses, [json!("not_done"), json!("succeeded")]);
        assert!((8..16).all(|number| trees.to.join(format!("1/{number}")).exists()));
    }
    assert_eq!(trees.run(&["--delete", "--yes"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn many_new_files_do_not_hide_that_nothing_known_is_left() {
    let trees = Trees::new();
    (0..12).for_each(|number| file(&trees.from.join(format!("docs/{number}")), "old", 1));
    assert_eq!(trees.run(&["--delete"]).code, Some(0));
    empty(&trees, &["docs"]);
    (20..40).for_each(|number| file(&trees.from.join(format!("docs/{number}")), "of another disk", 1));
    for _ in 0..2 {
        assert_eq!(trees.run(&["--delete"]).code, Some(1));
        assert!((0..12).all(|number| trees.to.join(format!("docs/{number}")).exists()));
    }
}

#[test]
fn a_file_that_gets_a_new_name_each_day_is_no_question() {
    let trees = Trees::new();
    file(&trees.from.join("other/file"), "stays", 1);
    for day in 1..=4 {
        let _ = fs::remove_dir_all(trees.from.join("dumps"));
        file(&trees.from.join(format!("dumps/dump-{day}")), "dump", day);
        assert_eq!(trees.run(&["--delete"]).code, Some(0), "day {day}");
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }
}

#[test]
fn a_renamed_directory_at_the_top_level_is_no_question() {
    let trees = mirrored_items();
    fs::rename(trees.from.join("1"), trees.from.join("renamed")).unwrap();
    assert_eq!(trees.run(&["--delete"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_source_of_which_nothing_known_is_left_is_a_question() {
    let trees = Trees::new();
    let names = ["docs/a", "docs/b", "c", "d"];
    names.iter().for_each(|name| file(&trees.from.join(name), name, 1));
    assert_eq!(trees.run(&["--delete"]).code, Some(0));
    names.iter().for_each(|name| fs::remove_file(trees.from.join(name)).unwrap());
    ["docs", "."].iter().for_each(|name| file(&trees.from.join(name).join("desktop.ini"), "new", 1));
    for _ in 0..3 {
        let output = trees.run(&["--delete", "--json"]);
        assert!(["docs", "."].iter().all(|name| output.item(name)["status"] == "not_done"), "{}", output.stdout);
        assert!(names.iter().all(|name| trees.to.join(name).exists()));
    }
}

#[test]
fn an_empty_source_is_a_question_without_a_state_too() {
    let trees = Trees::new();
    file(&trees.to.join("docs/a"), "a", 1);
    let output = trees.run(&["--delete", "--no-state"]);
    assert_eq!((output.code, trees.to.join("docs/a").exists()), (Some(1), true));
}
