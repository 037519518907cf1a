//! File systems and directories that are mounted in one of the two trees.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::attributes::set_acl;
use crate::bad_input::with_mount;
use crate::mirror::with_open_files;
use crate::quirks::{Quirks, mount};
use crate::skip::skip;
use crate::trees::{Trees, chmod, file, snapshot};

/// Trees with a file system with these options in `docs/disk` of TO; `None` if this machine cannot mount it.
fn trees_with_disk(options: &[&str]) -> Option<(Quirks, Trees)> {
    let trees = Trees::new();
    for name in ["docs/a", "docs/disk/b", "docs/disk/deep/c"] {
        file(&trees.from.join(name), name, 1);
        chmod(&trees.from.join(name), 0o640);
    }
    let (store, disk) = (trees.base.path().join("store"), trees.to.join("docs/disk"));
    file(&store.join("extra"), "extra", 1);
    fs::create_dir_all(&disk).unwrap();
    Some((mount(&store, disk, options)?, trees))
}

/// Asserts that only the first of several runs with these flags changes `docs`, and returns the output of the last.
fn assert_settles(trees: &Trees, flags: &[&str]) -> String {
    let mut last = String::new();
    for (run, more) in [&[][..], &[], &["--no-state"], &["--full"]].into_iter().enumerate() {
        let output = trees.run(&[flags, more, &["--json"]].concat());
        let counts = &output.item("docs")["counts"];
        let changed = ["copied", "permissions_set"].iter().map(|what| counts[what].as_u64().unwrap()).sum::<u64>();
        assert_eq!((output.code, changed > 0), (Some(0), run == 0), "{more:?} {}", output.stdout);
        last = output.stdout;
    }
    last
}

#[test]
fn a_file_system_with_coarse_times_mounted_in_the_target_settles() {
    let Some((_quirks, trees)) = trees_with_disk(&["grain=2000000000"]) else { return };
    assert_settles(&trees, &[]);
    assert_eq!(trees.run(&["--json"]).item("docs")["compared"], "changes");
    file(&trees.from.join("docs/disk/deep/c"), "another", 5);
    assert_eq!(trees.run(&["--json"]).item("docs")["counts"]["copied"], 1);
    assert_eq!(fs::read_to_string(trees.to.join("docs/disk/deep/c")).unwrap(), "another");
}

#[test]
fn what_a_file_system_mounted_in_the_target_cannot_store_is_said_once() {
    let Some((_quirks, trees)) = trees_with_disk(&["chmod=ignore"]) else { return };
    for name in ["docs/a", "docs/disk/b", "docs/disk/deep/c"] {
        if !set_acl(&trees.from.join(name)) {
            return;
        }
    }
    let output = assert_settles(&trees, &["-X"]);
    assert_eq!(output.matches("stores no ").count(), 1, "{output}");
    assert!(output.contains("docs/disk in TO stores no "), "{output}");
    for lost in ["no access control lists", "no extended attributes", "no permissions"] {
        assert!(output.contains(lost), "{lost} {output}");
    }
}

#[test]
fn hard_links_into_a_file_system_mounted_in_the_target_settle() {
    let Some((_quirks, trees)) = trees_with_disk(&[]) else { return };
    for name in ["docs/disk/first", "docs/second"] {
        fs::hard_link(trees.from.join("docs/a"), trees.from.join(name)).unwrap();
    }
    assert_settles(&trees, &["-H"]);
}

#[test]
fn a_part_of_the_target_that_is_mounted_in_the_source_is_not_copied() {
    // The last one is mounted at the place of its own copy.
    for (what, place) in
        [("docs", "docs/mnt"), ("docs", "docs/deep/er/mnt"), ("docs/deep", "docs/deep"), ("docs", "docs")]
    {
        let trees = Trees::full();
        assert_eq!(trees.run(&[]).code, Some(0));
        fs::create_dir_all(trees.from.join(place)).unwrap();
        let before = snapshot(&trees.to.join(what)).into_keys().collect::<Vec<_>>();
        with_mount(&trees.to.join(what), &trees.from.join(place), || {
            for _ in 0..3 {
                let output = trees.run(&["--json"]);
                assert_eq!(output.code, Some(0), "{}", output.stdout);
                assert!(output.stdout.contains("is a directory of TO, and is not copied into itself"), "{place}");
            }
        });
        assert!(before.into_iter().eq(snapshot(&trees.to.join(what)).into_keys()), "{place}");
    }
}

#[test]
fn a_part_of_the_source_that_is_mounted_in_the_target_is_unchanged() {
    let trees = Trees::full();
    fs::create_dir_all(trees.to.join("docs/deep")).unwrap();
    let before = snapshot(&trees.from);
    with_mount(&trees.from.join("docs"), &trees.to.join("docs/deep"), || {
        let output = trees.run(&["--delete", "--yes", "--json"]);
        assert_eq!(output.code, Some(1), "{}", output.stdout);
        assert!(output.stdout.contains("it is a directory of FROM"), "{}", output.stdout);
    });
    assert_eq!(snapshot(&trees.from), before);
}

#[test]
fn a_directory_of_the_source_mounted_in_the_target_keeps_its_permissions() {
    for what in ["docs", ""] {
        let trees = Trees::full();
        let (mounted, place) = (trees.from.join(what), trees.to.join("docs/deep"));
        fs::create_dir_all(&place).unwrap();
        chmod(&mounted, 0o755);
        chmod(&trees.from.join("docs/deep"), 0o700);
        with_mount(&mounted, &place, || assert_eq!(trees.run(&["--json"]).code, Some(1)));
        assert_eq!(fs::metadata(&mounted).unwrap().permissions().mode() & 0o777, 0o755, "{what}");
    }
}

#[test]
fn a_target_that_is_mounted_read_only_is_one_error_for_each_file() {
    let trees = Trees::full();
    trees.run(&[]);
    for name in ["docs/plan.txt", "docs/deep/er/empty"] {
        file(&trees.from.join(name), "changed", 9);
    }
    chmod(&trees.from.join("docs/deep"), 0o775);
    with_mount(&trees.to, &trees.to, || {
        let mut mount = Command::new("mount");
        assert!(mount.args(["-o", "remount,bind,ro"]).arg(&trees.to).status().unwrap().success());
        let output = trees.run(&["--json"]);
        let docs = output.item("docs");
        let mut paths: Vec<_> = docs["errors"].as_array().unwrap().iter().map(|error| error["path"].clone()).collect();
        paths.sort_by_key(ToString::to_string);
        assert_eq!(
            (output.code, paths),
            (Some(1), vec!["docs/deep".into(), "docs/deep/er/empty".into(), "docs/plan.txt".into()])
        );
    });
    assert_eq!(trees.run(&[]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

/// Mounts in TO, which end with this value.
struct Disks(Vec<PathBuf>);

impl Disks {
    /// Mounts an empty file system at `path`. Returns `false` if this machine cannot.
    fn add(&mut self, path: PathBuf) -> bool {
        let is_mounted = Command::new("mount").args(["-t", "tmpfs", "disk"]).arg(&path).output();
        let is_mounted = is_mounted.is_ok_and(|output| output.status.success());
        self.0.extend(is_mounted.then_some(path));
        is_mounted
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = Command::new("umount").arg(path).status();
        }
    }
}

#[test]
fn the_target_may_have_more_file_systems_than_a_process_may_have_open_files() {
    let (trees, mut disks) = (Trees::new(), Disks(Vec::new()));
    for number in 0..60 {
        let name = format!("docs/{number}");
        file(&trees.from.join(&name).join("file"), "text", 1);
        fs::create_dir_all(trees.to.join(&name)).unwrap();
        if !disks.add(trees.to.join(&name)) {
            return skip("this needs the right to mount");
        }
    }
    for _ in 0..2 {
        let output = with_open_files("-n 50", trees.command(&["--jobs", "1"]));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }
}
