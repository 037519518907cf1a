//! Mirrors one directory into another: what sync managers were first made for.
//!
//! Each directory in FROM is an item, and one more item, called `.`, owns every other name at the top. The manager runs
//! several at once; each item compares its part of the two trees and then brings TO up to date in batches of files.
//!
//! ```text
//! cargo run --release --example offline_files -- [--delete] [--yes] [--jobs N] [--json] FROM TO
//! ```
//!
//! It ends with 0 when all is well, 1 when some item failed or was not done, 2 when it was called wrongly, and 130 after
//! Ctrl-C.

#[cfg(unix)]
mod args;
#[cfg(unix)]
mod handler;
#[cfg(unix)]
mod mirror;
#[cfg(unix)]
mod part;
#[cfg(unix)]
mod paths;
#[cfg(unix)]
mod program;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod screen;
#[cfg(unix)]
mod shown;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    program::main()
}

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("offline_files: needs directory handles that do not follow links, which it only has on Unix");
    std::process::ExitCode::from(2)
}
