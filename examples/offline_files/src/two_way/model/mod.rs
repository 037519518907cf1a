//! The core against a model: random [edits](edit) of two [sides in memory](disk), [runs](world) between them, and what must hold after
//! each.

mod disk;
mod edit;
mod world;

use std::collections::BTreeSet;

use self::edit::{Script, script};
use self::world::World;
use super::conflict::Conflicts;
use super::plan::{Plan, Reason, Verdict};
use super::side::{Both, Side};

fn is_open(plan: &Plan) -> bool {
    let steps = plan.parts.values().flat_map(|part| &part.steps);
    steps.into_iter().any(|step| matches!(step.verdict, Verdict::Leave(Reason::Conflict(_))))
}

fn is_quiet(plan: &Plan) -> bool {
    let is_quiet = |verdict: &Verdict| matches!(verdict, Verdict::Keep | Verdict::Unchanged | Verdict::Leave(_));
    plan.parts.values().all(|part| part.renamings.is_empty() && part.steps.iter().all(|step| is_quiet(&step.verdict)))
}

/// Runs a script. Returns what is wrong, if anything.
fn check(script: &Script, policy: Conflicts) -> Result<(), String> {
    let (mut world, mut number, mut was_open) = (World::new(script.len()), 100, false);
    for edits in script {
        let before = Both::from_fn(|side| world.disks[side].contents());
        let unique = Both::from_fn(|side| world.disks[side].unique_contents());
        for edit in edits {
            number += 1;
            world.disks[edit.side].edit(*edit, &format!("t{number}"));
        }
        let edited = Both::from_fn(|side| world.disks[side].contents());
        let plan = world.run(policy);
        let after = Both::from_fn(|side| world.disks[side].contents());
        if matches!(policy, Conflicts::Ask | Conflicts::KeepBoth) {
            let lost = |side: Side| edited[side].difference(&before[side]).find(|new| !after[side].contains(*new));
            let all_after: BTreeSet<_> = after.a.union(&after.b).collect();
            let has = |side: Side, one: &String| unique[side].contains(one) && edited[side].contains(one);
            let kept = |one: &&String| Side::BOTH.iter().all(|side| has(*side, one));
            let vanished = || unique.a.iter().filter(kept).find(|one| !all_after.contains(one));
            // A side may have ended an open conflict by putting back the agreed version.
            let vanished = if was_open { None } else { vanished() };
            if let Some(lost) = lost(Side::A).or_else(|| lost(Side::B)).or(vanished) {
                return Err(format!("{lost} is lost"));
            }
        }
        was_open = is_open(&plan);
        let snapshots = Both::from_fn(|side| world.disks[side].snapshot());
        if !was_open && snapshots.a != snapshots.b {
            return Err(format!("the sides differ: {snapshots:#?}"));
        }
        let again = world.run(policy);
        let repeated = Both::from_fn(|side| world.disks[side].snapshot());
        if !is_quiet(&again) || repeated != snapshots {
            return Err("a second run does something".into());
        }
    }
    Ok(())
}

/// Runs a script with and without the edits that change nothing which is synchronized. Returns an error if the results differ. Where
/// whole seconds are stored, such an edit can look like another.
fn check_touches(script: &Script, policy: Conflicts) -> Result<(), String> {
    let (mut with, mut without) = (World::new(1), World::new(1));
    for edits in script {
        for (number, edit) in (100..).zip(edits) {
            with.disks[edit.side].edit(*edit, &format!("t{number}"));
            if !edit.is_touch() {
                without.disks[edit.side].edit(*edit, &format!("t{number}"));
            }
        }
        let open = [&mut with, &mut without].map(|world| is_open(&world.run(policy)));
        let [one, other] = [&with, &without].map(|world| Both::from_fn(|side| world.disks[side].snapshot()));
        if open[0] != open[1] || one != other {
            return Err(format!("new times of change make a difference: {one:#?} {other:#?}"));
        }
    }
    Ok(())
}

/// Removes edits from a failing script as long as it fails.
fn shrink(mut script: Script, fails: impl Fn(&Script) -> bool) -> Script {
    loop {
        let places: Vec<(usize, usize)> = script
            .iter()
            .enumerate()
            .flat_map(|(round, edits)| (0..edits.len()).map(move |edit| (round, edit)))
            .collect();
        let smaller = places.into_iter().find_map(|(round, edit)| {
            let mut smaller = script.clone();
            smaller[round].remove(edit);
            fails(&smaller).then_some(smaller)
        });
        match smaller {
            Some(smaller) => script = smaller,
            None => return script,
        }
    }
}

fn fails(script: &Script, policy: Conflicts) -> Option<String> {
    std::panic::catch_unwind(|| check(script, policy).and_then(|()| check_touches(script, policy)))
        .unwrap_or_else(|_| Err("it panicked".into()))
        .err()
}

/// Checks scripts from many seeds. `TWO_WAY_SCRIPTS` sets their number, `TWO_WAY_SEED` the first one.
#[test]
fn random_edits_are_never_lost_and_both_sides_converge() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (first, count) = (number("TWO_WAY_SEED").unwrap_or(1), number("TWO_WAY_SCRIPTS").unwrap_or(2_000));
    for seed in first..first + count {
        for policy in [Conflicts::Ask, Conflicts::KeepBoth, Conflicts::A, Conflicts::Newer] {
            let script = script(seed);
            if let Some(error) = fails(&script, policy) {
                let small = shrink(script, |script| fails(script, policy).is_some());
                let error = fails(&small, policy).unwrap_or(error);
                panic!("seed {seed}, {policy:?}: {error}\n{small:#?}");
            }
        }
    }
}
