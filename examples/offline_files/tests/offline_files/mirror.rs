//! The contents of TO after a run.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output};

use serde_json::json;

use crate::trees::{Trees, chmod, file, link, snapshot};

#[test]
fn the_target_equals_the_source_in_contents_times_permissions_and_links() {
    let trees = Trees::full();
    let output = trees.run(&[]);
    assert_eq!(output.code, Some(0), "{}", output.stdout);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn the_items_are_the_source_directories_and_the_top_level() {
    let document = Trees::full().run(&["--json"]).json();
    let items: Vec<_> = document["items"].as_array().unwrap().iter().map(|item| &item["path"]).collect();
    assert_eq!(items, [".", "docs", "tools"]);
}

#[test]
fn an_unchanged_tree_is_not_copied_again() {
    let trees = Trees::full();
    trees.run(&[]);
    let inode = || fs::metadata(trees.to.join("docs/plan.txt")).unwrap().ino();
    let before = inode();
    let output = trees.run(&["--json"]);
    for (item, unchanged) in [(".", 2), ("docs", 4), ("tools", 1)] {
        let counts = json!({
            "copied": 0, "directories_made": 0, "permissions_set": 0, "deleted": 0, "unchanged": unchanged,
        });
        assert_eq!((&output.item(item)["counts"], &output.item(item)["bytes"]), (&counts, &json!(0)), "{item}");
    }
    assert_eq!(inode(), before);
}

#[test]
fn only_files_that_differ_in_size_or_time_are_copied() {
    let trees = Trees::full();
    trees.run(&[]);
    file(&trees.from.join("docs/plan.txt"), "longer plan", 2);
    file(&trees.from.join("top.txt"), "pot", 99);
    let output = trees.run(&["--json"]);
    assert_eq!((&output.item("docs")["counts"]["copied"], &output.item("docs")["bytes"]), (&json!(1), &json!(11)));
    assert_eq!((&output.item(".")["counts"]["copied"], &output.item(".")["bytes"]), (&json!(1), &json!(3)));
    assert_eq!(output.item("tools")["counts"]["copied"], 0);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_changed_file_is_replaced_and_not_written_in_place() {
    let trees = Trees::full();
    trees.run(&[]);
    let old = trees.base.path().join("old");
    fs::hard_link(trees.to.join("docs/plan.txt"), &old).unwrap();
    file(&trees.from.join("docs/plan.txt"), "another plan", 9);
    trees.run(&[]);
    assert_eq!(fs::read_to_string(old).unwrap(), "plan");
    assert_eq!(fs::read_to_string(trees.to.join("docs/plan.txt")).unwrap(), "another plan");
}

#[test]
fn changed_permissions_are_updated_without_a_copy() {
    let trees = Trees::full();
    trees.run(&[]);
    chmod(&trees.from.join("tools/run.sh"), 0o700);
    chmod(&trees.from.join("docs/empty"), 0o700);
    let output = trees.run(&["--json"]);
    assert_eq!(
        (&output.item("tools")["counts"]["permissions_set"], &output.item("tools")["bytes"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_missing_target_is_created() {
    let trees = Trees::full();
    fs::remove_dir(&trees.to).unwrap();
    assert_eq!(trees.run(&[]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn source_and_target_may_be_links() {
    let trees = Trees::full();
    fs::rename(&trees.from, trees.base.path().join("real-from")).unwrap();
    fs::rename(&trees.to, trees.base.path().join("real-to")).unwrap();
    link(&trees.from, "real-from");
    link(&trees.to, "real-to");
    assert_eq!(trees.run(&[]).code, Some(0));
    assert_eq!(snapshot(&trees.base.path().join("real-to")), snapshot(&trees.base.path().join("real-from")));
}

#[test]
fn one_job_mirrors_hundreds_of_files() {
    let trees = Trees::full();
    for number in 0..600 {
        file(&trees.from.join(format!("many/{number}")), "x", 1);
    }
    assert_eq!(trees.run(&["--jobs", "1"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_hundred_open_files_suffice_for_more_directories_than_that() {
    let trees = Trees::full();
    for number in 0..100 {
        file(&trees.from.join(format!("many/{number}/file")), "x", 1);
    }
    let output = with_open_files("-n 100", trees.command(&["--jobs", "1"]));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_low_limit_of_open_files_is_raised_if_there_are_many_jobs() {
    let trees = Trees::full();
    for number in 0..40 {
        file(&trees.from.join(format!("{number}/inner/file")), "x", 1);
    }
    let output = with_open_files("-Sn 40", trees.command(&["--jobs", "40"]));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

/// Runs the program with a limit of open files, an option of `ulimit`.
pub(crate) fn with_open_files(limit: &str, run: Command) -> Output {
    let mut limited = Command::new("sh");
    let script = format!("ulimit {limit} && exec \"$0\" \"$@\"");
    limited.args(["-c", &script]).arg(run.get_program()).args(run.get_args());
    limited.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.output().unwrap()
}
