//! Signals during the copy of a huge item.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::running::{Running, huge, shrink};
use crate::skip::skip;
use crate::trees::{Trees, snapshot};

#[test]
fn ctrl_c_exits_with_130_and_the_next_run_completes_the_mirror() {
    let trees = trees_with_huge_item();
    let mut running = Running::start(trees.command(&["--json"]));
    running.wait_until(|| is_copying(&trees));
    running.signal("INT");
    let output = running.end();
    assert_eq!((output.code, &output.json()["status"]), (Some(130), &json!("stopped")), "{}", output.stderr);
    assert_eq!(output.stderr, "");
    assert_eq!((&output.item("huge")["status"], &output.item("huge")["errors"]), (&json!("stopped"), &json!([])));
    assert!(!is_copying(&trees));
    assert_only_whole_files(&trees);

    shrink(&trees.from.join("huge"), 300_001);
    assert_eq!(trees.run(&[]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn termination_and_hangup_leave_no_temporary_files() {
    for (signal, code) in [("TERM", 143), ("HUP", 129)] {
        let trees = trees_with_huge_item();
        let mut running = Running::start(without_ignored_signals(&trees));
        running.wait_for("huge: 0% of 16.00 GiB");
        running.signal(signal);
        let output = running.end();
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        assert!(output.stdout.ends_with("\nstopped; the same command continues\n"), "{}", output.stdout);
        assert!(!is_copying(&trees));
    }
}

#[test]
fn an_ignored_hangup_stays_ignored() {
    let trees = trees_with_huge_item();
    let mut command = Command::new("nohup");
    command.arg(crate::program::PROGRAM).args([&trees.from, &trees.to]).env("XDG_STATE_HOME", trees.base.path());
    let mut running = Running::start(command);
    running.wait_for("huge: 0% of 16.00 GiB");
    running.signal("HUP");
    running.signal("INT");
    assert_eq!(running.end().code, Some(130));
}

#[test]
fn temporary_files_of_a_killed_run_are_removed_by_the_next() {
    let trees = trees_with_huge_item();
    let mut running = Running::start(trees.command(&[]));
    running.wait_until(|| is_copying(&trees));
    drop(running);
    assert!(is_copying(&trees));

    shrink(&trees.from.join("huge"), 4096);
    assert_eq!(trees.run(&[]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_shows_bars_and_ctrl_c_stops_the_run() {
    if Command::new("script").arg("--version").output().is_err() {
        skip("`script`, which creates the terminal, is not installed");
        return;
    }
    let trees = trees_with_huge_item();
    let mut command = Command::new("script");
    let line = format!("{:?}", trees.command(&[]));
    command.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
    let mut running = Running::start(command);
    running.wait_for("/16.00 GiB");
    let keyboard = running.child.stdin.as_mut().expect("standard input is piped");
    std::io::Write::write_all(keyboard, b"\x03").unwrap();
    let output = running.end();
    assert_eq!(output.code, Some(130), "{}", output.stdout);
    assert!(!output.stdout.contains("huge: started"), "{}", output.stdout);
    assert!(output.stdout.contains("\nstopped "), "{}", output.stdout);
    assert_only_whole_files(&trees);
}

/// The program in a process that ignores no signal, even if the process of this test was started by `nohup`.
fn without_ignored_signals(trees: &Trees) -> Command {
    if cfg!(not(target_os = "linux")) {
        return trees.command(&[]);
    }
    let mut command = Command::new("env");
    command.args(["--default-signal", crate::program::PROGRAM]).args([&trees.from, &trees.to]);
    command.env("XDG_STATE_HOME", trees.base.path());
    command
}

/// A tree whose item `huge` takes a long time.
fn trees_with_huge_item() -> Trees {
    let trees = Trees::full();
    huge(&trees.from.join("huge"));
    trees
}

/// Returns `true` if a file in the item `huge` is being copied.
fn is_copying(trees: &Trees) -> bool {
    let mut entries = fs::read_dir(trees.to.join("huge")).into_iter().flatten();
    entries.any(|entry| entry.unwrap().file_name().to_str().unwrap().ends_with(".partial"))
}

/// Asserts that every file in TO has a counterpart in FROM with the same contents.
fn assert_only_whole_files(trees: &Trees) {
    for (path, (.., contents)) in snapshot(&trees.to) {
        let origin = trees.from.join(&path);
        assert!(origin.symlink_metadata().is_ok(), "{} is in TO only", path.display());
        if origin.is_file() && !origin.is_symlink() {
            assert_eq!(contents, fs::read(origin).unwrap(), "{}", path.display());
        }
    }
}
