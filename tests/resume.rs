//! The output of the example `resume`.
#![cfg(all(unix, feature = "sqlite"))]

use std::path::PathBuf;
use std::process::Command;

/// The path of the built example, which `cargo test` places next to the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let profile =
        test.parent().and_then(std::path::Path::parent).expect("tests are built below the profile's directory");
    let example = profile.join("examples").join(name);
    assert!(example.exists(), "{} is not built; run `cargo build --examples`", example.display());
    example
}

#[test]
fn resume_runs_to_the_end_after_its_child_is_killed() {
    let output = Command::new(example("resume")).output().expect("the example runs");
    let shown = String::from_utf8(output.stdout).expect("the output is UTF-8");
    assert!(output.status.success(), "{shown}");
    let (before, after) = shown.split_once("The child was killed with SIGKILL.").expect("the child was killed");
    assert_eq!(before.matches(" photo ").count(), 10, "{shown}");
    assert!(after.contains(" interrupted in session 1"), "{shown}");
    assert!(after.contains("resumes after photo "), "{shown}");
    let lines: Vec<_> = after.lines().rev().take(8).collect();
    assert_eq!(lines[3..7], ["Now:", "", "  session 2: clean", "  session 1: interrupted"], "{shown}");
    for (line, album) in lines[..3].iter().rev().zip(["Autumn", "Harbour", "Mountains"]) {
        assert!(line.starts_with(&format!("  {album:<10}")) && line.contains(" succeeded "), "{shown}");
    }
}

#[test]
fn resume_explains_itself_instead_of_running_if_it_gets_an_argument() {
    let output = Command::new(example("resume")).arg("--help").output().expect("the example runs");
    assert!(output.status.success() && output.stdout.starts_with(b"Usage: resume\n"));
}

#[test]
fn resume_has_fewer_than_150_lines() {
    let (program, _) =
        include_str!("../examples/resume.rs").split_once("#[cfg(test)]").expect("the example has a test");
    assert!(program.lines().count() < 150);
}
