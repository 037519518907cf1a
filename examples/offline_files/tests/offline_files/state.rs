//! The state file: its path, access to it, and errors.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::bad_input::with_mount;
use crate::program::RunOutput;
use crate::running::{Running, huge, shrink};
use crate::trees::{Trees, chmod, file, link, snapshot};

/// The state file that a run reports.
fn state_of(output: &RunOutput) -> PathBuf {
    output.json()["state"]["path"].as_str().unwrap().into()
}

/// Asserts that the program advises another state file.
fn assert_unusable(trees: &Trees, state: &Path, message: &str) {
    assert_refused(trees, state, &[message, "choose a file with --state FILE, or use --no-state"]);
}

/// Asserts that the program exits with 1 and one line that contains these `parts`, and that TO is unchanged.
fn assert_refused(trees: &Trees, state: &Path, parts: &[&str]) {
    let before = snapshot(&trees.to);
    let output = trees.run(&["--state", state.to_str().unwrap()]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{}", output.stderr);
    assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
    assert!(output.stderr.starts_with("offline_files: cannot use the state: "), "{}", output.stderr);
    for part in [parts, &[&*state.to_string_lossy()]].concat() {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    assert!(output.stderr.matches("choose ").count() <= 1, "{}", output.stderr);
    assert_eq!(snapshot(&trees.to), before);
}

/// FROM and TO with a new file in FROM, and the state file of an earlier run.
fn trees_with_state() -> (Trees, PathBuf) {
    let trees = Trees::full();
    let state = state_of(&trees.run(&["--json"]));
    file(&trees.from.join("docs/new"), "new", 1);
    (trees, state)
}

#[test]
#[cfg(not(target_os = "macos"))]
fn each_pair_has_a_private_file_in_the_state_directory() {
    let trees = Trees::full();
    let first = state_of(&trees.run(&["--json"]));
    assert_eq!(first.parent().unwrap(), trees.base.path().canonicalize().unwrap().join("state/offline_files"));
    assert_eq!(fs::metadata(&first).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(first.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
    assert_eq!(state_of(&trees.run(&["--json"])), first);
    let mut without_state_home = trees.command(&["--json"]);
    let output: RunOutput = without_state_home.env_remove("XDG_STATE_HOME").output().unwrap().into();
    assert!(state_of(&output).ends_with(first.strip_prefix(trees.base.path().join("state")).unwrap()));
    assert!(trees.base.path().join("home/.local/state/offline_files").is_dir());
}

#[test]
fn without_a_home_directory_the_error_is_one_line() {
    let trees = Trees::full();
    let mut homeless = trees.command(&[]);
    let output: RunOutput = homeless.env_remove("XDG_STATE_HOME").env_remove("HOME").output().unwrap().into();
    assert_eq!(output.code, Some(1));
    let message = "offline_files: there is no directory for the state: HOME is not set; \
                   choose a file with --state FILE, or use --no-state\n";
    assert_eq!(output.stderr, message);
    assert!(snapshot(&trees.to).is_empty());
}

#[test]
fn a_state_in_use_is_refused_and_another_pair_may_run() {
    let (trees, state) = trees_with_state();
    let owner = syncmgr::store::SqliteStore::open(&state).unwrap();
    let owner_process = format!("(process {}) since ", std::process::id());
    assert_refused(&trees, &state, &[&owner_process, "stop that program\n"]);
    // Another pair may run, and this pair once the state is closed.
    assert_eq!(Trees::full().run(&[]).code, Some(0));
    drop(owner);
    assert_eq!(trees.run(&[]).code, Some(0));
}

#[test]
fn a_file_that_is_not_a_state_file_is_refused() {
    let (trees, state) = trees_with_state();
    let text = trees.base.path().join("text");
    file(&text, &"no database ".repeat(100), 1);
    assert_unusable(&trees, &text, "is damaged");
    let foreign = trees.base.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE notes (text)").unwrap();
    assert_unusable(&trees, &foreign, "is the database of another program");
    fs::File::options().write(true).open(&state).unwrap().set_len(100).unwrap();
    assert_unusable(&trees, &state, "is damaged");
    assert_unusable(&trees, trees.base.path(), "is not a regular file");
}

#[test]
fn a_refused_state_leaves_no_lock_file_in_the_target() {
    let (trees, state) = trees_with_state();
    link(&trees.to.join("docs/state"), &state);
    assert_unusable(&trees, &trees.to.join("docs/state"), "is a symbolic link");
    assert_unusable(&trees, &trees.to.join("docs/deep"), "is not a regular file");
}

#[test]
fn a_state_of_a_newer_program_is_unchanged() {
    let (trees, state) = trees_with_state();
    rusqlite::Connection::open(&state).unwrap().pragma_update(None, "user_version", 1_000_000).unwrap();
    let before = fs::read(&state).unwrap();
    assert_unusable(&trees, &state, "update the program");
    assert_eq!(fs::read(&state).unwrap(), before);
}

#[test]
fn an_unreadable_state_is_an_error() {
    let (trees, state) = trees_with_state();
    // Root can open a file regardless of its permission bits, so as root the test changes the owner of the file instead.
    if fs::metadata(trees.base.path()).unwrap().uid() == 0 {
        std::os::unix::fs::chown(&state, Some(65534), None).unwrap();
        return assert_unusable(&trees, &state, "belongs to user 65534");
    }
    chmod(&state, 0o000);
    assert_unusable(&trees, &state, "no access to");
}

#[test]
fn a_record_that_cannot_be_read_fails_its_item_and_is_unchanged() {
    let (trees, state) = trees_with_state();
    let change = |sql: &str| rusqlite::Connection::open(&state).unwrap().execute(sql, []).unwrap();
    change("UPDATE items SET checkpoint_version = 7");
    let output = trees.run(&["--json"]);
    let error = output.item("docs")["errors"][0]["message"].as_str().unwrap().to_owned();
    assert_eq!((output.code, &output.item("docs")["status"]), (Some(1), &json!("failed")));
    assert!(error.contains("version 7") && error.contains("--no-state runs without it"), "{error}");
    assert!(!trees.to.join("docs/new").exists());
    assert_eq!(trees.run(&["--no-state"]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    // The record is unchanged for the program that wrote it.
    change("UPDATE items SET checkpoint_version = 1");
    let output = trees.run(&["--json"]);
    assert_eq!((output.code, &output.item("tools")["compared"]), (Some(0), &json!("changes")));
}

#[test]
fn a_missing_target_is_not_created_if_the_state_cannot_be_opened() {
    let trees = Trees::full();
    fs::remove_dir(&trees.to).unwrap();
    assert_eq!(trees.run(&["--state", trees.from.to_str().unwrap()]).code, Some(1));
    assert!(!trees.to.exists());
}

#[test]
fn only_the_files_of_a_state_in_the_source_are_not_mirrored() {
    let trees = Trees::full();
    for name in ["statement.pdf", "state-of-the-union", "states/texas"] {
        file(&trees.from.join("docs").join(name), "not the state", 1);
    }
    trees.run(&[]);
    let state = trees.from.join("docs/state");
    for _ in 0..2 {
        let output = trees.run(&["--delete", "--json", "--state", state.to_str().unwrap()]);
        assert_eq!((output.code, &output.item("docs")["warnings"]), (Some(0), &json!([])));
    }
    let mut mirrored = snapshot(&trees.from);
    for suffix in ["", "-wal", "-shm", ".lock"] {
        mirrored.remove(Path::new(&format!("docs/state{suffix}")));
    }
    assert!(mirrored.into_keys().eq(snapshot(&trees.to).into_keys()));
}

#[test]
fn a_state_in_the_target_survives_delete() {
    let trees = Trees::full();
    let state = trees.to.join("mine/deep/state");
    file(&trees.to.join("mine/deep/state-old"), "not the state", 1);
    let run = || trees.run(&["--delete", "--json", "--state", state.to_str().unwrap()]);
    assert_eq!(run().code, Some(0));
    let inode = fs::metadata(&state).unwrap().ino();
    let output = run();
    assert_eq!((output.code, &output.item("docs")["compared"]), (Some(0), &json!("changes")));
    assert_eq!(fs::metadata(&state).unwrap().ino(), inode);
    assert!(!trees.to.join("mine/deep/state-old").exists());
}

#[test]
fn a_state_in_the_target_is_not_replaced_by_a_directory_of_the_source() {
    let trees = Trees::full();
    let state = trees.to.join("state");
    let run = || trees.run(&["--delete", "--json", "--state", state.to_str().unwrap()]);
    assert_eq!(run().code, Some(0));
    let inode = fs::metadata(&state).unwrap().ino();
    for name in ["state", "state.lock", "state-wal"] {
        file(&trees.from.join(name).join("inner"), "text", 1);
        let output = run();
        let error = json!({"path": name, "message": "is not copied: the state of this program has this name in TO"});
        assert_eq!((output.code, &output.item(".")["errors"]), (Some(1), &json!([error])), "{}", output.stderr);
        assert_eq!(output.item("docs")["compared"], "changes");
        assert_eq!(fs::metadata(&state).unwrap().ino(), inode);
        fs::remove_dir_all(trees.from.join(name)).unwrap();
    }
}

#[test]
fn a_state_in_the_target_is_recognised_through_a_bind_mount() {
    let trees = Trees::full();
    fs::create_dir_all(trees.to.join("mine/deep")).unwrap();
    for (directory, inside) in [("", "mine/deep/state"), ("mine", "deep/state")] {
        let alias = trees.base.path().join(inside.replace('/', "-"));
        fs::create_dir(&alias).unwrap();
        let state = alias.join(inside);
        let run = || trees.run(&["--delete", "--json", "--state", state.to_str().unwrap()]).code;
        let inode = || fs::metadata(&state).unwrap().ino();
        with_mount(&trees.to.join(directory), &alias, || {
            let _ = fs::remove_file(trees.from.join("mine"));
            assert_eq!(run(), Some(0));
            let before = inode();
            file(&trees.from.join("mine"), "a file now", 1);
            assert_eq!((run(), inode()), (Some(1), before), "{inside}");
        });
    }
}

#[test]
fn a_state_in_a_target_that_does_not_exist_yet_is_created_with_it() {
    let trees = Trees::full();
    fs::remove_dir(&trees.to).unwrap();
    let output = trees.run(&["--state", trees.to.join("state").to_str().unwrap()]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(trees.to.join("state").exists() && trees.to.join("docs/plan.txt").exists());
}

#[test]
fn a_default_state_in_the_target_survives_delete() {
    let trees = Trees::full();
    let run = || -> RunOutput {
        let mut restore = trees.command(&["--delete", "--json"]);
        restore.env_remove("XDG_STATE_HOME").env("HOME", trees.to.canonicalize().unwrap()).output().unwrap().into()
    };
    let state = state_of(&run());
    assert!(state.starts_with(trees.to.canonicalize().unwrap()) && state.exists());
    assert_eq!((run().item("docs")["compared"].clone(), state.exists()), (json!("changes"), true));
}

#[test]
fn the_run_after_a_kill_copies_no_finished_file_again() {
    let trees = Trees::full();
    for number in 0..300 {
        file(&trees.from.join(format!("huge/{number:03}-small")), "small", 1);
    }
    huge(&trees.from.join("huge"));
    let mut running = Running::start(trees.command(&[]));
    running.wait_for("docs: succeeded");
    running.wait_for("huge: 0% of 16.00 GiB");
    drop(running);
    let finished = || {
        let names = fs::read_dir(trees.to.join("huge")).unwrap().map(|entry| entry.unwrap());
        let whole = names.filter(|entry| !entry.file_name().to_str().unwrap().ends_with(".partial"));
        whole.map(|entry| (entry.metadata().unwrap().ino(), entry.path())).collect::<Vec<_>>()
    };
    let before = finished();
    let small: Vec<_> = before.iter().filter(|(_, path)| path.to_str().unwrap().ends_with("-small")).collect();
    shrink(&trees.from.join("huge"), 4096);
    let output = trees.run(&["--json"]);
    assert_eq!(output.code, Some(0));
    assert!(small.iter().all(|file| finished().contains(file)));
    assert_eq!(output.item("huge")["counts"]["unchanged"], small.len());
    assert_eq!(output.item("docs")["counts"]["copied"], 0);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}
