//! The completions of shells and the man pages, which the build script makes.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Value, json};

use super::args::Shell;
use super::failure::Failure;

/// The man pages with the names of their files.
const MAN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/man.rs"));

/// Returns the completions of a shell.
pub(crate) fn completions(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => include_str!(concat!(env!("OUT_DIR"), "/completions/syncmgr.bash")),
        Shell::Zsh => include_str!(concat!(env!("OUT_DIR"), "/completions/_syncmgr")),
        Shell::Fish => include_str!(concat!(env!("OUT_DIR"), "/completions/syncmgr.fish")),
    }
}

/// Writes the man pages. Returns the names of their files.
pub(crate) fn write_man(directory: &Path) -> Result<Value, Failure> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(Failure::Unwritable { path: directory.to_owned(), error });
        }
        _ => {}
    }
    for (name, text) in MAN {
        let file = directory.join(name);
        fs::write(&file, text).map_err(|error| Failure::Unwritable { path: file, error })?;
    }
    Ok(json!({ "pages": MAN.iter().map(|(name, _)| name).collect::<Vec<_>>() }))
}
