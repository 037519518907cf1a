//! The places of files, by the XDG Base Directory Specification.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::{env, io};

use super::settings::Problem;

/// Returns the settings file: the one that the command line names, or the user's.
pub(super) fn settings(named: Option<PathBuf>) -> Result<PathBuf, Problem> {
    let default = || Some(directory("XDG_CONFIG_HOME", ".config")?.join("syncmgr/host.toml"));
    named
        .or_else(default)
        .ok_or_else(|| Problem::general("there is no settings file: HOME is not set; use --config FILE"))
}

/// Returns the default state file. `None` if the user has no directory for it.
pub(super) fn state() -> Option<PathBuf> {
    Some(directory("XDG_STATE_HOME", ".local/state")?.join("syncmgr/state.sqlite"))
}

/// Returns the home directory of the user.
pub(super) fn home() -> Option<PathBuf> {
    absolute("HOME")
}

/// Creates the parent directories of `file`, accessible only to this user.
pub(super) fn create_parent(file: &Path) -> io::Result<()> {
    let Some(directory) = file.parent() else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Returns a directory of the user: the one in the variable, or else the one in the home directory.
fn directory(variable: &str, in_home: &str) -> Option<PathBuf> {
    absolute(variable).or_else(|| Some(home()?.join(in_home)))
}

/// Returns the path in a variable. A relative one counts as unset.
fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}
