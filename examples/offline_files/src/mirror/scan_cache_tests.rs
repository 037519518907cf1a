//! Tests of the scan cache.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::fixture::{At, Hook, Recorder, carry_out, scan, scan_with_cache};
use super::trees::{Trees, chmod, file, link};
use super::*;

fn docs() -> Extent {
    Extent::Directory("docs".into())
}

/// Two trees in sync, and the scan cache of `docs`.
fn mirrored_trees(extra_entries: ExtraEntries) -> (Trees, ScanCache) {
    let trees = Trees::full();
    trees.mirror_all(extra_entries);
    let cache = scan(&trees.pair(), &docs(), extra_entries, &Recorder::default()).unwrap().in_sync;
    (trees, cache)
}

fn scan_cached(trees: &Trees, cache: &ScanCache, extra_entries: ExtraEntries) -> Plan {
    scan_with_cache(&trees.pair(), &docs(), extra_entries, cache, &Recorder::default()).unwrap()
}

/// The paths that a plan changes.
fn changed_paths(plan: &Plan) -> Vec<String> {
    plan.changes()
        .map(|(directory, change)| directory.path.join(directory.name_of(change)).display().to_string())
        .collect()
}

#[test]
fn only_the_metadata_of_a_cached_target_directory_is_read() {
    let (trees, cache) = mirrored_trees(ExtraEntries::Keep);
    assert_eq!(cache.len(), 4);
    // These changes do not alter the metadata of a directory.
    fs::write(trees.to.join("docs/plan.txt"), "changed in place").unwrap();
    chmod(&trees.to.join("docs/deep/er/empty"), 0o600);
    let plan = scan_cached(&trees, &cache, ExtraEntries::Keep);
    assert!(plan.is_empty());
    assert_eq!((plan.unchanged, plan.existing, plan.entries), (4, 7, 7));
    assert_eq!(plan.in_sync, cache);
    assert_eq!(
        changed_paths(&scan_cached(&trees, &ScanCache::default(), ExtraEntries::Keep)),
        ["docs/plan.txt", "docs/deep/er/empty"]
    );
}

#[test]
fn a_changed_target_directory_is_compared() {
    type Change = &'static dyn Fn(&Trees);
    let changes: [(Change, &str); 4] = [
        (&|trees| fs::remove_file(trees.to.join("docs/plan.txt")).unwrap(), "docs/plan.txt"),
        (&|trees| fs::remove_dir_all(trees.to.join("docs/deep/er")).unwrap(), "docs/deep/er/empty"),
        (
            &|trees| {
                fs::remove_file(trees.to.join("docs/latest")).unwrap();
                link(&trees.to.join("docs/latest"), "elsewhere");
            },
            "docs/latest",
        ),
        (
            &|trees| {
                file(&trees.to.join("new"), "another", 7);
                fs::rename(trees.to.join("new"), trees.to.join("docs/deep/er/empty")).unwrap();
            },
            "docs/deep/er/empty",
        ),
    ];
    for (change, path) in changes {
        let (trees, cache) = mirrored_trees(ExtraEntries::Keep);
        change(&trees);
        assert_eq!(changed_paths(&scan_cached(&trees, &cache, ExtraEntries::Keep)), [path]);
    }
}

#[test]
fn a_change_is_found_even_if_the_modification_time_is_reset() {
    let (trees, cache) = mirrored_trees(ExtraEntries::Keep);
    let before = fs::metadata(trees.to.join("docs")).unwrap().modified().unwrap();
    fs::remove_file(trees.to.join("docs/plan.txt")).unwrap();
    fs::File::open(trees.to.join("docs")).unwrap().set_modified(before).unwrap();
    assert_eq!(changed_paths(&scan_cached(&trees, &cache, ExtraEntries::Keep)), ["docs/plan.txt"]);
}

#[test]
fn the_sample_of_a_run_is_no_change_of_the_top_level() {
    let (trees, _) = mirrored_trees(ExtraEntries::Keep);
    let scan_top = |cache: &ScanCache| {
        scan_with_cache(&trees.pair(), &Extent::TopLevel, ExtraEntries::Keep, cache, &Recorder::default()).unwrap()
    };
    let cache = scan_top(&ScanCache::default()).in_sync;
    assert!(trees.pair().file_system.sample.keeps_times());
    fs::write(trees.to.join("top.txt"), "changed in place").unwrap();
    assert!(scan_top(&cache).is_empty());
    assert!(!scan_top(&ScanCache::default()).is_empty());
    file(&trees.to.join("new"), "new", 1);
    assert!(!scan_top(&cache).is_empty());
}

#[test]
fn the_directory_of_a_changed_source_file_is_compared() {
    let (trees, cache) = mirrored_trees(ExtraEntries::Keep);
    // The new file has the size and modification time of the old one.
    fs::remove_file(trees.from.join("docs/plan.txt")).unwrap();
    file(&trees.from.join("docs/plan.txt"), "nalp", 2);
    fs::write(trees.to.join("docs/plan.txt"), "changed in place").unwrap();
    assert_eq!(changed_paths(&scan_cached(&trees, &cache, ExtraEntries::Keep)), ["docs/plan.txt"]);
}

#[test]
fn a_directory_that_is_not_in_sync_is_not_cached() {
    let trees = Trees::full();
    let unsynced = scan(&trees.pair(), &docs(), ExtraEntries::Keep, &Recorder::default()).unwrap();
    assert_eq!(unsynced.in_sync.len(), 0);
    trees.mirror_all(ExtraEntries::Keep);
    file(&trees.from.join("docs/deep/new"), "new", 1);
    let plan = scan(&trees.pair(), &docs(), ExtraEntries::Keep, &Recorder::default()).unwrap();
    assert_eq!(plan.in_sync.len(), 3);
    // A directory with a failed entry is not in sync either.
    file(&trees.to.join("docs/deep/new/inner"), "a directory in the way", 1);
    let plan = scan(&trees.pair(), &docs(), ExtraEntries::Keep, &Recorder::default()).unwrap();
    assert_eq!(plan.in_sync.len(), 3);
}

#[test]
fn a_directory_changed_at_the_start_of_the_scan_is_not_cached() {
    let (trees, _) = mirrored_trees(ExtraEntries::Keep);
    let in_sync = |time| {
        let at = At(Recorder::default(), time);
        scan(&trees.pair(), &docs(), ExtraEntries::Keep, &at).unwrap().in_sync.len()
    };
    let modified = fs::metadata(trees.from.join("docs")).unwrap().modified().unwrap();
    assert_eq!(in_sync(modified), 0);
    assert_eq!(in_sync(modified + Duration::from_secs(60)), 4);
}

#[test]
fn a_cached_directory_with_extra_entries_is_used_only_without_delete() {
    let trees = Trees::full();
    file(&trees.to.join("docs/empty/old"), "old", 1);
    trees.mirror_all(ExtraEntries::Keep);
    let cache = scan(&trees.pair(), &docs(), ExtraEntries::Keep, &Recorder::default()).unwrap().in_sync;
    assert!(scan_cached(&trees, &cache, ExtraEntries::Keep).is_empty());
    let plan = scan_cached(&trees, &cache, ExtraEntries::Delete);
    assert_eq!((plan.deletes(), plan.existing), (1, 8));
}

#[test]
fn a_special_file_in_a_cached_directory_is_a_warning_in_every_run() {
    let (trees, _) = mirrored_trees(ExtraEntries::Keep);
    assert!(Command::new("mkfifo").arg(trees.from.join("docs/empty/pipe")).status().unwrap().success());
    trees.mirror_all(ExtraEntries::Keep);
    let cache = scan(&trees.pair(), &docs(), ExtraEntries::Keep, &Recorder::default()).unwrap().in_sync;
    assert_eq!(cache.len(), 4);
    let run = Recorder::default();
    scan_with_cache(&trees.pair(), &docs(), ExtraEntries::Keep, &cache, &run).unwrap();
    assert_eq!(run.warnings(), ["docs/empty/pipe: a FIFO is not copied"]);
}

/// Mirrors `docs`, and calls `disturb` after the scan and again after each write. Returns the number of recorded directories.
fn recorded(trees: &Trees, disturb: impl Fn(&Trees) + Send + Sync) -> usize {
    let run = Hook(Recorder::default(), |_| {
        disturb(trees);
        Ok(())
    });
    let plan = scan(&trees.pair(), &docs(), ExtraEntries::Keep, &run).unwrap();
    disturb(trees);
    carry_out(&trees.pair(), plan, &run).unwrap().len()
}

#[test]
fn a_run_records_the_directories_that_it_has_changed() {
    let trees = Trees::full();
    let run = Recorder::default();
    let plan = scan(&trees.pair(), &docs(), ExtraEntries::Keep, &run).unwrap();
    let cache = carry_out(&trees.pair(), plan, &run).unwrap();
    assert_eq!(cache.len(), 4);
    fs::write(trees.to.join("docs/plan.txt"), "changed in place").unwrap();
    assert!(scan_cached(&trees, &cache, ExtraEntries::Keep).is_empty());
    file(&trees.from.join("docs/deep/new"), "new", 1);
    let plan = scan_cached(&trees, &cache, ExtraEntries::Keep);
    assert_eq!(changed_paths(&plan), ["docs/deep/new"]);
    assert_eq!(carry_out(&trees.pair(), plan, &run).unwrap().len(), 4);
}

#[test]
fn a_directory_that_another_program_changes_meanwhile_is_not_recorded() {
    let trees = Trees::full();
    trees.mirror_all(ExtraEntries::Keep);
    fs::remove_file(trees.to.join("docs/plan.txt")).unwrap();
    file(&trees.to.join("docs/other"), "other", 1);
    let disturbances: [fn(&Trees); 4] = [
        |trees| fs::write(trees.to.join("docs/foreign"), "").unwrap(),
        |trees| drop(fs::remove_file(trees.to.join("docs/other"))),
        |trees| drop(fs::rename(trees.to.join("docs/dangling"), trees.to.join("docs/moved"))),
        |trees| {
            // Another name keeps the old inode number in use.
            drop(fs::hard_link(trees.to.join("docs/latest"), trees.to.join("pinned")));
            file(&trees.to.join("docs/twin"), "twin", 1);
            fs::rename(trees.to.join("docs/twin"), trees.to.join("docs/latest")).unwrap();
        },
    ];
    for disturb in disturbances {
        assert_eq!(recorded(&trees, disturb), 3);
        trees.mirror_all(ExtraEntries::Keep);
        fs::remove_file(trees.to.join("docs/plan.txt")).unwrap();
        file(&trees.to.join("docs/other"), "other", 1);
    }
    assert_eq!(recorded(&trees, |_| ()), 4);
}

#[test]
fn a_directory_in_which_a_change_failed_is_not_recorded() {
    let trees = Trees::full();
    let block = |trees: &Trees| drop(fs::create_dir_all(trees.to.join("docs/plan.txt/inner")));
    fs::create_dir(trees.to.join("docs")).unwrap();
    assert_eq!(recorded(&trees, block), 3);
}
