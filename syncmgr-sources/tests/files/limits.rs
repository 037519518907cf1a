//! Directories that cannot be watched. These tests run in a process of their own, with fewer rights.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{Files, make};

/// Set in the process with fewer rights.
const INSIDE: &str = "SYNCMGR_FILES_INSIDE";

/// A user without rights, for tests that are run by root.
const NOBODY: &str = "65534";

/// Runs the test with this name again in a process that `command` starts. The program and its arguments are appended.
fn run_again(mut command: Command, test: &str) {
    // The user without rights may not reach the directory of the program.
    let directory = tempfile::tempdir().expect("a temporary directory can be created");
    let program = directory.path().join("program");
    let own = env::current_exe().expect("the program has a path");
    // Copied by another process: while this one writes a program, no process can start that another thread has forked meanwhile.
    let copied = Command::new("cp").arg(own).arg(&program).status().expect("`cp` is installed");
    assert!(copied.success());
    set_mode(directory.path(), 0o755);
    let command = command.arg(&program).args(["--exact", test, "--nocapture"]).env(INSIDE, "1").current_dir("/");
    let output = command.output().expect("`setpriv` and `unshare` of util-linux are installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode can be set");
}

#[test]
fn an_unreadable_directory_is_reported_and_the_others_are_watched() {
    if env::var_os(INSIDE).is_none() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
        // Without root, the process has no more rights than it needs.
        let is_root =
            fs::read("/proc/self/status").is_ok_and(|status| String::from_utf8_lossy(&status).contains("Uid:\t0\t"));
        let command = if is_root { command } else { Command::new("env") };
        return run_again(command, "limits::an_unreadable_directory_is_reported_and_the_others_are_watched");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut files = Files::watch_with(&["a"], |directory| {
            make(&directory.join("a/open"));
            make(&directory.join("a/secret"));
            set_mode(&directory.join("a/secret"), 0o000);
        })
        .await;
        let problem = files.until_problem().await;
        assert_eq!(problem.path, Some(files.path("a/secret")));
        files.write("a/open/letter");
        assert_eq!(files.changed().await, ["a"]);
        // Once it can be read, its changes are noticed.
        set_mode(&files.path("a/secret"), 0o700);
        for number in 0..5 {
            files.write(&format!("a/secret/{number}"));
            files.until("a").await;
        }
        set_mode(&files.path("a/secret"), 0o000);
        make(&files.path("a/open/new"));
        set_mode(&files.path("a/open/new"), 0o000);
        files.write("a/letter");
        files.until("a").await;
        set_mode(&files.path("a/secret"), 0o700);
        set_mode(&files.path("a/open/new"), 0o700);
        assert!(files.problems.len() <= 2, "each directory is reported once: {:?}", files.problems);
    });
}

#[test]
fn the_limit_of_watches_is_reported_and_what_is_watched_stays_watched() {
    if env::var_os(INSIDE).is_none() {
        let mut command = Command::new("unshare");
        let script = "echo 40 > /proc/sys/user/max_inotify_watches && exec \"$0\" \"$@\"";
        command.args(["--user", "--map-root-user", "sh", "-c", script]);
        return run_again(command, "limits::the_limit_of_watches_is_reported_and_what_is_watched_stays_watched");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut files = Files::watch(&["a"]).await;
        (0..60).for_each(|number| make(&files.path(&format!("a/{number}"))));
        let problem = files.until_problem().await;
        assert!(problem.to_string().contains("max_user_watches"), "{problem}");
        files.until("a").await;
        files.changed().await;
        files.write("a/letter");
        files.until("a").await;
        assert_eq!(files.problems, [], "the limit is reported once");
    });
}
