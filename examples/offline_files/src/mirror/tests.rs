//! Tests of the mirror on two trees.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use rustix::fs::Mode;

use super::fixture::{Hook, Recorder, carry_out, scan};
use super::trees::{Trees, chmod, file, link, snapshot};
use super::*;

fn docs() -> Extent {
    Extent::Directory("docs".into())
}

#[test]
fn a_mirror_equals_its_source_in_contents_times_permissions_and_links() {
    let trees = Trees::full();
    let run = trees.mirror_all(ExtraEntries::Keep);
    assert_eq!(run.errors(), [""; 0]);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_second_run_changes_nothing() {
    let trees = Trees::full();
    trees.mirror_all(ExtraEntries::Delete);
    let run = trees.mirror_all(ExtraEntries::Delete);
    assert_eq!(*run.done.lock().unwrap(), []);
    let plan = scan(&trees.pair(), &docs(), ExtraEntries::Delete, &run).unwrap();
    assert!(plan.is_empty());
    assert_eq!(plan.unchanged, 4);
}

#[test]
fn a_file_of_another_size_or_time_is_copied_again() {
    let trees = Trees::full();
    trees.mirror_all(ExtraEntries::Keep);
    file(&trees.from.join("docs/plan.txt"), "plan b", 2);
    file(&trees.from.join("top.txt"), "pot", 9);
    let run = trees.mirror_all(ExtraEntries::Keep);
    assert_eq!(run.count(Done::Copied), 2);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn changed_permission_bits_are_set_without_a_copy() {
    let trees = Trees::full();
    trees.mirror_all(ExtraEntries::Keep);
    let inode = fs::metadata(trees.to.join("docs/plan.txt")).unwrap().ino();
    chmod(&trees.from.join("docs/plan.txt"), 0o600);
    let run = trees.mirror_all(ExtraEntries::Keep);
    assert_eq!((run.count(Done::Adjusted), run.count(Done::Copied)), (1, 0));
    assert_eq!(fs::metadata(trees.to.join("docs/plan.txt")).unwrap().ino(), inode);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_directory_becomes_narrower_before_files_are_copied_into_it() {
    let trees = Trees::full();
    trees.mirror_all(ExtraEntries::Keep);
    file(&trees.from.join("docs/deep/secret"), "secret", 1);
    chmod(&trees.from.join("docs/deep"), 0o540);
    let mode = || fs::metadata(trees.to.join("docs/deep")).unwrap().mode() & 0o777;
    assert_eq!(mode(), 0o755);
    let hook = Hook(Recorder::default(), |_| {
        assert_eq!(mode(), 0o740);
        Ok(())
    });
    trees.mirror_with_monitor(&hook, &docs(), ExtraEntries::Keep).unwrap();
    assert_eq!(mode(), 0o540);
    assert_eq!((hook.0.count(Done::Copied), snapshot(&trees.to)), (1, snapshot(&trees.from)));
}

#[test]
fn a_link_with_another_target_of_equal_length_and_time_is_replaced() {
    let trees = Trees::full();
    trees.mirror_all(ExtraEntries::Keep);
    let (pair, name) = (trees.pair(), OsStr::new("latest"));
    let docs = pair.descend(Path::new("docs")).unwrap();
    let time = docs.from.entry(name).unwrap().unwrap();
    docs.from.remove(name).unwrap();
    docs.from.create_link(name, OsStr::new("plan.TXT")).unwrap();
    docs.from.date_link(name, &time).unwrap();
    trees.mirror_all(ExtraEntries::Keep);
    assert_eq!(fs::read_link(trees.to.join("docs/latest")).unwrap(), Path::new("plan.TXT"));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_changed_directory_keeps_the_time_of_its_source() {
    let trees = Trees::full();
    trees.mirror_all(ExtraEntries::Keep);
    let before = fs::metadata(trees.from.join("docs")).unwrap().modified().unwrap();
    let changes: [&dyn Fn(); 4] = [
        &|| fs::create_dir(trees.from.join("docs/new")).unwrap(),
        &|| fs::write(trees.from.join("docs/also"), "new").unwrap(),
        &|| fs::remove_file(trees.from.join("docs/also")).unwrap(),
        &|| link(&trees.from.join("docs/link"), "new"),
    ];
    for change in changes {
        change();
        fs::File::open(trees.from.join("docs")).unwrap().set_modified(before).unwrap();
        trees.mirror_all(ExtraEntries::Delete);
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }
}

#[test]
fn set_user_id_and_set_group_id_are_not_copied() {
    let trees = Trees::new();
    file(&trees.from.join("a"), "a", 1);
    fs::create_dir(trees.from.join("d")).unwrap();
    chmod(&trees.from.join("a"), 0o6755);
    chmod(&trees.from.join("d"), 0o3777);
    trees.mirror_all(ExtraEntries::Keep);
    let mode = |name| fs::metadata(trees.to.join(name)).unwrap().mode() & 0o7777;
    assert_eq!((mode("a"), mode("d")), (0o755, 0o1777));
    assert_eq!(trees.mirror_all(ExtraEntries::Keep).done.into_inner().unwrap(), []);
}

#[test]
fn owners_are_tried_in_the_target_only_if_one_differs() {
    let trees = Trees::full();
    trees.mirror_all(ExtraEntries::Keep);
    let kept = Kept { owners: true, ..Kept::default() };
    let pair = Pair::new(Directory::open(&trees.from).unwrap(), Directory::open(&trees.to).unwrap(), kept);
    let plan = scan(&pair, &docs(), ExtraEntries::Keep, &Recorder::default()).unwrap();
    assert!(plan.is_empty() && !trees.to.join(pair.file_systems.sample_name()).exists());
}

#[test]
fn extra_entries_are_kept_unless_deletion_is_enabled() {
    let trees = Trees::full();
    for name in ["docs/old.txt", "docs/gone/a", "docs/gone/b/c", "gone/x", "old"] {
        file(&trees.to.join(name), "old", 1);
    }
    let kept = trees.mirror_all(ExtraEntries::Keep);
    assert_eq!(kept.count(Done::Deleted), 0);
    assert!(trees.to.join("docs/gone/b/c").exists());
    let deleted = trees.mirror_all(ExtraEntries::Delete);
    assert_eq!(deleted.count(Done::Deleted), 8);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn deletion_never_follows_a_link_out_of_the_target() {
    let trees = Trees::new();
    file(&trees.base.path().join("precious/a"), "a", 1);
    link(&trees.to.join("way"), "../precious");
    file(&trees.to.join("gone/b"), "b", 1);
    link(&trees.to.join("gone/way"), "../../precious");
    trees.mirror_all(ExtraEntries::Delete);
    assert!(snapshot(&trees.to).is_empty());
    assert!(trees.base.path().join("precious/a").exists());
}

#[test]
fn entries_are_counted_for_the_guard_in_both_extents() {
    let trees = Trees::new();
    for number in 0..9 {
        file(&trees.from.join(format!("docs/{number}")), "same", 1);
        file(&trees.to.join(format!("docs/{number}")), "same", 1);
        file(&trees.to.join(format!("docs/gone/{number}")), "gone", 1);
    }
    file(&trees.to.join("docs/also"), "gone", 1);
    let plan = scan(&trees.pair(), &docs(), ExtraEntries::Delete, &Recorder::default()).unwrap();
    assert_eq!((plan.deletes(), plan.existing, plan.entries), (11, 20, 9));
    let plan = scan(&trees.pair(), &Extent::TopLevel, ExtraEntries::Delete, &Recorder::default()).unwrap();
    assert_eq!((plan.existing, plan.deletes()), (0, 0));
}

#[test]
fn a_target_link_to_a_directory_is_replaced_and_not_followed() {
    let trees = Trees::full();
    let precious = trees.base.path().join("precious");
    file(&precious.join("plan.txt"), "precious", 1);
    link(&trees.to.join("docs"), "../precious");
    fs::create_dir(trees.to.join("tools")).unwrap();
    link(&trees.to.join("tools/run.sh"), "../../precious/plan.txt");
    trees.mirror_all(ExtraEntries::Keep);
    assert_eq!(fs::read_to_string(precious.join("plan.txt")).unwrap(), "precious");
    assert_eq!(fs::read_dir(&precious).unwrap().count(), 1);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_link_created_after_the_scan_is_not_followed() {
    let trees = Trees::full();
    let precious = trees.base.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::create_dir(trees.to.join("docs")).unwrap();
    let (pair, run) = (trees.pair(), Recorder::default());
    let plan = scan(&pair, &docs(), ExtraEntries::Keep, &run).unwrap();
    fs::remove_dir(trees.to.join("docs")).unwrap();
    link(&trees.to.join("docs"), "../precious");
    carry_out(&pair, plan, &run).unwrap();
    assert_eq!(fs::read_dir(&precious).unwrap().count(), 0);
    assert!(!run.errors().is_empty());
}

#[test]
fn a_file_is_replaced_by_a_directory_and_vice_versa() {
    let trees = Trees::new();
    file(&trees.from.join("docs/x/inner"), "inner", 1);
    file(&trees.from.join("docs/y"), "y", 1);
    file(&trees.to.join("docs/x"), "x", 1);
    fs::create_dir_all(trees.to.join("docs/y")).unwrap();
    trees.mirror(&docs(), ExtraEntries::Keep);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_thousand_levels_are_mirrored() {
    let trees = Trees::new();
    let mut inner = trees.pair().from;
    for name in std::iter::once("docs").chain(std::iter::repeat_n("d", 1_000)) {
        inner.create_directory(OsStr::new(name), Mode::RWXU).unwrap();
        inner = inner.enter(OsStr::new(name)).unwrap();
    }
    inner.create_file(OsStr::new("deep"), Mode::RWXU).unwrap();
    assert_eq!(trees.mirror(&docs(), ExtraEntries::Keep).count(Done::Created), 1_001);
    assert_eq!(trees.mirror(&docs(), ExtraEntries::Keep).errors(), [""; 0]);
    fs::rename(trees.from.join("docs"), trees.base.path().join("away")).unwrap();
    assert_eq!(trees.mirror(&Extent::TopLevel, ExtraEntries::Delete).count(Done::Deleted), 1_002);
}

#[test]
fn a_file_replaces_a_directory_with_entries_only_with_deletion() {
    let trees = Trees::new();
    file(&trees.from.join("docs/x"), "x", 1);
    file(&trees.to.join("docs/x/inner/most"), "inner", 1);
    let run = trees.mirror(&docs(), ExtraEntries::Keep);
    assert_eq!(run.errors().len(), 1, "{:?}", run.errors());
    assert!(run.errors()[0].starts_with("docs/x: cannot be replaced in TO: "));
    assert!(trees.to.join("docs/x/inner/most").exists());
    let run = trees.mirror(&docs(), ExtraEntries::Delete);
    assert_eq!(run.count(Done::Deleted), 3);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn an_empty_directory_that_is_filled_after_the_scan_is_kept() {
    let trees = Trees::new();
    file(&trees.from.join("docs/x"), "x", 1);
    fs::create_dir_all(trees.to.join("docs/x")).unwrap();
    let (pair, run) = (trees.pair(), Recorder::default());
    let plan = scan(&pair, &docs(), ExtraEntries::Keep, &run).unwrap();
    fs::write(trees.to.join("docs/x/late"), "").unwrap();
    carry_out(&pair, plan, &run).unwrap();
    assert!(run.errors()[0].starts_with("docs/x: cannot be replaced in TO: "), "{:?}", run.errors());
    assert!(trees.to.join("docs/x/late").exists());
}

#[test]
fn the_top_level_has_all_names_except_source_directories() {
    let trees = Trees::full();
    file(&trees.to.join("top.txt/inner"), "a directory where FROM has a file", 1);
    file(&trees.to.join("gone/x"), "a directory only TO has", 1);
    let run = trees.mirror(&Extent::TopLevel, ExtraEntries::Delete);
    assert_eq!(run.errors(), [""; 0]);
    assert_eq!(Directory::open(&trees.to).unwrap().names().unwrap(), ["elsewhere", "top.txt"]);
}

#[test]
fn a_special_file_is_a_warning_and_is_not_opened() {
    let trees = Trees::new();
    fs::create_dir(trees.from.join("docs")).unwrap();
    assert!(Command::new("mkfifo").arg(trees.from.join("docs/pipe")).status().unwrap().success());
    let run = trees.mirror(&docs(), ExtraEntries::Keep);
    assert_eq!(run.warnings(), ["docs/pipe: a FIFO is not copied"]);
    assert_eq!(run.errors(), [""; 0]);
    assert!(!trees.to.join("docs/pipe").exists());
}

#[test]
fn a_name_that_is_not_utf8_is_mirrored() {
    let trees = Trees::new();
    file(&trees.from.join(OsStr::from_bytes(b"docs/caf\xe9/\xff")), "bytes", 1);
    trees.mirror_all(ExtraEntries::Keep);
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_name_of_maximum_length_and_an_overlong_path_are_mirrored() {
    let trees = Trees::new();
    let name = "n".repeat(255);
    let mut inner = trees.pair().from;
    for name in std::iter::once("docs").chain(std::iter::repeat_n(name.as_str(), 20)) {
        inner.create_directory(OsStr::new(name), Mode::RWXU).unwrap();
        inner = inner.descend(Path::new(name)).unwrap();
    }
    inner.create_file(OsStr::new(&name), Mode::RWXU).unwrap();
    let run = trees.mirror(&docs(), ExtraEntries::Keep);
    assert_eq!(run.errors(), [""; 0]);
    let deep: std::path::PathBuf = std::iter::once("docs").chain(std::iter::repeat_n(name.as_str(), 20)).collect();
    assert_eq!(trees.pair().to.descend(&deep).unwrap().names().unwrap(), [name.as_str()]);
}

#[test]
fn a_sparse_file_of_any_size_stays_sparse() {
    for size in [100_000, 64 << 20] {
        let trees = Trees::new();
        file(&trees.from.join("docs/holes"), "start", 1);
        let holes = fs::File::options().write(true).open(trees.from.join("docs/holes")).unwrap();
        holes.write_all_at(b"middle", size / 2).unwrap();
        holes.set_len(size).unwrap();
        let run = trees.mirror(&docs(), ExtraEntries::Keep);
        assert_eq!(run.errors(), [""; 0]);
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
        let blocks = |root: &Path| fs::metadata(root.join("docs/holes")).unwrap().blocks();
        assert!(blocks(&trees.to) <= blocks(&trees.from) + 8, "{} {}", blocks(&trees.to), blocks(&trees.from));
    }
}

#[test]
fn a_file_that_is_only_a_hole_stays_one() {
    let trees = Trees::new();
    file(&trees.from.join("docs/hole"), "", 1);
    fs::File::options().write(true).open(trees.from.join("docs/hole")).unwrap().set_len(200 << 10).unwrap();
    trees.mirror(&docs(), ExtraEntries::Keep);
    let about = fs::metadata(trees.to.join("docs/hole")).unwrap();
    assert_eq!(about.len(), 200 << 10);
    assert!(about.blocks() <= 8, "{}", about.blocks());
}

#[test]
fn no_hard_link_is_made_to_a_file_that_was_not_copied() {
    let trees = Trees::new();
    let [a, b] = ["docs/a", "docs/deep/b"].map(|name| trees.from.join(name));
    file(&trees.to.join("docs/a"), "old", 1);
    file(&a, "new", 2);
    fs::create_dir(trees.from.join("docs/deep")).unwrap();
    fs::hard_link(&a, b).unwrap();
    let (mut pair, run) = (trees.pair(), Recorder::default());
    pair.asked.hard_links = true;
    let plan = scan(&pair, &docs(), ExtraEntries::Keep, &run).unwrap();
    fs::remove_file(&a).unwrap();
    let in_sync = carry_out(&pair, plan, &run).unwrap();
    assert_eq!(fs::read_to_string(trees.to.join("docs/deep/b")).unwrap(), "new");
    assert_eq!(in_sync.len(), 0, "the next run tries again to make the link");
}

#[test]
fn a_directory_that_cannot_be_created_is_one_error() {
    let trees = Trees::full();
    let (pair, run) = (trees.pair(), Recorder::default());
    let plan = scan(&pair, &docs(), ExtraEntries::Keep, &run).unwrap();
    file(&trees.to.join("docs"), "in the way since the scan", 1);
    carry_out(&pair, plan, &run).unwrap();
    assert_eq!(run.errors(), ["docs: cannot be created in TO: File exists (os error 17)"]);
}

#[test]
fn the_plan_depends_only_on_the_trees() {
    let trees = Trees::full();
    let plan = || format!("{:?}", scan(&trees.pair(), &docs(), ExtraEntries::Delete, &Recorder::default()).unwrap());
    assert_eq!(plan(), plan());
}
