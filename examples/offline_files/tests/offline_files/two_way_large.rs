//! Large files in runs in both directions, which are updated in place on a file system that shares no blocks.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::thread;

use crate::running::Running;
use crate::skip::skip;
use crate::trees::{Trees, file};

const SIZE: u64 = 24 * 1024 * 1024;
const PAGE: u64 = 4096;

/// Two sides that agree on a large file.
fn agreed() -> Trees {
    let trees = Trees::new();
    let mut contents = vec![0; SIZE as usize];
    fastrand::Rng::with_seed(2).fill(&mut contents);
    file(&trees.from.join("docs/small"), "small", 1);
    fs::write(trees.from.join("docs/large"), contents).unwrap();
    settle(&trees, &[]);
    trees
}

/// Synchronizes, which must succeed and make both sides equal.
fn settle(trees: &Trees, flags: &[&str]) {
    let output = trees.run(&[&["--two-way", "--json"], flags].concat());
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let [one, other] = sides(trees).map(|path| (fs::metadata(&path).unwrap(), fs::read(&path).unwrap()));
    assert!(one.1 == other.1, "the contents differ");
    assert_eq!((one.0.mtime(), one.0.mode()), (other.0.mtime(), other.0.mode()));
    assert!(journal(trees).is_none());
}

fn sides(trees: &Trees) -> [PathBuf; 2] {
    [&trees.from, &trees.to].map(|side| side.join("docs/large"))
}

/// Changes some pages on one side.
fn change(path: &PathBuf, pages: u64, random: &mut fastrand::Rng) {
    let file = File::options().write(true).open(path).unwrap();
    for _ in 0..pages {
        let number = random.u64(..).to_le_bytes();
        file.write_all_at(&number, random.u64(0..SIZE / PAGE) * PAGE).unwrap();
    }
}

/// The temporary file of a run.
fn journal(trees: &Trees) -> Option<PathBuf> {
    let names = [&trees.from, &trees.to].map(|side| fs::read_dir(side.join("docs")).unwrap());
    let mut paths = names.into_iter().flatten().map(|entry| entry.unwrap().path());
    paths.find(|path| path.extension().is_some_and(|extension| extension == "partial"))
}

/// Returns `true` where files are updated in place: on ext4, which shares no blocks.
fn updates_in_place(trees: &Trees) -> bool {
    cfg!(target_os = "linux") && rustix::fs::statfs(&trees.to).is_ok_and(|about| about.f_type == 0xef53)
}

#[test]
fn a_changed_large_file_keeps_its_inode_number_unless_the_old_version_is_kept() {
    let trees = agreed();
    if !updates_in_place(&trees) {
        return skip("the temporary directory is not on ext4");
    }
    let inodes = || sides(&trees).map(|path| fs::metadata(path).unwrap().ino());
    let (before, random) = (inodes(), &mut fastrand::Rng::with_seed(3));
    for side in 0..2 {
        change(&sides(&trees)[side], 20, random);
        settle(&trees, &[]);
        assert_eq!(inodes(), before);
    }
    let old = fs::read(&sides(&trees)[1]).unwrap();
    change(&sides(&trees)[0], 20, random);
    settle(&trees, &["--keep-replaced", "3"]);
    assert_ne!(inodes()[1], before[1]);
    let day = fs::read_dir(trees.to.join(".offline_files-kept")).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read(day.join("docs/large")).unwrap() == old);
}

#[test]
fn an_update_that_is_killed_at_any_point_is_completed_by_the_next_run() {
    let trees = agreed();
    let mut random = fastrand::Rng::with_seed(4);
    let mut killed_with_journal = 0;
    for round in 0..16 {
        change(&sides(&trees)[round % 2], 500, &mut random);
        let new = fs::read(&sides(&trees)[round % 2]).unwrap();
        // The journal has about 2.1 MiB. Half of the kills come when it is nearly complete or applied.
        let (bytes, moments) = (random.u64(0..4_000_000).min(2_050_000), random.u32(0..2_000));
        let mut running = Running::start(trees.command(&["--two-way"]));
        let is_at = || journal(&trees).is_some_and(|path| fs::metadata(path).is_ok_and(|about| about.len() >= bytes));
        while running.child.try_wait().unwrap().is_none() && !is_at() {
            thread::yield_now();
        }
        (0..moments).for_each(|_| thread::yield_now());
        drop(running);
        killed_with_journal += usize::from(journal(&trees).is_some());
        settle(&trees, &[]);
        assert!(fs::read(&sides(&trees)[0]).unwrap() == new, "round {round}: the change is lost");
    }
    assert!(killed_with_journal > 0 || !updates_in_place(&trees));
}

/// Both sides after a run that was killed when its journal had this number of bytes, of about 2,100,000, or later.
fn killed_with_journal(seed: u64, bytes: u64) -> Trees {
    let trees = agreed();
    change(&sides(&trees)[0], 500, &mut fastrand::Rng::with_seed(seed));
    let mut running = Running::start(trees.command(&["--two-way"]));
    let is_at = || journal(&trees).is_some_and(|path| fs::metadata(path).is_ok_and(|about| about.len() >= bytes));
    while running.child.try_wait().unwrap().is_none() && !is_at() {
        thread::yield_now();
    }
    drop(running);
    trees
}

#[test]
fn a_killed_update_is_completed_also_if_its_file_is_moved_elsewhere() {
    for seed in 6..12 {
        let trees = killed_with_journal(seed, 2_050_000);
        let new = fs::read(&sides(&trees)[0]).unwrap();
        fs::create_dir(trees.to.join("other")).unwrap();
        fs::rename(&sides(&trees)[1], trees.to.join("other/large")).unwrap();
        let output = trees.run(&["--two-way", "--json"]);
        assert_eq!(output.code, Some(0), "{seed}: {}{}", output.stdout, output.stderr);
        for side in [&trees.from, &trees.to] {
            assert!(fs::read(side.join("other/large")).unwrap() == new, "{seed}: {}", side.display());
            assert!(!side.join("docs/large").exists());
        }
    }
}

#[test]
fn a_mirror_completes_an_update_of_a_killed_run_too() {
    let trees = killed_with_journal(5, 0);
    assert_eq!(trees.run(&[]).code, Some(0));
    assert!(fs::read(&sides(&trees)[0]).unwrap() == fs::read(&sides(&trees)[1]).unwrap());
    assert!(journal(&trees).is_none());
}
