//! Mirrors one directory into another, the original purpose of sync managers.
//!
//! Each directory in FROM is an item. One more item, called `.`, has all other top-level entries. The manager runs several
//! items at the same time. Each item compares its part of the two trees and then updates TO in batches of files.
//!
//! ```text
//! cargo run --release -p offline_files -- [--delete] [--yes] [--full] [--state FILE | --no-state] [--jobs N] [--json] FROM TO
//! cargo run --release -p offline_files -- --two-way [--conflict HOW] [--yes] [--checksum] [--state FILE] [--jobs N] [--json] A B
//! cargo run --release -p offline_files -- --watch [--two-way] .. FROM TO
//! ```
//!
//! A state file for each pair of directories records the directories that are in sync. A later run reads all names and all
//! metadata in FROM, but only the metadata of each directory in TO. This metadata changes when an entry is created, renamed or
//! removed. If this metadata or anything on the FROM side differs, the directory is compared entry by entry. The metadata does not
//! show that the contents of a file in TO changed, or that a file copied shortly before a power failure is incomplete; `--full`
//! compares everything. A run also compares everything if FROM or TO is a different directory than before. The host holds
//! deletions that look like a mistake; `--yes` allows them.
//!
//! With `--two-way`, changes go in both directions. The state then has all entries on which both sides agreed, with their sizes and
//! times on each side. What has changed on one side since is made on the other; see `two_way/mod.rs` for the rules.
//!
//! With `--watch`, the program runs until a signal. It watches both sides, or FROM alone for a mirror, and runs an item again soon
//! after something in it has changed. It prints a line for each item that it has changed, and each new error; with `--json` a document
//! in a line for each run that did something. Linux only.
//!
//! The exit code is 0 on success, 1 if an item failed or was not done, 2 for invalid arguments, and 128 and the number of the signal
//! after a signal: 130 after Ctrl-C.

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    offline_files::run_program()
}

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("offline_files: runs only on Unix: it needs directory handles that do not follow symbolic links");
    std::process::ExitCode::from(2)
}
