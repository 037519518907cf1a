//! The output and effects of the example `mirror`.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot create its folders fails")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The source and target folders in a temporary directory.
struct Folders {
    _base: TempDir,
    from: PathBuf,
    to: PathBuf,
}

impl Folders {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let (from, to) = (base.path().join("from"), base.path().join("to"));
        fs::create_dir_all(from.join("docs/deep")).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("docs/deep/notes"), "notes").unwrap();
        fs::write(from.join("docs/plan"), "plan").unwrap();
        fs::write(from.join("top"), "top").unwrap();
        Self { _base: base, from, to }
    }

    /// Returns `true` if the example succeeded, and its output.
    fn mirror(&self) -> (bool, String) {
        mirror(&self.from, &self.to)
    }

    fn target_text(&self, path: &str) -> String {
        fs::read_to_string(self.to.join(path)).unwrap()
    }
}

fn mirror(from: &Path, to: &Path) -> (bool, String) {
    let output = Command::new(example()).args([from, to]).output().expect("the example runs");
    let succeeded = output.status.success();
    let output = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("the output is UTF-8"));
    (succeeded, output.concat())
}

/// The path of the built example, which `cargo test` places next to the tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let profile = test.parent().and_then(Path::parent).expect("tests are built below the profile's directory");
    let example = profile.join("examples/mirror");
    assert!(example.exists(), "{} is not built; run `cargo build --examples`", example.display());
    example
}

#[test]
fn new_and_changed_files_are_copied_and_no_file_is_deleted() {
    let folders = Folders::new();
    fs::write(folders.to.join("mine"), "mine").unwrap();
    assert!(folders.mirror().0);
    let written = fs::metadata(folders.to.join("top")).unwrap();
    assert_eq!(written.modified().unwrap(), fs::metadata(folders.from.join("top")).unwrap().modified().unwrap());

    fs::write(folders.from.join("docs/plan"), "another plan").unwrap();
    fs::remove_file(folders.from.join("docs/deep/notes")).unwrap();
    let (succeeded, shown) = folders.mirror();
    assert!(succeeded && shown.contains("Mirror: 2 succeeded"), "{shown}");
    assert_eq!(
        ["docs/plan", "docs/deep/notes", "top", "mine"].map(|path| folders.target_text(path)),
        ["another plan", "notes", "top", "mine"]
    );
    let names = fs::read_dir(&folders.to).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.collect::<std::collections::BTreeSet<_>>(), ["docs", "mine", "top"].map(String::from).into());
    assert_eq!(
        inode(&written),
        inode(&fs::metadata(folders.to.join("top")).unwrap()),
        "an unchanged file was replaced"
    );
}

/// The inode number of a file, which changes when the file is replaced.
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[test]
fn no_symbolic_link_is_followed_on_either_side() {
    let folders = Folders::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("plan"), "outside").unwrap();
    symlink(outside.path(), folders.from.join("elsewhere")).unwrap();
    symlink(outside.path(), folders.to.join("docs")).unwrap();
    symlink(outside.path().join("plan"), folders.to.join("top")).unwrap();

    let (succeeded, shown) = folders.mirror();
    assert!(!succeeded && shown.contains("elsewhere is not copied"), "{shown}");
    assert!(shown.contains("docs: File exists"), "{shown}");
    assert!(!folders.to.join("elsewhere").exists());
    assert_eq!(
        (folders.target_text("top"), fs::read_to_string(outside.path().join("plan")).unwrap()),
        ("top".into(), "outside".into())
    );
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn a_failed_copy_fails_its_item_after_all_other_copies() {
    let folders = Folders::new();
    fs::create_dir_all(folders.to.join("docs/plan/in the way")).unwrap();
    let (succeeded, shown) = folders.mirror();
    assert!(!succeeded && shown.contains("failed      docs") && shown.contains("succeeded   top"), "{shown}");
    assert!(shown.contains("error: docs: docs/plan: "), "{shown}");
    assert_eq!(folders.target_text("docs/deep/notes"), "notes");
    assert_eq!(fs::read_dir(folders.to.join("docs")).unwrap().count(), 2);
}

#[test]
fn nested_folders_are_refused() {
    let folders = Folders::new();
    for (from, to) in [(&folders.from, folders.from.join("docs")), (&folders.to, folders.to.join("."))] {
        let (succeeded, shown) = mirror(from, &to);
        assert!(!succeeded && shown.contains("neither folder may contain the other"), "{shown}");
    }
    assert!(!folders.from.join("docs/docs").exists());
}

#[test]
fn mirror_is_a_complete_provider_in_80_lines() {
    let (program, _) =
        include_str!("../examples/mirror.rs").split_once("\n#[cfg(test)]").expect("the example has a test");
    assert!(program.lines().count() <= 80);
}
