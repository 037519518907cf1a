//! What is remembered of two trees, and what it saves.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::fixture::{At, Recorder, scan, scan_since};
use super::trees::{Trees, chmod, file, link};
use super::*;

fn docs() -> Extent {
    Extent::Directory("docs".into())
}

/// FROM mirrored, and what was in order then.
fn mirrored(surplus: Surplus) -> (Trees, Memory) {
    let trees = Trees::full();
    trees.mirror_all(surplus);
    let known = scan(&trees.pair(), &docs(), surplus, &Recorder::default()).unwrap().settled;
    (trees, known)
}

fn since(trees: &Trees, known: &Memory, surplus: Surplus) -> Plan {
    scan_since(&trees.pair(), &docs(), surplus, known, &Recorder::default()).unwrap()
}

/// The names at which a plan changes something.
fn changed(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(|change| change.path().display().to_string()).collect()
}

#[test]
fn of_a_known_directory_only_the_stamp_is_read_in_to() {
    let (trees, known) = mirrored(Surplus::Keep);
    assert_eq!(known.len(), 4);
    // Nothing of this changes a directory, so that only reading the files themselves could tell.
    fs::write(trees.to.join("docs/plan.txt"), "written by somebody").unwrap();
    chmod(&trees.to.join("docs/deep/er/empty"), 0o600);
    let plan = since(&trees, &known, Surplus::Keep);
    assert!(plan.is_empty());
    assert_eq!((plan.unchanged, plan.existing, plan.entries), (4, 7, 7));
    assert_eq!(plan.settled, known);
    assert_eq!(changed(&since(&trees, &Memory::default(), Surplus::Keep)), ["docs/plan.txt", "docs/deep/er/empty"]);
}

#[test]
fn a_directory_of_to_in_which_somebody_changed_something_is_compared() {
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
        let (trees, known) = mirrored(Surplus::Keep);
        change(&trees);
        assert_eq!(changed(&since(&trees, &known, Surplus::Keep)), [path]);
    }
}

#[test]
fn a_change_that_was_hidden_behind_the_old_time_shows_all_the_same() {
    let (trees, known) = mirrored(Surplus::Keep);
    let (docs, entry) = (trees.pair().to.descend(Path::new("docs")).unwrap(), OsStr::new("docs"));
    let before = trees.pair().to.entry(entry).unwrap().unwrap();
    fs::remove_file(trees.to.join("docs/plan.txt")).unwrap();
    docs.settle(&before).unwrap();
    assert_eq!(changed(&since(&trees, &known, Surplus::Keep)), ["docs/plan.txt"]);
}

#[test]
fn a_file_of_from_that_was_changed_in_any_way_has_its_directory_compared() {
    let (trees, known) = mirrored(Surplus::Keep);
    // As long and as old as before.
    fs::remove_file(trees.from.join("docs/plan.txt")).unwrap();
    file(&trees.from.join("docs/plan.txt"), "nalp", 2);
    fs::write(trees.to.join("docs/plan.txt"), "written by somebody").unwrap();
    assert_eq!(changed(&since(&trees, &known, Surplus::Keep)), ["docs/plan.txt"]);
}

#[test]
fn a_directory_that_is_not_in_order_is_not_remembered() {
    let trees = Trees::full();
    let nothing = scan(&trees.pair(), &docs(), Surplus::Keep, &Recorder::default()).unwrap();
    assert_eq!(nothing.settled.len(), 0);
    trees.mirror_all(Surplus::Keep);
    file(&trees.from.join("docs/deep/new"), "new", 1);
    let plan = scan(&trees.pair(), &docs(), Surplus::Keep, &Recorder::default()).unwrap();
    assert_eq!(plan.settled.len(), 3);
    // One whose names cannot all be dealt with is none either.
    file(&trees.to.join("docs/deep/new/inner"), "a directory in the way", 1);
    let plan = scan(&trees.pair(), &docs(), Surplus::Keep, &Recorder::default()).unwrap();
    assert_eq!(plan.settled.len(), 3);
}

#[test]
fn what_changed_as_late_as_the_scan_began_is_not_remembered() {
    let (trees, _) = mirrored(Surplus::Keep);
    let settled = |time| {
        let at = At(Recorder::default(), time);
        scan(&trees.pair(), &docs(), Surplus::Keep, &at).unwrap().settled.len()
    };
    let made = fs::metadata(trees.from.join("docs")).unwrap().modified().unwrap();
    assert_eq!(settled(made), 0);
    assert_eq!(settled(made + Duration::from_secs(60)), 4);
}

#[test]
fn what_only_to_has_is_remembered_as_long_as_it_may_stay() {
    let trees = Trees::full();
    file(&trees.to.join("docs/empty/old"), "old", 1);
    trees.mirror_all(Surplus::Keep);
    let known = scan(&trees.pair(), &docs(), Surplus::Keep, &Recorder::default()).unwrap().settled;
    assert!(since(&trees, &known, Surplus::Keep).is_empty());
    let plan = since(&trees, &known, Surplus::Delete);
    assert_eq!((plan.deletes(), plan.existing), (1, 8));
}

#[test]
fn an_odd_file_in_a_known_directory_is_a_warning_each_time() {
    let (trees, _) = mirrored(Surplus::Keep);
    assert!(Command::new("mkfifo").arg(trees.from.join("docs/empty/pipe")).status().unwrap().success());
    trees.mirror_all(Surplus::Keep);
    let known = scan(&trees.pair(), &docs(), Surplus::Keep, &Recorder::default()).unwrap().settled;
    assert_eq!(known.len(), 4);
    let run = Recorder::default();
    scan_since(&trees.pair(), &docs(), Surplus::Keep, &known, &run).unwrap();
    assert_eq!(run.warnings(), ["docs/empty/pipe: a FIFO, which is not copied"]);
}

#[test]
fn the_file_put_aside_is_not_mirrored_nor_what_stands_beside_it() {
    let trees = Trees::full();
    for name in ["state.db", "state.db-wal", "state.db.lock"] {
        file(&trees.from.join("docs/deep").join(name), "state", 1);
    }
    let (known, aside) = (Memory::default(), Some(Path::new("docs/deep/state.db")));
    let basis = Basis { surplus: Surplus::Keep, known: &known, aside };
    let plan = super::scan(&trees.pair(), &docs(), basis, &Recorder::default()).unwrap();
    assert!(!changed(&plan).iter().any(|path| path.contains("state")), "{:?}", changed(&plan));
    assert_eq!(plan.changes.len(), 4);
}
