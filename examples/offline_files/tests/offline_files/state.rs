//! Where the state is, who may have it, and what is said when it cannot be used.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::program::Ran;
use crate::running::Running;
use crate::trees::{Trees, chmod, file, snapshot};

/// The file that a run says it kept its state in.
fn state_of(ran: &Ran) -> PathBuf {
    ran.json()["state"]["path"].as_str().unwrap().into()
}

/// Asserts that the program ended with 1 and this one line, and that nothing became of TO.
fn assert_unusable(trees: &Trees, state: &Path, said: &str) {
    let before = snapshot(&trees.to);
    let ran = trees.run(&["--state", state.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("offline_files: the state cannot be used: "), "{}", ran.stderr);
    for part in [said, &state.to_string_lossy(), "--state FILE names another place, --no-state does without"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    assert_eq!(snapshot(&trees.to), before);
}

/// FROM and TO, and a state that knows nothing of them.
fn with_state() -> (Trees, PathBuf) {
    let trees = Trees::full();
    let state = state_of(&trees.run(&["--json"]));
    file(&trees.from.join("docs/new"), "new", 1);
    (trees, state)
}

#[test]
#[cfg(not(target_os = "macos"))]
fn each_pair_has_a_private_file_where_programs_keep_their_state() {
    let trees = Trees::full();
    let first = state_of(&trees.run(&["--json"]));
    assert_eq!(first.parent().unwrap(), trees.base.path().canonicalize().unwrap().join("state/offline_files"));
    assert_eq!(fs::metadata(&first).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(first.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
    assert_eq!(state_of(&trees.run(&["--json"])), first);
    let mut to_another = trees.command(&["--json"]);
    let ran: Ran = to_another.env_remove("XDG_STATE_HOME").output().unwrap().into();
    assert!(state_of(&ran).ends_with(first.strip_prefix(trees.base.path().join("state")).unwrap()));
    assert!(trees.base.path().join("home/.local/state/offline_files").is_dir());
}

#[test]
fn without_a_home_there_is_no_place_for_it_which_is_told_in_one_line() {
    let trees = Trees::full();
    let mut homeless = trees.command(&[]);
    let ran: Ran = homeless.env_remove("XDG_STATE_HOME").env_remove("HOME").output().unwrap().into();
    assert_eq!(ran.code, Some(1));
    let said = "offline_files: there is no place for the state, HOME is not set; --state FILE names another place, \
                --no-state does without\n";
    assert_eq!(ran.stderr, said);
    assert!(snapshot(&trees.to).is_empty());
}

#[test]
fn a_state_that_is_in_use_is_left_to_whoever_has_it_and_another_pair_may_run() {
    let (trees, state) = with_state();
    let owner = syncmgr::store::SqliteStore::open(&state).unwrap();
    let by = format!("(process {}) since ", std::process::id());
    assert_unusable(&trees, &state, &by);
    // Another pair may run, and so may this one afterwards.
    assert_eq!(Trees::full().run(&[]).code, Some(0));
    drop(owner);
    assert_eq!(trees.run(&[]).code, Some(0));
}

#[test]
fn what_is_no_state_is_not_taken_for_one() {
    let (trees, state) = with_state();
    let text = trees.base.path().join("text");
    file(&text, &"no database ".repeat(100), 1);
    assert_unusable(&trees, &text, "is damaged or no database");
    let foreign = trees.base.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE notes (text)").unwrap();
    assert_unusable(&trees, &foreign, "is the database of another program");
    fs::File::options().write(true).open(&state).unwrap().set_len(100).unwrap();
    assert_unusable(&trees, &state, "is damaged or no database");
    assert_unusable(&trees, trees.base.path(), "is not a file");
}

#[test]
fn a_state_of_a_newer_program_is_not_touched() {
    let (trees, state) = with_state();
    rusqlite::Connection::open(&state).unwrap().pragma_update(None, "user_version", 1_000_000).unwrap();
    let before = fs::read(&state).unwrap();
    assert_unusable(&trees, &state, "update the program");
    assert_eq!(fs::read(&state).unwrap(), before);
}

#[test]
fn a_state_that_cannot_be_read_is_told() {
    let (trees, state) = with_state();
    // Permission bits mean nothing to root, but whose file it is does.
    if fs::metadata(trees.base.path()).unwrap().uid() == 0 {
        std::os::unix::fs::chown(&state, Some(65534), None).unwrap();
        return assert_unusable(&trees, &state, "belongs to user 65534");
    }
    chmod(&state, 0o000);
    assert_unusable(&trees, &state, "no access to");
}

#[test]
fn a_record_that_cannot_be_read_fails_its_item_and_is_kept() {
    let (trees, state) = with_state();
    let change = |sql: &str| rusqlite::Connection::open(&state).unwrap().execute(sql, []).unwrap();
    change("UPDATE items SET checkpoint_version = 7");
    let ran = trees.run(&["--json"]);
    let error = ran.item("docs")["errors"][0]["message"].as_str().unwrap().to_owned();
    assert_eq!((ran.code, &ran.item("docs")["status"]), (Some(1), &json!("failed")));
    assert!(error.contains("is of version 7") && error.contains("--no-state does without"), "{error}");
    assert!(!trees.to.join("docs/new").exists());
    assert_eq!(trees.run(&["--no-state"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    // The program that wrote it finds it as it was.
    change("UPDATE items SET checkpoint_version = 1");
    let ran = trees.run(&["--json"]);
    assert_eq!((ran.code, &ran.item("tools")["compared"]), (Some(0), &json!("changes")));
}

#[test]
fn a_missing_to_is_not_made_when_there_is_no_state_to_be_had() {
    let trees = Trees::full();
    fs::remove_dir(&trees.to).unwrap();
    assert_eq!(trees.run(&["--state", trees.from.to_str().unwrap()]).code, Some(1));
    assert!(!trees.to.exists());
}

#[test]
fn a_state_in_from_is_not_mirrored() {
    let trees = Trees::full();
    let state = trees.from.join("docs/state.db");
    for _ in 0..2 {
        let ran = trees.run(&["--json", "--state", state.to_str().unwrap()]);
        assert_eq!((ran.code, &ran.item("docs")["warnings"]), (Some(0), &json!([])));
        assert!(state.exists());
        assert!(!trees.to.join("docs/state.db").exists() && !trees.to.join("docs/state.db.lock").exists());
    }
}

#[test]
fn a_run_killed_in_the_middle_is_gone_on_with_and_copies_no_finished_file_again() {
    let trees = Trees::full();
    for number in 0..300 {
        file(&trees.from.join(format!("huge/{number:03}")), "small", 1);
    }
    let huge = fs::File::create(trees.from.join("huge/x")).unwrap();
    huge.set_len(1 << 40).unwrap();
    let mut running = Running::start(trees.command(&[]));
    running.wait_for("docs: succeeded");
    running.wait_for("huge: 0% of 1.00 TiB");
    drop(running);
    let finished = || {
        let names = (0..300).map(|number| trees.to.join(format!("huge/{number:03}")));
        names.filter_map(|path| Some((path.metadata().ok()?.ino(), path))).collect::<Vec<_>>()
    };
    let before = finished();
    huge.set_len(4096).unwrap();
    let ran = trees.run(&["--json"]);
    assert_eq!(ran.code, Some(0));
    assert!(before.iter().all(|file| finished().contains(file)));
    assert_eq!(ran.item("huge")["counts"]["unchanged"], before.len());
    assert_eq!(ran.item("docs")["counts"]["copied"], 0);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}
