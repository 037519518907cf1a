//! Tests of trees that change during a run, and of runs that are stopped or killed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fixture::{Hook, Recorder, carry_out, scan};
use super::trees::{Trees, file, snapshot};
use super::*;

fn docs() -> Extent {
    Extent::Directory("docs".into())
}

#[test]
fn what_vanishes_after_the_scan_is_no_error() {
    let trees = Trees::full();
    let (pair, run) = (trees.pair(), Recorder::default());
    let plan = scan(&pair, &docs(), ExtraEntries::Keep, &run).unwrap();
    fs::remove_file(trees.from.join("docs/plan.txt")).unwrap();
    fs::remove_file(trees.from.join("docs/latest")).unwrap();
    fs::remove_dir_all(trees.from.join("docs/deep")).unwrap();
    carry_out(&pair, plan, &run).unwrap();
    assert_eq!(run.errors(), [""; 0]);
    assert!(trees.to.join("docs/dangling").is_symlink());
    assert!(!trees.to.join("docs/plan.txt").exists());
}

#[test]
fn an_item_that_has_vanished_is_no_error() {
    let run = Trees::new().mirror(&docs(), ExtraEntries::Keep);
    assert_eq!(run.errors(), [""; 0]);
}

#[test]
fn a_file_removed_during_its_copy_is_no_error() {
    let trees = Trees::new();
    let path = trees.from.join("docs/big");
    file(&path, &"x".repeat(300_000), 1);
    let hook = Hook(Recorder::default(), |_| {
        let _ = fs::remove_file(&path);
        Ok(())
    });
    trees.mirror_with_monitor(&hook, &docs(), ExtraEntries::Keep).unwrap();
    assert_eq!(hook.0.errors(), [""; 0]);
    assert_eq!(fs::read_dir(trees.to.join("docs")).unwrap().count(), 0);
}

/// Writes to an existing file, and keeps its size and time.
fn rewrite(path: &Path, text: &str) {
    let file = fs::File::options().write(true).open(path).unwrap();
    let date = file.metadata().unwrap().modified().unwrap();
    fs::write(path, text).unwrap();
    file.set_modified(date).unwrap();
}

#[test]
fn a_file_rewritten_in_place_during_its_copy_is_copied_again_at_once() {
    for size in [200_000, 3_000_000] {
        let trees = Trees::new();
        let (path, calls) = (trees.from.join("docs/big"), AtomicUsize::new(0));
        file(&path, &"x".repeat(size), 1);
        let hook = Hook(Recorder::default(), |_| {
            if calls.fetch_add(1, Ordering::Relaxed) == 0 {
                rewrite(&path, &"y".repeat(size));
            }
            Ok(())
        });
        trees.mirror_with_monitor(&hook, &docs(), ExtraEntries::Keep).unwrap();
        assert_eq!(hook.0.warnings(), [""; 0]);
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }
}

#[test]
fn a_file_changed_during_its_copy_is_copied_again_by_the_next_run() {
    let trees = Trees::new();
    let path = trees.from.join("docs/big");
    file(&path, &"x".repeat(3_000_000), 1);
    let hook = Hook(Recorder::default(), |_| {
        file(&path, "shorter", 2);
        Ok(())
    });
    trees.mirror_with_monitor(&hook, &docs(), ExtraEntries::Keep).unwrap();
    assert_eq!(hook.0.warnings(), ["docs/big: changed while it was copied; the next run copies it again"]);
    trees.mirror_all(ExtraEntries::Keep);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_stop_during_a_copy_leaves_no_partial_file() {
    for size in [200_000, 3_000_000] {
        let trees = Trees::new();
        file(&trees.from.join("docs/big"), &"x".repeat(size), 1);
        let hook = Hook(Recorder::default(), |_| Err(Stopped));
        assert_eq!(trees.mirror_with_monitor(&hook, &docs(), ExtraEntries::Keep), Err(Stopped));
        assert_eq!(fs::read_dir(trees.to.join("docs")).unwrap().count(), 0);
        trees.mirror_all(ExtraEntries::Keep);
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }
}

#[test]
fn temporary_files_of_a_killed_run_are_removed() {
    let trees = Trees::full();
    let leftover = "docs/.offline-files-0123456789abcdef.partial";
    file(&trees.to.join(leftover), "half a fi", 1);
    let run = trees.mirror_all(ExtraEntries::Keep);
    assert_eq!(run.count(Done::Deleted), 0);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn temporary_files_of_a_run_into_an_outer_directory_are_kept() {
    let trees = Trees::full();
    let temporaries = [0, 1].map(|number| format!("docs/.offline-files-0123456789abcde{number}.partial"));
    temporaries.iter().for_each(|name| file(&trees.to.join(name), "half a fi", 1));
    let outer = Directory::open(trees.base.path()).unwrap();
    assert!(outer.try_lock());
    let run = trees.mirror_all(ExtraEntries::Delete);
    assert!(temporaries.iter().all(|name| trees.to.join(name).exists()));
    let reason = "temporary files are kept while a directory that contains them or TO is locked";
    assert_eq!(run.warnings(), [format!("{}: {reason}", temporaries[0])]);
    drop(outer);
    assert_eq!(trees.mirror_all(ExtraEntries::Delete).warnings(), [""; 0]);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn an_entry_that_a_killed_run_was_renaming_gets_its_name() {
    for extra_entries in [ExtraEntries::Keep, ExtraEntries::Delete] {
        let trees = Trees::full();
        trees.mirror_all(extra_entries);
        for (directory, name) in [("", "docs"), ("docs", "deep"), ("docs", "plan.txt"), ("", "top.txt")] {
            let inode = || fs::symlink_metadata(trees.to.join(directory).join(name)).unwrap().ino();
            let before = inode();
            let temporary = spelling::temporary_name(OsStr::new(&name.to_uppercase()));
            fs::rename(trees.to.join(directory).join(name), trees.to.join(directory).join(temporary)).unwrap();
            assert_eq!(trees.mirror_all(extra_entries).errors(), [""; 0]);
            assert_eq!(inode(), before, "{name}");
            assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
        }
    }
}

#[test]
fn a_scan_for_another_item_completes_no_renaming() {
    let trees = Trees::full();
    trees.mirror_all(ExtraEntries::Delete);
    for (directory, name) in [("", "docs"), ("docs", "plan.txt")] {
        let directory = trees.to.join(directory);
        let temporary = directory.join(spelling::temporary_name(OsStr::new(name)));
        fs::rename(directory.join(name), &temporary).unwrap();
        let (cache, own_files) = (&ScanCache::default(), &OwnFiles::default());
        let extra_entries = ExtraEntries::Delete;
        let options = ScanOptions { extra_entries, cache, changed_since: None, own_files, completes_renamings: false };
        super::scan(&trees.pair(), &docs(), options, &Recorder::default()).unwrap();
        assert!(temporary.exists(), "{name}");
        fs::rename(&temporary, directory.join(name)).unwrap();
    }
}

#[test]
fn an_item_that_is_being_renamed_is_no_extra_entry() {
    let trees = Trees::full();
    let temporary = trees.to.join(spelling::temporary_name(OsStr::new("docs")));
    file(&temporary.join("copy"), "copy", 1);
    trees.mirror(&Extent::TopLevel, ExtraEntries::Delete);
    assert!(temporary.join("copy").exists());
}

#[test]
fn a_file_does_not_take_the_directory_that_an_item_is_renaming() {
    let trees = Trees::new();
    file(&trees.from.join("item"), "a file", 1);
    file(&trees.from.join("ITEM/copy"), "copy", 1);
    let temporary = trees.to.join(spelling::temporary_name(OsStr::new("ITEM")));
    file(&temporary.join("copy"), "copy", 1);
    scan(&trees.pair(), &Extent::TopLevel, ExtraEntries::Delete, &Recorder::default()).unwrap();
    assert!(temporary.join("copy").exists());
    trees.mirror_all(ExtraEntries::Delete);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_directory_that_its_item_renames_during_the_scan_is_no_extra_entry() {
    let trees = Trees::new();
    file(&trees.from.join("ITEM/a"), "copy", 1);
    file(&trees.to.join("Item/a"), "copy", 1);
    let pair = trees.pair();
    let deletes = || scan(&pair, &Extent::TopLevel, ExtraEntries::Delete, &Recorder::default()).unwrap().deletes();
    assert_eq!(deletes(), 2);
    // TO finds nothing as `ITEM`, as between the two steps of the renaming.
    pair.claims.claim(OsStr::new("Item"), OsStr::new("ITEM")).unwrap();
    assert_eq!(deletes(), 0);
}

#[test]
fn an_item_does_not_take_the_directory_that_another_is_renaming() {
    let trees = Trees::new();
    file(&trees.from.join("ITEM/a"), "a", 1);
    file(&trees.from.join("item/b"), "b", 1);
    let temporary = trees.to.join(spelling::temporary_name(OsStr::new("item")));
    file(&temporary.join("a"), "a", 1);
    let pair = trees.pair();
    let renaming = pair.claims.rename();
    let (begins, begun) = std::sync::mpsc::channel();
    std::thread::scope(|threads| {
        let item = threads.spawn(|| {
            begins.send(()).unwrap();
            scan(&pair, &Extent::Directory("item".into()), ExtraEntries::Keep, &Recorder::default())
        });
        begun.recv().unwrap();
        (0..1_000).for_each(|_| std::thread::yield_now());
        fs::rename(&temporary, trees.to.join("ITEM")).unwrap();
        drop(renaming);
        item.join().unwrap().unwrap();
    });
    assert!(trees.to.join("ITEM/a").exists());
}

#[test]
fn entries_are_deleted_although_a_temporary_file_cannot_be_removed() {
    let (trees, run) = (Trees::full(), Recorder::default());
    let leftover = trees.to.join("docs/.offline-files-0123456789abcdef.partial");
    file(&leftover, "half a fi", 1);
    file(&trees.to.join("docs/extra"), "extra", 1);
    let pair = trees.pair();
    let plan = scan(&pair, &docs(), ExtraEntries::Delete, &run).unwrap();
    fs::remove_file(&leftover).unwrap();
    fs::create_dir(&leftover).unwrap();
    carry_out(&pair, plan, &run).unwrap();
    assert_eq!((run.errors().len(), run.warnings()), (1, vec![]));
    assert!(!trees.to.join("docs/extra").exists());
}
