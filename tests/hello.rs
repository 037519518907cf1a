//! The output of the example `hello`.

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
fn hello_greets_each_item_and_reports() {
    let output = Command::new(example("hello")).output().expect("the example runs");
    let mut lines: Vec<_> = std::str::from_utf8(&output.stdout).expect("the output is UTF-8").lines().collect();
    lines[..2].sort_unstable();
    assert_eq!(
        lines,
        ["hello, moon", "hello, world", "Hello: 2 succeeded", "  succeeded   moon", "  succeeded   world"]
    );
    assert!(output.status.success());
}

/// The source of the example without its test.
fn hello() -> &'static str {
    include_str!("../examples/hello.rs").split_once("\n#[test]").expect("the example has a test").0
}

#[test]
fn hello_is_a_complete_provider_in_25_lines() {
    assert!(hello().lines().count() <= 25);
}

#[test]
fn the_readme_contains_the_current_hello() {
    let program = hello().split_once("use syncmgr").expect("the example has a program").1;
    assert!(include_str!("../README.md").contains(program), "copy examples/hello.rs into the README");
}
