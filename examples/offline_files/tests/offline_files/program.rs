//! Running the program.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::trees::Trees;

/// The built program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_offline_files");

/// How the program ended and what it said.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// What `--json` printed: one document and nothing else.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// One item of that document.
    pub(crate) fn item(&self, path: &str) -> Value {
        let document = self.json();
        let items = document["items"].as_array().expect("a list of items").iter();
        items.into_iter().find(|item| item["path"] == path).unwrap_or_else(|| panic!("no {path}: {document}")).clone()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("the program speaks UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("the program speaks UTF-8"),
        }
    }
}

/// The program, or a copy of it, keeping its state below `home` and nowhere else.
pub(crate) fn at_home(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", home.join("home")).env("XDG_STATE_HOME", home.join("state"));
    command
}

/// Runs the program, which refuses them, with these arguments to its end.
pub(crate) fn run(arguments: &[&OsStr]) -> Ran {
    at_home(PROGRAM, Path::new(env!("CARGO_TARGET_TMPDIR")))
        .args(arguments)
        .output()
        .expect("the program starts")
        .into()
}

impl Trees {
    /// The program about to mirror FROM into TO with these flags.
    pub(crate) fn command(&self, flags: &[&str]) -> Command {
        let mut command = at_home(PROGRAM, self.base.path());
        command.args(flags).arg(&self.from).arg(&self.to);
        command
    }

    /// Mirrors FROM into TO with these flags.
    pub(crate) fn run(&self, flags: &[&str]) -> Ran {
        self.command(flags).output().expect("the program starts").into()
    }
}
