//! The completions of shells and the man pages, which the build script makes.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::args::Shell;

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
pub(crate) fn write_man(directory: &Path) -> io::Result<Value> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    for (name, text) in MAN {
        fs::write(directory.join(name), text)?;
    }
    Ok(json!({ "pages": MAN.iter().map(|(name, _)| name).collect::<Vec<_>>() }))
}
