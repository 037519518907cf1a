//! The program that watches.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::running::Running;
use crate::trees::{Trees, file};

impl Trees {
    /// Starts to watch, and waits for the end of the first run.
    fn watch(&self, flags: &[&str]) -> Running {
        let mut running = Running::start(self.command(&[&["--watch"], flags].concat()));
        running.wait_for("; Ctrl-C ends");
        running
    }
}

fn has(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|found| found == text)
}

#[test]
fn what_changes_on_either_side_is_copied_to_the_other_side() {
    let trees = Trees::new();
    file(&trees.from.join("docs/a"), "a", 1);
    let mut running = trees.watch(&["--two-way"]);
    file(&trees.from.join("docs/b"), "from A", 2);
    running.wait_until(|| has(&trees.to.join("docs/b"), "from A"));
    file(&trees.to.join("docs/a"), "from B", 3);
    running.wait_until(|| has(&trees.from.join("docs/a"), "from B"));
    file(&trees.to.join("new/deep/c"), "new", 4);
    running.wait_until(|| has(&trees.from.join("new/deep/c"), "new"));
    fs::remove_file(trees.from.join("docs/b")).unwrap();
    running.wait_until(|| !trees.to.join("docs/b").exists());
    running.wait_for("docs: 1 deleted");
    running.signal("INT");
    assert_eq!(running.end().code, Some(130));
}

#[test]
fn what_changes_in_the_source_is_mirrored() {
    let trees = Trees::new();
    file(&trees.from.join("docs/a"), "a", 1);
    let mut running = trees.watch(&["--delete"]);
    file(&trees.from.join("docs/b"), "b", 2);
    running.wait_until(|| has(&trees.to.join("docs/b"), "b"));
    fs::remove_file(trees.from.join("docs/a")).unwrap();
    running.wait_until(|| !trees.to.join("docs/a").exists());
    running.signal("TERM");
    assert_eq!(running.end().code, Some(143));
}

#[test]
fn a_conflict_is_one_line_and_the_watch_goes_on() {
    let trees = Trees::new();
    file(&trees.from.join("docs/a"), "a", 1);
    let mut running = trees.watch(&["--two-way"]);
    running.signal("STOP");
    file(&trees.from.join("docs/a"), "one", 2);
    file(&trees.to.join("docs/a"), "other", 3);
    running.signal("CONT");
    running.wait_for("has changed on both sides");
    file(&trees.from.join("docs/b"), "b", 4);
    running.wait_until(|| has(&trees.to.join("docs/b"), "b"));
    running.wait_for("docs: 1 copied (1 B), not done");
    running.signal("INT");
    let output = running.end();
    assert_eq!(output.stdout.matches("has changed on both sides").count(), 1, "{}", output.stdout);
    assert!(has(&trees.from.join("docs/a"), "one") && has(&trees.to.join("docs/a"), "other"));
}

#[test]
fn deletions_that_look_like_a_mistake_fail_until_they_are_undone() {
    let trees = Trees::new();
    (0..20).for_each(|number| file(&trees.from.join(format!("docs/{number}")), "text", 1));
    let mut running = trees.watch(&["--two-way"]);
    running.signal("STOP");
    (0..15).for_each(|number| fs::remove_file(trees.from.join(format!("docs/{number}"))).unwrap());
    running.signal("CONT");
    running.wait_for("end the watch and run once with --yes to delete them");
    assert!(trees.to.join("docs/0").exists());
    (0..15).for_each(|number| file(&trees.from.join(format!("docs/{number}")), "text", 1));
    file(&trees.from.join("docs/new"), "new", 2);
    running.wait_until(|| has(&trees.to.join("docs/new"), "new"));
    running.signal("INT");
    assert_eq!(running.end().code, Some(130));
}

#[test]
fn a_renamed_directory_at_the_top_level_is_moved_and_not_copied() {
    let trees = Trees::new();
    (0..30).for_each(|number| file(&trees.from.join(format!("docs/{number}")), "text", 1));
    let mut running = trees.watch(&["--two-way"]);
    let inode = |path: &str| trees.to.join(path).metadata().ok().map(|about| about.ino());
    let before = inode("docs/0");
    fs::rename(trees.from.join("docs"), trees.from.join("papers")).unwrap();
    running.wait_for("1 moved");
    assert_eq!(inode("papers/0"), before);
    assert!(!trees.to.join("docs").exists());
    fs::create_dir(trees.to.join("archive")).unwrap();
    fs::rename(trees.to.join("papers"), trees.to.join("archive/2026")).unwrap();
    running.wait_until(|| trees.from.join("archive/2026/29").exists() && !trees.from.join("papers").exists());
    running.signal("INT");
    let output = running.end();
    assert!(output.code == Some(130) && !output.stdout.contains("error"), "{}", output.stdout);
    assert!(!output.stdout.contains("archive: 30 copied"), "{}", output.stdout);
}

#[test]
fn other_ignore_rules_concern_all_directories() {
    let trees = Trees::new();
    file(&trees.from.join(".offline_files-ignore"), "*.log\n", 1);
    file(&trees.from.join("docs/a.log"), "a log", 1);
    let mut running = trees.watch(&["--two-way"]);
    assert!(!trees.to.join("docs/a.log").exists());
    file(&trees.from.join(".offline_files-ignore"), "", 2);
    running.wait_until(|| has(&trees.to.join("docs/a.log"), "a log"));
    running.signal("INT");
    assert_eq!(running.end().code, Some(130));
}

#[test]
fn the_deletion_of_one_of_many_directories_is_made() {
    let trees = Trees::new();
    for directory in ["one", "two", "three"] {
        (0..15).for_each(|number| file(&trees.from.join(format!("{directory}/{number}")), "text", 1));
    }
    let mut running = trees.watch(&["--two-way"]);
    fs::remove_dir_all(trees.from.join("two")).unwrap();
    running.wait_until(|| !trees.to.join("two").exists());
    running.signal("INT");
    assert_eq!(running.end().code, Some(130));
}

#[test]
fn a_side_that_vanishes_deletes_nothing_and_is_watched_again_when_it_is_back() {
    let trees = Trees::new();
    file(&trees.from.join("docs/a"), "a", 1);
    let mut running = trees.watch(&["--two-way"]);
    let away = trees.base.path().join("away");
    fs::rename(&trees.to, &away).unwrap();
    running.wait_for("B is missing");
    assert!(trees.from.join("docs/a").exists() && !trees.to.exists());
    fs::rename(&away, &trees.to).unwrap();
    file(&trees.to.join("docs/b"), "b", 2);
    running.wait_until(|| has(&trees.from.join("docs/b"), "b"));
    running.signal("INT");
    assert!(trees.from.join("docs/a").exists() && running.end().code == Some(130));
}

#[test]
fn another_directory_in_the_place_of_a_side_deletes_nothing() {
    let trees = Trees::new();
    file(&trees.from.join("docs/a"), "a", 1);
    let mut running = trees.watch(&["--two-way"]);
    let other = trees.base.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::rename(&trees.to, trees.base.path().join("away")).unwrap();
    fs::rename(&other, &trees.to).unwrap();
    running.wait_for("B is another directory than in the last run");
    assert!(trees.from.join("docs/a").exists());
    running.signal("INT");
    assert_eq!(running.end().code, Some(130));
}

#[test]
fn each_run_that_did_something_is_a_document_in_a_line() {
    let trees = Trees::new();
    file(&trees.from.join("docs/a"), "a", 1);
    let mut running = Running::start(trees.command(&["--watch", "--two-way", "--json"]));
    running.wait_for("\n");
    file(&trees.from.join("docs/b"), "b", 2);
    running.wait_until(|| has(&trees.to.join("docs/b"), "b"));
    running.signal("INT");
    let output = running.end();
    let documents: Vec<serde_json::Value> =
        output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(documents.len() >= 2 && output.stderr.is_empty(), "{}{}", output.stdout, output.stderr);
    assert_eq!(documents[0]["status"], "succeeded");
}
