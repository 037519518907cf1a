//! Steps that are carried out while another program changes what they concern.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::*;
use crate::mirror::trees::{Trees, file};
use crate::mirror::{Directory, Done, FileError, Kept, OwnFiles};
use crate::two_way::entry::{Agreed, Found};
use crate::two_way::ignored::Ignored;
use crate::two_way::reconcile::{Rules, reconcile_part};
use crate::two_way::scan::{Scope, scan};
use crate::two_way::settled::settled;
use crate::two_way::side::Both;
use crate::two_way::state::State;
use crate::two_way::tree::Tree;

/// A monitor that calls a function when something is done.
struct OnDone<F>(F);

impl<F: Fn(Done) + Send + Sync> Monitor for OnDone<F> {
    fn advance(&self, _: u64) -> Result<(), Stopped> {
        Ok(())
    }

    fn done(&self, done: Done) {
        (self.0)(done);
    }

    fn warn(&self, _: &Path, _: &str) {}

    fn fail(&self, error: FileError) {
        panic!("{} {error}", error.path.display());
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH
    }
}

/// Synchronizes the item `docs`. Calls `before` between the scan and the first step, and `on_done` after each. Returns what is agreed
/// then.
fn run(trees: &Trees, agreed: Tree<Agreed>, before: impl Fn(), on_done: impl Fn(Done) + Send + Sync) -> Tree<Agreed> {
    let open = |path| Directory::open(path).unwrap();
    let disks = Disks::new(Both { a: open(&trees.from), b: open(&trees.to) }, Kept::default(), 1);
    let (ignored, own_files) = (Ignored::default(), OwnFiles::default());
    let scope = Scope { includes: &|_| true, own_files: &own_files, ignored: &ignored, hidden: &[] };
    let found: Both<Tree<Found>> = scan(&disks.roots, &scope, &disks.jobs, &OnDone(|_| {})).unwrap().found;
    let state = State::new(agreed, found);
    let mut plan = reconcile_part(&state, &Rules::default(), &Some("docs".into()));
    before();
    let outcomes =
        carry_out(&disks, &mut plan, &Keeper::None, (&AtomicBool::new(false), Errors::HoldDeletions), &OnDone(on_done))
            .unwrap();
    disks.remove_samples();
    settled(&state, &plan, &outcomes, [])
}

#[test]
fn a_directory_that_vanishes_before_its_copy_is_made_is_not_made() {
    let trees = Trees::new();
    file(&trees.from.join("docs/a"), "a", 1);
    fs::create_dir(trees.from.join("docs/new")).unwrap();
    run(&trees, Tree::new(None), || fs::remove_dir(trees.from.join("docs/new")).unwrap(), |_| {});
    assert!(trees.to.join("docs/a").exists() && !trees.to.join("docs/new").exists());
}

#[test]
fn a_directory_that_vanishes_after_it_was_copied_is_deleted_by_the_next_run() {
    let trees = Trees::new();
    fs::create_dir_all(trees.from.join("docs/new")).unwrap();
    let vanish = |done| {
        if done == Done::Created && trees.to.join("docs/new").exists() {
            fs::remove_dir(trees.from.join("docs/new")).unwrap();
        }
    };
    let agreed = run(&trees, Tree::new(None), || {}, vanish);
    assert!(trees.to.join("docs/new").exists());
    run(&trees, agreed, || {}, |_| {});
    assert!(!trees.to.join("docs/new").exists() && !trees.from.join("docs/new").exists());
}

#[test]
fn a_file_that_vanishes_with_its_directory_is_no_error() {
    let trees = Trees::new();
    file(&trees.from.join("docs/deep/a"), "a", 1);
    file(&trees.from.join("docs/b"), "b", 1);
    let vanish = |done| {
        if done == Done::Created && trees.to.join("docs/deep").exists() {
            fs::remove_dir_all(trees.from.join("docs/deep")).unwrap();
        }
    };
    run(&trees, Tree::new(None), || {}, vanish);
    assert!(trees.to.join("docs/b").exists() && !trees.to.join("docs/deep/a").exists());
}
