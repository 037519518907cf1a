//! Tests of hard links on two trees that change between the runs and in them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::fixture::{Recorder, carry_out, scan, scan_with_cache};
use super::trees::{Trees, file, snapshot};
use super::*;

fn docs() -> Extent {
    Extent::Directory("docs".into())
}

/// Trees that keep hard links, with the names `docs/a` and `docs/z` of one file in FROM.
fn linked_trees() -> (Trees, Pair) {
    let trees = Trees::new();
    file(&trees.from.join("docs/a"), "old", 1);
    fs::hard_link(trees.from.join("docs/a"), trees.from.join("docs/z")).unwrap();
    let mut pair = trees.pair();
    pair.asked.hard_links = true;
    (trees, pair)
}

/// Replaces the file `name` in FROM.
fn replace(trees: &Trees, name: &str, text: &str) {
    file(&trees.from.join("new"), text, 2);
    fs::rename(trees.from.join("new"), trees.from.join(name)).unwrap();
}

/// Mirrors `docs`, and changes FROM after the scan. Returns the number of directories in sync.
fn mirror_changing(pair: &Pair, change: impl FnOnce()) -> usize {
    let run = Recorder::default();
    let plan = scan(pair, &docs(), ExtraEntries::Keep, &run).unwrap();
    change();
    let in_sync = carry_out(pair, plan, &run).unwrap().len();
    assert_eq!(run.errors(), [""; 0]);
    in_sync
}

fn inode(root: &Path, name: &str) -> u64 {
    fs::metadata(root.join(name)).unwrap().ino()
}

#[test]
fn no_name_gets_the_contents_of_a_file_that_has_replaced_another_name() {
    for name in ["docs/a", "docs/z"] {
        let (trees, pair) = linked_trees();
        let in_sync = mirror_changing(&pair, || replace(&trees, name, "new and longer"));
        assert_eq!(snapshot(&trees.to.join("docs")), snapshot(&trees.from.join("docs")), "{name}");
        assert_eq!(in_sync, 0, "{name}");
    }
}

#[test]
fn a_name_that_was_replaced_after_the_scan_is_not_linked_to_an_unchanged_file() {
    let (trees, pair) = linked_trees();
    fs::remove_file(trees.from.join("docs/z")).unwrap();
    mirror_changing(&pair, || ());
    fs::hard_link(trees.from.join("docs/a"), trees.from.join("docs/z")).unwrap();
    mirror_changing(&pair, || replace(&trees, "docs/z", "new and longer"));
    assert_eq!(snapshot(&trees.to.join("docs")), snapshot(&trees.from.join("docs")));
    assert_ne!(inode(&trees.to, "docs/a"), inode(&trees.to, "docs/z"));
}

#[test]
fn names_whose_file_is_written_after_the_scan_are_linked() {
    let (trees, pair) = linked_trees();
    mirror_changing(&pair, || file(&trees.from.join("docs/a"), "new and longer", 2));
    assert_eq!(snapshot(&trees.to.join("docs")), snapshot(&trees.from.join("docs")));
    assert_eq!(inode(&trees.to, "docs/a"), inode(&trees.to, "docs/z"));
}

/// Mirrors `docs`, whose directories in `cache` were in sync. Returns those that now are.
fn mirror_cached(trees: &Trees, cache: &ScanCache) -> ScanCache {
    let (mut pair, run) = (trees.pair(), Recorder::default());
    pair.asked.hard_links = true;
    let plan = scan_with_cache(&pair, &docs(), ExtraEntries::Delete, cache, &run).unwrap();
    let in_sync = carry_out(&pair, plan, &run).unwrap();
    assert_eq!(run.errors(), [""; 0]);
    in_sync
}

#[test]
fn a_name_in_a_new_directory_is_linked_to_one_in_a_cached_directory() {
    // The cached directory is scanned before the new one, or after it.
    for (old, new, other) in
        [("docs/B", "docs/C", "docs/A"), ("docs/A", "docs/C", "docs/B"), ("docs/B", "docs/0", "docs/A")]
    {
        let trees = Trees::new();
        file(&trees.from.join("docs/A/f"), "text", 1);
        fs::create_dir(trees.from.join("docs/B")).unwrap();
        fs::hard_link(trees.from.join("docs/A/f"), trees.from.join("docs/B/f")).unwrap();
        let cache = mirror_cached(&trees, &ScanCache::default());
        assert_eq!(cache.len(), 3);
        fs::rename(trees.from.join(old), trees.from.join(new)).unwrap();
        let cache = mirror_cached(&trees, &cache);
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
        let [new, other] = [new, other].map(|directory| inode(&trees.to.join(directory), "f"));
        assert_eq!(new, other);
        assert_eq!(mirror_cached(&trees, &cache), cache);
    }
}

#[test]
fn a_cached_directory_with_linked_files_is_not_compared() {
    let (trees, _) = linked_trees();
    file(&trees.from.join("docs/deep/single"), "text", 1);
    let cache = mirror_cached(&trees, &ScanCache::default());
    // A change in place is found only by a comparison.
    fs::write(trees.to.join("docs/deep/single"), "changed in place").unwrap();
    fs::write(trees.to.join("docs/a"), "changed in place").unwrap();
    assert_eq!(mirror_cached(&trees, &cache), cache);
    assert_eq!(fs::read_to_string(trees.to.join("docs/z")).unwrap(), "changed in place");
}

#[test]
fn a_name_that_became_another_file_in_the_target_is_linked_again() {
    let trees = Trees::new();
    file(&trees.from.join("docs/a/file"), "text", 1);
    fs::create_dir(trees.from.join("docs/b")).unwrap();
    fs::hard_link(trees.from.join("docs/a/file"), trees.from.join("docs/b/file")).unwrap();
    let cache = mirror_cached(&trees, &ScanCache::default());
    file(&trees.to.join("copy"), "text", 1);
    fs::rename(trees.to.join("copy"), trees.to.join("docs/a/file")).unwrap();
    mirror_cached(&trees, &cache);
    assert_eq!(inode(&trees.to, "docs/a/file"), inode(&trees.to, "docs/b/file"));
}
