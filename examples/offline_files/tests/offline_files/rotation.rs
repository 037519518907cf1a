//! Directories that take turns.

use std::fs;
use std::path::{Path, PathBuf};

use crate::incremental::run_until_settled;
use crate::trees::{Trees, file, snapshot};

/// Trees with one file in the item `docs` and one at the top level, mirrored once.
fn mirrored_trees() -> Trees {
    let trees = Trees::new();
    write(&trees.from, "one");
    mirror(&trees, &[]);
    trees
}

/// Writes files of equal size and time with this text.
fn write(tree: &Path, text: &str) {
    for name in ["docs/file", "file"] {
        // A new file has a new change time, also where a clock is coarse.
        let _ = fs::remove_file(tree.join(name));
        file(&tree.join(name), text, 1);
    }
}

fn mirror(trees: &Trees, flags: &[&str]) {
    let output = trees.run(flags);
    assert_eq!(output.code, Some(0), "{}", output.stdout);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

fn exchange(one: &Path, other: &Path) {
    let parked = one.with_extension("parked");
    fs::rename(one, &parked).unwrap();
    fs::rename(other, one).unwrap();
    fs::rename(parked, other).unwrap();
}

#[test]
fn a_target_that_missed_a_run_gets_the_files_of_that_run() {
    let trees = mirrored_trees();
    write(&trees.from, "two");
    let other = trees.base.path().join("other");
    fs::create_dir(&other).unwrap();
    exchange(&trees.to, &other);
    run_until_settled(&trees, &[]);
    for _ in 0..2 {
        exchange(&trees.to, &other);
        mirror(&trees, &[]);
    }
}

#[test]
fn the_files_of_another_source_of_equal_size_and_time_are_copied() {
    let trees = Trees::new();
    let other = trees.base.path().join("other");
    write(&trees.from, "one");
    write(&other, "two");
    run_until_settled(&trees, &[]);
    for flags in [&[][..], &["--full"]] {
        exchange(&trees.from, &other);
        mirror(&trees, flags);
    }
}

#[test]
fn two_pairs_with_one_state_are_both_mirrored() {
    let (first, second) = (Trees::new(), Trees::new());
    let state = first.base.path().join("state.db");
    let flags = ["--yes", "--state", state.to_str().unwrap()];
    for text in ["one", "two"] {
        write(&first.from, text);
        write(&second.from, text);
        if text == "one" {
            mirror(&first, &flags);
        }
        run_until_settled(&second, &flags);
        mirror(&first, &flags);
        mirror(&second, &flags);
    }
}

/// Trees with two directories of equal files in `docs`, settled in TO and in another directory that takes turns with it.
fn rotating_trees() -> (Trees, PathBuf) {
    let trees = Trees::new();
    let other = trees.base.path().join("other");
    fs::create_dir(&other).unwrap();
    for (name, text) in [("docs/a/file", "a"), ("docs/b/file", "b")] {
        file(&trees.from.join(name), text, 1);
    }
    run_until_settled(&trees, &[]);
    exchange(&trees.to, &other);
    run_until_settled(&trees, &[]);
    assert_eq!(trees.run(&["--full"]).code, Some(0));
    (trees, other)
}

#[test]
fn files_of_targets_that_take_turns_are_not_compared_beside_new_ones() {
    let (trees, other) = rotating_trees();
    for to in [&trees.to, &other] {
        file(&to.join("docs/a/file"), "x", 1);
    }
    for number in 0..4 {
        exchange(&trees.to, &other);
        for name in ["", "docs", "docs/new"] {
            file(&trees.from.join(name).join(number.to_string()), "new", 2);
        }
        assert_eq!(trees.run(&["--full"]).code, Some(0));
        assert_eq!(fs::read_to_string(trees.to.join("docs/a/file")).unwrap(), "x", "{number}");
    }
}

#[test]
fn each_target_that_takes_turns_gets_the_files_of_exchanged_directories() {
    let (trees, other) = rotating_trees();
    exchange(&trees.from.join("docs/a"), &trees.from.join("docs/b"));
    for _ in 0..2 {
        mirror(&trees, &[]);
        exchange(&trees.to, &other);
    }
    run_until_settled(&trees, &[]);
    exchange(&trees.from.join("docs/a"), &trees.from.join("docs/b"));
    for _ in 0..2 {
        mirror(&trees, &["--full"]);
        exchange(&trees.to, &other);
    }
}
