//! Two sides that a script edits, and what it has written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fmt, fs};

use super::disk::{Described, contents};
use super::script::Policy;
use crate::program::{PROGRAM, RunOutput, command_with_home};
use crate::trees::Trees;

pub(super) struct World {
    pub(super) trees: Trees,
    pub(super) policy: Policy,
    pub(super) compares_contents: bool,
    /// The side on which each content was first written, A being 0, and the number of the last check before that.
    pub(super) written: BTreeMap<String, (usize, u32)>,
    pub(super) destroyed: BTreeSet<String>,
    /// Whether each side has been edited since the last check.
    pub(super) is_edited: [bool; 2],
    /// Contents whose times were put back since the last check.
    pub(super) hidden: BTreeSet<String>,
    /// `true` if a run was killed or met edits since the last check.
    pub(super) is_interrupted: bool,
    pub(super) checks: u32,
    deletions: u32,
    /// The edits in words.
    pub(super) log: Vec<String>,
    /// What both sides were after the last check if they were equal.
    pub(super) agreed: Option<Described>,
}

impl World {
    pub(super) fn new(policy: Policy, compares_contents: bool) -> Self {
        let trees = Trees::new();
        fs::create_dir(trees.base.path().join("trash")).unwrap();
        Self {
            trees,
            policy,
            compares_contents,
            written: BTreeMap::new(),
            destroyed: BTreeSet::new(),
            is_edited: [false; 2],
            hidden: BTreeSet::new(),
            is_interrupted: false,
            checks: 0,
            deletions: 0,
            log: Vec::new(),
            agreed: Some(Described::new()),
        }
    }

    pub(super) fn sides(&self) -> [&Path; 2] {
        [&self.trees.from, &self.trees.to]
    }

    pub(super) fn command(&self) -> Command {
        self.command_with(self.policy)
    }

    fn command_with(&self, policy: Policy) -> Command {
        let mut command = command_with_home(PROGRAM, self.trees.base.path());
        command.args(["--two-way", "--conflict", policy.name(), "--yes", "--json", "--jobs", "2"]);
        command.args(self.compares_contents.then_some("--checksum"));
        command.args(self.sides()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(super) fn run(&self, policy: Policy) -> RunOutput {
        self.command_with(policy).output().unwrap().into()
    }

    /// New contents that a script writes on a side. Some are longer than others.
    pub(super) fn token(&mut self, side: usize) -> String {
        let number = 1001 + self.written.len();
        let token = format!("t{number}{}", if number.is_multiple_of(4) { "-longer" } else { "" });
        self.written.insert(token.clone(), (side, self.checks));
        token
    }

    /// The directory of what was deleted.
    pub(super) fn trash(&self) -> PathBuf {
        self.trees.base.path().join("trash")
    }

    /// Notes an edit, for the message of a failure.
    pub(super) fn note(&mut self, verb: &str, path: &Path, object: impl fmt::Debug) {
        let path = path.strip_prefix(self.trees.base.path()).unwrap_or(path);
        self.log.push(format!("{verb} {} {object:?}", path.display()));
    }

    /// Moves what is at `path` out of its side. A run may still write into it.
    pub(super) fn delete(&mut self, path: &Path) {
        self.deletions += 1;
        let trash = self.trash().join(self.deletions.to_string());
        if fs::rename(path, &trash).is_ok() {
            self.note("delete", path, ());
            self.destroyed.extend(contents(&trash));
        }
    }
}
