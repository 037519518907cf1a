//! A TO with the limits of other file systems. `quirks.py` mounts it; it needs Python with `fusepy`, and the right to mount.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{XattrFlags, setxattr};
use rustix::io::Errno;

use crate::attributes::set_acl;
use crate::skip::skip;
use crate::trees::{Trees, chmod, file, link, snapshot};

/// A mounted file system; unmounted on drop.
pub(crate) struct Quirks {
    mount_point: PathBuf,
    server: Child,
}

/// Trees whose TO is in a file system with these options; `None` if this machine cannot mount it.
pub(crate) fn trees_with(options: &[&str]) -> Option<(Quirks, Trees)> {
    let mut trees = Trees::new();
    let (store, mount_point) = (trees.base.path().join("store"), trees.base.path().join("mount"));
    trees.to = mount_point.join("to");
    fs::create_dir_all(store.join("to")).unwrap();
    fs::create_dir(&mount_point).unwrap();
    Some((mount(&store, mount_point, options)?, trees))
}

/// Mounts `store`, which is not empty.
pub(crate) fn mount(store: &Path, mount_point: PathBuf, options: &[&str]) -> Option<Quirks> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/offline_files/quirks.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(store).arg(&mount_point).args(options).stdout(Stdio::null()).stderr(Stdio::piped());
    let Ok(mut server) = command.spawn() else {
        skip("no file system with quirks: there is no python3");
        return None;
    };
    while fs::read_dir(&mount_point).is_ok_and(|mut entries| entries.next().is_none()) {
        if server.try_wait().unwrap().is_some() {
            let mut error = String::new();
            server.stderr.take().unwrap().read_to_string(&mut error).unwrap();
            skip(&format!("no file system with quirks: {}", error.lines().last().unwrap_or_default()));
            return None;
        }
        std::thread::yield_now();
    }
    Some(Quirks { mount_point, server })
}

impl Drop for Quirks {
    fn drop(&mut self) {
        let _ = Command::new("fusermount").arg("-uz").arg(&self.mount_point).status();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_entry_renamed_by_case_alone_is_renamed_in_the_target() {
    let Some((_quirks, trees)) = trees_with(&["case=ignore"]) else { return };
    for name in ["docs/README", "docs/Photos/a", "Top", "Item/b"] {
        file(&trees.from.join(name), "text", 1);
    }
    trees.run(&["--delete"]);
    for (old, new) in [("docs/README", "docs/ReadMe"), ("docs/Photos", "docs/PHOTOS"), ("Top", "TOP"), ("Item", "ITEM")]
    {
        fs::rename(trees.from.join(old), trees.from.join(new)).unwrap();
    }
    let output = trees.run(&["--delete", "--yes", "--json"]);
    assert_eq!(output.code, Some(0), "{}", output.stdout);
    assert_eq!(names(&trees.to.join("docs")), ["PHOTOS", "ReadMe"]);
    assert_eq!(names(&trees.to), ["ITEM", "TOP", "docs"]);
    assert!(
        trees.to.join("docs/PHOTOS/a").exists() && trees.to.join("ITEM/b").exists() && trees.to.join("TOP").exists()
    );
    assert_eq!(trees.run(&["--delete"]).code, Some(0));
    assert_eq!(names(&trees.to.join("docs")), ["PHOTOS", "ReadMe"]);
}

#[test]
fn the_copy_of_an_entry_that_cannot_be_looked_up_is_not_deleted() {
    // Of the four names, one cannot be read in FROM, one in TO, and one is beside such an entry of TO.
    let Some((_quirks, trees)) = trees_with(&["case=ignore", "fail=BROKEN"]) else { return };
    for name in ["docs/dead/a", "docs/broken/b", "docs/other/c"] {
        file(&trees.to.join(name), "copy", 1);
    }
    file(&trees.to.join("also/gone"), "extra", 1);
    for name in ["docs/DEAD", "docs/BROKEN", "also"] {
        fs::create_dir_all(trees.from.join(name)).unwrap();
    }
    file(&trees.from.join("docs/OTHER/c"), "copy", 1);
    let Some(mut dead) = mount(&trees.base.path().join("store"), trees.from.join("docs/DEAD"), &[]) else { return };
    dead.server.kill().unwrap();
    dead.server.wait().unwrap();
    let output = trees.run(&["--delete", "--yes", "--json"]);
    assert_eq!(output.item("docs")["errors"].as_array().unwrap().len(), 2, "{}", output.stdout);
    for name in ["docs/dead/a", "docs/broken/b", "docs/other/c"] {
        assert!(trees.to.join(name).exists(), "{name}");
    }
    assert!(!trees.to.join("also/gone").exists());
}

#[test]
fn deletions_beside_a_failed_look_up_are_made_or_left_out_with_a_warning() {
    for (error, is_deleted) in [("EIO", false), ("EINVAL", true), ("EILSEQ", true)] {
        let Some((_quirks, trees)) = trees_with(&["fail=bad", &format!("error={error}")]) else { return };
        for directory in ["", "docs"] {
            file(&trees.from.join(directory).join("bad"), "text", 1);
            file(&trees.to.join(directory).join("gone"), "extra", 1);
        }
        let output = trees.run(&["--delete", "--yes", "--json"]);
        for item in ["docs", "."] {
            let results = ["errors", "warnings"].map(|key| output.item(item)[key].as_array().unwrap().len());
            assert_eq!(results, [1, usize::from(!is_deleted)], "{error} {}", output.stdout);
            assert_eq!(trees.to.join(item).join("gone").exists(), !is_deleted);
        }
        let reason = "no extra entries are deleted, because TO cannot look up bad: ";
        assert_eq!(output.stdout.contains(reason), !is_deleted);
    }
}

#[test]
fn an_entry_beside_one_that_cannot_be_read_is_renamed_by_case() {
    let Some((_quirks, trees)) = trees_with(&["case=ignore", "fail=broken"]) else { return };
    file(&trees.base.path().join("store/to/docs/broken/a"), "extra", 1);
    file(&trees.to.join("docs/photos/b"), "copy", 1);
    file(&trees.from.join("docs/PHOTOS/b"), "copy", 1);
    let output = trees.run(&["--delete", "--yes"]);
    assert_eq!((output.code, output.stdout.matches("error: ").count()), (Some(1), 1), "{}", output.stdout);
    assert_eq!(names(&trees.to.join("docs")), ["PHOTOS", "broken"]);
    assert!(trees.to.join("docs/PHOTOS/b").exists());
}

#[test]
fn two_items_never_mirror_into_one_directory() {
    for (listed, items) in [
        (None, ["Straße", "straße"]),
        (None, ["\u{ac00}", "\u{1100}\u{1161}"]),
        (Some("Item"), ["ITEM", "item"]),
        (Some("Straße"), ["STRASSE", "straße"]),
    ] {
        let Some((_quirks, trees)) = trees_with(&["case=ignore", "inodes=one"]) else { return };
        listed.iter().for_each(|name| file(&trees.to.join(name).join("old"), "extra", 1));
        for (name, item) in ["a", "b"].into_iter().zip(items) {
            file(&trees.from.join(item).join(name), "text", 1);
        }
        for _ in 0..2 {
            let output = trees.run(&["--delete", "--json", "--yes"]);
            let failed: Vec<_> =
                items.into_iter().filter(|item| output.item(item)["errors"] != serde_json::json!([])).collect();
            assert_eq!(failed.len(), 1, "{}", output.stdout);
            let other = items.iter().find(|item| **item != failed[0]).unwrap();
            let message = output.item(failed[0])["errors"][0]["message"].to_string();
            assert!(message.contains(&format!("TO does not distinguish it from {other}")), "{message}");
            assert_eq!(names(&trees.to), [*other]);
            let name = if *other == items[0] { "a" } else { "b" };
            assert_eq!(names(&trees.to.join(other)), [name]);
        }
    }
}

#[test]
fn names_that_the_target_does_not_distinguish_are_an_error() {
    let Some((_quirks, trees)) = trees_with(&["case=ignore"]) else { return };
    for name in ["docs/README", "docs/readme", "docs/Deep/a", "docs/deep/b", "Item/c", "item/d"] {
        file(&trees.from.join(name), name, 1);
    }
    for _ in 0..2 {
        let output = trees.run(&["--delete", "--json"]);
        assert_eq!(output.code, Some(1));
        let docs = output.item("docs");
        let errors: Vec<_> = docs["errors"].as_array().unwrap().iter().map(|error| error.to_string()).collect();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors.iter().all(|error| error.contains("TO does not distinguish it from ")), "{errors:?}");
        let failed = ["Item", "item"].map(|item| output.item(item)["errors"].as_array().unwrap().len());
        assert_eq!(failed.iter().sum::<usize>(), 1);
    }
    // Each file in TO has the contents of the file that has its name in FROM.
    for (path, (.., contents)) in snapshot(&trees.to) {
        if trees.to.join(&path).is_file() {
            assert_eq!(fs::read(trees.from.join(&path)).unwrap(), contents, "{}", path.display());
        }
    }
}

#[test]
fn a_state_with_another_spelling_is_not_touched() {
    let Some((_quirks, trees)) = trees_with(&["case=ignore", "inodes=one"]) else { return };
    file(&trees.from.join("docs/a"), "a", 1);
    let run =
        |state: &str| trees.run(&["--delete", "--yes", "--json", "--state", trees.to.join(state).to_str().unwrap()]);
    for (old, new) in [("mine/state", "MINE/STATE"), ("state", "STATE")] {
        assert_eq!(run(old).code, Some(0), "{}{}", run(old).stdout, run(old).stderr);
        let inode = || fs::metadata(trees.to.join(old)).unwrap().ino();
        let before = inode();
        assert_eq!((run(new).code, inode()), (Some(0), before), "{new}");
        let item = Path::new(new).iter().next().unwrap().to_str().unwrap();
        file(&trees.from.join(new).join("b"), "b", 1);
        let output = run(old);
        assert_eq!((output.code, inode()), (Some(1), before), "{}", output.stdout);
        assert!(output.item(item)["errors"].to_string().contains("TO does not distinguish it from state"));
        fs::remove_dir_all(trees.from.join(item)).unwrap();
    }
}

/// Asserts that a second run copies nothing, with a state and without, and that a change is copied.
fn assert_settles(options: &[&str], warning: Option<&str>) {
    let Some((_quirks, trees)) = trees_with(options) else { return };
    for name in ["docs/a", "docs/deep/b", "c"] {
        file(&trees.from.join(name), name, 1);
        chmod(&trees.from.join(name), 0o640);
    }
    file(&trees.from.join("docs/future"), "future", 3_000_000_000);
    link(&trees.from.join("docs/link"), "a");
    for flags in [&["--json"][..], &["--json"], &["--json", "--no-state"], &["--json", "--full"]] {
        let output = trees.run(flags);
        assert_eq!(output.code, Some(0), "{options:?} {}", output.stdout);
        let copied = ["docs", "."].map(|item| output.item(item)["counts"]["copied"].as_u64().unwrap());
        let expected = if flags.len() == 1 && !trees.base.path().join("ran").exists() { [4, 1] } else { [0, 0] };
        assert_eq!(copied, expected, "{options:?} {flags:?}");
        fs::write(trees.base.path().join("ran"), "").unwrap();
        let warnings = output.stdout.matches("TO stores no ").count();
        assert!(warnings <= usize::from(warning.is_some()), "{}", output.stdout);
        assert_eq!(names(&trees.to), ["c", "docs"]);
    }
    assert!(warning.is_none_or(|text| trees.run(&["--no-state"]).stdout.contains(text)), "{options:?}");
    file(&trees.from.join("docs/a"), "another", 5);
    assert_eq!(trees.run(&["--json"]).item("docs")["counts"]["copied"], 1);
    assert_eq!(fs::read_to_string(trees.to.join("docs/a")).unwrap(), "another");
}

#[test]
fn a_target_with_coarse_or_limited_times_settles() {
    assert_settles(&["grain=1000000000"], None);
    assert_settles(&["grain=2000000000"], None);
    assert_settles(&["latest=2147483647"], None);
}

#[test]
fn a_target_without_permissions_or_times_settles() {
    for mode in ["ignore", "refuse"] {
        assert_settles(&[&format!("chmod={mode}")], Some("TO stores no permissions"));
        assert_settles(&[&format!("utime={mode}")], Some("TO stores no modification times"));
        assert_settles(&[&format!("utime={mode}"), &format!("chmod={mode}")], Some("TO stores no permissions"));
    }
}

#[test]
fn a_target_without_owners_extended_attributes_and_acls_settles() {
    let Some((_quirks, trees)) = trees_with(&[]) else { return };
    for name in ["docs/a", "docs/deep/b", "c"] {
        let path = trees.from.join(name);
        file(&path, name, 1);
        if fs::metadata(&path).unwrap().uid() != 0 {
            return skip("only root can change owners");
        }
        chown(&path, Some(12), Some(34)).unwrap();
        if setxattr(&path, "user.colour", b"red", XattrFlags::empty()) == Err(Errno::NOTSUP) {
            return skip("the file system of the temporary directory has no extended attributes");
        }
    }
    if !set_acl(&trees.from.join("docs/a")) {
        return;
    }
    for (flags, done) in [(&["-o", "-X", "--json"][..], [2, 1]), (&["-o", "-X", "--json", "--full"], [0, 0])] {
        let output = trees.run(flags);
        assert_eq!(output.code, Some(0), "{}", output.stdout);
        let count = |item: &str, what: &str| output.item(item)["counts"][what].as_u64().unwrap();
        let changed = ["docs", "."].map(|item| count(item, "copied") + count(item, "permissions_set"));
        assert_eq!(changed, done, "{flags:?}");
        for lost in ["no owners", "no extended attributes", "no access control lists"] {
            assert_eq!(output.stdout.matches(lost).count(), 1, "{lost} {flags:?}");
            assert!(output.item(".")["warnings"].to_string().contains(lost), "{lost} {flags:?}");
        }
    }
}

#[test]
fn a_dead_mount_at_the_top_is_one_error() {
    let trees = Trees::full();
    let dead = trees.from.join("dead");
    fs::create_dir(&dead).unwrap();
    file(&trees.to.join("dead/copy"), "kept", 1);
    let Some(mut quirks) = mount(&trees.from.join("docs"), dead, &[]) else { return };
    quirks.server.kill().unwrap();
    quirks.server.wait().unwrap();
    let output = trees.run(&["--delete", "--json"]);
    assert_eq!((output.code, &output.item("docs")["status"]), (Some(1), &"succeeded".into()));
    let top = output.item(".");
    let errors = top["errors"].as_array().unwrap();
    assert!(errors.len() == 1 && errors[0]["path"] == "dead", "{top}");
    assert!(trees.to.join("dead/copy").exists() && trees.to.join("top.txt").exists());
}
