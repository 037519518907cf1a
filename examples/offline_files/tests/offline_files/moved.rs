//! Directories of FROM that take the place of others.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::incremental::run_until_settled;
use crate::trees::{Trees, file, snapshot};

/// Trees whose items have files of equal size and time. The last run began long after their change times.
fn mirrored_trees() -> Trees {
    let trees = Trees::new();
    for (name, text) in
        [("docs/a/v", "1"), ("docs/b/v", "2"), ("docs/b/in/v", "3"), ("docs/a/in/v", "4"), ("it/v", "5")]
    {
        file(&trees.from.join(name), text, 1);
    }
    file(&trees.base.path().join("other/v"), "6", 1);
    // A new time of the last run, which began after the longest write.
    run_until_settled(&trees, &[]);
    assert_eq!(trees.run(&["--full"]).code, Some(0));
    trees
}

fn exchange(one: &Path, other: &Path) {
    let parked = one.with_extension("parked");
    fs::rename(one, &parked).unwrap();
    fs::rename(other, one).unwrap();
    fs::rename(parked, other).unwrap();
}

#[test]
fn the_files_of_exchanged_directories_are_compared() {
    for flags in [&["--json"][..], &["--json", "--full"]] {
        let trees = mirrored_trees();
        for _ in 0..2 {
            exchange(&trees.from.join("docs/a"), &trees.from.join("docs/b"));
            assert_eq!(trees.run(flags).item("docs")["counts"]["copied"], json!(4));
            assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
        }
        assert_eq!(trees.run(flags).item("docs")["counts"]["copied"], json!(0));
    }
}

#[test]
fn the_files_of_a_directory_exchanged_between_levels_are_compared() {
    let trees = mirrored_trees();
    exchange(&trees.from.join("docs/a/in"), &trees.from.join("docs/b"));
    assert_eq!(trees.run(&["--delete"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn the_files_of_a_replaced_item_are_compared() {
    let trees = mirrored_trees();
    exchange(&trees.from.join("it"), &trees.base.path().join("other"));
    assert_eq!(trees.run(&["--json"]).item("it")["counts"]["copied"], json!(1));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn files_are_not_compared_beside_a_changed_one_or_a_new_directory() {
    let trees = mirrored_trees();
    file(&trees.to.join("docs/a/v"), "x", 1);
    file(&trees.to.join("docs/b/in/v"), "y", 1);
    for name in ["docs/new", "docs/c/new", "docs/a/new", "docs/b/in/new"] {
        file(&trees.from.join(name), "new", 2);
    }
    assert_eq!(trees.run(&["--json"]).item("docs")["counts"]["copied"], json!(4));
    assert_eq!(fs::read_to_string(trees.to.join("docs/a/v")).unwrap(), "x");
    assert_eq!(fs::read_to_string(trees.to.join("docs/b/in/v")).unwrap(), "y");
}
