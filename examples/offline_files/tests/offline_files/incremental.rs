//! Incremental and full scans.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::{fs::inotify, io::Errno};
use serde_json::{Value, json};

use crate::program::RunOutput;
use crate::skip::skip;
use crate::trees::{Trees, file, link, snapshot};

/// Trees in sync, with a complete record. It is complete once the trees are older than the longest write, and it takes a second
/// run, which compares the directories that the first has just changed.
fn synced_trees() -> Trees {
    let trees = Trees::full();
    run_until_settled(&trees, &[]);
    trees
}

pub(crate) fn run_until_settled(trees: &Trees, flags: &[&str]) {
    repeat_until_settled(trees, || assert_eq!(trees.run(flags).code, Some(0)));
}

pub(crate) fn repeat_until_settled(trees: &Trees, run: impl Fn()) {
    // The clock of the file system.
    let now = || {
        fs::write(trees.base.path().join("clock"), "").unwrap();
        fs::metadata(trees.base.path().join("clock")).unwrap().modified().unwrap()
    };
    let settled = now() + Duration::from_millis(300);
    while now() < settled {
        run();
    }
    run();
}

/// The scope of a run, and the reason for a full scan.
fn scan_scope(output: &RunOutput) -> (Value, Value) {
    let document = output.json();
    (document["compared"].clone(), document["reason"].clone())
}

fn full_scan(reason: &str) -> (Value, Value) {
    (json!("all"), json!(reason))
}

fn changes_only() -> (Value, Value) {
    (json!("changes"), Value::Null)
}

/// Writes to a file in TO, which does not alter the metadata of its directory.
fn tamper(trees: &Trees) {
    fs::write(trees.to.join("docs/plan.txt"), "changed in place").unwrap();
}

fn is_tampered_with(trees: &Trees) -> bool {
    fs::read_to_string(trees.to.join("docs/plan.txt")).unwrap() == "changed in place"
}

#[test]
fn the_first_run_compares_everything_and_the_next_only_changes() {
    let trees = Trees::full();
    assert_eq!(scan_scope(&trees.run(&["--json"])), full_scan("there is no record of an earlier run"));
    assert_eq!(scan_scope(&trees.run(&["--json"])), changes_only());
}

#[test]
fn changed_target_files_are_corrected_only_with_full() {
    let trees = synced_trees();
    tamper(&trees);
    let output = trees.run(&["--json"]);
    assert_eq!((output.code, scan_scope(&output)), (Some(0), changes_only()));
    assert_eq!(output.item("docs")["counts"]["unchanged"], 4);
    assert!(is_tampered_with(&trees));
    let output = trees.run(&["--full", "--json"]);
    assert_eq!((output.code, scan_scope(&output)), (Some(0), full_scan("--full was given")));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_twin_of_equal_size_and_time_is_copied() {
    let trees = synced_trees();
    let path = trees.from.join("docs/plan.txt");
    fs::remove_file(&path).unwrap();
    file(&path, "nalp", 2);
    assert_eq!(trees.run(&["--json"]).item("docs")["counts"]["copied"], 1);
    file(&path, "palm", 2);
    assert_eq!(trees.run(&["--full", "--json"]).item("docs")["counts"]["copied"], 1);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_twin_is_copied_also_if_the_disk_has_a_new_device_number() {
    let trees = synced_trees();
    let state = trees.run(&["--json"]).json()["state"]["path"].as_str().unwrap().to_owned();
    let sql = r#"UPDATE items SET checkpoint = replace(checkpoint, '"to":"', '"to":"9')"#;
    assert_eq!(rusqlite::Connection::open(state).unwrap().execute(sql, []).unwrap(), 3);
    let path = trees.from.join("docs/plan.txt");
    fs::remove_file(&path).unwrap();
    file(&path, "nalp", 2);
    let output = trees.run(&["--json"]);
    assert_eq!(scan_scope(&output), full_scan("TO is a different directory than before"));
    assert_eq!(output.item("docs")["counts"]["copied"], 1);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn contents_are_compared_with_checksum_alone() {
    let trees = synced_trees();
    let path = trees.to.join("docs/plan.txt");
    file(&path, "palm", 2);
    trees.run(&["--full"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "palm");
    for flags in [&["--checksum", "--json"][..], &["--checksum", "--no-state", "--json"]] {
        file(&path, "palm", 2);
        let output = trees.run(flags);
        assert_eq!((output.code, scan_scope(&output)), (Some(0), full_scan("--checksum was given")));
        assert_eq!(output.item("docs")["counts"]["copied"], 1);
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }
}

#[test]
fn target_entries_created_renamed_or_removed_are_corrected() {
    let trees = synced_trees();
    fs::remove_file(trees.to.join("docs/deep/er/empty")).unwrap();
    fs::rename(trees.to.join("top.txt"), trees.to.join("pot.txt")).unwrap();
    file(&trees.to.join("tools/more/new"), "new", 1);
    fs::remove_dir(trees.to.join("docs/empty")).unwrap();
    let output = trees.run(&["--delete", "--json"]);
    assert_eq!((output.code, scan_scope(&output)), (Some(0), changes_only()));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn only_changes_in_the_source_are_copied() {
    let trees = synced_trees();
    file(&trees.from.join("docs/deep/er/empty"), "no longer", 3);
    file(&trees.from.join("new/file"), "new", 3);
    let output = trees.run(&["--json"]);
    assert_eq!(
        (&output.item("docs")["counts"]["copied"], &output.item("new")["counts"]["copied"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(output.item("new")["reason"], "there is no record of an earlier run");
    assert_eq!(scan_scope(&output), changes_only());
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn extra_entries_are_deleted_by_a_later_run_with_delete() {
    let trees = Trees::full();
    file(&trees.to.join("docs/old"), "old", 1);
    run_until_settled(&trees, &[]);
    assert_eq!(trees.run(&["--delete"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_replaced_target_is_compared_in_full() {
    let trees = synced_trees();
    fs::rename(&trees.to, trees.base.path().join("away")).unwrap();
    fs::create_dir(&trees.to).unwrap();
    let output = trees.run(&["--json"]);
    assert_eq!((output.code, scan_scope(&output)), (Some(0), full_scan("TO is a different directory than before")));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn an_emptied_target_is_filled_again_even_with_delete() {
    for flags in [&[][..], &["--delete"]] {
        let trees = synced_trees();
        for name in ["docs", "tools"] {
            fs::remove_dir_all(trees.to.join(name)).unwrap();
        }
        fs::remove_file(trees.to.join("top.txt")).unwrap();
        let output = trees.run(flags);
        assert_eq!(output.code, Some(0), "{}", output.stdout);
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }
}

#[test]
fn a_target_restored_from_a_copy_is_compared_in_full() {
    let trees = synced_trees();
    tamper(&trees);
    let copy = trees.base.path().join("copy");
    assert!(Command::new("cp").arg("-a").arg(&trees.to).arg(&copy).status().unwrap().success());
    fs::remove_dir_all(&trees.to).unwrap();
    fs::rename(&copy, &trees.to).unwrap();
    let output = trees.run(&["--json"]);
    assert_eq!(scan_scope(&output), full_scan("TO is a different directory than before"));
    assert!(!is_tampered_with(&trees));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_replaced_source_is_compared_in_full() {
    let trees = synced_trees();
    tamper(&trees);
    let copy = trees.base.path().join("copy");
    assert!(Command::new("cp").arg("-a").arg(&trees.from).arg(&copy).status().unwrap().success());
    fs::rename(&trees.from, trees.base.path().join("away")).unwrap();
    fs::rename(&copy, &trees.from).unwrap();
    let output = trees.run(&["--json"]);
    assert_eq!(scan_scope(&output), full_scan("FROM is a different directory than before"));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_missing_state_or_one_of_another_pair_causes_a_full_scan() {
    let (trees, other) = (synced_trees(), synced_trees());
    tamper(&trees);
    let state = other.run(&["--json"]).json()["state"]["path"].as_str().unwrap().to_owned();
    let output = trees.run(&["--json", "--state", &state]);
    assert_eq!(scan_scope(&output), full_scan("TO is a different directory than before"));
    assert!(!is_tampered_with(&trees));
    tamper(&trees);
    fs::remove_dir_all(trees.base.path().join("state")).unwrap();
    let output = trees.run(&["--json"]);
    assert_eq!((output.code, scan_scope(&output)), (Some(0), full_scan("there is no record of an earlier run")));
    assert!(!is_tampered_with(&trees));
}

#[test]
#[cfg(target_os = "linux")]
fn a_renamed_file_at_the_top_level_is_no_reason_to_list_all_of_the_target() {
    let trees = Trees::full();
    fs::remove_file(trees.from.join("elsewhere")).unwrap();
    run_until_settled(&trees, &[]);
    fs::rename(trees.from.join("top.txt"), trees.from.join("renamed.txt")).unwrap();
    let listings = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&listings, trees.to.join("docs"), inotify::WatchFlags::ACCESS).unwrap();
    assert_eq!(trees.run(&["--delete"]).code, Some(0));
    assert_eq!(rustix::io::read(&listings, &mut [0; 1024]), Err(Errno::AGAIN));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn without_a_state_file_everything_is_compared() {
    let trees = synced_trees();
    tamper(&trees);
    fs::remove_dir_all(trees.base.path().join("state")).unwrap();
    let output = trees.run(&["--no-state", "--json"]);
    assert_eq!((scan_scope(&output), &output.json()["state"]), (full_scan("no state is stored"), &Value::Null));
    assert!(!is_tampered_with(&trees));
    assert!(!trees.base.path().join("state").exists());
}

#[test]
fn a_disk_whose_recorded_identity_is_hidden_now_is_no_other_disk() {
    let trees = synced_trees();
    let state = trees.run(&["--json"]).json()["state"]["path"].as_str().unwrap().to_owned();
    let with_uuid = |side| format!("'$[{side}].identity', 'UUID 1, ' || json_extract(sides, '$[{side}].identity')");
    let sql = format!("UPDATE items SET sides = json_set(sides, {}, {})", with_uuid(0), with_uuid(1));
    assert!(rusqlite::Connection::open(&state).unwrap().execute(&sql, []).unwrap() > 0);
    for name in ["docs/plan.txt", "top.txt"] {
        fs::remove_file(trees.from.join(name)).unwrap();
        assert_eq!(trees.run(&["--delete"]).code, Some(0));
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_target_on_another_disk_holds_the_whole_run_until_yes_is_given() {
    let disk = Path::new("/dev/shm");
    let trees = synced_trees();
    let device = |path: &Path| fs::metadata(path).map(|about| about.dev()).ok();
    if device(disk).is_none() || device(disk) == device(&trees.to) {
        return skip("there is no second file system in /dev/shm");
    }
    let state = trees.run(&["--json"]).json()["state"]["path"].as_str().unwrap().to_owned();
    // An item that was never carried out does not know the disk.
    let sql = "UPDATE items SET sides = NULL WHERE item = (SELECT item FROM names WHERE name = '.')";
    assert_eq!(rusqlite::Connection::open(&state).unwrap().execute(sql, []).unwrap(), 1);
    let other = tempfile::tempdir_in(disk).unwrap();
    fs::rename(&trees.to, trees.base.path().join("away")).unwrap();
    link(&trees.to, other.path().join("new"));
    file(&trees.from.join("new-item/file"), "new", 1);
    let run = |flags: &[&str]| trees.run(&[&["--json", "--state", &state], flags].concat());
    fs::create_dir(other.path().join("new")).unwrap();
    for flags in [&[][..], &["--delete"]] {
        let output = run(flags);
        assert_eq!((output.code, output.stderr.as_str()), (Some(1), ""));
        let message = output.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        let start = "nothing was done: TO is on another disk than in the last run: ";
        assert!(message.starts_with(start), "{message}");
        assert_eq!(fs::read_dir(other.path().join("new")).unwrap().count(), 0);
    }
    // A missing TO is not created on the wrong disk either.
    fs::remove_file(&trees.to).unwrap();
    let missing = other.path().join("missing");
    let output: RunOutput = crate::program::command_with_home(crate::program::PROGRAM, trees.base.path())
        .args(["--state", &state])
        .arg(&trees.from)
        .arg(&missing)
        .output()
        .unwrap()
        .into();
    assert_eq!((output.code, missing.exists()), (Some(1), false));
    link(&trees.to, other.path().join("new"));
    assert_eq!(run(&["--yes"]).code, Some(0));
    assert_eq!(run(&["--delete"]).code, Some(0));
    assert_eq!(snapshot(&other.path().join("new")), snapshot(&trees.from));
}
