//! Random edits of both sides between runs in both directions, with runs that are killed and edits while a run goes on.
//!
//! Every file and link has contents of its own. Whatever a script has written and has not overwritten or deleted itself must be on both
//! sides after the next complete run. `TWO_WAY_DISK_SCRIPTS` sets the number of scripts, `TWO_WAY_SEED` the first seed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;

use crate::program::{PROGRAM, RunOutput, command_with_home};
use crate::trees::{Trees, snapshot};

/// The names of entries. There are few, so that edits meet.
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e.txt"];

/// One step of a script. The seeds choose what is edited.
#[derive(Clone, Copy, Debug)]
enum Step {
    Edit {
        seed: u64,
    },
    /// A run that is killed after this time.
    Kill {
        microseconds: u64,
    },
    /// A run with edits meanwhile.
    EditDuring {
        seed: u64,
    },
    /// A complete run, after which everything is checked.
    Run,
}

fn script(seed: u64) -> Vec<Step> {
    let mut random = Rng::with_seed(seed);
    let has_kills = seed.is_multiple_of(3);
    let mut steps = Vec::new();
    for _ in 0..random.u32(1..4) {
        for _ in 0..random.u32(1..10) {
            steps.push(Step::Edit { seed: random.u64(..) });
        }
        if has_kills {
            steps.push(Step::Kill { microseconds: random.u64(..12_000) });
            (0..random.u32(..3)).for_each(|_| steps.push(Step::Edit { seed: random.u64(..) }));
        } else if random.u32(..4) == 0 {
            steps.push(Step::EditDuring { seed: random.u64(..) });
        }
        steps.push(Step::Run);
    }
    steps
}

/// Two sides that a script edits.
struct World {
    trees: Trees,
    written: BTreeSet<String>,
    destroyed: BTreeSet<String>,
    tokens: u32,
}

impl World {
    fn new() -> Self {
        Self { trees: Trees::new(), written: BTreeSet::new(), destroyed: BTreeSet::new(), tokens: 1000 }
    }

    fn command(&self) -> Command {
        let mut command = command_with_home(PROGRAM, self.trees.base.path());
        command.args(["--two-way", "--conflict", "keep-both", "--yes", "--json", "--jobs", "2"]);
        command.arg(&self.trees.from).arg(&self.trees.to);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self) -> RunOutput {
        self.command().output().unwrap().into()
    }

    fn token(&mut self) -> String {
        self.tokens += 1;
        let token = format!("t{}", self.tokens);
        self.written.insert(token.clone());
        token
    }

    /// Edits one side. An edit that fails, because a run has just changed what it meets, is none.
    fn edit(&mut self, seed: u64) {
        let mut random = Rng::with_seed(seed);
        let root = if random.bool() { self.trees.from.clone() } else { self.trees.to.clone() };
        let (all, directories) = entries(&root);
        let directory = directories[random.usize(..directories.len())].clone();
        let free = directory.join(NAMES[random.usize(..NAMES.len())]);
        let is_free = free.symlink_metadata().is_err();
        let any = (!all.is_empty()).then(|| all[random.usize(..all.len())].clone());
        let file = any.clone().filter(|path| path.symlink_metadata().is_ok_and(|about| about.is_file()));
        match (random.u32(..12), any, file) {
            (0..3, ..) if is_free => {
                let token = self.token();
                let _ = fs::write(&free, token);
            }
            (3, ..) if is_free => drop(fs::create_dir(&free)),
            (4, ..) if is_free => {
                let token = self.token();
                let _ = symlink(token, &free);
            }
            (5, _, Some(file)) => self.overwrite(&file),
            (6, _, Some(file)) => self.replace(&file),
            (7, Some(any), _) => self.delete(&any),
            (8 | 9, Some(any), _) if !free.starts_with(&any) => self.rename(&any, &free),
            (10, Some(any), _) if !any.is_symlink() => {
                let mode = [0o755, 0o700, 0o775][random.usize(..3)];
                let _ = fs::set_permissions(&any, fs::Permissions::from_mode(mode));
            }
            (11, _, Some(file)) => {
                self.delete(&file);
                let token = self.token();
                let _ = fs::create_dir(&file).and_then(|()| fs::write(file.join("a"), token));
            }
            _ => {}
        }
    }

    fn overwrite(&mut self, file: &Path) {
        self.destroy(file);
        let token = self.token();
        let _ = fs::write(file, token);
    }

    /// A new file takes the place of the old one, as editors save.
    fn replace(&mut self, file: &Path) {
        let (token, temporary) = (self.token(), file.with_file_name("saving"));
        if fs::write(&temporary, token).is_ok() {
            self.destroy(file);
            let _ = fs::rename(&temporary, file);
        }
    }

    fn delete(&mut self, path: &Path) {
        self.destroy(path);
        let is_directory = path.symlink_metadata().is_ok_and(|about| about.is_dir());
        let _ = if is_directory { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        self.destroy(to);
        let _ = fs::rename(from, to);
    }

    /// Notes that the script destroys what is at `path`.
    fn destroy(&mut self, path: &Path) {
        self.destroyed.extend(contents(path));
    }

    /// Runs to the end and checks everything. Returns what is wrong.
    fn check(&self) -> Result<(), String> {
        let output = self.run();
        if output.code != Some(0) {
            return Err(format!("the run failed: {} {}", output.stdout, output.stderr));
        }
        let sides = [&self.trees.from, &self.trees.to].map(|root| described(root));
        if sides[0] != sides[1] {
            return Err(format!("the sides differ: {sides:#?}\n{}", output.stdout));
        }
        let kept = contents(&self.trees.from);
        if let Some(lost) = self.written.difference(&self.destroyed).find(|token| !kept.contains(*token)) {
            return Err(format!("{lost} is lost: {:#?}", sides[0]));
        }
        let again = self.run();
        if again.code != Some(0) || has_changes(&again.json()) || described(&self.trees.from) != sides[0] {
            return Err(format!("a further run does something: {}", again.stdout));
        }
        Ok(())
    }
}

fn has_changes(document: &Value) -> bool {
    let items = document["items"].as_array().expect("`items` is an array").iter();
    let counts = items.flat_map(|item| item["counts"].as_object().expect("`counts` is an object").clone());
    counts.into_iter().any(|(name, count)| name != "unchanged" && count != 0)
}

/// All entries below a directory, and all directories including it.
fn entries(root: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut all, mut directories, mut next) = (Vec::new(), vec![root.to_owned()], 0);
    while let Some(directory) = directories.get(next).cloned() {
        let mut paths: Vec<_> =
            fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| !path.to_string_lossy().contains(".offline-files-"));
        paths.sort();
        for path in paths {
            directories.extend(path.symlink_metadata().is_ok_and(|about| about.is_dir()).then(|| path.clone()));
            all.push(path);
        }
        next += 1;
    }
    (all, directories)
}

/// The contents of the files and links at and below a path.
fn contents(path: &Path) -> BTreeSet<String> {
    let of = |path: &Path| {
        let link = fs::read_link(path).ok().map(|target| target.to_string_lossy().into_owned());
        link.or_else(|| fs::read_to_string(path).ok())
    };
    std::iter::once(path.to_owned()).chain(entries(path).0).filter_map(|path| of(&path)).collect()
}

/// Kinds, permissions and contents by path.
fn described(root: &Path) -> BTreeMap<PathBuf, (u32, String)> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    snapshot(root).into_iter().map(|(path, (mode, _, _, contents))| (path, (mode, text(contents)))).collect()
}

fn perform(steps: &[Step]) -> Result<(), String> {
    let mut world = World::new();
    for step in steps {
        match *step {
            Step::Edit { seed } => world.edit(seed),
            Step::Kill { microseconds } => {
                let mut run = world.command().spawn().unwrap();
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the kill comes at a random time, and nothing depends on which"
                )]
                thread::sleep(Duration::from_micros(microseconds));
                run.kill().unwrap();
                run.wait().unwrap();
            }
            Step::EditDuring { seed } => {
                let run = world.command().spawn().unwrap();
                let mut random = Rng::with_seed(seed);
                (0..8).for_each(|_| world.edit(random.u64(..)));
                run.wait_with_output().unwrap();
            }
            Step::Run => world.check()?,
        }
    }
    Ok(())
}

/// Removes steps from a failing script as long as it fails.
fn shrink(mut steps: Vec<Step>) -> Vec<Step> {
    let mut index = 0;
    while index < steps.len() {
        let mut fewer = steps.clone();
        fewer.remove(index);
        // What depends on the time of a kill may fail only sometimes.
        match (0..3).any(|_| perform(&fewer).is_err()) {
            true => steps = fewer,
            false => index += 1,
        }
    }
    steps
}

#[test]
fn random_edits_on_disk_are_never_lost_and_both_sides_converge() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (first, count) = (number("TWO_WAY_SEED").unwrap_or(1), number("TWO_WAY_DISK_SCRIPTS").unwrap_or(60));
    for seed in first..first + count {
        let steps = script(seed);
        if let Err(error) = perform(&steps) {
            let small = shrink(steps);
            let error = perform(&small).err().unwrap_or(error);
            panic!("seed {seed}: {error}\n{small:#?}");
        }
    }
}
