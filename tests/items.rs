//! The output of the example `items`.
#![cfg(feature = "sqlite")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The path of the built example, which `cargo test` places next to the tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let profile = test.parent().and_then(Path::parent).expect("tests are built below the profile's directory");
    let example = profile.join("examples/items");
    assert!(example.exists(), "{} is not built; run `cargo build --examples`", example.display());
    example
}

/// Runs the example with this answer to the prompt, and returns its output.
fn output(state: &Path, answer: &str) -> String {
    let mut command = Command::new(example());
    let mut child = command.arg(state).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the example runs");
    child.stdin.take().expect("the input is piped").write_all(answer.as_bytes()).expect("the example reads");
    let output = child.wait_with_output().expect("the example ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

#[test]
fn items_shows_progress_and_the_stored_results_of_the_last_run() {
    let directory = tempfile::tempdir().expect("the directory is created");
    let state = directory.path().join("state");
    let first = output(&state, "correct horse\n");
    assert!(first.starts_with("Photos\nMail\n"), "{first}");
    assert!(first.contains("  Autumn: [=") && first.contains("  Inbox: ["), "{first}");
    assert!(first.contains("Photos: 3 succeeded") && first.contains("Mail: 2 succeeded"), "{first}");
    let second = output(&state, "");
    let stored = second.lines().take(7).collect::<Vec<_>>();
    assert!(stored[1].starts_with("  Autumn: succeeded") && stored[6].starts_with("  Sent: succeeded"), "{stored:?}");
    assert!(second.contains("Mail: was not prepared: the user has to be asked"), "{second}");
}

#[test]
fn items_is_an_application_in_150_lines() {
    let program = include_str!("../examples/items.rs").split_once("\n#[test]").expect("the example has a test").0;
    assert!(program.lines().count() < 150);
}
