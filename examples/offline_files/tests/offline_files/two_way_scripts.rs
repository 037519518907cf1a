//! Random edits of both sides between runs in both directions, with runs that are killed and edits while a run goes on.
//!
//! Every file and link has contents of its own. Whatever a script has written and has not overwritten or deleted itself must be on both
//! sides after the next complete run. A seed also chooses how conflicts are decided. `TWO_WAY_DISK_SCRIPTS` sets the number of scripts,
//! `TWO_WAY_SEED` the first seed.

mod check;
mod disk;
mod edit;
mod script;
mod unison;
mod world;

use std::process::Child;
use std::thread;
use std::time::Duration;

use fastrand::Rng;

pub(crate) use self::check::has_changes;
use self::script::{Script, Step};
use self::world::World;

fn perform(script: &Script) -> Result<(), String> {
    let mut world = World::new(script.policy, script.compares_contents);
    steps(&mut world, &script.steps).map_err(|error| format!("{error}\n{}", world.log.join("\n")))
}

fn steps(world: &mut World, steps: &[Step]) -> Result<(), String> {
    for step in steps {
        world.log.extend((!matches!(step, Step::Edit { .. })).then(|| format!("{step:?}")));
        match *step {
            Step::Edit { seed } => world.edit(seed),
            Step::EditDuring { seed } => {
                let run = edit_during(world, seed);
                run.wait_with_output().unwrap();
            }
            Step::Kill { seed, microseconds } => {
                world.is_interrupted = true;
                let mut run = match seed {
                    Some(seed) => edit_during(world, seed),
                    None => world.command().spawn().unwrap(),
                };
                pause(microseconds);
                run.kill().unwrap();
                run.wait().unwrap();
            }
            Step::Run => world.check()?,
        }
    }
    Ok(())
}

/// Starts a run, and edits both sides while it goes on.
fn edit_during(world: &mut World, seed: u64) -> Child {
    world.is_interrupted = true;
    let run = world.command().spawn().unwrap();
    let mut random = Rng::with_seed(seed);
    for _ in 0..8 {
        pause(random.u64(..3_000));
        world.edit(random.u64(..));
    }
    run
}

fn pause(microseconds: u64) {
    #[expect(clippy::disallowed_methods, reason = "what happens to a run at a random time may be anything")]
    thread::sleep(Duration::from_micros(microseconds));
}

/// Removes steps from a failing script as long as it fails.
fn shrink(mut script: Script) -> Script {
    let mut index = 0;
    while index < script.steps.len() {
        let mut fewer = script.clone();
        fewer.steps.remove(index);
        // What depends on the time of a kill may fail only sometimes.
        match (0..3).any(|_| perform(&fewer).is_err()) {
            true => script = fewer,
            false => index += 1,
        }
    }
    script
}

#[test]
fn random_edits_on_disk_are_never_lost_and_both_sides_converge() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (first, count) = (number("TWO_WAY_SEED").unwrap_or(1), number("TWO_WAY_DISK_SCRIPTS").unwrap_or(60));
    for seed in first..first + count {
        let script = Script::new(seed);
        if let Err(error) = perform(&script) {
            let small = shrink(script);
            let smaller = perform(&small).err().unwrap_or_default();
            panic!("seed {seed}: {error}\n\nmade smaller: {small:?}\n{smaller}");
        }
    }
}
