//! Where the state is kept when nobody names a place.

use std::ffi::{OsStr, OsString};
use std::fs::DirBuilder;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::{env, io};

use syncmgr::Uuid;

/// The file for the mirror of one directory in another, both without links: each pair has its own, so that two pairs
/// never wait for each other. `None` where the user has no place for such files.
pub(crate) fn default_place(from: &Path, to: &Path) -> Option<PathBuf> {
    let directory = directory(env::var_os("XDG_STATE_HOME"), env::var_os("HOME"))?;
    Some(directory.join("offline_files").join(file_name(from, to)))
}

/// Makes the directories that lead to `file`, for this user alone.
pub(crate) fn make_way(file: &Path) -> io::Result<()> {
    let Some(directory) = file.parent() else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// What the XDG Base Directory Specification says; paths that are not absolute count as unset.
#[cfg(not(target_os = "macos"))]
fn directory(state_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    absolute(state_home).or_else(|| Some(absolute(home)?.join(".local/state")))
}

/// What Apple's File System Programming Guide says.
#[cfg(target_os = "macos")]
fn directory(_: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    Some(absolute(home)?.join("Library/Application Support"))
}

fn absolute(path: Option<OsString>) -> Option<PathBuf> {
    path.map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The same for the same two paths, in every version of the program.
fn file_name(from: &Path, to: &Path) -> String {
    /// The namespace of pairs.
    const PAIR: Uuid = Uuid::from_u128(0x8a4d_6c11_70e3_5f0e_b7a2_1d94_c3f8_6e05);
    let bytes = |path: &Path| <OsStr as OsStrExt>::as_bytes(path.as_os_str()).to_vec();
    // No path has a zero byte in it.
    format!("{}.db", Uuid::new_v5(&PAIR, &[bytes(from), bytes(to)].join(&0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(target_os = "macos"))]
    fn it_follows_the_specification() {
        let directory = |state: &str, home: &str| directory(Some(state.into()), Some(home.into()));
        assert_eq!(directory("/state", "/home/me").unwrap(), Path::new("/state"));
        assert_eq!(directory("", "/home/me").unwrap(), Path::new("/home/me/.local/state"));
        assert_eq!(directory("relative", "/home/me").unwrap(), Path::new("/home/me/.local/state"));
        assert_eq!(directory("", ""), None);
    }

    #[test]
    fn each_pair_has_a_file_and_keeps_it() {
        let name = |from: &str, to: &str| file_name(Path::new(from), Path::new(to));
        assert_eq!(name("/a", "/b"), "5d15a2d3-5126-5762-b504-7a53dac8f878.db");
        assert_ne!(name("/a", "/b"), name("/b", "/a"));
        assert_ne!(name("/a/b", "/c"), name("/a", "/b/c"));
    }
}
