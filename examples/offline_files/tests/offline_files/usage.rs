//! Invalid arguments: exit code 2 and one line, before any change.

use std::fs;
use std::path::Path;

use crate::program::run;
use crate::trees::{Trees, file, link, snapshot};

/// Asserts that nothing is changed, that the exit code is 2, and that the only output is one line that starts with `line`.
fn assert_refused(trees: &Trees, from: &Path, to: &Path, line: &str) {
    let before = snapshot(trees.base.path());
    let output = run(&[from.as_os_str(), to.as_os_str()]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    assert!(output.stderr.starts_with(&format!("offline_files: {line}")), "{}", output.stderr);
    assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
    assert_eq!(snapshot(trees.base.path()), before);
}

#[test]
fn the_source_must_be_a_directory() {
    let trees = Trees::full();
    for from in ["missing", "from/top.txt"] {
        assert_refused(&trees, &trees.base.path().join(from), &trees.to, "FROM is not a directory");
    }
}

#[test]
fn the_target_must_be_a_directory_or_have_an_existing_parent() {
    let trees = Trees::full();
    file(&trees.base.path().join("file"), "", 1);
    assert_refused(&trees, &trees.from, &trees.base.path().join("file"), "TO is not a directory");
    assert_refused(&trees, &trees.from, &trees.base.path().join("missing/to"), "TO cannot be created");
}

#[test]
fn source_and_target_must_be_different_directories() {
    let trees = Trees::full();
    assert_refused(&trees, &trees.from, &trees.from, "FROM and TO are the same directory");
    link(&trees.base.path().join("way"), "from");
    assert_refused(&trees, &trees.from, &trees.base.path().join("way"), "FROM and TO are the same directory");
}

#[test]
fn a_target_inside_the_source_is_refused_also_through_a_link() {
    let trees = Trees::full();
    link(&trees.base.path().join("way"), "from/docs");
    for to in ["from/docs", "from/new", "way", "way/new", "to/../from/docs"] {
        assert_refused(&trees, &trees.from, &trees.base.path().join(to), "TO is inside FROM");
    }
}

#[test]
fn a_source_inside_the_target_is_refused_also_through_a_link() {
    let trees = Trees::full();
    link(&trees.base.path().join("way"), "from/docs");
    for from in ["from/docs", "way"] {
        assert_refused(&trees, &trees.base.path().join(from), &trees.from, "FROM is inside TO");
    }
    assert_refused(&trees, &trees.from, trees.base.path(), "FROM is inside TO");
}

#[test]
fn an_argument_error_is_one_line() {
    let trees = Trees::full();
    for arguments in [&["--nonsense", "a", "b"][..], &["a"], &["--jobs", "0", "a", "b"], &["--jobs", "many", "a", "b"]]
    {
        let output = run(&arguments.iter().map(AsRef::as_ref).collect::<Vec<_>>());
        assert_eq!((output.code, output.stderr.lines().count()), (Some(2), 1), "{}", output.stderr);
    }
    drop(trees);
}

#[test]
fn the_help_says_what_is_not_kept_and_what_full_compares() {
    let help = run(&["--help".as_ref()]);
    let text = help.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "Not copied are special files, the bits set-user-id and set-group-id, creation times, and, without -H, -o and -X, the \
         fact that two names are hard links of one file, owners, and extended attributes.",
        "--full compares all sizes and times, --checksum also all contents.",
        "--full Compare the names, sizes, times and attributes of everything on both sides, as in the first run",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
}

#[test]
fn control_characters_in_a_path_are_escaped() {
    let trees = Trees::full();
    assert_refused(
        &trees,
        &trees.base.path().join("no\u{1b}[2Jsuch\n"),
        &trees.to,
        &format!(
            "FROM is not a directory that can be read: {}/no\\u{{1b}}[2Jsuch\\u{{a}}",
            trees.base.path().display()
        ),
    );
}

#[test]
fn a_second_run_into_the_same_directory_is_refused() {
    let trees = Trees::full();
    let lock = fs::File::open(&trees.to).unwrap();
    lock.lock().unwrap();
    let output = trees.run(&[]);
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.starts_with("offline_files: another run is writing to "), "{}", output.stderr);
    drop(lock);
    assert_eq!(trees.run(&[]).code, Some(0));
}

#[test]
fn every_module_of_the_program_is_left_out_on_other_systems_than_unix() {
    let lines: Vec<_> = include_str!("../../src/main.rs").lines().collect();
    let modules = lines.windows(2).filter(|lines| lines[1].starts_with("mod "));
    for lines in modules {
        assert!(matches!(lines[0], "#[cfg(unix)]" | "#[cfg(all(unix, test))]"), "{lines:?}");
    }
}
