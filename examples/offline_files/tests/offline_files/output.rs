//! Output and exit code.

use std::fs;
use std::process::Stdio;

use serde_json::json;

use crate::program::{PROGRAM, RunOutput, command_with_home};
use crate::trees::{Trees, chmod, file, snapshot};

/// Three items, one of which fails.
fn trees_with_failing_item() -> Trees {
    let trees = Trees::full();
    file(&trees.to.join("docs/plan.txt/in-the-way"), "x", 1);
    trees
}

#[test]
fn other_items_are_mirrored_if_one_fails() {
    let trees = trees_with_failing_item();
    let output = trees.run(&["--json"]);
    assert_eq!((output.code, &output.json()["status"]), (Some(1), &json!("failed")));
    assert_eq!(output.item("docs")["status"], "failed");
    assert_eq!(
        (&output.item("tools")["status"], &output.item(".")["status"]),
        (&json!("succeeded"), &json!("succeeded"))
    );
    assert!(trees.to.join("tools/run.sh").exists() && trees.to.join("docs/deep/er/empty").exists());
}

#[test]
fn the_report_is_a_table_of_items_and_all_errors_with_paths() {
    let output = trees_with_failing_item().run(&[]);
    let lines: Vec<_> = output.stdout.lines().collect();
    assert!(lines[0].starts_with("status "), "{}", output.stdout);
    for (line, status, item) in [(1, "succeeded ", "  ."), (2, "failed ", "  docs"), (3, "succeeded ", "  tools")] {
        assert!(lines[line].starts_with(status) && lines[line].ends_with(item), "{}", output.stdout);
    }
    assert!(lines[4].starts_with("error: docs/plan.txt: cannot be replaced in TO: "), "{}", output.stdout);
    assert!(lines[5].starts_with("3 items in "), "{}", output.stdout);
    assert!(lines[5].ends_with(": 6 copied (12 B), 4 directories made, 1 failed"), "{}", output.stdout);
    assert_eq!(lines.len(), 6);
}

#[test]
fn the_table_has_only_items_that_changed_unless_all_are_asked_for() {
    let trees = Trees::full();
    trees.run(&[]);
    let lines = |flags| trees.run(flags).stdout.lines().map(str::to_owned).collect::<Vec<_>>();
    let quiet = lines(&[]);
    assert!(
        quiet.len() == 1 && quiet[0].starts_with("3 items in ") && quiet[0].ends_with(": 7 unchanged"),
        "{quiet:?}"
    );
    assert_eq!(lines(&["-v"]).len(), 5);
    file(&trees.from.join("docs/new"), "new", 1);
    let one = lines(&[]);
    assert!(one.len() == 3 && one[1].ends_with("  docs"), "{one:?}");
}

#[test]
fn a_report_that_nobody_reads_is_no_error() {
    let trees = Trees::full();
    let mut child = trees.command(&[]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_directory_whose_permissions_alone_changed_is_shown() {
    let trees = Trees::full();
    trees.run(&[]);
    chmod(&trees.from.join("docs/deep"), 0o700);
    let output = trees.run(&[]);
    let lines: Vec<_> = output.stdout.lines().collect();
    assert!(lines.len() == 3 && lines[1].ends_with("  docs"), "{}", output.stdout);
    assert!(lines[2].ends_with(": 1 permissions set, 7 unchanged"), "{}", output.stdout);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn without_a_terminal_progress_is_plain_lines_on_standard_error() {
    let trees = Trees::full();
    let output = trees.run(&[]);
    for line in ["docs: succeeded", "tools: succeeded"] {
        assert!(output.stderr.lines().any(|printed| printed == line), "{}", output.stderr);
    }
    assert!(!output.stderr.contains(['\r', '\u{1b}']));
    assert_eq!(trees.run(&[]).stderr, "");
    file(&trees.from.join("docs/new"), "new", 1);
    assert_eq!(trees.run(&["--json"]).stderr, "");
}

#[test]
fn the_document_has_status_counts_bytes_duration_and_errors_of_each_item() {
    let output = trees_with_failing_item().run(&["--json"]);
    let item = output.item("docs");
    let counts = json!({
        "copied": 3, "directories_made": 3, "permissions_set": 0, "deleted": 0, "unchanged": 0,
    });
    assert_eq!((&item["status"], &item["counts"], &item["bytes"]), (&json!("failed"), &counts, &json!(0)));
    assert!(item["duration_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{item}");
    assert_eq!(item["errors"][0]["path"], "docs/plan.txt");
    assert!(output.json()["duration_seconds"].is_f64());
}

#[test]
fn a_run_that_cannot_begin_is_a_document_with_the_error() {
    let trees = Trees::full();
    let (file_in_to, lock) = (trees.base.path().join("file"), fs::File::open(&trees.to).unwrap());
    file(&file_in_to, "text", 1);
    lock.lock().unwrap();
    let usage = trees.command(&["--json"]).arg(&file_in_to).output().unwrap();
    assert!(usage.stdout.is_empty() && !usage.stderr.is_empty(), "the argument parser writes a line");
    let mut same = command_with_home(PROGRAM, trees.base.path());
    let same: RunOutput = same.arg("--json").args([&trees.from, &trees.from]).output().unwrap().into();
    let state = trees.run(&["--json", "--state", trees.to.to_str().unwrap()]);
    for (output, code, message) in [
        (same, 2, "FROM and TO are the same directory"),
        (state, 1, "is not a regular file"),
        (trees.run(&["--json"]), 1, "another run is writing to "),
    ] {
        assert_eq!((output.code, output.stderr.as_str()), (Some(code), ""));
        let document = output.json();
        assert_eq!((&document["status"], &document["items"]), (&json!("failed"), &json!([])));
        assert!(document["errors"][0]["message"].as_str().unwrap().contains(message), "{document}");
    }
}
