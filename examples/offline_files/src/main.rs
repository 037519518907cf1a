//! Mirrors one directory into another: what sync managers were first made for.
//!
//! Each directory in FROM is an item, and one more item, called `.`, owns every other name at the top. The manager runs
//! several at once; each item compares its part of the two trees and then brings TO up to date in batches of files.
//!
//! ```text
//! cargo run --release -p offline_files -- [--delete] [--yes] [--full] [--state FILE | --no-state] [--jobs N] [--json] FROM TO
//! ```
//!
//! What was found in order is kept in a file, one for each pair of directories, so that a later run need not look at it
//! again. FROM is read in full each time: names, and what can be known without opening a file. Of TO only the stamp of each
//! directory is read, which tells whether somebody else made, renamed or removed anything in it; a directory whose stamp, or
//! anything in FROM's side of it, differs is compared entry by entry. Nobody can tell from stamps that somebody wrote into a
//! file of TO, or that files copied shortly before the power was lost are not whole: `--full` looks at everything. Another
//! directory in the place of FROM or TO is noticed, and compared in full. Deletions that look like a mistake are held by the
//! host; `--yes` allows them.
//!
//! It ends with 0 when all is well, 1 when some item failed or was not done, 2 when it was called wrongly, and 130 after
//! Ctrl-C.

#[cfg(unix)]
mod args;
#[cfg(unix)]
mod compared;
#[cfg(unix)]
mod guard;
#[cfg(unix)]
mod handler;
#[cfg(all(unix, test))]
mod judged;
#[cfg(unix)]
mod mirror;
#[cfg(unix)]
mod part;
#[cfg(unix)]
mod paths;
#[cfg(unix)]
mod place;
#[cfg(unix)]
mod program;
#[cfg(unix)]
mod record;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod roots;
#[cfg(unix)]
mod screen;
#[cfg(unix)]
mod shown;
#[cfg(unix)]
mod state;
#[cfg(unix)]
mod work;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    program::main()
}

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("offline_files: needs directory handles that do not follow links, which it only has on Unix");
    std::process::ExitCode::from(2)
}
