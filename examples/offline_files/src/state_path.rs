//! The default path of the state file.

use std::ffi::{OsStr, OsString};
use std::fs::DirBuilder;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::{env, io};

use syncmgr::Uuid;

/// The state file for a pair of directories, given by paths with links resolved. Each pair has a file of its own, so that two
/// pairs never wait for each other. `None` if the user has no directory for state files.
pub(crate) fn default_path(from: &Path, to: &Path) -> Option<PathBuf> {
    let directory = directory(env::var_os("XDG_STATE_HOME"), env::var_os("HOME"))?;
    Some(directory.join("offline_files").join(file_name(from, to)))
}

/// Creates the parent directories of `file`, accessible only to this user.
pub(crate) fn create_parent(file: &Path) -> io::Result<()> {
    let Some(directory) = file.parent() else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// The state directory of the XDG Base Directory Specification. Relative paths count as unset.
#[cfg(not(target_os = "macos"))]
fn directory(state_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    absolute(state_home).or_else(|| Some(absolute(home)?.join(".local/state")))
}

/// The state directory of Apple's File System Programming Guide.
#[cfg(target_os = "macos")]
fn directory(_: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    Some(absolute(home)?.join("Library/Application Support"))
}

fn absolute(path: Option<OsString>) -> Option<PathBuf> {
    path.map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The file name for two paths. It must not change between versions of the program.
fn file_name(from: &Path, to: &Path) -> String {
    /// The UUID namespace of pairs.
    const PAIR: Uuid = Uuid::from_u128(0x8a4d_6c11_70e3_5f0e_b7a2_1d94_c3f8_6e05);
    let bytes = |path: &Path| <OsStr as OsStrExt>::as_bytes(path.as_os_str()).to_vec();
    // No path contains a zero byte.
    format!("{}.db", Uuid::new_v5(&PAIR, &[bytes(from), bytes(to)].join(&0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(target_os = "macos"))]
    fn the_directory_follows_the_xdg_specification() {
        let directory = |state: &str, home: &str| directory(Some(state.into()), Some(home.into()));
        assert_eq!(directory("/state", "/home/me").unwrap(), Path::new("/state"));
        assert_eq!(directory("", "/home/me").unwrap(), Path::new("/home/me/.local/state"));
        assert_eq!(directory("relative", "/home/me").unwrap(), Path::new("/home/me/.local/state"));
        assert_eq!(directory("", ""), None);
    }

    #[test]
    fn each_pair_has_a_stable_file_name() {
        let name = |from: &str, to: &str| file_name(Path::new(from), Path::new(to));
        assert_eq!(name("/a", "/b"), "5d15a2d3-5126-5762-b504-7a53dac8f878.db");
        assert_ne!(name("/a", "/b"), name("/b", "/a"));
        assert_ne!(name("/a/b", "/c"), name("/a", "/b/c"));
    }
}
