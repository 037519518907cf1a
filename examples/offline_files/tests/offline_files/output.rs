//! What is said, and the code at the end.

use serde_json::json;

use crate::trees::{Trees, file};

/// One item that cannot be done whole, beside two that can.
fn one_failing() -> Trees {
    let trees = Trees::full();
    file(&trees.to.join("docs/plan.txt/in-the-way"), "x", 1);
    trees
}

#[test]
fn a_failed_item_does_not_keep_the_others_from_being_done() {
    let trees = one_failing();
    let ran = trees.run(&["--json"]);
    assert_eq!((ran.code, &ran.json()["status"]), (Some(1), &json!("failed")));
    assert_eq!(ran.item("docs")["status"], "failed");
    assert_eq!((&ran.item("tools")["status"], &ran.item(".")["status"]), (&json!("succeeded"), &json!("succeeded")));
    assert!(trees.to.join("tools/run.sh").exists() && trees.to.join("docs/deep/er/empty").exists());
}

#[test]
fn the_end_is_a_table_of_items_and_every_error_with_its_path() {
    let ran = one_failing().run(&[]);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("status "), "{}", ran.stdout);
    for (line, status, item) in [(1, "succeeded ", "  ."), (2, "failed ", "  docs"), (3, "succeeded ", "  tools")] {
        assert!(lines[line].starts_with(status) && lines[line].ends_with(item), "{}", ran.stdout);
    }
    assert!(lines[4].starts_with("error: docs/plan.txt: cannot replace in TO: "), "{}", ran.stdout);
    assert_eq!(lines.len(), 5);
}

#[test]
fn without_a_terminal_progress_is_plain_lines_on_standard_error() {
    let ran = Trees::full().run(&["--json"]);
    for line in ["docs: started", "docs: succeeded", ".: started", "tools: succeeded"] {
        assert!(ran.stderr.lines().any(|said| said == line), "{}", ran.stderr);
    }
    assert!(!ran.stderr.contains(['\r', '\u{1b}']));
}

#[test]
fn the_document_has_status_counts_bytes_duration_and_errors_of_each_item() {
    let ran = one_failing().run(&["--json"]);
    let item = ran.item("docs");
    let counts = json!({
        "copied": 3, "directories_made": 3, "permissions_set": 0, "deleted": 0, "unchanged": 0,
    });
    assert_eq!((&item["status"], &item["counts"], &item["bytes"]), (&json!("failed"), &counts, &json!(0)));
    assert!(item["duration_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{item}");
    assert_eq!(item["errors"][0]["path"], "docs/plan.txt");
    assert!(ran.json()["duration_seconds"].is_f64());
}
