//! Runs in both directions.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use futures::executor::block_on;
use serde_json::json;
use syncmgr::HandlerId;
use syncmgr::log::Action;
use syncmgr::store::{SqliteStore, StateChange, StateStore};

use crate::program::RunOutput;
use crate::running::{Running, huge};
use crate::trees::{Trees, chmod, file, link, snapshot};

/// The id of the handler.
const HANDLER: HandlerId = HandlerId::from_u128(0xa1c9_f0d7_6b1e_4c7a_8f64_0d5b_7e2c_4a93);

impl Trees {
    pub(crate) fn synchronize(&self, flags: &[&str]) -> RunOutput {
        self.run(&[&["--two-way", "--json"], flags].concat())
    }

    /// Synchronizes, which must succeed and make both sides equal.
    pub(crate) fn settle(&self, flags: &[&str]) -> RunOutput {
        let output = self.synchronize(flags);
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
        assert_eq!(names_and_contents(&self.from), names_and_contents(&self.to));
        output
    }

    pub(crate) fn synchronized(names: &[&str]) -> Self {
        let trees = Self::new();
        names.iter().for_each(|name| file(&trees.from.join(name), name, 1));
        trees.settle(&[]);
        trees
    }
}

/// Everything but the times of directories.
fn names_and_contents(root: &Path) -> Vec<(std::path::PathBuf, u32, Option<i64>, Vec<u8>)> {
    let time = |path: &Path, time| (!root.join(path).symlink_metadata().unwrap().is_dir()).then_some(time);
    let all = snapshot(root).into_iter();
    all.map(|(path, (mode, seconds, _, contents))| (path.clone(), mode, time(&path, seconds), contents)).collect()
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn changes_of_both_sides_are_copied_to_the_other_side() {
    let trees = Trees::full();
    file(&trees.to.join("pics/cat.jpg"), "cat", 1);
    trees.settle(&[]);
    file(&trees.from.join("docs/plan.txt"), "new plan", 5);
    file(&trees.to.join("docs/other.txt"), "other", 6);
    fs::remove_file(trees.to.join("tools/run.sh")).unwrap();
    fs::remove_file(trees.from.join("docs/latest")).unwrap();
    link(&trees.from.join("docs/latest"), "other.txt");
    chmod(&trees.to.join("pics"), 0o700);
    trees.settle(&[]);
    assert_eq!(read(trees.to.join("docs/plan.txt")), "new plan");
    assert_eq!(read(trees.from.join("docs/other.txt")), "other");
    assert!(!trees.from.join("tools/run.sh").exists());
    assert_eq!(trees.settle(&[]).item("docs")["counts"]["copied"], json!(0));
}

#[test]
fn a_conflict_overwrites_nothing_and_stays_open() {
    let trees = Trees::synchronized(&["docs/a", "docs/b"]);
    file(&trees.from.join("docs/a"), "one", 2);
    file(&trees.to.join("docs/a"), "other", 3);
    file(&trees.to.join("docs/b"), "unopposed", 3);
    for _ in 0..2 {
        let output = trees.synchronize(&[]);
        assert_eq!((output.code, &output.item("docs")["status"]), (Some(1), &json!("not_done")));
        assert_eq!(output.item("docs")["errors"][0]["path"], "docs/a");
        assert_eq!([read(trees.from.join("docs/a")), read(trees.to.join("docs/a"))], ["one", "other"]);
        assert_eq!(read(trees.from.join("docs/b")), "unopposed");
    }
}

#[test]
fn an_answer_decides_a_conflict_also_between_a_file_and_a_directory() {
    let trees = Trees::synchronized(&["docs/a", "docs/b"]);
    file(&trees.from.join("docs/a"), "one", 2);
    fs::remove_file(trees.to.join("docs/a")).unwrap();
    file(&trees.to.join("docs/a/inner"), "inner", 3);
    let output = trees.synchronize(&[]);
    let state = output.json()["state"]["path"].as_str().unwrap().to_owned();
    let store = SqliteStore::open(state).unwrap();
    let question = store.log(HANDLER).unwrap().into_iter().rev().find_map(|record| match &record.entry.action {
        Some(Action::Decide(question)) => Some((record.entry.item?, (**question).clone())),
        _ => None,
    });
    let (item, question) = question.expect("the log has a question");
    assert!(question.text.starts_with("docs/a is a directory in B"), "{}", question.text);
    let choice = question.choices.iter().position(|choice| &**choice == "keep both").unwrap();
    block_on(store.write(vec![StateChange::Answered { handler: HANDLER, item, question, choice }])).unwrap();
    drop(store);
    trees.settle(&[]);
    assert_eq!(read(trees.to.join("docs/a (A)")), "one");
    assert_eq!(read(trees.from.join("docs/a/inner")), "inner");
}

#[test]
fn each_policy_decides_conflicts() {
    for (policy, kept) in [("A", "older"), ("B", "newer"), ("newer", "newer"), ("keep-both", "newer")] {
        let trees = Trees::synchronized(&["docs/a.txt"]);
        file(&trees.from.join("docs/a.txt"), "older", 2);
        file(&trees.to.join("docs/a.txt"), "newer", 3);
        trees.settle(&["--conflict", policy]);
        assert_eq!(read(trees.from.join("docs/a.txt")), kept, "{policy}");
        let other = trees.to.join("docs/a (A).txt");
        assert_eq!(other.exists().then(|| read(other)), (policy == "keep-both").then(|| "older".into()));
    }
}

#[test]
fn equal_edits_of_both_sides_are_agreed() {
    let trees = Trees::synchronized(&["docs/a"]);
    file(&trees.from.join("docs/a"), "same", 2);
    file(&trees.to.join("docs/a"), "same", 9);
    assert_eq!(trees.synchronize(&[]).code, Some(0));
    file(&trees.from.join("docs/a"), "later", 10);
    trees.settle(&[]);
    assert_eq!(read(trees.to.join("docs/a")), "later");
}

#[test]
fn a_change_survives_a_deletion_of_its_directory() {
    let trees = Trees::synchronized(&["docs/deep/a", "docs/deep/b", "docs/c"]);
    file(&trees.from.join("docs/deep/a"), "changed", 2);
    fs::remove_dir_all(trees.to.join("docs/deep")).unwrap();
    trees.settle(&[]);
    assert_eq!(read(trees.to.join("docs/deep/a")), "changed");
    assert!(!trees.from.join("docs/deep/b").exists());
}

#[test]
fn a_renamed_directory_is_moved_with_what_the_other_side_changed_in_it() {
    let trees = Trees::synchronized(&["docs/deep/a", "docs/deep/b", "pics/c"]);
    let inode = |path: &str| trees.to.join(path).metadata().unwrap().ino();
    let before = [inode("docs"), inode("docs/deep/a")];
    fs::rename(trees.from.join("docs"), trees.from.join("pics/papers")).unwrap();
    fs::rename(trees.from.join("pics/papers/deep"), trees.from.join("pics/papers/DEEP")).unwrap();
    file(&trees.to.join("docs/deep/b"), "changed", 2);
    let output = trees.settle(&[]);
    assert_eq!([inode("pics/papers"), inode("pics/papers/DEEP/a")], before);
    assert_eq!(read(trees.from.join("pics/papers/DEEP/b")), "changed");
    assert_eq!(output.item("pics")["counts"]["copied"], json!(1));
}

#[test]
fn directories_that_have_changed_places_do_so_on_the_other_side() {
    let trees = Trees::synchronized(&["docs/old/a", "docs/new/b", "docs/log", "docs/log.1"]);
    let inode = |path: &str| trees.to.join(path).metadata().unwrap().ino();
    let paths = ["docs/old/a", "docs/new/b", "docs/log", "docs/log.1"];
    let [a, b, log, older] = paths.map(inode);
    for (one, other) in [("docs/old", "docs/new"), ("docs/log", "docs/log.1")] {
        let (one, other, free) = (trees.from.join(one), trees.from.join(other), trees.from.join("free"));
        fs::rename(&one, &free).unwrap();
        fs::rename(&other, &one).unwrap();
        fs::rename(&free, &other).unwrap();
    }
    let output = trees.settle(&[]);
    assert_eq!(["docs/new/a", "docs/old/b", "docs/log.1", "docs/log"].map(inode), [a, b, log, older]);
    let counts = &output.item("docs")["counts"];
    assert_eq!((&counts["moved"], &counts["copied"], &counts["deleted"]), (&json!(4), &json!(0), &json!(0)));
    assert_eq!(trees.settle(&[]).item("docs")["counts"]["moved"], json!(null));
}

#[test]
fn an_unchanged_pair_reads_no_contents_and_stores_nothing() {
    let trees = Trees::synchronized(&["docs/a"]);
    let state = |output: &RunOutput| output.json()["items"].clone();
    let output = trees.settle(&[]);
    assert!(state(&output)[1]["counts"]["unchanged"] == 1, "{}", output.stdout);
}

#[test]
fn an_edit_with_size_and_time_put_back_is_found() {
    let trees = Trees::synchronized(&["docs/a"]);
    file(&trees.from.join("docs/a"), "docs/b", 1);
    trees.settle(&[]);
    assert_eq!(read(trees.to.join("docs/a")), "docs/b");
    trees.settle(&["--checksum"]);
}

#[test]
fn an_edit_with_its_time_put_back_is_found_behind_a_new_name() {
    let trees = Trees::synchronized(&["docs/a", "docs/b", "docs/c", "docs/d"]);
    for (name, text) in [("docs/a", "docs/1"), ("docs/b", "docs/2"), ("docs/c", "docs/3"), ("docs/d", "docs/4")] {
        file(&trees.from.join(name), text, 1);
    }
    let path = |name: &str| trees.from.join("docs").join(name);
    fs::rename(path("a"), path("moved")).unwrap();
    chmod(&path("b"), 0o755);
    fs::rename(path("c"), path("free")).unwrap();
    fs::rename(path("d"), path("c")).unwrap();
    fs::rename(path("free"), path("d")).unwrap();
    trees.settle(&[]);
    let texts = ["moved", "b", "c", "d"].map(|name| read(trees.to.join("docs").join(name)));
    assert_eq!(texts, ["docs/1", "docs/2", "docs/4", "docs/3"]);
    assert_eq!(trees.settle(&[]).item("docs")["counts"]["copied"], json!(0));
}

#[test]
fn a_new_name_on_one_side_and_an_edit_on_the_other_are_merged() {
    let trees = Trees::synchronized(&["docs/a", "docs/b"]);
    fs::rename(trees.from.join("docs/a"), trees.from.join("docs/moved")).unwrap();
    chmod(&trees.from.join("docs/b"), 0o755);
    file(&trees.to.join("docs/a"), "a, longer", 2);
    file(&trees.to.join("docs/b"), "b, longer", 2);
    trees.settle(&[]);
    assert_eq!(["docs/moved", "docs/b"].map(|name| read(trees.from.join(name))), ["a, longer", "b, longer"]);
    assert!(!trees.from.join("docs/a").exists());
}

#[test]
fn an_edit_with_an_earlier_time_is_copied() {
    let trees = Trees::synchronized(&["docs/a"]);
    file(&trees.to.join("docs/a"), "the clock was set back", 0);
    trees.settle(&[]);
    assert_eq!(read(trees.from.join("docs/a")), "the clock was set back");
}

#[test]
fn a_file_becomes_a_directory_and_back() {
    let trees = Trees::synchronized(&["docs/a", "docs/b", "top"]);
    for name in ["docs/a", "top"] {
        fs::remove_file(trees.from.join(name)).unwrap();
        file(&trees.from.join(name).join("inner"), "inner", 2);
    }
    trees.settle(&[]);
    for name in ["docs/a", "top"] {
        fs::remove_dir_all(trees.to.join(name)).unwrap();
        file(&trees.to.join(name), "back", 3);
    }
    trees.settle(&[]);
    assert_eq!(read(trees.from.join("top")), "back");
}

#[test]
fn a_directory_at_the_top_becomes_a_file_and_a_directory_again() {
    let trees = Trees::synchronized(&["top/first"]);
    fs::remove_dir_all(trees.from.join("top")).unwrap();
    file(&trees.from.join("top"), "a file", 2);
    trees.settle(&[]);
    fs::remove_file(trees.from.join("top")).unwrap();
    file(&trees.from.join("top/second"), "second", 3);
    trees.settle(&[]);
    assert_eq!(read(trees.to.join("top/second")), "second");
    assert!(!trees.to.join("top/first").exists());
}

#[test]
fn what_is_replaced_or_deleted_is_kept_on_its_side_and_never_synchronized() {
    let trees = Trees::synchronized(&["docs/deep/a", "docs/b", "c"]);
    file(&trees.from.join("docs/deep/a"), "changed", 2);
    fs::remove_file(trees.from.join("docs/b")).unwrap();
    assert_eq!(trees.synchronize(&["--keep-replaced", "7"]).code, Some(0));
    let kept = trees.to.join(".offline_files-kept");
    let days: Vec<_> = fs::read_dir(&kept).unwrap().map(|day| day.unwrap().path()).collect();
    assert_eq!(days.len(), 1);
    assert_eq!([read(days[0].join("docs/deep/a")), read(days[0].join("docs/b"))], ["docs/deep/a", "docs/b"]);
    fs::rename(&days[0], kept.join("2001-02-03")).unwrap();
    assert_eq!(trees.synchronize(&["--keep-replaced", "7"]).code, Some(0));
    assert!(!trees.from.join(".offline_files-kept").exists() && !kept.join("2001-02-03").exists());
    assert_eq!(read(trees.to.join("docs/deep/a")), "changed");
}

#[test]
fn a_snapshot_with_hard_links_is_no_change_of_the_files_in_it() {
    let trees = Trees::synchronized(&["docs/edited", "docs/deleted", "docs/c"]);
    let snapshot = trees.base.path().join("snapshot");
    fs::create_dir(&snapshot).unwrap();
    for side in [&trees.from, &trees.to] {
        for name in ["edited", "deleted"] {
            let link = snapshot.join(format!("{name} {}", side == &trees.from));
            fs::hard_link(side.join("docs").join(name), link).unwrap();
        }
    }
    file(&trees.to.join("docs/edited"), "an edit", 2);
    fs::remove_file(trees.to.join("docs/deleted")).unwrap();
    assert_eq!(trees.synchronize(&["--conflict", "A"]).code, Some(0));
    assert_eq!(read(trees.from.join("docs/edited")), "an edit");
    assert!(!trees.from.join("docs/deleted").exists());
}

#[test]
fn a_hard_link_more_and_an_edit_of_the_other_name_arrive_together() {
    let trees = Trees::synchronized(&["docs/a"]);
    fs::hard_link(trees.from.join("docs/a"), trees.from.join("docs/b")).unwrap();
    file(&trees.to.join("docs/a"), "an edit", 2);
    trees.settle(&[]);
    assert_eq!([read(trees.from.join("docs/a")), read(trees.to.join("docs/b"))], ["an edit", "docs/a"]);
}

#[test]
fn a_file_that_takes_the_place_of_another_of_the_same_time_is_not_lost() {
    let trees = Trees::new();
    ["one", "two"].iter().for_each(|name| file(&trees.from.join("docs").join(name), name, 1));
    trees.settle(&[]);
    fs::rename(trees.from.join("docs/two"), trees.from.join("docs/one")).unwrap();
    fs::remove_file(trees.to.join("docs/one")).unwrap();
    trees.settle(&[]);
    assert_eq!(read(trees.to.join("docs/one")), "two");
}

#[test]
fn a_directory_that_both_sides_have_deleted_can_be_restored_with_its_times() {
    let trees = Trees::synchronized(&["docs/a", "docs/deep/b", "pics/c"]);
    let backup = trees.base.path().join("backup");
    fs::rename(trees.from.join("docs"), &backup).unwrap();
    fs::remove_dir_all(trees.to.join("docs")).unwrap();
    trees.settle(&[]);
    fs::rename(&backup, trees.from.join("docs")).unwrap();
    trees.settle(&[]);
    assert_eq!(read(trees.to.join("docs/deep/b")), "docs/deep/b");
    assert!(trees.from.join("docs/a").exists());
}

#[test]
fn what_is_kept_gets_another_name_if_need_be() {
    let trees = Trees::new();
    let long = "x".repeat(255);
    file(&trees.from.join("docs/name"), "a file", 1);
    file(&trees.from.join("docs").join(&long), "1", 1);
    let settle = || assert_eq!(trees.synchronize(&["--keep-replaced", "7"]).code, Some(0));
    settle();
    fs::remove_file(trees.from.join("docs/name")).unwrap();
    file(&trees.from.join("docs").join(&long), "22", 2);
    settle();
    file(&trees.from.join("docs/name/a"), "in a directory", 1);
    file(&trees.from.join("docs").join(&long), "333", 3);
    settle();
    fs::remove_file(trees.from.join("docs/name/a")).unwrap();
    settle();
    let day = fs::read_dir(trees.to.join(".offline_files-kept")).unwrap().next().unwrap().unwrap().path().join("docs");
    let kept = [day.join("name"), day.join("name 2/a"), day.join(&long), day.join(format!("{} 2", "x".repeat(253)))];
    assert_eq!(kept.map(read), ["a file", "in a directory", "1", "22"]);
}

#[test]
fn what_was_agreed_about_moved_entries_survives_a_run_that_is_stopped() {
    let trees = Trees::new();
    (1..10).for_each(|number| file(&trees.from.join(format!("photos/{number}")), "a photo", 1));
    trees.settle(&[]);
    fs::rename(trees.from.join("photos"), trees.from.join("zmusic")).unwrap();
    fs::remove_file(trees.from.join("zmusic/1")).unwrap();
    file(&trees.from.join("zmusic/2"), "edited", 2);
    huge(&trees.from.join("zmusic/huge"));
    let mut running = Running::start(trees.command(&["--two-way", "--jobs", "1"]));
    running.wait_until(|| trees.to.join("zmusic/huge").exists());
    running.signal("INT");
    assert_eq!(running.end().code, Some(130));
    fs::remove_dir_all(trees.from.join("zmusic/huge")).unwrap();
    let output = trees.settle(&[]);
    assert!(!trees.from.join("zmusic/1").exists() && !trees.to.join("zmusic/1").exists(), "{}", output.stdout);
    assert_eq!(read(trees.to.join("zmusic/2")), "edited");
}

#[test]
fn a_new_directory_with_other_files_is_no_renamed_one() {
    let trees = Trees::new();
    (1..7).for_each(|number| file(&trees.from.join(format!("photos/{number}")), "a photo", 1));
    (1..60).for_each(|number| file(&trees.from.join(format!("other/{number}")), "text", 1));
    trees.settle(&[]);
    // The file system may reuse the inode numbers.
    fs::remove_dir_all(trees.from.join("photos")).unwrap();
    file(&trees.from.join("music/song"), "a song", 1);
    trees.settle(&[]);
    assert_eq!(fs::read_dir(trees.to.join("music")).unwrap().count(), 1);
}

#[test]
fn an_ignored_entry_is_left_alone_and_a_new_rule_deletes_nothing() {
    let trees = Trees::synchronized(&["docs/a", "docs/b.tmp", "build/c"]);
    file(&trees.from.join(".offline_files-ignore"), "*.tmp\n/build/\n", 1);
    fs::remove_file(trees.from.join("docs/b.tmp")).unwrap();
    fs::remove_dir_all(trees.to.join("build")).unwrap();
    assert_eq!(trees.synchronize(&[]).code, Some(0));
    assert!(trees.to.join("docs/b.tmp").exists() && trees.from.join("build/c").exists());
    fs::remove_dir_all(trees.from.join("docs")).unwrap();
    for _ in 0..2 {
        let output = trees.synchronize(&[]);
        assert!(trees.to.join("docs/b.tmp").exists() && !trees.to.join("docs/a").exists());
        assert!(!trees.from.join("docs").exists());
        let stays = "was deleted in A, but stays in B: it has entries that are not synchronized";
        assert_eq!(output.item("docs")["warnings"], json!([{"path": "docs", "message": stays}]));
    }
    assert_eq!(trees.synchronize(&["--ignore-file", "/no/such/file"]).code, Some(1));
}

#[test]
fn a_rule_that_one_side_removes_no_longer_applies() {
    let trees = Trees::new();
    file(&trees.from.join(".offline_files-ignore"), "*.tmp\nbuild\n", 1);
    file(&trees.from.join("build/a"), "a", 1);
    file(&trees.from.join("docs/b.tmp"), "b", 1);
    assert_eq!(trees.synchronize(&[]).code, Some(0));
    assert!(!trees.to.join("build").exists());
    file(&trees.to.join(".offline_files-ignore"), "*.tmp\n", 2);
    assert_eq!(trees.synchronize(&[]).code, Some(0));
    assert!(trees.to.join("build/a").exists() && !trees.to.join("docs/b.tmp").exists());
    fs::remove_file(trees.from.join(".offline_files-ignore")).unwrap();
    trees.settle(&[]);
    assert!(trees.to.join("docs/b.tmp").exists() && !trees.to.join(".offline_files-ignore").exists());
}

#[test]
fn what_is_agreed_about_many_files_fits_the_checkpoint_of_their_directory() {
    let trees = Trees::new();
    fs::create_dir(trees.from.join("docs")).unwrap();
    (0..16_000).for_each(|number| fs::write(trees.from.join(format!("docs/file-{number}")), "").unwrap());
    trees.settle(&[]);
    fs::remove_file(trees.to.join("docs/file-7")).unwrap();
    assert_eq!(trees.settle(&[]).item("docs")["counts"]["deleted"], json!(1));
}
