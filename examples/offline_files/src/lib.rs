//! Mirrors one directory into another, the original purpose of sync managers.
//!
//! [`FolderPair`] is a handler for a manager that hosts folder pairs, and [`TwoWayPair`] one for pairs that go in both directions. The program `offline_files` mirrors one pair and ends; its
//! documentation is in `main.rs`. Unix only: the mirror needs directory handles that do not follow symbolic links.

#![cfg(unix)]

mod args;
#[cfg(test)]
mod conformance;
mod escape;
mod folder_pair;
mod free_name;
mod guard;
mod handler;
mod history;
mod item_monitor;
mod mirror;
mod open_files;
mod part;
mod paths;
mod program;
mod record;
mod refusal;
mod report;
mod roots;
mod scan_scope;
mod screen;
mod signals;
mod state;
mod state_path;
mod two_way;
#[cfg(target_os = "linux")]
mod watch;
mod work;

pub use folder_pair::FolderPair;
pub use guard::Deletions;
pub use open_files::raise_open_files;
pub use program::main as run_program;
pub use two_way::{Conflicts, TwoWayPair};
