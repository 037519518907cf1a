//! Decisions about small trees.

use std::collections::HashSet;
use std::path::Path;

use super::entry::{Agreed, Found, Kind, Time, Version};
use super::moves::{Move, Relocation, detect};
use super::plan::{Plan, Reason, Tally, Verdict};
use super::reconcile::{Rules, reconcile};
use super::side::{Both, Side};
use super::state::State;
use super::tree::{Id, Tree};

/// Entries by path, each with an inode number. A path that ends in a slash is a directory.
type Entries<'a> = &'a [(&'a str, u64)];

fn version(path: &str, inode: u64) -> Version {
    let (kind, mode) = if path.ends_with('/') { (Kind::Directory, 0o755) } else { (Kind::File, 0o644) };
    let time = Time { seconds: inode as i64, nanos: 1 };
    let is_directory = kind == Kind::Directory;
    let (size, modified) = if is_directory { (0, Time::default()) } else { (inode, time) };
    Version { kind, inode, size, modified, changed: modified, mode, is_mount: false }
}

fn tree<E: Clone>(root: E, entries: Entries<'_>, entry: impl Fn(&str, u64) -> E) -> Tree<E> {
    let mut tree = Tree::new(root);
    for (path, inode) in entries {
        let (parent, name) = (Path::new(path).parent().unwrap(), Path::new(path).file_name().unwrap());
        let parent = tree.find(parent).expect("the directory comes first");
        tree.add(parent, name, entry(path, *inode));
    }
    tree
}

/// A state in which the inode numbers of B are the agreed ones plus 1000, unless A has moved an entry.
fn state(agreed: Entries<'_>, a: Entries<'_>, b: Entries<'_>) -> State {
    let on_b = |path: &str, inode| Version { inode: inode + 1000, ..version(path, inode) };
    let both = |path: &str, inode| Some(Both { a: version(path, inode), b: on_b(path, inode) });
    let found = Both {
        a: tree(Found::default(), a, |path, inode| Found::new(version(path, inode))),
        b: tree(Found::default(), b, |path, inode| Found::new(on_b(path, inode))),
    };
    State::new(tree(None, agreed, both), found)
}

/// The verdict of each path.
fn verdicts(plan: &Plan) -> Vec<(String, Verdict)> {
    let of = |part: &super::plan::PartPlan| {
        let steps = 0..part.steps.len();
        steps.map(|step| (part.path(step).display().to_string(), part.steps[step].verdict)).collect::<Vec<_>>()
    };
    plan.parts.values().flat_map(of).collect()
}

fn moved(relocations: &[Relocation]) -> Vec<(Side, String, String)> {
    let paths = |moved: &Move| (moved.side, moved.from.display().to_string(), moved.to.display().to_string());
    relocations.iter().flat_map(Relocation::moves).map(paths).collect()
}

fn find<E>(tree: &Tree<E>, path: &str) -> Id {
    tree.find(Path::new(path)).expect("the entry exists")
}

#[test]
fn a_renamed_directory_is_one_move_and_no_copy() {
    let before: Entries<'_> = &[("d/", 1), ("d/x", 2), ("d/s/", 3), ("d/s/y", 4)];
    let after: Entries<'_> = &[("e/", 1), ("e/x", 2), ("e/s/", 3), ("e/s/y", 4)];
    let mut state = state(before, after, before);
    let relocations = detect(&mut state, &HashSet::new());
    assert_eq!(moved(&relocations), [(Side::B, "d".into(), "e".into())]);
    let plan = reconcile(&state, &Rules::default());
    assert!(verdicts(&plan).iter().all(|(_, verdict)| *verdict == Verdict::Keep), "{plan:?}");
}

#[test]
fn a_rotation_of_logs_is_moved_from_the_last_to_the_first() {
    let before: Entries<'_> = &[("log", 1), ("log.1", 2), ("log.2", 3)];
    let mut state = state(before, &[("log", 4), ("log.1", 1), ("log.2", 2), ("log.3", 3)], before);
    let relocations = detect(&mut state, &HashSet::new());
    let names: Vec<_> = moved(&relocations).into_iter().map(|(_, from, to)| format!("{from} {to}")).collect();
    assert_eq!(names, ["log.2 log.3", "log.1 log.2", "log log.1"]);
    let copied = verdicts(&reconcile(&state, &Rules::default()));
    assert_eq!(copied[0], ("log".into(), Verdict::Copy(Side::B)));
}

#[test]
fn entries_that_have_changed_places_do_so_on_the_other_side_without_a_copy() {
    let before: Entries<'_> = &[("c/", 1), ("c/x", 2), ("d/", 3), ("d/y", 4), ("e/", 5), ("e/z", 6)];
    let swapped: Entries<'_> = &[("c/", 3), ("c/y", 4), ("d/", 1), ("d/x", 2), ("e/", 5), ("e/z", 6)];
    let rotated: Entries<'_> = &[("c/", 3), ("c/y", 4), ("d/", 5), ("d/z", 6), ("e/", 1), ("e/x", 2)];
    for (after, exchanges) in [(swapped, 1), (rotated, 2)] {
        let mut state = state(before, after, before);
        let relocations = detect(&mut state, &HashSet::new());
        assert_eq!(relocations.len(), exchanges, "{relocations:?}");
        assert!(relocations.iter().all(|relocation| matches!(relocation, Relocation::Exchange(_))));
        let plan = reconcile(&state, &Rules::default());
        let is_kept = |verdict: &Verdict| matches!(verdict, Verdict::Keep | Verdict::Unchanged);
        assert!(verdicts(&plan).iter().all(|(_, verdict)| is_kept(verdict)), "{plan:?}");
    }
}

#[test]
fn a_directory_that_is_as_agreed_is_one_step_that_counts_what_is_in_it() {
    let agreed: Entries<'_> = &[("d/", 1), ("d/s/", 2), ("d/s/x", 3), ("d/y", 4)];
    let plan = reconcile(&state(agreed, agreed, agreed), &Rules::default());
    assert_eq!(verdicts(&plan), [("d".into(), Verdict::Unchanged)]);
    let part = &plan.parts[&Some("d".into())];
    let both = Both { a: 4, b: 4 };
    assert_eq!(
        (part.unchanged, part.tally),
        (2, Tally { agreed: 4, survivors: both, entries: both, ..Tally::default() })
    );
    let all: Entries<'_> = &[("d/", 1), ("d/s/", 2), ("d/s/x", 3), ("d/s/z", 5), ("d/y", 4)];
    let changed = reconcile(&state(agreed, agreed, all), &Rules::default());
    let below = ["d", "d/s", "d/s/x", "d/s/z", "d/y"].map(String::from);
    assert_eq!(verdicts(&changed).into_iter().map(|(path, _)| path).collect::<Vec<_>>(), below);
    let rules = Rules { compares_contents: true, ..Rules::default() };
    assert!(verdicts(&reconcile(&state(agreed, agreed, agreed), &rules)).contains(&("d/y".into(), Verdict::Compare)));
}

#[test]
fn a_new_directory_with_the_inode_number_of_a_deleted_one_is_no_move() {
    let mut state = state(&[("d/", 1), ("d/x", 2)], &[("e/", 1), ("e/x", 9)], &[("d/", 1), ("d/x", 2)]);
    assert!(detect(&mut state, &HashSet::new()).is_empty());
}

#[test]
fn an_entry_that_both_sides_have_moved_to_different_places_stays_in_both() {
    let mut state = state(&[("x", 1)], &[("y", 1)], &[("z", 1)]);
    assert!(detect(&mut state, &HashSet::new()).is_empty());
    let expected = [("y".into(), Verdict::Copy(Side::B)), ("z".into(), Verdict::Copy(Side::A))];
    assert_eq!(verdicts(&reconcile(&state, &Rules::default())), expected);
}

#[test]
fn a_refused_move_is_copied_and_deleted() {
    let mut state = state(&[("x", 1)], &[("y", 1)], &[("x", 1)]);
    assert!(detect(&mut state, &HashSet::from(["y".into()])).is_empty());
    let expected = [("x".into(), Verdict::Delete(Side::B)), ("y".into(), Verdict::Copy(Side::B))];
    assert_eq!(verdicts(&reconcile(&state, &Rules::default())), expected);
}

#[test]
fn nothing_is_deleted_where_a_disk_was_mounted() {
    let mut state = state(&[("d/", 1), ("d/x", 2)], &[("d/", 3)], &[("d/", 1), ("d/x", 2)]);
    let directory = find(&state.agreed, "d");
    let agreed: &mut Agreed = state.agreed.entry_mut(directory);
    agreed.as_mut().unwrap().a.is_mount = true;
    let plan = reconcile(&state, &Rules::default());
    assert_eq!(verdicts(&plan), [("d".into(), Verdict::Leave(Reason::Unmounted(Side::A)))]);
    let forgets = Rules { forgets_mounts: true, ..Rules::default() };
    assert_eq!(verdicts(&reconcile(&state, &forgets))[1], ("d/x".into(), Verdict::Delete(Side::B)));
}

#[test]
fn a_directory_that_cannot_be_read_or_hides_something_is_not_deleted() {
    let entries: Entries<'_> = &[("d/", 1), ("d/x", 2)];
    let mut unreadable = state(entries, &[("d/", 1)], entries);
    let directory = find(&unreadable.found.a, "d");
    unreadable.found.a.entry_mut(directory).is_unreadable = true;
    let plan = reconcile(&unreadable, &Rules::default());
    assert_eq!(verdicts(&plan), [("d".into(), Verdict::Leave(Reason::Unreadable(Side::A)))]);
    let mut hiding = state(entries, &[], entries);
    let directory = find(&hiding.found.b, "d");
    hiding.found.b.entry_mut(directory).hides = true;
    let expected = [("d".into(), Verdict::Leave(Reason::Hides(Side::B))), ("d/x".into(), Verdict::Delete(Side::B))];
    assert_eq!(verdicts(&reconcile(&hiding, &Rules::default())), expected);
    let changed = find(&hiding.found.b, "d/x");
    hiding.found.b.entry_mut(changed).version.size += 1;
    let expected = [("d".into(), Verdict::Copy(Side::A)), ("d/x".into(), Verdict::Copy(Side::A))];
    assert_eq!(verdicts(&reconcile(&hiding, &Rules::default())), expected);
}

/// The verdict about a file of which A has new metadata, and whose time of modification was `modified` when it was agreed.
fn verdict_on_new_metadata(modified: Time, rules: &Rules, change_b: impl Fn(&mut Version)) -> Verdict {
    let entries: Entries<'_> = &[("x", 9)];
    let mut state = state(entries, entries, entries);
    let id = find(&state.agreed, "x");
    for version in [&mut state.agreed.entry_mut(id).as_mut().unwrap().a, &mut state.found.a.entry_mut(id).version] {
        version.modified = modified;
    }
    let later = Time { seconds: 50, nanos: 0 };
    state.found.a.entry_mut(id).version.changed = later;
    change_b(&mut state.found.b.entry_mut(id).version);
    verdicts(&reconcile(&state, rules))[0].1
}

#[test]
fn new_metadata_of_one_side_are_in_no_conflict_with_an_edit_of_the_other() {
    let (times, checksum) = (Rules::default(), Rules { compares_contents: true, ..Rules::default() });
    let [fine, old, recent] = [(9, 5), (2, 0), (9, 0)].map(|(seconds, nanos)| Time { seconds, nanos });
    let edit = |version: &mut Version| version.size += 1;
    for modified in [fine, old] {
        assert_eq!(verdict_on_new_metadata(modified, &times, edit), Verdict::Copy(Side::A));
        assert_eq!(verdict_on_new_metadata(modified, &times, |_| {}), Verdict::Compare);
    }
    // An edit in the same second may have the same time.
    assert!(matches!(verdict_on_new_metadata(recent, &times, edit), Verdict::Leave(Reason::Conflict(_))));
    assert!(matches!(verdict_on_new_metadata(fine, &checksum, edit), Verdict::Leave(Reason::Conflict(_))));
}

#[test]
fn another_file_of_the_same_size_and_time_may_be_in_conflict_with_an_edit() {
    let entries: Entries<'_> = &[("x", 9)];
    let mut state = state(entries, entries, entries);
    let id = find(&state.found.a, "x");
    state.found.a.entry_mut(id).version.inode = 7;
    state.found.b.entry_mut(id).version.size += 1;
    let verdict = verdicts(&reconcile(&state, &Rules::default()))[0].1;
    assert!(matches!(verdict, Verdict::Leave(Reason::Conflict(_))), "{verdict:?}");
}

#[test]
fn new_metadata_of_one_side_are_no_change_that_the_other_side_deletes() {
    let entries: Entries<'_> = &[("x", 1)];
    let mut state = state(entries, entries, &[]);
    let id = find(&state.found.a, "x");
    let version = &mut state.found.a.entry_mut(id).version;
    version.changed.seconds += 50;
    assert_eq!(verdicts(&reconcile(&state, &Rules::default()))[0].1, Verdict::Delete(Side::A));
    let checksum = Rules { compares_contents: true, ..Rules::default() };
    assert_eq!(verdicts(&reconcile(&state, &checksum))[0].1, Verdict::Copy(Side::B));
    state.found.a.entry_mut(id).version.mode = 0o600;
    assert_eq!(verdicts(&reconcile(&state, &Rules::default()))[0].1, Verdict::Copy(Side::B));
}

#[test]
fn all_contents_are_compared_only_on_request() {
    let entries: Entries<'_> = &[("x", 1)];
    let state = state(entries, entries, entries);
    assert_eq!(verdicts(&reconcile(&state, &Rules::default()))[0].1, Verdict::Keep);
    let rules = Rules { compares_contents: true, ..Rules::default() };
    assert_eq!(verdicts(&reconcile(&state, &rules))[0].1, Verdict::Compare);
}
