//! Hard links, with `-H`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use crate::skip::skip;
use crate::trees::{Trees, chmod, file, snapshot};

/// Trees in sync in which each group of names is one file on both sides.
fn linked_trees(groups: &[&[&str]]) -> Trees {
    let trees = Trees::new();
    for names in groups {
        file(&trees.from.join(names[0]), "text", 1);
        names[1..].iter().for_each(|name| link(&trees, names[0], name));
    }
    assert_eq!(trees.run(&["-H"]).code, Some(0));
    trees
}

/// Makes `second` another name of the file `first` in FROM.
fn link(trees: &Trees, first: &str, second: &str) {
    let second = trees.from.join(second);
    fs::create_dir_all(second.parent().unwrap()).unwrap();
    fs::hard_link(trees.from.join(first), second).unwrap();
}

/// The inode and the permissions of a file in TO.
fn about(trees: &Trees, name: &str) -> (u64, u32) {
    let about = fs::metadata(trees.to.join(name)).unwrap();
    (about.ino(), about.mode() & 0o777)
}

/// Gives a file in TO another name outside TO.
fn pin(trees: &Trees, name: &str) -> PathBuf {
    let pinned = trees.base.path().join("pinned");
    fs::hard_link(trees.to.join(name), &pinned).unwrap();
    pinned
}

#[test]
fn names_that_are_no_longer_links_have_permissions_of_their_own() {
    for flags in [&["-H", "--no-state"][..], &["-H", "--full"], &["-H"]] {
        let trees = linked_trees(&[&["docs/p", "docs/q"]]);
        fs::remove_file(trees.from.join("docs/q")).unwrap();
        file(&trees.from.join("docs/q"), "text", 1);
        chmod(&trees.from.join("docs/q"), 0o600);
        for _ in 0..2 {
            assert_eq!(trees.run(flags).code, Some(0));
            assert_eq!(snapshot(&trees.to), snapshot(&trees.from), "{flags:?}");
        }
        let counts = &trees.run(&[flags, &["--json"]].concat()).item("docs")["counts"];
        assert_eq!((&counts["permissions_set"], &counts["copied"]), (&0.into(), &0.into()), "{flags:?}");
    }
}

#[test]
fn a_snapshot_of_the_target_keeps_the_permissions_of_single_names() {
    let trees = linked_trees(&[&["docs/a"]]);
    let (pinned, before) = (pin(&trees, "docs/a"), about(&trees, "docs/a").1);
    chmod(&trees.from.join("docs/a"), 0o600);
    trees.run(&["-H"]);
    assert_eq!(fs::metadata(pinned).unwrap().mode() & 0o777, before);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_snapshot_of_the_target_keeps_the_permissions_of_linked_names() {
    let trees = linked_trees(&[&["docs/a", "docs/deep/b"]]);
    let (pinned, before) = (pin(&trees, "docs/a"), about(&trees, "docs/a"));
    chmod(&trees.from.join("docs/a"), 0o600);
    let counts = trees.run(&["-H", "--json"]).item("docs")["counts"].clone();
    assert_eq!((&counts["permissions_set"], &counts["copied"]), (&0.into(), &2.into()));
    assert_eq!(fs::metadata(pinned).unwrap().mode() & 0o777, before.1);
    assert_eq!(about(&trees, "docs/a"), about(&trees, "docs/deep/b"));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_name_of_another_file_keeps_its_permissions_in_the_target() {
    let trees = linked_trees(&[&["docs/a", "docs/b", "docs/c", "docs/d"]]);
    // The same number of names on both sides, but not the same names.
    ["docs/c", "docs/d"].iter().for_each(|name| fs::remove_file(trees.from.join(name)).unwrap());
    file(&trees.from.join("docs/c"), "text", 1);
    link(&trees, "docs/c", "docs/d");
    link(&trees, "docs/c", "outside");
    link(&trees, "docs/c", "outside-too");
    chmod(&trees.from.join("docs/c"), 0o600);
    for _ in 0..2 {
        assert_eq!(trees.run(&["-H", "--full"]).code, Some(0));
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }
    assert_eq!(about(&trees, "docs/a").0, about(&trees, "docs/b").0);
    assert_eq!(about(&trees, "docs/c").0, about(&trees, "docs/d").0);
}

#[test]
fn names_in_two_file_systems_of_the_target_are_not_copied_in_every_run() {
    let trees = Trees::new();
    file(&trees.from.join("docs/a/file"), "text", 1);
    link(&trees, "docs/a/file", "docs/b/file");
    let mount_point = trees.to.join("docs/b");
    fs::create_dir_all(&mount_point).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&mount_point).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        return skip("no second file system: this machine cannot mount one");
    }
    let copied = || trees.run(&["-H", "--json"]).item("docs")["counts"]["copied"].as_u64().unwrap();
    let counts = [copied(), copied(), copied()];
    Command::new("umount").arg("-l").arg(&mount_point).status().unwrap();
    assert_eq!(counts, [2, 0, 0]);
}

#[test]
fn a_file_that_replaces_a_directory_is_linked_with_its_other_names() {
    for (replaced, other) in [("docs/a", "docs/b"), ("docs/b", "docs/a"), ("docs/inner/a", "docs/z")] {
        let trees = Trees::new();
        file(&trees.from.join(replaced), "text", 1);
        link(&trees, replaced, other);
        for name in ["1", "2"] {
            file(&trees.to.join(replaced).join(name), "old", 1);
        }
        let output = trees.run(&["-H", "--delete", "--yes", "--json"]);
        assert_eq!(output.code, Some(0), "{}", output.stdout);
        assert_eq!(about(&trees, replaced), about(&trees, other));
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
        assert_eq!(trees.run(&["-H", "--json"]).item("docs")["counts"]["copied"], 0);
    }
}
