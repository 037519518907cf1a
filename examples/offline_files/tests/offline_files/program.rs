//! Helpers to run the program.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::trees::Trees;

/// The built program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_offline_files");

/// The exit code and the output of the program.
pub(crate) struct RunOutput {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl RunOutput {
    /// Parses the output of `--json`, which must be one document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// Returns the item with this path from the JSON document.
    pub(crate) fn item(&self, path: &str) -> Value {
        let document = self.json();
        let items = document["items"].as_array().expect("`items` is an array").iter();
        items.into_iter().find(|item| item["path"] == path).unwrap_or_else(|| panic!("no {path}: {document}")).clone()
    }
}

impl From<Output> for RunOutput {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("the output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("the output is UTF-8"),
        }
    }
}

/// A command that runs the program or a copy of it, with its state below `home`.
pub(crate) fn command_with_home(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", home.join("home")).env("XDG_STATE_HOME", home.join("state"));
    command
}

/// Runs the program with these arguments alone, for arguments that it rejects.
pub(crate) fn run(arguments: &[&OsStr]) -> RunOutput {
    command_with_home(PROGRAM, Path::new(env!("CARGO_TARGET_TMPDIR")))
        .args(arguments)
        .output()
        .expect("the program starts")
        .into()
}

impl Trees {
    /// A command that mirrors FROM into TO with these flags.
    pub(crate) fn command(&self, flags: &[&str]) -> Command {
        let mut command = command_with_home(PROGRAM, self.base.path());
        command.args(flags).arg(&self.from).arg(&self.to);
        command
    }

    /// Mirrors FROM into TO with these flags.
    pub(crate) fn run(&self, flags: &[&str]) -> RunOutput {
        self.command(flags).output().expect("the program starts").into()
    }
}
