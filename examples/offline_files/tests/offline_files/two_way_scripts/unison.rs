//! The same edits for this program and for unison, which must make the same of them wherever neither of them sees a conflict.
//!
//! BENCHMARKS.md explains the conflicts that only one of them sees. `TWO_WAY_UNISON_SCRIPTS` sets the number of scripts, `TWO_WAY_SEED` the first seed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::check::conflicts;
use super::disk::{Described, described};
use super::script::{Policy, Script, Step};
use super::world::World;
use crate::skip::skip;

/// Two pairs of sides with the same edits.
struct Pair {
    ours: World,
    theirs: World,
}

/// What both programs made of the edits of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Equal,
    /// Both see a conflict, and the paths without one are equal.
    Conflict,
    ConflictOfUnison,
    OurConflict,
    /// We keep a directory that one side has replaced by another one and the other side has deleted. unison deletes it, because both
    /// have the same name.
    OurDirectory,
    /// Paths differ that have no conflict.
    Different,
}

impl Pair {
    fn new() -> Self {
        Self { ours: World::new(Policy::Ask, false), theirs: World::new(Policy::Ask, false) }
    }

    fn edit(&mut self, seed: u64) {
        self.ours.edit(seed);
        self.theirs.edit(seed);
    }

    /// Runs both programs.
    fn run(&mut self) -> Verdict {
        let output = self.ours.run(Policy::Ask);
        let (ours, theirs) = (conflicts(&output.json()), unison(&self.theirs));
        let are_but = |is_allowed: &dyn Fn(&Path, &Described, &Described) -> bool| {
            (0..2).all(|side| {
                let [ours, theirs] = [&self.ours, &self.theirs].map(|world| described(world.sides()[side]));
                differences(&ours, &theirs).into_iter().all(|path| is_allowed(path, &ours, &theirs))
            })
        };
        let are_equal = are_but(&|path, _, _| ours.iter().chain(&theirs).any(|conflict| path.starts_with(conflict)));
        match (are_equal, ours.is_empty(), theirs.is_empty()) {
            (false, true, true) if are_but(&is_our_directory) => Verdict::OurDirectory,
            (false, true, true) => Verdict::Different,
            (_, true, true) => Verdict::Equal,
            (_, false, false) => Verdict::Conflict,
            (_, true, false) => Verdict::ConflictOfUnison,
            (_, false, true) => Verdict::OurConflict,
        }
    }
}

fn is_our_directory(path: &Path, ours: &Described, theirs: &Described) -> bool {
    const DIRECTORY: u32 = 0o040_000;
    let is_directory = ours.get(path).is_some_and(|(mode, _)| mode & 0o170_000 == DIRECTORY);
    is_directory && !theirs.contains_key(path)
}

fn differences<'a>(ours: &'a Described, theirs: &'a Described) -> Vec<&'a Path> {
    let all = ours.keys().chain(theirs.keys());
    all.filter(|path| ours.get(*path) != theirs.get(*path)).map(|path| path.as_path()).collect()
}

/// Runs unison, which compares contents instead of times, and returns the paths that it leaves as conflicts.
fn unison(world: &World) -> Vec<String> {
    let mut command = Command::new("unison");
    command.args(world.sides()).env("UNISON", world.trees.base.path().join("state"));
    command.args(["-batch", "-auto", "-ui", "text", "-confirmbigdel=false", "-fastcheck", "false", "-perms", "-1"]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code().is_some_and(|code| code < 2), "{text}");
    let skipped =
        text.lines().filter_map(|line| line.strip_prefix("  skipped: ")?.rsplit_once(" (")).map(|(path, _)| path);
    skipped.map(str::to_owned).collect()
}

/// Performs a script until the first conflict, after which the sides of both programs may be different.
fn perform(script: &Script, found: &mut BTreeMap<Verdict, u32>) -> Result<(), String> {
    let mut pair = Pair::new();
    for step in &script.steps {
        match *step {
            Step::Edit { seed } => pair.edit(seed),
            Step::Run => {
                let verdict = pair.run();
                *found.entry(verdict).or_default() += 1;
                match verdict {
                    Verdict::Equal => {}
                    Verdict::Different => {
                        let sides = [&pair.ours, &pair.theirs].map(|world| world.sides().map(described));
                        return Err(format!("{verdict:?}: {sides:#?}\n{}", pair.ours.log.join("\n")));
                    }
                    Verdict::Conflict | Verdict::ConflictOfUnison | Verdict::OurConflict | Verdict::OurDirectory => {
                        return Ok(());
                    }
                }
                pair.ours.log.push("run".into());
            }
            Step::Kill { .. } | Step::EditDuring { .. } => {}
        }
    }
    Ok(())
}

#[test]
fn unison_makes_the_same_of_random_edits_without_conflicts() {
    if Command::new("unison").arg("-version").output().is_err() {
        return skip("this needs unison");
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (first, count) = (number("TWO_WAY_SEED").unwrap_or(1), number("TWO_WAY_UNISON_SCRIPTS").unwrap_or(20));
    let mut found = BTreeMap::new();
    let scripts = (first..first + count).map(|seed| (seed, perform(&Script::new(seed), &mut found)));
    let failed: Vec<_> = scripts.filter_map(|(seed, result)| Some(format!("seed {seed}: {}", result.err()?))).collect();
    println!("{found:?}");
    assert!(failed.is_empty(), "{}\n{found:?}, {} scripts", failed.join("\n\n"), failed.len());
}
