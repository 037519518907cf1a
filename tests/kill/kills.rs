//! Killed at every step, at any moment, and again.

use fastrand::Rng;
use syncmgr::store::sqlite::SEAMS;

use crate::child::{Fate, GoingOn, Orders, Part};
use crate::dice::{dice, some, times};
use crate::seen::{integrity, looking};
use crate::trial::{Trial, undisturbed};

/// How many kills a sample has at steps, outside of them, and of what goes on after a kill; all together more than 500.
const AT_STEPS: usize = 12;
const MOMENTS: (usize, usize) = (12, 300);
const TWICE: (usize, usize) = (3, 40);

/// Steps only a log passes that is too long.
const TOO_LONG: [&str; 2] = ["before log trimmed", "after log trimmed"];

fn going_on(dice: &mut Rng) -> GoingOn {
    if dice.bool() { GoingOn::AtNextTrigger } else { GoingOn::AtOnce }
}

/// The passings of a step it is killed at: of commits all, because they make what is found afterwards.
fn passings(step: &str, times: usize) -> Vec<usize> {
    if step == "after commit" {
        return (1..=times).collect();
    }
    let mut passings = vec![1, 2, times / 3, times * 2 / 3];
    passings.retain(|passing| (1..=times).contains(passing));
    passings.sort_unstable();
    passings.dedup();
    passings
}

#[test]
fn killed_at_any_step_of_writing_it_goes_on_to_the_same_end() {
    let (mut dice, mut killed) = (dice(1), 0);
    let steps = undisturbed().steps.iter();
    let all = steps.flat_map(|(step, times)| passings(step, *times).into_iter().map(move |nth| (step, nth)));
    for (step, passing) in some(&mut dice, AT_STEPS, all.collect()) {
        let mut trial = Trial::new();
        println!("killed at passing {passing} of {step}");
        let (fate, _) = Orders::killed_at(step, passing).run(&trial.folder);
        killed += usize::from(fate == Fate::Killed);
        trial.look();
        trial.finish(going_on(&mut dice));
    }
    println!("killed {killed} times at steps");
    assert!(killed >= times(AT_STEPS / 2, 140), "killed only {killed} times");
}

#[test]
fn the_work_passes_every_step_there_is_but_those_of_a_log_that_is_too_long() {
    let passed = &undisturbed().steps;
    let missed: Vec<_> = SEAMS.iter().filter(|step| !passed.contains_key(**step)).collect();
    assert_eq!(missed, TOO_LONG.iter().collect::<Vec<_>>());
}

#[test]
fn killed_while_its_log_is_trimmed_it_has_no_more_than_is_kept() {
    for step in TOO_LONG {
        let trial = Trial::new();
        let orders = Orders { part: Part::Chatter, ..Orders::killed_at(step, 1) };
        assert_eq!(orders.run(&trial.folder).0, Fate::Killed);
        let path = trial.folder.state();
        let (rows, last): (i64, i64) = looking(&path)
            .query_row("SELECT count(*), max(entry) FROM log", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("counted");
        assert_eq!((rows, last), (10_000, 10_000), "what was not committed is not there");
        assert_eq!(integrity(&path), "ok");
    }
}

#[test]
fn killed_at_any_moment_it_goes_on_to_the_same_end() {
    let (mut dice, mut killed) = (dice(2), 0);
    let steps: usize = undisturbed().steps.values().sum();
    while killed < times(MOMENTS.0, MOMENTS.1) {
        let (after, spins) = (dice.usize(..steps), dice.usize(..200_000));
        let mut trial = Trial::new();
        let fate = Orders::default().kill_after(&trial.folder, after, spins);
        println!("killed after {after} of {steps} steps and {spins} spins: {fate:?}");
        killed += usize::from(fate == Fate::Killed);
        trial.look();
        trial.finish(going_on(&mut dice));
    }
}

#[test]
fn killed_again_while_it_goes_on_it_still_comes_to_the_same_end() {
    let (mut dice, mut killed) = (dice(3), 0);
    let steps: usize = undisturbed().steps.values().sum();
    while killed < 2 * times(TWICE.0, TWICE.1) {
        let mut trial = Trial::new();
        for _ in 0..2 {
            let (after, spins) = (dice.usize(..steps * 2 / 3), dice.usize(..200_000));
            let orders = Orders { going_on: going_on(&mut dice), ..Orders::default() };
            println!("{orders:?} after {after} steps and {spins} spins");
            killed += usize::from(orders.kill_after(&trial.folder, after, spins) == Fate::Killed);
            trial.look();
        }
        trial.finish(going_on(&mut dice));
    }
}
