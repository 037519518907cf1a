//! Hostile and damaged trees.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::program::{PROGRAM, RunOutput, command_with_home};
use crate::running::Running;
use crate::skip::skip;
use crate::trees::{Trees, chmod, file, link, snapshot};

#[test]
fn a_path_that_is_not_utf8_is_copied_and_reported_exactly() {
    let trees = Trees::new();
    let item = OsStr::from_bytes(b"caf\xe9");
    file(&trees.from.join(item).join("menu"), "fish", 1);
    file(&trees.from.join(item).join("x"), "a file", 1);
    file(&trees.to.join(item).join("x/y"), "in a directory", 1);
    let output = trees.run(&["--json"]);
    assert_eq!(fs::read_to_string(trees.to.join(item).join("menu")).unwrap(), "fish");
    let item = output.item("caf\u{fffd}");
    assert_eq!(item["path_bytes"], json!(b"caf\xe9"));
    assert_eq!(item["errors"][0]["path"], "caf\u{fffd}/x");
    assert_eq!(item["errors"][0]["path_bytes"], json!(b"caf\xe9/x"));
    assert!(output.item(".").get("path_bytes").is_none());
}

#[test]
fn a_name_with_control_characters_is_escaped_in_every_output() {
    let trees = Trees::new();
    file(&trees.from.join("a\u{1b}[2J\n\u{9b}\u{202e}b/c"), "x", 1);
    let (table, document) = (trees.run(&[]), trees.run(&["--json"]));
    for text in [&table.stdout, &table.stderr, &document.stdout] {
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text}");
    }
    for text in [&table.stdout, &table.stderr] {
        assert!(text.contains("a\\u{1b}[2J\\u{a}\\u{9b}\\u{202e}b"), "{text}");
    }
    assert_eq!(document.item("a\u{1b}[2J\n\u{9b}\u{202e}b")["status"], "succeeded");
}

#[test]
fn a_target_link_that_points_outside_is_not_followed() {
    let trees = Trees::full();
    let precious = trees.base.path().join("precious");
    file(&precious.join("plan.txt"), "precious", 1);
    file(&precious.join("er/empty"), "precious", 1);
    let before = snapshot(&precious);
    // Links with the names of an item, of a directory and a file inside an item, and of a top-level file.
    link(&trees.to.join("tools"), &precious);
    link(&trees.to.join("docs/deep"), &precious);
    link(&trees.to.join("docs/plan.txt"), precious.join("plan.txt"));
    link(&trees.to.join("top.txt"), precious.join("plan.txt"));
    link(&trees.to.join("docs/only-in-to"), &precious);
    let output = trees.run(&["--delete"]);
    assert_eq!(output.code, Some(0), "{}", output.stdout);
    assert_eq!(snapshot(&precious), before);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_read_only_target_is_an_error_with_a_path_for_each_item() {
    let trees = Trees::full();
    chmod(&trees.to, 0o555);
    let output = run_without_privileges(&trees, &[]);
    chmod(&trees.to, 0o755);
    assert_eq!(output.code, Some(1));
    for (item, path) in [(".", "elsewhere"), ("docs", "docs"), ("tools", "tools")] {
        let item = output.item(item);
        assert_eq!((&item["status"], &item["errors"][0]["path"]), (&json!("failed"), &json!(path)));
        assert!(item["errors"][0]["message"].as_str().unwrap().contains("in TO: Permission denied"), "{item}");
    }
    assert!(snapshot(&trees.to).is_empty());
}

#[test]
fn a_directory_without_write_permission_is_mirrored_and_updated() {
    let trees = Trees::full();
    let deep = trees.from.join("docs/deep");
    file(&deep.join("gone/file"), "deleted later", 1);
    for directory in ["docs/deep", "docs/deep/gone"] {
        chmod(&trees.from.join(directory), 0o555);
    }
    assert_eq!(run_without_privileges(&trees, &[]).code, Some(0));
    chmod(&deep, 0o755);
    chmod(&deep.join("gone"), 0o755);
    fs::remove_dir_all(deep.join("gone")).unwrap();
    file(&deep.join("new"), "new", 1);
    chmod(&deep, 0o555);
    let output = run_without_privileges(&trees, &["--delete"]);
    assert_eq!((output.code, &output.item("docs")["counts"]["deleted"]), (Some(0), &json!(2)));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    chmod(&deep, 0o755);
    chmod(&trees.to.join("docs/deep"), 0o755);
}

#[test]
fn an_unreadable_source_entry_is_an_error_and_its_copy_is_unchanged() {
    let trees = Trees::full();
    file(&trees.from.join("docs/secret/a"), "a", 1);
    file(&trees.to.join("docs/secret/b"), "kept", 1);
    chmod(&trees.from.join("docs/plan.txt"), 0o000);
    chmod(&trees.from.join("docs/secret"), 0o000);
    let output = run_without_privileges(&trees, &[]);
    chmod(&trees.from.join("docs/secret"), 0o755);
    let paths: Vec<_> =
        output.item("docs")["errors"].as_array().unwrap().iter().map(|error| error["path"].clone()).collect();
    assert!(paths.contains(&json!("docs/plan.txt")) && paths.contains(&json!("docs/secret")), "{paths:?}");
    assert_eq!(fs::read_to_string(trees.to.join("docs/secret/b")).unwrap(), "kept");
    assert!(trees.to.join("docs/deep/er/empty").exists());
    assert_eq!((output.code, &output.item("tools")["status"]), (Some(1), &json!("succeeded")));
}

#[test]
fn a_target_directory_without_permissions_is_mirrored_and_deleted() {
    let trees = Trees::full();
    trees.run(&[]);
    file(&trees.to.join("docs/gone/file"), "old", 1);
    fs::remove_file(trees.to.join("docs/deep/er/empty")).unwrap();
    for (name, mode) in [("docs/deep/er", 0o000), ("docs/deep", 0o600), ("docs/gone", 0o000), ("docs", 0o000)] {
        chmod(&trees.to.join(name), mode);
    }
    let output = run_without_privileges(&trees, &["--delete"]);
    assert_eq!(output.code, Some(0), "{}", output.stdout);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

/// Mounts the directory `what` at `place` too, while `work` runs. Returns `false` if this machine cannot.
pub(crate) fn with_mount(what: &Path, place: &Path, work: impl FnOnce()) -> bool {
    if !Command::new("mount").arg("--bind").args([what, place]).status().is_ok_and(|status| status.success()) {
        skip("no right to mount");
        return false;
    }
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    // A process that another test starts has the open files of this one until it runs its program, so that the mount may be busy.
    assert!(Command::new("umount").arg("--lazy").arg(place).status().unwrap().success());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    true
}

#[test]
fn a_target_that_is_also_mounted_in_the_source_is_not_copied_into_itself() {
    for place in ["mnt", "docs/empty"] {
        let trees = Trees::full();
        let place = trees.from.join(place);
        fs::create_dir_all(&place).unwrap();
        with_mount(&trees.to, &place, || {
            for _ in 0..3 {
                let output = trees.run(&["--json"]);
                assert_eq!(output.code, Some(0), "{}", output.stdout);
                assert!(output.stdout.contains("is TO itself, and is not copied into itself"), "{}", output.stdout);
            }
        });
        assert!(!trees.to.join("mnt").exists() && !trees.to.join("docs/empty/docs").exists());
    }
}

#[test]
fn a_source_that_is_also_mounted_in_the_target_is_not_deleted() {
    let trees = Trees::full();
    fs::create_dir(trees.to.join("mnt")).unwrap();
    let before = snapshot(&trees.from);
    with_mount(&trees.from, &trees.to.join("mnt"), || {
        assert_eq!(trees.run(&["--delete", "--yes"]).code, Some(1));
        fs::create_dir(trees.from.join("mnt")).unwrap();
        assert_eq!(trees.run(&["--delete", "--yes"]).code, Some(1));
        fs::remove_dir(trees.from.join("mnt")).unwrap();
    });
    assert!(before.into_keys().eq(snapshot(&trees.from).into_keys()));
}

#[test]
fn nothing_is_deleted_through_a_mount_in_the_target() {
    for place in ["mnt", "gone/deep/mnt", "docs/mnt"] {
        let trees = Trees::full();
        let place = trees.to.join(place);
        fs::create_dir_all(&place).unwrap();
        let before = snapshot(&trees.from.join("docs"));
        with_mount(&trees.from.join("docs"), &place, || {
            let output = trees.run(&["--delete", "--yes", "--json"]);
            assert_eq!(output.code, Some(1), "{}", output.stdout);
            assert!(output.stdout.contains("it is a mount or a subvolume"), "{}", output.stdout);
        });
        assert_eq!(snapshot(&trees.from.join("docs")), before);
    }
}

#[test]
fn a_directory_mounted_over_that_of_an_item_is_mirrored() {
    let trees = Trees::full();
    let disk = trees.base.path().join("disk");
    file(&disk.join("gone/a"), "old", 1);
    fs::create_dir(trees.to.join("docs")).unwrap();
    with_mount(&disk, &trees.to.join("docs"), || {
        assert_eq!(trees.run(&["--delete"]).code, Some(0));
        assert_eq!(snapshot(&trees.to.join("docs")), snapshot(&trees.from.join("docs")));
    });
}

#[test]
fn a_run_leaves_the_temporary_files_of_a_run_into_an_inner_directory() {
    let trees = Trees::full();
    let temporary = trees.to.join("docs/deep/.offline-files-00112233445566ff.partial");
    file(&temporary, "half", 1);
    let lock = fs::File::open(trees.to.join("docs")).unwrap();
    lock.lock().unwrap();
    assert_eq!((trees.run(&[]).code, temporary.exists()), (Some(0), true));
    drop(lock);
    assert_eq!((trees.run(&[]).code, temporary.exists()), (Some(0), false));
}

#[test]
fn a_name_of_maximum_length_is_copied() {
    let trees = Trees::new();
    let name = "n".repeat(255);
    file(&trees.from.join("docs").join(&name), "long", 1);
    file(&trees.from.join(&name).join(&name), "longer", 1);
    assert_eq!(trees.run(&[]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_fifo_is_a_warning_and_is_not_opened() {
    let trees = Trees::full();
    assert!(Command::new("mkfifo").arg(trees.from.join("docs/pipe")).status().unwrap().success());
    let output = trees.run(&["--json"]);
    assert_eq!((output.code, &output.item("docs")["status"]), (Some(0), &json!("succeeded")));
    assert_eq!(output.item("docs")["warnings"], json!([{"path": "docs/pipe", "message": "a FIFO is not copied"}]));
    assert!(!trees.to.join("docs/pipe").exists());
    assert!(trees.run(&[]).stdout.starts_with("warning: docs/pipe: a FIFO"));
}

#[test]
fn set_user_id_is_not_copied() {
    let trees = Trees::full();
    chmod(&trees.from.join("tools/run.sh"), 0o4755);
    assert_eq!(trees.run(&[]).code, Some(0));
    assert_eq!(fs::metadata(trees.to.join("tools/run.sh")).unwrap().mode() & 0o7777, 0o755);
}

#[test]
fn temporary_files_of_a_killed_run_are_removed() {
    let trees = Trees::full();
    file(&trees.to.join("docs/.offline-files-00112233445566ff.partial"), "half", 1);
    assert_eq!(trees.run(&[]).code, Some(0));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_ends_with_any_number_of_threads() {
    let trees = Trees::full();
    trees.run(&[]);
    file(&trees.from.join("docs/new"), "new", 1);
    // A run without limits gives both trees to the user.
    run_without_privileges(&trees, &[]);
    if !trees.base.path().join("program").exists() || Command::new("prlimit").arg("--version").output().is_err() {
        return skip("this needs root and prlimit");
    }
    let mut codes = Vec::new();
    for threads in 1..6 {
        let limit = format!("--nproc={threads}:{threads}");
        let mut command = command_with_home("prlimit", trees.base.path());
        command
            .arg(limit)
            .arg(trees.base.path().join("program"))
            .args([&trees.from, &trees.to])
            .uid(64_321)
            .gid(64_321);
        assert!(Command::new("chown").arg("-R").arg("64321").arg(trees.base.path()).status().unwrap().success());
        codes.push(Running::start(command).end().code);
    }
    assert!(codes.iter().all(|code| *code == Some(0) || *code == Some(1)), "{codes:?}");
    assert_eq!(codes.last(), Some(&Some(0)), "{codes:?}");
}

/// Runs the program as an unprivileged user who owns both trees.
pub(crate) fn run_without_privileges(trees: &Trees, flags: &[&str]) -> RunOutput {
    let mut command = trees.command(flags);
    if fs::metadata(tempfile::tempdir().unwrap().path()).unwrap().uid() == 0 {
        // That user may have no access to the build directory. Another process copies the program: starting a file that this
        // process still has open for writing may fail with `ETXTBSY`.
        let copy = trees.base.path().join("program");
        assert!(Command::new("cp").arg(PROGRAM).arg(&copy).status().unwrap().success());
        chmod(trees.base.path(), 0o755);
        // Leaves the change times of what the user owns already.
        let own = "find \"$0\" ! -user 65534 -exec chown -h 65534 {} +";
        assert!(Command::new("sh").args(["-c", own]).arg(trees.base.path()).status().unwrap().success());
        command = command_with_home(copy, trees.base.path());
        command.args(flags).arg(&trees.from).arg(&trees.to).uid(65534).gid(65534);
    }
    command.arg("--json").output().expect("the program starts").into()
}
