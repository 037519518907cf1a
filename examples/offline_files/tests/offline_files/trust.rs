//! When the state is taken at its word, and when everything is compared.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::program::Ran;
use crate::trees::{Trees, file, link, snapshot};

/// Runs until nothing is new any more: what a run has made may be too young to be trusted by the next.
fn settled() -> Trees {
    let trees = Trees::full();
    for _ in 0..3 {
        assert_eq!(trees.run(&[]).code, Some(0));
    }
    trees
}

/// How much was compared, and why.
fn compared(ran: &Ran) -> (Value, Value) {
    let document = ran.json();
    (document["compared"].clone(), document["reason"].clone())
}

fn all(reason: &str) -> (Value, Value) {
    (json!("all"), json!(reason))
}

fn changes() -> (Value, Value) {
    (json!("changes"), Value::Null)
}

/// Writes into a file of TO, of which no directory can tell.
fn tamper(trees: &Trees) {
    fs::write(trees.to.join("docs/plan.txt"), "written by somebody").unwrap();
}

fn is_tampered_with(trees: &Trees) -> bool {
    fs::read_to_string(trees.to.join("docs/plan.txt")).unwrap() == "written by somebody"
}

#[test]
fn the_first_run_compares_everything_and_the_next_what_changed() {
    let trees = Trees::full();
    assert_eq!(compared(&trees.run(&["--json"])), all("nothing is recorded of it yet"));
    assert_eq!(compared(&trees.run(&["--json"])), changes());
}

#[test]
fn an_unchanged_run_reads_no_file_of_to_and_full_reads_them_all() {
    let trees = settled();
    tamper(&trees);
    let ran = trees.run(&["--json"]);
    assert_eq!((ran.code, compared(&ran)), (Some(0), changes()));
    assert_eq!(ran.item("docs")["counts"]["unchanged"], 4);
    assert!(is_tampered_with(&trees));
    let ran = trees.run(&["--full", "--json"]);
    assert_eq!((ran.code, compared(&ran)), (Some(0), all("--full asks for it")));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn what_somebody_made_renamed_or_removed_in_to_is_put_right() {
    let trees = settled();
    fs::remove_file(trees.to.join("docs/deep/er/empty")).unwrap();
    fs::rename(trees.to.join("top.txt"), trees.to.join("pot.txt")).unwrap();
    file(&trees.to.join("tools/more/new"), "new", 1);
    fs::remove_dir(trees.to.join("docs/empty")).unwrap();
    let ran = trees.run(&["--delete", "--json"]);
    assert_eq!((ran.code, compared(&ran)), (Some(0), changes()));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn what_changed_in_from_is_copied_and_nothing_else() {
    let trees = settled();
    file(&trees.from.join("docs/deep/er/empty"), "no longer", 3);
    file(&trees.from.join("new/file"), "new", 3);
    let ran = trees.run(&["--json"]);
    assert_eq!((&ran.item("docs")["counts"]["copied"], &ran.item("new")["counts"]["copied"]), (&json!(1), &json!(1)));
    assert_eq!(ran.item("new")["reason"], "nothing is recorded of it yet");
    assert_eq!(compared(&ran), changes());
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn what_was_kept_in_to_is_deleted_once_that_is_asked_for() {
    let trees = Trees::full();
    file(&trees.to.join("docs/old"), "old", 1);
    for _ in 0..3 {
        trees.run(&[]);
    }
    assert_eq!(trees.run(&["--delete"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn another_directory_called_to_is_compared_with_everything() {
    let trees = settled();
    fs::rename(&trees.to, trees.base.path().join("away")).unwrap();
    fs::create_dir(&trees.to).unwrap();
    let ran = trees.run(&["--json"]);
    assert_eq!((ran.code, compared(&ran)), (Some(0), all("TO is not the directory it was")));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_to_that_was_wiped_is_filled_again_also_with_delete() {
    for flags in [&[][..], &["--delete"]] {
        let trees = settled();
        for name in ["docs", "tools"] {
            fs::remove_dir_all(trees.to.join(name)).unwrap();
        }
        fs::remove_file(trees.to.join("top.txt")).unwrap();
        let ran = trees.run(flags);
        assert_eq!(ran.code, Some(0), "{}", ran.stdout);
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }
}

#[test]
fn a_to_that_was_restored_from_a_copy_is_compared_with_everything() {
    let trees = settled();
    tamper(&trees);
    let copy = trees.base.path().join("copy");
    assert!(Command::new("cp").arg("-a").arg(&trees.to).arg(&copy).status().unwrap().success());
    fs::remove_dir_all(&trees.to).unwrap();
    fs::rename(&copy, &trees.to).unwrap();
    let ran = trees.run(&["--json"]);
    assert_eq!(compared(&ran), all("TO is not the directory it was"));
    assert!(!is_tampered_with(&trees));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn another_directory_called_from_is_compared_with_everything() {
    let trees = settled();
    tamper(&trees);
    let copy = trees.base.path().join("copy");
    assert!(Command::new("cp").arg("-a").arg(&trees.from).arg(&copy).status().unwrap().success());
    fs::rename(&trees.from, trees.base.path().join("away")).unwrap();
    fs::rename(&copy, &trees.from).unwrap();
    let ran = trees.run(&["--json"]);
    assert_eq!(compared(&ran), all("FROM is not the directory it was"));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn without_its_state_or_with_that_of_another_pair_everything_is_compared() {
    let (trees, other) = (settled(), settled());
    tamper(&trees);
    let state = other.run(&["--json"]).json()["state"]["path"].as_str().unwrap().to_owned();
    let ran = trees.run(&["--json", "--state", &state]);
    assert_eq!(compared(&ran), all("TO is not the directory it was"));
    assert!(!is_tampered_with(&trees));
    tamper(&trees);
    fs::remove_dir_all(trees.base.path().join("state")).unwrap();
    let ran = trees.run(&["--json"]);
    assert_eq!((ran.code, compared(&ran)), (Some(0), all("nothing is recorded of it yet")));
    assert!(!is_tampered_with(&trees));
}

#[test]
fn without_a_state_everything_is_compared_and_none_is_made() {
    let trees = settled();
    tamper(&trees);
    fs::remove_dir_all(trees.base.path().join("state")).unwrap();
    let ran = trees.run(&["--no-state", "--json"]);
    assert_eq!((compared(&ran), &ran.json()["state"]), (all("no state is kept"), &Value::Null));
    assert!(!is_tampered_with(&trees));
    assert!(!trees.base.path().join("state").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn a_to_on_another_disk_is_filled_but_nothing_is_deleted_there_before_somebody_agrees() {
    let disk = Path::new("/dev/shm");
    let trees = settled();
    let device = |path: &Path| fs::metadata(path).map(|about| about.dev()).ok();
    if device(disk).is_none() || device(disk) == device(&trees.to) {
        eprintln!("skipped: there is no second file system in /dev/shm");
        return;
    }
    let state = trees.run(&["--json"]).json()["state"]["path"].as_str().unwrap().to_owned();
    let other = tempfile::tempdir_in(disk).unwrap();
    fs::rename(&trees.to, trees.base.path().join("away")).unwrap();
    link(&trees.to, other.path());
    file(&other.path().join("docs/somebody's"), "precious", 1);
    let run = |flags: &[&str]| trees.run(&[&["--json", "--state", &state], flags].concat());
    assert_eq!(compared(&run(&["--delete"])), all("TO is not the directory it was"));
    // It stays another disk, however often it is tried.
    let ran = run(&["--delete"]);
    assert_eq!((ran.code, compared(&ran)), (Some(1), changes()));
    let message = "nothing was deleted: TO is not the one it was, and 1 of the 8 entries in TO would be; \
                   --yes accepts that and deletes them";
    assert_eq!(ran.item("docs")["errors"], json!([{"path": "docs", "message": message}]));
    assert_eq!(ran.item("tools")["status"], "not_done");
    assert!(other.path().join("docs/somebody's").exists() && other.path().join("tools/run.sh").exists());
    assert_eq!(run(&["--delete", "--yes"]).code, Some(0));
    assert_eq!(run(&["--delete"]).code, Some(0));
    assert_eq!(snapshot(other.path()), snapshot(&trees.from));
}
