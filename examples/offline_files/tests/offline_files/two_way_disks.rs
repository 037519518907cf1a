//! Runs in both directions with file systems that store less than others, and with mounts that come and go.

use std::any::Any;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::program::RunOutput;
use crate::quirks::{names, trees_with};
use crate::skip::skip;
use crate::trees::{Trees, chmod, file, link};
use crate::two_way::read;
use crate::two_way_scripts::has_changes;

/// A mounted file system; unmounted on drop.
struct Disk(PathBuf);

impl Disk {
    /// Mounts a new file system that `mkfs.ext4` makes with these options; `None` if this machine cannot.
    fn ext4(image: &Path, place: PathBuf, options: &[&str]) -> Option<Self> {
        fs::create_dir_all(&place).unwrap();
        fs::File::create(image).unwrap().set_len(64 << 20).unwrap();
        let made = Command::new("mkfs.ext4").arg("-q").args(options).arg(image).output();
        let is_made = made.is_ok_and(|output| output.status.success());
        Self::mount(&["-o", "loop"], image, place).filter(|_| is_made)
    }

    fn mount(options: &[&str], what: &Path, place: PathBuf) -> Option<Self> {
        let mounted = Command::new("mount").args(options).arg(what).arg(&place).output();
        let is_mounted = mounted.is_ok_and(|output| output.status.success());
        if !is_mounted {
            skip("no right to mount, or the kernel lacks the file system");
        }
        is_mounted.then_some(Self(place))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Synchronizes, which must succeed; a second run then changes nothing.
pub(crate) fn settle(trees: &Trees, flags: &[&str]) -> RunOutput {
    let output = trees.synchronize(flags);
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let again = trees.synchronize(flags);
    assert!(again.code == Some(0) && !has_changes(&again.json()), "{}", again.stdout);
    output
}

/// Trees with A on a usual file system and B on one that stores less.
fn fill(trees: &Trees) {
    for (number, name) in ["docs/a", "docs/deep/b", "c"].into_iter().enumerate() {
        file(&trees.from.join(name), name, number as u64);
        file(&trees.to.join(format!("{name}-of-b")), name, number as u64);
    }
    link(&trees.from.join("docs/link"), "a");
    chmod(&trees.from.join("docs/a"), 0o640);
}

fn modified(path: impl AsRef<Path>) -> (i64, i64) {
    let about = path.as_ref().symlink_metadata().unwrap();
    (about.mtime(), about.mtime_nsec())
}

/// Changes on both sides of synchronized trees arrive, and no time of A is changed to what B can store.
fn assert_changes_arrive(trees: &Trees, options: &str) {
    let before = modified(trees.from.join("docs/a"));
    settle(trees, &[]);
    assert_eq!(modified(trees.from.join("docs/a")), before, "{options}");
    file(&trees.from.join("docs/a"), "changed in A", 7);
    file(&trees.to.join("docs/deep/b"), "changed in B", 8);
    fs::rename(trees.from.join("c"), trees.from.join("docs/c")).unwrap();
    fs::remove_file(trees.to.join("c-of-b")).unwrap();
    settle(trees, &[]);
    assert_eq!([read(trees.to.join("docs/a")), read(trees.from.join("docs/deep/b"))], ["changed in A", "changed in B"]);
    assert!(trees.to.join("docs/c").exists() && !trees.to.join("c").exists() && !trees.from.join("c-of-b").exists());
    settle(trees, &["--checksum"]);
}

#[test]
fn a_side_with_coarse_or_limited_times_settles() {
    for options in
        [&["grain=1000000000"][..], &["grain=2000000000"], &["latest=2147483647"], &["chmod=ignore"], &["utime=ignore"]]
    {
        let Some((_quirks, trees)) = trees_with(options) else { return };
        fill(&trees);
        file(&trees.from.join("docs/future"), "future", 3_000_000_000);
        assert_changes_arrive(&trees, options[0]);
        assert_eq!(read(trees.to.join("docs/future")), "future");
    }
}

#[test]
fn a_disk_of_128_byte_inodes_has_whole_seconds_until_2038_and_settles() {
    let mut trees = Trees::new();
    let mount_point = trees.base.path().join("mount");
    let Some(_disk) = Disk::ext4(&trees.base.path().join("image"), mount_point.clone(), &["-I", "128"]) else { return };
    trees.to = mount_point.join("to");
    fs::create_dir(&trees.to).unwrap();
    fill(&trees);
    file(&trees.from.join("docs/future"), "future", 3_000_000_000);
    assert_changes_arrive(&trees, "128 bytes");
    assert_eq!(modified(trees.to.join("docs/future")), (i64::from(i32::MAX), 0));
    assert_eq!(modified(trees.from.join("docs/future")).0, 4_000_000_000);
}

#[test]
fn what_is_on_another_file_system_of_a_side_is_kept_and_moved_by_a_copy() {
    let trees = Trees::synchronized(&["docs/disk/a", "docs/disk/b"]);
    let place = trees.to.join("docs/disk");
    fs::remove_dir_all(&place).unwrap();
    fs::create_dir(&place).unwrap();
    let Some(_disk) = Disk::mount(&["-t", "tmpfs"], Path::new("disk"), place.clone()) else { return };
    let flags = &["--keep-replaced", "7", "--yes", "--conflict", "A"];
    ["a", "b"].iter().for_each(|name| file(&trees.to.join("docs/disk").join(name), "on the disk", 1));
    trees.synchronize(flags);
    file(&trees.from.join("docs/disk/a"), "an edit", 2);
    fs::rename(trees.from.join("docs/disk/b"), trees.from.join("docs/b")).unwrap();
    settle(&trees, flags);
    assert_eq!([read(place.join("a")), read(trees.to.join("docs/b"))], ["an edit", "on the disk"]);
    let day = fs::read_dir(trees.to.join(".offline_files-kept")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(read(day.join("docs/disk/a")), "on the disk");
}

#[test]
fn a_large_file_on_a_full_disk_stays_whole_until_there_is_room() {
    let mut trees = Trees::new();
    let mount_point = trees.base.path().join("mount");
    let Some(_disk) = Disk::ext4(&trees.base.path().join("image"), mount_point.clone(), &[]) else { return };
    trees.to = mount_point.join("to");
    fs::create_dir(&trees.to).unwrap();
    let sides = [&trees.from, &trees.to].map(|side| side.join("docs/large"));
    let before: Vec<u8> = (0..24_u32 << 20).map(|byte| (byte >> 12) as u8).collect();
    fs::create_dir(trees.from.join("docs")).unwrap();
    fs::write(&sides[0], &before).unwrap();
    settle(&trees, &[]);
    let mut after = before.clone();
    after.chunks_mut(1 << 20).for_each(|part| part[7] ^= 0xff);
    fs::write(&sides[0], &after).unwrap();
    let filler = mount_point.join("filler");
    let filled = fs::File::create(&filler).and_then(|mut file| std::io::copy(&mut std::io::repeat(1), &mut file));
    assert_eq!(filled.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    let output = trees.synchronize(&[]);
    assert!(output.code == Some(1) && output.stdout.contains("No space left"), "{}", output.stdout);
    assert!(fs::read(&sides[1]).unwrap() == before, "a part of the file was written");
    fs::remove_file(filler).unwrap();
    settle(&trees, &[]);
    assert!(fs::read(&sides[1]).unwrap() == after);
    assert_eq!(names(&trees.to.join("docs")), ["large"]);
}

/// Trees whose B does not distinguish upper and lower case: one of FUSE, and a real one if this kernel has such file systems.
fn case_insensitive_trees() -> Vec<(Box<dyn Any>, Trees)> {
    let mut found: Vec<(Box<dyn Any>, Trees)> = Vec::new();
    if let Some((quirks, trees)) = trees_with(&["case=ignore", "inodes=one"]) {
        found.push((Box::new(quirks), trees));
    }
    if Path::new("/sys/fs/ext4/features/casefold").exists() {
        let mut trees = Trees::new();
        let mount_point = trees.base.path().join("mount");
        let options = ["-O", "casefold"];
        if let Some(disk) = Disk::ext4(&trees.base.path().join("image"), mount_point.clone(), &options) {
            trees.to = mount_point.join("to");
            fs::create_dir(&trees.to).unwrap();
            assert!(Command::new("chattr").arg("+F").arg(&trees.to).status().unwrap().success());
            found.push((Box::new(disk), trees));
        }
    }
    found
}

#[test]
fn a_name_changed_by_case_is_changed_on_a_side_that_ignores_case() {
    for (_disk, trees) in case_insensitive_trees() {
        for name in ["docs/README", "docs/Photos/a", "Top", "Item/b"] {
            file(&trees.from.join(name), name, 1);
        }
        settle(&trees, &[]);
        let renamed =
            [("docs/README", "docs/ReadMe"), ("docs/Photos", "docs/PHOTOS"), ("Top", "TOP"), ("Item", "ITEM")];
        for (old, new) in renamed {
            fs::rename(trees.from.join(old), trees.from.join(new)).unwrap();
        }
        settle(&trees, &[]);
        assert_eq!(
            [names(&trees.to), names(&trees.to.join("docs"))],
            [vec!["ITEM", "TOP", "docs"], vec!["PHOTOS", "ReadMe"]]
        );
        for (old, new) in renamed {
            // A direct rename to another spelling does nothing.
            fs::rename(trees.to.join(new), trees.to.join("between")).unwrap();
            fs::rename(trees.to.join("between"), trees.to.join(old)).unwrap();
        }
        settle(&trees, &[]);
        assert_eq!(names(&trees.from), ["Item", "Top", "docs"]);
        assert_eq!([names(&trees.from.join("docs")), names(&trees.to.join("docs"))], [["Photos", "README"]; 2]);
    }
}

#[test]
fn of_names_that_differ_by_case_a_side_that_does_not_distinguish_them_gets_one() {
    for (_disk, trees) in case_insensitive_trees() {
        for name in ["docs/README", "docs/readme", "docs/other"] {
            file(&trees.from.join(name), name, 1);
        }
        for run in 0..3 {
            let output = trees.synchronize(&[]);
            let docs = output.item("docs");
            assert_eq!((output.code, docs["errors"].as_array().unwrap().len()), (Some(1), 1), "{}", output.stdout);
            assert!(docs["errors"][0]["message"].to_string().contains("does not distinguish it from"), "{docs}");
            assert_eq!(docs["counts"]["copied"], json!(if run == 0 { 2 } else { 0 }), "{docs}");
            let kept = names(&trees.to.join("docs"));
            assert_eq!(kept.len(), 2, "{kept:?}");
            kept.iter().for_each(|name| assert_eq!(read(trees.to.join("docs").join(name)), format!("docs/{name}")));
            assert_eq!(names(&trees.from.join("docs")), ["README", "other", "readme"]);
        }
        for name in ["docs/Deep/a", "docs/deep/a", "docs/deep/more/b", "Item/c", "item/d"] {
            file(&trees.from.join(name), name, 1);
        }
        fs::create_dir(trees.from.join("docs/Deep/more")).unwrap();
        for _ in 0..3 {
            let output = trees.synchronize(&[]);
            let errors = ["docs", "Item", "item"].map(|item| output.item(item)["errors"].as_array().unwrap().len());
            assert_eq!((errors[0], errors[1] + errors[2]), (2, 1), "{}", output.stdout);
            for name in ["docs/Deep/a", "docs/deep/a", "docs/deep/more/b", "Item/c", "item/d"] {
                assert_eq!(read(trees.from.join(name)), name);
            }
        }
        for (old, new) in [("docs/deep", "docs/deeper"), ("item", "items")] {
            fs::rename(trees.from.join(old), trees.from.join(new)).unwrap();
        }
        fs::rename(trees.from.join("docs/readme"), trees.from.join("docs/more")).unwrap();
        settle(&trees, &[]);
        assert_eq!(names(&trees.to.join("docs")), ["Deep", "README", "deeper", "more", "other"]);
    }
}

#[test]
fn a_name_that_one_side_cannot_store_is_an_error_and_the_rest_goes_on() {
    let Some((_quirks, trees)) = trees_with(&["fail=a:b", "error=EINVAL"]) else { return };
    for name in ["docs/a:b", "docs/c", "docs/deep/a:b", "other/d"] {
        file(&trees.from.join(name), name, 1);
    }
    for run in 0..2 {
        let output = trees.synchronize(&[]);
        let docs = output.item("docs");
        let mut errors: Vec<_> = docs["errors"].as_array().unwrap().iter().map(|error| error["path"].clone()).collect();
        errors.sort_by_key(ToString::to_string);
        assert_eq!(
            (output.code, errors),
            (Some(1), vec![json!("docs/a:b"), json!("docs/deep/a:b")]),
            "{}",
            output.stdout
        );
        assert_eq!(
            (&docs["counts"]["copied"], output.item("other")["status"].as_str()),
            (&json!(1 - run), Some("succeeded"))
        );
        assert_eq!([read(trees.from.join("docs/a:b")), read(trees.to.join("docs/c"))], ["docs/a:b", "docs/c"]);
    }
    file(&trees.to.join("docs/c"), "changed", 2);
    trees.synchronize(&[]);
    assert_eq!(read(trees.from.join("docs/c")), "changed");
}

#[test]
fn checksum_finds_an_edit_that_no_time_shows() {
    let Some((_quirks, trees)) = trees_with(&["ctime=modified"]) else { return };
    file(&trees.from.join("docs/a"), "before", 1);
    settle(&trees, &[]);
    file(&trees.to.join("docs/a"), "after!", 1);
    settle(&trees, &[]);
    assert_eq!(read(trees.from.join("docs/a")), "before", "this edit cannot be seen without reading");
    let output = trees.synchronize(&["--checksum"]);
    assert_eq!((output.code, read(trees.to.join("docs/a"))), (Some(1), "after!".into()), "{}", output.stdout);
    settle(&trees, &["--checksum", "--conflict", "B"]);
    assert_eq!(read(trees.from.join("docs/a")), "after!");
}

#[test]
fn nothing_is_deleted_where_a_disk_was_mounted_until_it_is_allowed() {
    for place in ["docs/disk", "disk"] {
        let trees = Trees::new();
        file(&trees.from.join("docs/a"), "a", 1);
        fs::create_dir_all(trees.from.join(place)).unwrap();
        let options = ["-t", "tmpfs"];
        let Some(disk) = Disk::mount(&options, Path::new("disk"), trees.from.join(place)) else { return };
        let path = Path::new(place).join("photo");
        file(&trees.from.join(&path), "photo", 1);
        settle(&trees, &[]);
        drop(disk);
        for _ in 0..2 {
            let output = trees.synchronize(&[]);
            assert_eq!((output.code, trees.to.join(&path).exists()), (Some(1), true), "{place} {}", output.stdout);
            assert!(output.stdout.contains("no file system is mounted there now"), "{}", output.stdout);
        }
        file(&trees.to.join("docs/a"), "changed", 2);
        trees.synchronize(&[]);
        assert_eq!(read(trees.from.join("docs/a")), "changed", "the rest goes on");
        settle(&trees, &["--yes"]);
        assert!(!trees.to.join(&path).exists());
    }
}

#[test]
fn a_disk_that_is_mounted_again_continues() {
    let trees = Trees::new();
    let store = trees.base.path().join("store");
    file(&store.join("photo"), "photo", 1);
    fs::create_dir_all(trees.from.join("docs/disk")).unwrap();
    let mount = || Disk::mount(&["--bind"], &store, trees.from.join("docs/disk"));
    let Some(disk) = mount() else { return };
    settle(&trees, &[]);
    drop(disk);
    assert_eq!(trees.synchronize(&[]).code, Some(1));
    file(&trees.to.join("docs/disk/photo"), "changed meanwhile", 2);
    trees.synchronize(&[]);
    let Some(_disk) = mount() else { return };
    settle(&trees, &[]);
    assert_eq!(read(store.join("photo")), "changed meanwhile");
}

#[test]
fn a_side_that_was_emptied_but_for_an_ignored_file_is_not_taken_for_deleted() {
    for left in ["lost+found", "desktop.ini"] {
        let trees = Trees::synchronized(&["docs/a", "docs/b", "c"]);
        file(&trees.base.path().join("rules"), "lost+found\n", 1);
        let rules = trees.base.path().join("rules");
        let flags = ["--ignore-file", rules.to_str().unwrap()];
        settle(&trees, &flags);
        fs::remove_dir_all(trees.from.join("docs")).unwrap();
        fs::remove_file(trees.from.join("c")).unwrap();
        file(&trees.from.join(left), "left", 1);
        for _ in 0..2 {
            let output = trees.synchronize(&flags);
            assert_eq!((output.code, trees.to.join("docs/a").exists()), (Some(1), true), "{left} {}", output.stdout);
        }
        assert!(trees.to.join("docs/b").exists() && trees.to.join("c").exists());
    }
}

#[test]
fn an_edit_of_the_same_size_is_copied_although_a_side_stores_no_times() {
    let Some((_quirks, trees)) = trees_with(&["utime=ignore"]) else { return };
    file(&trees.from.join("docs/a"), "before", 1);
    settle(&trees, &[]);
    file(&trees.from.join("docs/a"), "after!", 2);
    settle(&trees, &[]);
    assert_eq!(read(trees.to.join("docs/a")), "after!");
}
